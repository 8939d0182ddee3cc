"""The work on one table: its start, first copy, whole-table passes, rechecks and progress.

In: a table as `TableContext`, and the source of its capture. Out: rows and positions, by way of `twinrow.write`.
Not to be touched: a doubt about a key always ends in recheck, which reads the item under the lease's lock.
"""
