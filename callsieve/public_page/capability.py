"""The capability `public_page`, which has only health checks here. Its commands are in `callsieve/main`."""

from callsieve.capability import Capability

CAPABILITY = Capability(name="public_page", checks="checks:CHECKS")
