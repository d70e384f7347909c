"""What the capability `hub` adds to the program: evidence shared between sites."""

from __future__ import annotations

from callsieve.capability import Capability, Entry, Group, Help, Unit
from reputation.wording import N_

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
        "hub heed": "cli.evidence:heed",
        "hub erasures": "cli.evidence:show_erasures",
        "hub keep": "cli.evidence:keep",
        "hub people list": "cli.evidence:show_people",
        "hub people same": "cli.evidence:same",
        "hub people apart": "cli.evidence:apart",
        "hub quota": "cli.commands:quota",
        "hub expel": "cli.commands:expel",
        "hub leave": "cli.commands:leave",
    },
    pages=(
        "web.pages",
        "web.evidence",
    ),
    navigation=(Entry(3, "/sites", N_("Sites"), is_central=True),),
    messages={
        "site-ignored": N_("Nothing counts here that the site tells."),
        "site-heeded": N_("The site counts again."),
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
