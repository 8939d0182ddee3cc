"""The page that shows live how every table is.

In: the status that `observe` reads. Out: HTML, JavaScript and CSS of this folder alone, and JSON for them.
Not to be touched: it only reads, loads nothing from elsewhere, and shows raw items only to who has the token.
"""
