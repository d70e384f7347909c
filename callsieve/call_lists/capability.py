"""The capability `call_lists`: consents, copies of do-not-call registers, and checks of call lists."""

from callsieve.capability import DATA_OUT, Capability, Undo
from reputation.users import Role
from reputation.wording import N_, Wording

CONSENTS = {
    **dict.fromkeys(("own consent add", "own consent remove"), Undo(table="consent")),
    "own consent import": Undo(table="consent", role=Role.ADMINISTRATOR, is_import=True),
}
_BY_FILE = Wording("To restore the copy of a register, import its file: `callsieve own registers import FILE`.")
CAPABILITY = Capability(
    name="call_lists",
    is_optional=True,
    help_within={
        "own consent": "Manage consents to be called, with their proof.",
        "own registers": "Manage our copies of national do-not-call registers.",
    },
    commands={
        "own consent add": "cli.commands:add_consent",
        "own consent remove": "cli.commands:remove_consent",
        "own consent list": "cli.commands:list_consents",
        "own consent import": "cli.commands:import_consents",
        "own registers import": "cli.commands:import_register_file",
        "own registers list": "cli.commands:list_registers",
        "own registers remove": "cli.commands:remove_register_copy",
        "own hygiene": "cli.comply:hygiene_of_list",
        "own comply": "cli.comply:comply",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    changes={
        **CONSENTS,
        "own registers import": _BY_FILE,
        "own registers remove": _BY_FILE,
        "own hygiene": DATA_OUT,
    },
    sentences={
        "own consent add": N_("{who} recorded the consent of {about}"),
        "own consent remove": N_("{who} removed the consent of {about}"),
        "own consent import": N_("{who} imported the consent of {about}"),
        "own consent import/": N_("{who} imported consents"),
        "own registers import": N_("{who} imported the register {about}"),
        "own registers remove": N_("{who} removed the register {about}"),
        "own hygiene": N_("{who} checked a call list"),
    },
    messages={
        "consent-noted": N_("The consent is recorded. The outbound guard allows calls to the number."),
        "consent-gone": N_("Removed the consent."),
    },
    has_templates=True,
    checks="registers:CHECKS",
)
