"""Whose turn it is, the turn itself, and its commit."""
