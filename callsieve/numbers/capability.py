"""The capability `numbers`: what is known about a number."""

from __future__ import annotations

from callsieve.capability import DATA_OUT, Capability, Entry, Group, Help, Section, Undo
from reputation.users import Role
from reputation.wording import N_, Wording

CAPABILITY = Capability(
    name="numbers",
    help=(
        Help("lookup", Group.EVERY_DAY, "Show what is known about a number."),
        Help("mark", Group.EVERY_DAY, "Mark a number as spam, or as not spam."),
        Help("unmark", Group.EVERY_DAY, "Remove a mark."),
        Help("reassigned", Group.NUMBERS, "Record numbers that have a new owner."),
        Help("review", Group.NUMBERS, "Review bursts of marks, and correct wrong ones."),
        Help("explain", Group.NUMBERS, "Explain a reputation, for us or for the number's owner."),
        Help("privacy", Group.NUMBERS, "Export or erase the data about a number."),
    ),
    commands={
        "lookup": "cli.lookup:lookup",
        "mark": "cli.marks:mark_number",
        "unmark": "cli.marks:unmark_number",
        "reassigned add": "cli.marks:add",
        "reassigned show": "cli.marks:show",
        "reassigned remove": "cli.marks:remove",
        "review list": "cli.marks:show_list",
        "review done": "cli.marks:done",
        "review wrong": "cli.marks:wrong",
        "review undo": "cli.marks:undo",
        "explain marks": "cli.lookup:marks",
        "explain number": "cli.lookup:number",
        "privacy export": "cli.marks:export",
        "privacy erase": "cli.marks:erase",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(Entry(4, Section.NUMBERS, "/numbers", N_("Numbers"), Role.OPERATOR),),
    changes={
        "mark": Undo(by="callsieve.numbers.operations:MARK"),
        "unmark": Undo(by="callsieve.numbers.operations:MARK"),
        "review done": Undo(table="review"),
        "review undo": Undo(table="review"),
        "review wrong": Undo(by="callsieve.numbers.operations:CORRECTION"),
        "reassigned add": Undo(by="callsieve.numbers.operations:OWNER", role=Role.ADMINISTRATOR),
        "reassigned remove": Undo(by="callsieve.numbers.operations:OWNER", role=Role.ADMINISTRATOR),
        "privacy erase": Wording("The erased data is gone. An earlier backup may still have it."),
        "privacy export": DATA_OUT,
    },
    sentences={
        "mark/spam": N_("{who} marked {about} as spam"),
        "mark": N_("{who} marked {about}"),
        "unmark": N_("{who} removed a mark from {about}"),
        "review done": N_("{who} reviewed the marks on {about}, so that all count"),
        "review undo": N_("{who} undid the review of the marks on {about}"),
        "review wrong": N_("{who} said that {about} was judged wrongly"),
        "reassigned add": N_("{who} recorded a new owner of {about}"),
        "reassigned remove": N_("{who} removed the new owner of {about}"),
        "privacy erase": N_("{who} erased the data about {about}"),
        "privacy export": N_("{who} exported the data about {about}"),
    },
    messages={
        "marked-spam": N_("The number is marked as spam, and blocked for your person."),
        "marked-ok": N_("The number is marked as not spam."),
        "unmarked": N_("The mark is removed."),
        "unreviewed": N_("The burst of marks does not count again."),
        "same-owner": N_("The number has its earlier owner again."),
        "reviewed": N_("The marks count from now on."),
        "new-owner": N_("Evidence from before the new owner counts less from now on."),
    },
    has_templates=True,
    checks="views:CHECKS",
)
