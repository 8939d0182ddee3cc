"""The proof that every item has its row, and the repair where it has not.

In: a table of items and its copy, also beside a running sync. Out: a verdict of counts and keys.
Not to be touched: nothing counts as equal unless it was seen equal; what stays unknown is `unsettled`.
"""
