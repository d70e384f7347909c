"""The capability `hub`: sites of an organisation share their evidence through a PostgreSQL database."""

from callsieve.capability import Capability, Entry, Group, Help, Section, Undo, Unit
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
    help=(Help("hub", Group.RUNNING, "Share evidence between several PBXs through PostgreSQL."),),
    help_within={
        "hub people": "Manage people who work at several sites.",
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
    navigation=(Entry(3, Section.CALLS, "/sites", N_("Sites"), is_central=True),),
    changes={
        **OTHER_SITES,
        "hub erasure": Wording(
            "The number's shared rows are deleted at every site; an older backup may still have them."
        ),
        "hub expel": Wording("To let the site take part again: callsieve hub join."),
        "hub join": Wording("To stop taking part: callsieve hub leave."),
        "hub keep": Wording("To erase it after all: callsieve privacy erase NUMBER."),
        "hub leave": Wording("To let the site take part again: callsieve hub join."),
        "hub quota": Wording("To set another quota: callsieve hub quota."),
    },
    sentences={
        "hub people same": N_("{who} declared that {about} works at two sites and counts once"),
        "hub people apart": N_("{who} declared that {about} is a separate person again"),
        "hub ignore": N_("{who} ignored the evidence of the site {about}"),
        "hub resume": N_("{who} let the evidence of the site {about} count again"),
        "hub erasure": N_("{who} erased {about} at all sites"),
        "hub expel": N_("{who} expelled the site {about} from the hub"),
        "hub join": N_("{who} let the site {about} take part in the hub"),
        "hub keep": N_("{who} kept the data about {about}, which another site erased"),
        "hub leave": N_("{who} left the hub"),
        "hub quota": N_("{who} set how many rows the hub keeps of the site {about}"),
    },
    messages={
        "site-ignored": N_("Evidence from this site is ignored."),
        "site-resumed": N_("The site's evidence counts again."),
        "number-kept": N_("The number's data is kept."),
        "people-same": N_("The two names are one person, who counts once."),
        "people-apart": N_("The name is a separate person again."),
    },
    has_templates=True,
    checks="checks:CHECKS",
    metrics="checks:metrics",
    scheduled="checks:SCHEDULED",
    units=(Unit("callsieve-hub.service", "hub run"),),
)
