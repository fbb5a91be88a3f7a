"""The project's tests: run, read, and told to a model."""
