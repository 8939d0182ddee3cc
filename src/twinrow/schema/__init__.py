"""Which attribute lives in which column: pure decisions, no I/O."""
