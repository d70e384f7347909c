"""What the capability `hub` adds to the program: evidence shared between sites."""

from __future__ import annotations

from callsieve.capability import Capability, Entry, Group, Help, Undo, Unit
from reputation.users import Role
from reputation.wording import N_, Wording

OTHER_SITES = {
    **dict.fromkeys(
        ("hub people same", "hub people apart"),
        Undo(by="callsieve.hub.site_operations:SAME_PERSON", role=Role.ADMINISTRATOR),
    ),
    **dict.fromkeys(
        ("hub ignore", "hub resume"), Undo(by="callsieve.hub.site_operations:IGNORED", role=Role.ADMINISTRATOR)
    ),
}
CAPABILITY = Capability(
    name="hub",
    is_optional=True,
    help=(Help("hub", Group.RUNNING, "Share what several PBXs know, through PostgreSQL."),),
    help_within={
        "hub people": "Who works at several sites, and counts once.",
    },
    commands={
        "hub init": "cli.commands:init",
        "hub join": "cli.commands:join",
        "hub run": "cli.commands:run",
        "hub status": "cli.commands:status",
        "hub sites": "cli.commands:show_sites",
        "hub evidence": "cli.evidence:evidence",
        "hub ignore": "cli.evidence:ignore",
        "hub resume": "cli.evidence:resume",
        "hub erasures": "cli.evidence:show_erasures",
        "hub keep": "cli.evidence:keep",
        "hub people list": "cli.evidence:show_people",
        "hub people same": "cli.evidence:same",
        "hub people apart": "cli.evidence:apart",
        "hub quota": "cli.commands:quota",
        "hub expel": "cli.commands:expel",
        "hub leave": "cli.commands:leave",
    },
    endpoints=("api",),
    pages=("web.pages",),
    navigation=(Entry(3, "/sites", N_("Sites"), is_central=True),),
    changes={
        **OTHER_SITES,
        "hub erasure": Wording("What sites share about a number goes everywhere; a backup from before may have it."),
        "hub expel": Wording("A site takes part again once it has joined: callsieve hub join."),
        "hub join": Wording("A site takes part no more: callsieve hub leave."),
        "hub keep": Wording("It can still be erased: callsieve privacy erase NUMBER."),
        "hub leave": Wording("A site takes part again once it has joined: callsieve hub join."),
        "hub quota": Wording("Set another: callsieve hub quota."),
    },
    messages={
        "site-ignored": N_("Nothing counts here that the site tells."),
        "site-resumed": N_("The site counts again."),
        "number-kept": N_("What is known of the number is kept."),
        "people-same": N_("They are one human, who counts once."),
        "people-apart": N_("The name is somebody else's."),
    },
    has_templates=True,
    checks="checks:CHECKS",
    metrics="checks:metrics",
    scheduled="checks:SCHEDULED",
    units=(Unit("callsieve-hub.service", "hub run"),),
)
