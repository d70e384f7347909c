"""The capability `signing`: the key for signing statements."""

from callsieve.capability import Capability, Group, Help
from reputation.wording import N_, Wording

CAPABILITY = Capability(
    name="signing",
    help=(Help("signing", Group.RUNNING, "Manage the key that signs statements for other companies."),),
    commands={
        "signing key": "cli.commands:key",
        "signing rotate": "cli.commands:rotate_key",
        "signing verify": "cli.commands:verify_file",
    },
    changes={
        "signing rotate": Wording("The former key no longer exists; to make another: callsieve signing rotate."),
    },
    sentences={
        "signing rotate": N_("{who} made a new signing key"),
    },
)
