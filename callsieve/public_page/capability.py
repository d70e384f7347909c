"""The capability `public_page`: its health checks. `main` has its commands."""

from __future__ import annotations

from callsieve.capability import Capability

CAPABILITY = Capability(name="public_page", checks="checks:CHECKS")
