"""The capability `lookups`: queries other services about unknown callers."""

from callsieve.capability import Capability, Group, Help, Undo, Unit
from reputation.users import Role
from reputation.wording import N_

CAPABILITY = Capability(
    name="lookups",
    help=(Help("lookups", Group.NUMBERS, "Query look-up services about unknown callers."),),
    commands={
        "lookups serve": "cli.commands:serve",
        "lookups show": "cli.commands:show",
        "lookups enable": "cli.commands:enable",
        "lookups disable": "cli.commands:disable",
    },
    checks="views:CHECKS",
    units=(Unit("callsieve-lookups.service", "lookups serve"),),
    changes={
        "lookups enable": Undo(by="callsieve.lookups.operations:SWITCH", role=Role.ADMINISTRATOR),
        "lookups disable": Undo(by="callsieve.lookups.operations:SWITCH", role=Role.ADMINISTRATOR),
    },
    sentences={
        "lookups enable": N_("{who} enabled look-ups at {about}"),
        "lookups disable": N_("{who} disabled look-ups at {about}"),
    },
)
