"""The capability `people`: import people, their phones and DIDs from a file or the PBX."""

from callsieve.capability import Capability, Undo, Unit
from reputation.wording import N_

CAPABILITY = Capability(
    name="people",
    commands={
        "import people": "cli.commands:import_people",
    },
    endpoints=("api.endpoints",),
    checks="checks:CHECKS",
    units=(
        Unit("callsieve-people.service", "import people --from freepbx --yes --quiet"),
        Unit("callsieve-people.timer"),
        Unit("callsieve-people.path"),
    ),
    changes={
        # Settings that people choose by feature codes (reputation/feature_codes.py).
        "expecting": Undo(table="expected_call"),
        "not-expecting": Undo(table="expected_call"),
        **dict.fromkeys(("whispers-off", "whispers-on", "quiet-on", "quiet-off"), Undo(table="wish")),
    },
    sentences={
        "expecting": N_("{who} expects a call"),
        "not-expecting": N_("{who} no longer expects a call"),
        "whispers-off": N_("{who} turned whispers off"),
        "whispers-on": N_("{who} turned whispers on"),
        "quiet-on": N_("{who} began quiet hours"),
        "quiet-off": N_("{who} ended quiet hours"),
    },
)
