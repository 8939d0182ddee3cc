"""Items against their rows: equal, missing, extra, different or unlinked. Reconcile and verify both use it.

In: pages of items, and the rows of the same keys. Out: differences, and which rows no item has.
Nothing here writes rows; what differs goes to recheck.
"""
