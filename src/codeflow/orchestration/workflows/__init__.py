"""Workflows: graphs of nodes that people write down, checked before they cost anything."""
