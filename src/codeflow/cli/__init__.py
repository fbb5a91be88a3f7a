"""The terminal front door."""
