"""Adapters, a folder each: `channel.py` carries, `wire.py` translates; they decide nothing."""
