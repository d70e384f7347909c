"""The capability `events`: sends events and alerts to other programs and to people."""

from callsieve.capability import Capability, Entry, Group, Help, Section, Unit
from reputation.users import Role
from reputation.wording import N_, Wording

CAPABILITY = Capability(
    name="events",
    is_optional=True,
    help=(
        Help("alerts", Group.RUNNING, "Show alert rules, and test them."),
        Help("events", Group.RUNNING, "Send events to other systems, and resend failed ones."),
    ),
    commands={
        "alerts list": "cli.commands:list_alerts",
        "alerts test": "cli.commands:try_rule",
        "events send": "cli.commands:send",
        "events list": "cli.commands:show_list",
        "events dead": "cli.commands:show_dead",
        "events replay": "cli.commands:replay",
        "events test": "cli.commands:try_receiver",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(Entry(14, Section.SETTINGS, "/events", N_("Events"), Role.ADMINISTRATOR),),
    changes={
        "events replay": Wording("An event that was delivered again cannot be recalled."),
        "events test": Wording("The receiver stays on until it unsubscribes (HTTP status 410)."),
    },
    sentences={
        "events replay": N_("{who} sent undelivered events again"),
        "events test": N_("{who} sent a test event to {about}"),
    },
    messages={
        "events-replayed": N_("The dead letters are delivered again."),
        "no-dead-letter": N_("There are no dead letters."),
    },
    has_templates=True,
    checks="checks:CHECKS",
    metrics="checks:metrics",
    units=(Unit("callsieve-events.service", "events send"),),
)
