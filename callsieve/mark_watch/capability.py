"""The capability `mark_watch`: records which labels platforms such as Hiya show for our own numbers."""

from callsieve.capability import Capability, Unit
from reputation.wording import N_, Wording

CAPABILITY = Capability(
    name="mark_watch",
    is_optional=True,
    help_within={
        "own watch": "Record the labels that platforms show for our numbers.",
    },
    commands={
        "own watch add": "cli.commands:add",
        "own watch show": "cli.commands:show",
        "own watch due": "cli.commands:due",
        "own watch ask": "cli.commands:ask",
        "own watch suspect": "cli.commands:suspect",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    changes={
        "own watch ask": Wording("The record of that day stays. Record what the platform shows now."),
    },
    sentences={
        "own watch ask": N_("{who} queried services about the label of {about}"),
    },
    messages={
        "own-watched": N_("The label check is recorded."),
    },
    checks="views:CHECKS",
    units=(
        Unit("callsieve-watch.service", "own watch ask"),
        Unit("callsieve-watch.timer"),
    ),
)
