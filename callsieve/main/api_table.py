"""The table of all endpoints of the API; each capability has its own."""

from __future__ import annotations

from importlib import import_module

from callsieve.api.endpoint import Endpoint
from callsieve.main.capabilities import CAPABILITIES

ENDPOINTS: tuple[Endpoint, ...] = tuple(
    endpoint
    for one in CAPABILITIES
    for module in one.endpoints
    for endpoint in import_module(f"callsieve.{one.name}.{module}").ENDPOINTS
)
