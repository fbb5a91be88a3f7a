"""Which specialists do what, in which order, and when the work is done."""
