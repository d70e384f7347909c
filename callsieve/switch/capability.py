"""The capability `switch`: switch screening off and on."""

from callsieve.capability import Capability, Group, Help
from reputation.wording import N_, Wording

CAPABILITY = Capability(
    name="switch",
    help=(
        Help("off", Group.EVERY_DAY, "Switch screening off, for a while or until switched on."),
        Help("on", Group.EVERY_DAY, "Switch screening on."),
    ),
    commands={
        "off": "cli.commands:off",
        "on": "cli.commands:on",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    changes={
        "off": Wording("Switch screening on again: callsieve on."),
        "on": Wording("Switch screening off again: callsieve off."),
    },
    sentences={
        "off": N_("{who} switched screening off"),
        "on": N_("{who} switched screening on"),
    },
    messages={
        "switched-off": N_("Every call rings unscreened."),
        "switched-on": N_("Calls are screened again."),
    },
)
