"""How every table is: one frozen `Status`, its troubles with the commands that mend them, the last hour's numbers.

In: the state tables in MySQL, and both clocks. Out: a `Status`, which table, JSON, page, metrics and log all show.
Not to be touched: this room only reads; what is not known stays unknown and is never shown as health.
"""
