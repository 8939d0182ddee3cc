"""One DynamoDB table, several MySQL tables: which table an item belongs to, and what its key says (pure)."""
