"""What survives a run: the append-only log, and checkpoints of the work tree."""
