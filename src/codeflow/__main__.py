"""argv -> exit code."""
