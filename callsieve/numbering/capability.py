"""The capability `numbering`: numbering plans, which describe the purpose of number ranges."""

from callsieve.capability import Capability, Entry, Group, Help, Section, Undo
from reputation.users import Role
from reputation.wording import N_

PLANS = dict.fromkeys(
    ("plan update", "plan remove"), Undo(by="callsieve.numbering.operations:PLAN", role=Role.ADMINISTRATOR)
)
CAPABILITY = Capability(
    name="numbering",
    help=(Help("plan", Group.NUMBERS, "Show the purpose of number ranges, and change numbering plans."),),
    commands={
        "plan show": "cli.commands:show",
        "plan check": "cli.commands:check",
        "plan update": "cli.commands:update",
        "plan remove": "cli.commands:remove",
    },
    pages=("web.pages",),
    navigation=(Entry(11, Section.NUMBERS, "/plans", N_("Ranges")),),
    changes={
        **PLANS,
    },
    sentences={
        "plan update": N_("{who} updated the numbering plan of {about}"),
        "plan remove": N_("{who} removed the numbering plan of {about}"),
    },
    has_templates=True,
)
