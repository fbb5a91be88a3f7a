"""Arrangements of specialists: one agent with gates, and the graph."""
