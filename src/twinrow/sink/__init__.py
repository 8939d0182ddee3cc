"""How rows and columns are written to MySQL.

In: rows and schema steps, within a transaction that the caller has opened. Out: statements, row ids, refused rows.
Not to be touched: no commit happens here (but MySQL's own at DDL), and names are always quoted.
"""
