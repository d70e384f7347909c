"""The capability `status`: whether calls are screened now."""

from callsieve.capability import Capability, Entry, Group, Help, Section
from reputation.users import Role
from reputation.wording import N_

CAPABILITY = Capability(
    name="status",
    help=(Help("status", Group.EVERY_DAY, "Show whether calls are screened, recent calls and problems."),),
    commands={
        "status": "cli.commands:status",
    },
    pages=("web.pages",),
    navigation=(
        Entry(9, Section.SETTINGS, "/settings", N_("Settings"), Role.ADMINISTRATOR),
        Entry(16, Section.SETTINGS, "/health", N_("Health")),
    ),
    has_templates=True,
    endpoints=("api.endpoints",),
)
