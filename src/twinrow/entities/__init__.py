"""One DynamoDB table, several MySQL tables: which table an item belongs to, and what its key says (pure).

In: rules of the settings, items or keys. Out: the MySQL table, the columns that the key fills, proposals of rules.
Not to be touched: nothing is read or written here; an item goes to one entity, always to the same one.
"""
