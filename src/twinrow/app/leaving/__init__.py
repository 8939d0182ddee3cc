"""How a table's copy is taken down: row ids, marks, index, stream, backups, rows, and what Twinrow remembers.

In: a configured table and what a person named. Out: steps and what stays, as text, and the steps carried out.
Not to be touched: whatever Twinrow is not noted to have made.
"""
