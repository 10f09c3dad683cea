"""Clawdbot: a self-hosted assistant that never loses a message and never answers one twice."""

__all__ = ["BUILD_DATE", "__version__"]

__version__ = "0.1.0"
BUILD_DATE = "2026-11-22"  # of this version in a checkout; `hatch_build.py` stamps what is built
