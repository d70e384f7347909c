"""The capability `public_page`: its health checks. The commands are in `main`."""

from callsieve.capability import Capability

CAPABILITY = Capability(name="public_page", checks="checks:CHECKS")
