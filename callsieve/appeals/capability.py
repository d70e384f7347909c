"""The capability `appeals`: the owner of a number asks people to review the spam marks of the number."""

from callsieve.capability import DATA_OUT, Capability, Entry, Group, Help, Section, Undo
from reputation.wording import N_, Wording

STEPS = {
    "appeal accept": Undo(by="callsieve.appeals.operations:APPEAL"),
    "appeal decide": Undo(by="callsieve.appeals.operations:APPEAL", along=("list add", "list remove")),
    "appeal withdraw": Undo(by="callsieve.appeals.operations:APPEAL"),
}
CLEARED = {"appeal clear": Undo(along=("list add", "list remove"))}
CAPABILITY = Capability(
    name="appeals",
    help=(Help("appeal", Group.NUMBERS, "Handle appeals of number owners against a spam marking."),),
    commands={
        "appeal open": "cli.commands:file_appeal",
        "appeal list": "cli.commands:show_list",
        "appeal show": "cli.commands:show",
        "appeal evidence": "cli.commands:evidence",
        "appeal code": "cli.commands:code",
        "appeal prove": "cli.commands:prove",
        "appeal accept": "cli.commands:accept",
        "appeal decide": "cli.commands:decide",
        "appeal clear": "cli.commands:clear",
        "appeal withdraw": "cli.commands:withdraw",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(Entry(9, Section.APPEALS, "/appeals", N_("Appeals")),),
    changes={
        **STEPS,
        **CLEARED,
        "appeal open": Wording("To end the filed appeal, run `callsieve appeal withdraw REFERENCE`."),
        "appeal code": Wording("The code was already shown. A new code replaces it."),
        "appeal prove": Wording(
            "A proof of control is permanent. Decide the appeal, or end it with `callsieve appeal withdraw REFERENCE`."
        ),
        "appeal evidence": Wording(
            "Evidence stays with its appeal. To remove an attachment, run `callsieve appeal "
            "evidence REFERENCE --remove N`."
        ),
        "appeal evidence download": DATA_OUT,
    },
    sentences={
        "appeal open": N_("{who} filed an appeal for {about}"),
        "appeal code": N_("{who} made a code for the appeal for {about}"),
        "appeal prove": N_("{who} recorded that the owner of {about} proved control of the number for the appeal"),
        "appeal accept": N_("{who} accepted the appeal for {about}"),
        "appeal decide": N_("{who} decided the appeal for {about}"),
        "appeal withdraw": N_("{who} ended the appeal for {about}"),
        "appeal clear": N_("{who} removed what stopped calls from {about}, after its appeal"),
        "appeal evidence": N_("{who} added a document to the appeal for {about}"),
        "appeal evidence download": N_("{who} downloaded {about}"),
    },
    messages={
        "appealed": N_(
            "The appeal is filed. It has no effect until control of the number is proven or somebody accepts it."
        ),
        "appeal-accepted": N_(
            "The appeal is in force: no rule rejects calls from the number until the appeal is decided. The allowlist "
            "and blocklist still apply."
        ),
        "appeal-proven": N_(
            "Control of the number is proven. No rule rejects calls from the number until the appeal is decided."
        ),
        "appeal-withdrawn": N_("The appeal is withdrawn."),
        "appeal-upheld": N_("The appeal is upheld: the spam marks made so far no longer count. Tell the owner."),
        "appeal-cleared": N_("Removed. The page now shows what happens to calls from the number."),
        "appeal-denied": N_("The appeal is denied. Tell the owner."),
        "evidence-added": N_("The evidence is attached."),
        "evidence-gone": N_("The evidence is removed."),
    },
    has_templates=True,
    checks="views:CHECKS",
    scheduled="views:SCHEDULED",
)
