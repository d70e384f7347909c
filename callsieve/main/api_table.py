"""The table of all endpoints of the API; each capability has its own."""

from __future__ import annotations

from importlib import import_module

from callsieve.api.endpoint import Endpoint
from callsieve.capability import Capabilities
from callsieve.main.capabilities import ALL


def endpoints_of(capabilities: Capabilities) -> tuple[Endpoint, ...]:
    """Return the endpoints of these capabilities."""
    return tuple(
        endpoint
        for one in capabilities.all
        for module in one.endpoints
        for endpoint in import_module(f"callsieve.{one.name}.{module}").ENDPOINTS
    )


ENDPOINTS = endpoints_of(ALL)
