"""Specialist files, and the Strands agents made from them."""
