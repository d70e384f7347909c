"""The capability `identities`: records who owns a number, and how well this is proven."""

from callsieve.capability import Capability, Entry, Group, Help, Section, Undo
from reputation.wording import N_, Wording

IDENTITIES = dict.fromkeys(("identity add", "identity remove"), Undo(by="callsieve.identities.operations:IDENTITY"))
CAPABILITY = Capability(
    name="identities",
    help=(Help("identity", Group.NUMBERS, "Record who owns a number, and how this was proven."),),
    commands={
        "identity add": "cli.commands:add",
        "identity code": "cli.commands:code",
        "identity prove": "cli.commands:prove",
        "identity show": "cli.commands:show",
        "identity due": "cli.commands:due",
        "identity remove": "cli.commands:remove",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(Entry(7, Section.NUMBERS, "/identities", N_("Identities")),),
    changes={
        **IDENTITIES,
        "identity code": Wording("The code was already shown. A new code replaces it."),
        "identity prove": Wording(
            "A proof cannot be undone. To remove a wrong identity: callsieve identity remove NUMBER."
        ),
    },
    sentences={
        "identity add": N_("{who} recorded the owner of {about}"),
        "identity remove": N_("{who} removed the owner of {about}"),
        "identity code": N_("{who} made a code for the owner of {about}"),
        "identity prove": N_("{who} recorded that the owner of {about} proved control of the number"),
    },
    messages={
        "identified": N_("The owner of the number is recorded."),
        "unidentified": N_("The owner of the number is removed."),
    },
    has_templates=True,
    checks="views:CHECKS",
)
