"""DynamoDB Local, MySQL and MariaDB as programs of this machine, for the demo, the tests and the bench.

In: the installed programs (`make servers`). Out: an endpoint or a URL on the loopback interface, until the `with` ends.
Not to be touched: nothing that runs in production imports this room; it knows nothing of a copy.
"""
