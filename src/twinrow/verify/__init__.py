"""The proof that every item has its row, and the repair where it has not."""
