"""The output of a command while it works: phases, news and troubles as log lines, long work as bars or plain lines.

In: the `Status` of the tables, and how far a work is. Out: lines on stderr, or through the log.
Not to be touched: results go to stdout and are printed by the commands, never here.
"""
