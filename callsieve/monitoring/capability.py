"""The capability `monitoring`: metrics and probes."""

from callsieve.capability import Capability

CAPABILITY = Capability(
    name="monitoring",
    pages=("web.probes",),
)
