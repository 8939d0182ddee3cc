"""`twinrow check`: would a sync start and go on with this configuration, and may `--fix` change what is missing?

In: the configuration and both servers. Out: findings, each with its remedy, and the fix where there is one.
Not to be touched: a check only reads; `fixes` alone changes DynamoDB, and only when a person has asked for it.
"""
