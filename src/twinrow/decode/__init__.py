"""Items in wire form: kinds, exact numbers, digests, and whole pages made into cells (pure).

In: attribute values or pages as DynamoDB's JSON has them. Out: values and cells, or why an item cannot be read.
Not to be touched: no digit is lost on the way, and equal values have equal digests in every release.
"""
