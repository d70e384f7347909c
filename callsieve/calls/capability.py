"""The capability `calls`: shows past and current calls, with the decision about each and its reason."""

from callsieve.capability import DATA_OUT, Capability, Entry, Group, Help, Section, Undo
from reputation.wording import N_

CAPABILITY = Capability(
    name="calls",
    help=(Help("calls", Group.EVERY_DAY, "Find calls, and show what was decided and why."),),
    commands={
        "calls show": "cli.commands:show",
        "calls search": "cli.live:search",
        "calls tail": "cli.live:tail",
        "calls export": "cli.commands:export",
        "calls confirm": "cli.commands:confirm",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(Entry(3, Section.CALLS, "/calls", N_("Calls")),),
    changes={
        "calls export": DATA_OUT,
        "calls confirm": Undo(table="confirmation"),
    },
    sentences={
        "calls export": N_("{who} exported calls"),
        "calls confirm": N_("{who} confirmed how calls from {about} were treated"),
    },
    messages={
        "window-closed": N_("The emergency window is closed: calls are screened again."),
    },
    has_templates=True,
    checks="views:CHECKS",
)
