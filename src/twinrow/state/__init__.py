"""Twinrow's own tables in MySQL, a file each: checkpoints, leases, pending links, dead letters.

In: a transaction, or a session. Out: what was remembered, as frozen records.
Not to be touched: names of tables and columns stay; new ones go into `meta` as definition and as migration.
"""
