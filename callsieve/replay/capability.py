"""The capability `replay`: try a policy on past calls."""

from callsieve.capability import Capability, Group, Help

CAPABILITY = Capability(
    name="replay",
    help=(
        Help("summary", Group.EVERY_DAY, "Summarise the calls of the last days."),
        Help("replay", Group.SETTING_UP, "Try a policy on recorded calls."),
    ),
    commands={
        "summary": "cli.summary:summary",
        "replay": "cli.commands:replay",
        "policy try": "cli.tried:try_policy",
    },
)
