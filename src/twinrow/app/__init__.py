"""The interface: the commands, the page, the demo, the library; this folder itself holds what all of them share.

In: options, a configuration file, signals. Out: results on stdout, everything else on stderr, an exit code.
Not to be touched: nothing is decided here about rows or links; `wiring` builds all that works below from settings.
"""
