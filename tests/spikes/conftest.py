"""The spikes use the contract suites' PostgreSQL."""

from tests.contract.conftest import clock, database, postgres

__all__ = ["clock", "database", "postgres"]
