"""Which attribute lives in which column, and of which type (pure: no I/O).

In: items, a table's schema, overrides of the settings. Out: rows, a wider schema, the text of types and cells.
Not to be touched: a type only widens by itself, and what no column holds exactly goes to `_twinrow_extra`.
"""
