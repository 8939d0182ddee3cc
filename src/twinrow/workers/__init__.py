"""Who runs the work: threads on this machine."""
