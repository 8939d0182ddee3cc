"""`twinrow schema`: what a person can do about a table's columns (rebuilds, views, overrides for mixed types).

In: a table's schema and its newest rows. Out: statements, view texts, proposals; `apply` runs the statements.
Not to be touched: columns that a sync adds or widens by itself are decided in `schema` and altered in `sink`.
"""
