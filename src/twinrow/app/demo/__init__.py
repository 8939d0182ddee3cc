"""`twinrow demo`: a reviews app, its servers, a sync beside a live writer, and the proof that both sides agree.

In: nothing, or the servers that a user names. Out: a picture on the terminal, and an exit code.
Not to be touched: the demo uses what a user's sync uses; it has no way of its own to copy, link or compare.
"""
