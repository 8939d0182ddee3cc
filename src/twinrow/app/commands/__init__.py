"""The commands, a file each.

In: options. Out: what the other rooms return, printed as text or JSON, and an exit code.
Not to be touched: a command imports what it needs when it runs, so that every command starts fast.
"""
