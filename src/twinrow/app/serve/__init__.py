"""The HTTP answers of a running sync: the page, the metrics for Prometheus, the health checks.

In: the status that `observe` reads once a second for every reader. Out: web servers that end with the command.
Not to be touched: all answers are read only, and raw items are shown only to who has the token.
"""
