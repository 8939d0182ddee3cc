"""Before the first sync: a configuration file (`init`), the least rights it needs (`permissions`), its cost (`plan`).

In: what the servers describe, or a configuration. Out: TOML, IAM policies and GRANT statements, numbers.
Not to be touched: nothing is written, neither to a server nor to a file; the commands print or save what comes out.
"""
