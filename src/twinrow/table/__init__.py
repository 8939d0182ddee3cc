"""One table while it is copied: settings, lease, writing session, schema, memory, identity.

In: settings resolved from the configuration, the doors to DynamoDB and MySQL. Out: the state the steps share.
Not to be touched: only the table's own thread writes rows, and only while the lease is held.
"""
