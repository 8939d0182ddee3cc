"""The places where work runs: a thread for each table, one heartbeat, processes that read a large first copy.

In: tables as `TableContext`, and a stop signal. Out: an outcome for each table.
Not to be touched: safety comes from the fence in MySQL; no place where work runs adds to it or may be needed for it.
"""
