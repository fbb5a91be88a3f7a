"""Project memory: notes that outlive a run, where they are kept and what of them a run is told."""
