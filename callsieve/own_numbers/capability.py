"""The capability `own_numbers`: the numbers from which we call, their health, and the check of outgoing calls."""

from callsieve.capability import DATA_OUT, Capability, Entry, Group, Help, Section, Undo
from reputation.users import Role
from reputation.wording import N_

REGISTER = {
    **dict.fromkeys(
        ("own add", "own check", "own rest", "own use", "own retire", "own remove"),
        Undo(by="callsieve.own_numbers.operations:OWN_NUMBER"),
    ),
    "own import": Undo(by="callsieve.own_numbers.operations:OWN_NUMBER", role=Role.ADMINISTRATOR, is_import=True),
}
DO_NOT_CALL = dict.fromkeys(("own dnc add", "own dnc remove"), Undo(table="do_not_call"))
# Records about one number, for its page. The capability `mark_watch` makes the label checks.
RECORDED = {
    "own complaint": Undo(table="own_complaint"),
    "own watch add": Undo(by="callsieve.own_numbers.operations:LOOK"),
}
CAPABILITY = Capability(
    name="own_numbers",
    help=(Help("own", Group.EVERY_DAY, "Manage our own numbers, and keep them free of spam labels."),),
    help_within={
        "own dnc": "Manage the list of people who do not want to be called.",
    },
    commands={
        "own add": "cli.commands:add",
        "own show": "cli.commands:show",
        "own list": "cli.commands:show_all",
        "own due": "cli.commands:due",
        "own check": "cli.commands:check",
        "own rest": "cli.commands:rest",
        "own use": "cli.commands:use",
        "own retire": "cli.commands:retire",
        "own remove": "cli.commands:remove",
        "own import": "cli.commands:import_register",
        "own export": "cli.commands:export_register",
        "own complaint": "cli.outbound:complaint",
        "own decisions": "cli.outbound:decisions",
        "own explain": "cli.outbound:explain",
        "own guidance": "cli.outbound:guidance",
        "own dnc add": "cli.outbound:add",
        "own dnc remove": "cli.outbound:remove",
        "own dnc list": "cli.outbound:show",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(Entry(8, Section.OWN_NUMBERS, "/own", N_("Own numbers"), Role.OPERATOR),),
    changes={
        **REGISTER,
        **DO_NOT_CALL,
        **RECORDED,
        "own export": DATA_OUT,
    },
    sentences={
        "own add": N_("{who} registered our number {about}"),
        "own check": N_("{who} recorded a check of our number {about}"),
        "own rest": N_("{who} let our number {about} rest"),
        "own use": N_("{who} took our number {about} into use again"),
        "own retire": N_("{who} retired our number {about}"),
        "own remove": N_("{who} removed our number {about} from the register"),
        "own import": N_("{who} imported our number {about}"),
        "own import/": N_("{who} imported our numbers"),
        "own export": N_("{who} exported our numbers"),
        "own dnc add": N_("{who} put {about} on the do-not-call list"),
        "own dnc remove": N_("{who} took {about} off the do-not-call list"),
        "own complaint": N_("{who} recorded a complaint about our number {about}"),
        "own watch add": N_("{who} recorded what a platform shows for {about}"),
    },
    messages={
        "own-added": N_("The number is registered and counts as one of our own numbers everywhere."),
        "own-changed": N_("The registered details of the number are changed."),
        "own-checked": N_("The number was checked today: the registered details are correct."),
        "own-rests": N_("The number rests for 45 days."),
        "own-used": N_("The number is in use again."),
        "own-retired": N_("The number is retired and no longer an own number. Its history stays."),
        "own-removed": N_("The number is no longer registered."),
        "do-not-call": N_(
            "The number is on the do-not-call list. The outbound guard refuses calls to it, unless it only observes."
        ),
        "may-call": N_("The number is removed from the do-not-call list and may be called again."),
        "complaint-counts": N_(
            "The complaint is recorded and counts: the person who complains was called within 28 days."
        ),
        "complaint-noted": N_(
            "The complaint is recorded but does not count: there is no record of a call to this person within 28 days."
        ),
        "complaint-of-nobody": N_("The complaint is recorded but does not count: it is not known who complained."),
        "complaint-gone": N_("The complaint is withdrawn."),
    },
    has_templates=True,
    checks="checks:CHECKS",
)
