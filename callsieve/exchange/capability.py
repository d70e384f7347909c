"""What the capability `exchange` adds to the program: signed evidence of and for other companies."""

from __future__ import annotations

from callsieve.capability import NOT_KEPT, Capability, Group, Help, Undo, Unit
from reputation.users import Role
from reputation.wording import N_, Wording

COMPANIES = {
    **dict.fromkeys(
        ("exchange enable", "exchange disable"),
        Undo(by="callsieve.exchange.operations:SWITCH", role=Role.ADMINISTRATOR),
    ),
    **dict.fromkeys(
        ("exchange add", "exchange remove"),
        Undo(by="callsieve.exchange.operations:SUBSCRIPTION", role=Role.ADMINISTRATOR),
    ),
}
CAPABILITY = Capability(
    name="exchange",
    is_optional=True,
    help=(Help("exchange", Group.NUMBERS, "Exchange signed evidence with other companies."),),
    commands={
        "exchange publish": "cli.commands:publish_files",
        "exchange fetch": "cli.commands:fetch",
        "exchange run": "cli.commands:run",
        "exchange status": "cli.commands:status",
        "exchange show": "cli.commands:show",
        "exchange add": "cli.commands:add",
        "exchange remove": "cli.commands:remove",
        "exchange enable": "cli.commands:enable",
        "exchange disable": "cli.commands:disable",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    changes={
        **COMPANIES,
        "exchange fetch": NOT_KEPT,
        "exchange key": Wording("Another key is taken with the company: callsieve exchange add NAME URL --key KEY."),
        "exchange publish": Wording("What was published may have been read; a number is kept back by [publish] never."),
    },
    messages={
        "company-added": N_("The company's evidence is taken from the next fetch on."),
        "company-removed": N_("The company's evidence counts no longer."),
        "company-paused": N_("The company is paused: nothing that it says counts."),
        "company-resumed": N_("The company counts again, and is measured anew."),
    },
    has_templates=True,
    checks="checks:CHECKS",
    metrics="checks:metrics",
    scheduled="checks:SCHEDULED",
    units=(
        Unit("callsieve-exchange.service", "exchange run"),
        Unit("callsieve-exchange.timer"),
    ),
)
