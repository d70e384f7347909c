"""The capability `monitoring`: metrics for Prometheus, and probes."""

from callsieve.capability import Capability

CAPABILITY = Capability(
    name="monitoring",
    pages=("web.probes",),
)
