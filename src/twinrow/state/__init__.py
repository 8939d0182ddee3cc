"""What Twinrow remembers, kept in MySQL beside the rows: positions, leases, debts, dead letters."""
