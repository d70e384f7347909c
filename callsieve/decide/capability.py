"""The capability `decide`: decisions for other switches."""

from __future__ import annotations

from callsieve.capability import Capability

CAPABILITY = Capability(
    name="decide",
    endpoints=("api.endpoints",),
)
