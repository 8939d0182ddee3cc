"""Personal data stays out of MySQL: attributes are hashed, masked or dropped before anything else sees an item.

In: rules of the settings, a secret, raw items and keys. Out: protected items, sealed keys, and a door that does both.
Not to be touched: a value that a rule covers and does not understand is hashed or dropped, never kept.
"""
