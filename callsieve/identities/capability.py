"""What the capability `identities` adds to the program: who a number belongs to."""

from __future__ import annotations

from callsieve.capability import Capability, Entry, Group, Help
from reputation.wording import N_

CAPABILITY = Capability(
    name="identities",
    help=(Help("identity", Group.NUMBERS, "Who a number belongs to, and how well that is proven."),),
    commands={
        "identity add": "cli.commands:add",
        "identity code": "cli.commands:code",
        "identity prove": "cli.commands:prove",
        "identity show": "cli.commands:show",
        "identity due": "cli.commands:due",
        "identity remove": "cli.commands:remove",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(Entry(7, "/identities", N_("Identities")),),
    messages={
        "identified": N_("It is recorded whose number it is."),
        "unidentified": N_("It is forgotten whose number it was."),
    },
    has_templates=True,
    checks="checks:CHECKS",
)
