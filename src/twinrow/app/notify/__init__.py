"""Tells somebody of troubles of tables: once when they begin, once when they are over.

In: the `Status` of the tables. Out: messages to a webhook and an SNS topic.
Not to be touched: no sync waits for a message, and no message holds a key or a value of an item.
"""
