"""The capability `decide`: decisions for other switches."""

from callsieve.capability import Capability

CAPABILITY = Capability(
    name="decide",
    endpoints=("api.endpoints",),
)
