"""codeflow: a coding agent for the terminal that shows executed evidence for every change."""

__version__ = "0.1.0"
