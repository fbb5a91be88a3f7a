"""What the model is told about a project before its first turn."""
