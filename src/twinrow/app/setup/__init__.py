"""Before the first sync: a configuration file (`init`), the least rights it needs (`permissions`), its cost (`plan`).

In: what the servers describe, or a configuration. Out: TOML, IAM policies and GRANT statements, numbers.
Not to be touched: all of it is pure text and arithmetic; the commands ask the servers and print.
"""
