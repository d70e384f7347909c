"""The capability `monitoring`: metrics and probes."""

from __future__ import annotations

from callsieve.capability import Capability

CAPABILITY = Capability(
    name="monitoring",
    pages=("web.probes",),
)
