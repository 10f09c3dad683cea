"""The attacks use the gateway's service."""

from tests.integration.gateway.conftest import short_home

__all__ = ["short_home"]
