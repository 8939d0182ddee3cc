"""Reading DynamoDB: the pages of a scan, the shards and records of a stream.

In: table, shard positions or segments, a read budget. Out: pages and records, still as bytes, with their positions.
Not to be touched: nothing here writes, and a record is handed out only after those of its shard's parents.
"""
