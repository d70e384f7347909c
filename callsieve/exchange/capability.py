"""The capability `exchange`: companies publish signed evidence about numbers, and use each other's evidence."""

from callsieve.capability import NOT_KEPT, Capability, Group, Help, Undo, Unit
from reputation.users import Role
from reputation.wording import N_, Wording

COMPANIES = {
    **dict.fromkeys(
        ("exchange resume", "exchange pause"),
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
        "exchange resume": "cli.commands:resume",
        "exchange pause": "cli.commands:pause",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    changes={
        **COMPANIES,
        "exchange fetch": NOT_KEPT,
        "exchange key": Wording("To accept another key, run `callsieve exchange add NAME URL --key KEY`."),
        "exchange publish": Wording(
            "Others may have read the publication. To exclude a number in future, add the number to `never` in "
            "[publish]."
        ),
    },
    sentences={
        "exchange add": N_("{who} added the company {about}"),
        "exchange remove": N_("{who} removed the company {about}"),
        "exchange pause": N_("{who} paused the company {about}"),
        "exchange resume": N_("{who} ended the pause of the company {about}"),
        "exchange fetch": N_("{who} fetched the evidence of the company {about}"),
        "exchange key": N_("{who} accepted a new key of the company {about}"),
        "exchange publish": N_("{who} published evidence for other companies: statement {about}"),
    },
    messages={
        "company-added": N_("The company's evidence counts from the next fetch on."),
        "company-removed": N_("The company's evidence no longer counts."),
        "company-paused": N_("The company is paused: its evidence does not count."),
        "company-resumed": N_("The company counts again. Its accuracy is measured from now on."),
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
