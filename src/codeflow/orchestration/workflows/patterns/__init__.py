"""Patterns of several agents, each usable as one node of a workflow."""
