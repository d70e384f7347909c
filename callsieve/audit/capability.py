"""The capability `audit`: search and undo changes."""

from callsieve.capability import Capability, Entry, Group, Help, Section
from reputation.users import Role
from reputation.wording import N_

CAPABILITY = Capability(
    name="audit",
    help=(
        Help("undo", Group.EVERY_DAY, "Undo a change, by its id in the audit."),
        Help("audit", Group.RUNNING, "Show who changed what, and when."),
    ),
    commands={
        "audit": "cli.commands:show",
        "undo": "cli.commands:undo",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(Entry(15, Section.SETTINGS, "/audit", N_("Audit"), Role.ADMINISTRATOR),),
    messages={
        "undone": N_("Undone."),
    },
    has_templates=True,
)
