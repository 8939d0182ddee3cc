"""One folder for each way to find changes: its traits, refusals, rights, fixes, cost and source.

A kind is given a table's settings and description, and hands out a source, which the loop of the table's run steps.
A kind is named in the registry (`twinrow.capture_kind.KINDS`) and nowhere else: nothing imports a kind by its name.
"""
