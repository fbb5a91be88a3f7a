"""What is allowed, and what it may cost."""
