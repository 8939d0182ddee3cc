"""How rows are written to MySQL."""
