"""The capability `public_page`: its health checks. `main` has its commands."""

from callsieve.capability import Capability

CAPABILITY = Capability(name="public_page", checks="checks:CHECKS")
