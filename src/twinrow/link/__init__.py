"""Links: row ids into items and marks off them. In: pending links of the outbox. Out: settled links, or rechecks.

No image from an answer is ever written: by the time it arrives it may be old. Only "success, and the image before is
what the row was made from, and nobody has written the row since" settles a link; anything unclear goes to recheck.
`update` (the write as data), `settle` (answers), `fruitless` and `queue` are pure; `send`, `due` and `threads` work.
"""
