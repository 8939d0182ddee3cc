"""A configuration that changes while a sync runs: files that are edited, tables that appear in DynamoDB and vanish.

In: the configuration's files, DynamoDB's list of tables. Out: tables that begin, end, and begin anew. Not to be
touched: a table whose settings are the same; and a mistake in a file changes nothing.
"""
