"""DynamoDB's exports to S3: which to ask for, and what their files say (pure).

In: a loss or a moment; bytes of manifests and files. Out: windows, requests, items, changes, and what becomes of them.
Not to be touched: nothing is sent or written here; a file is read only when checksum, end of gzip and count hold.
"""
