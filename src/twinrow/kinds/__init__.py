"""One folder for each way to find changes: its traits, refusals, rights, fixes, cost and source.

In: a table's settings and description. Out: a source, which the loop of the table's run steps.
Not to be touched: a kind is named in `twinrow.capture_kind.KINDS` and nowhere else; nothing imports a kind by its name.
"""
