"""A batch of changes becomes durable: one transaction for rows, their position, pending links and doubts.

In: changes, scanned pages or prepared rows, with the position they came from. Out: rows, and `Applied`.
Not to be touched: everything is written under the lease's lock and fence, or not at all.
"""
