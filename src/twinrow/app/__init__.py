"""What people touch: the command line, the page, the demo, and the wiring that constructs everything else."""
