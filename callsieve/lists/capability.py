"""The capability `lists`: allowlists and blocklists of the organisation and of people."""

from callsieve.capability import DATA_OUT, Capability, Entry, Group, Help, Section, Undo
from reputation.users import Role
from reputation.wording import N_

_ENTRY = "callsieve.lists.undo:undo_of_entry"
LISTS = {
    "list add": Undo(by=_ENTRY),
    "list remove": Undo(by=_ENTRY),
    "list import": Undo(by=_ENTRY, role=Role.ADMINISTRATOR, is_import=True),
}
CAPABILITY = Capability(
    name="lists",
    help=(
        Help("block", Group.EVERY_DAY, "Block a number, a prefix or a range."),
        Help("allow", Group.EVERY_DAY, "Let a number, a prefix or a range through."),
        Help("list", Group.NUMBERS, "Manage allowlists and blocklists."),
    ),
    commands={
        "block": "cli.commands:block",
        "allow": "cli.commands:allow",
        "list add": "cli.commands:add",
        "list remove": "cli.commands:remove",
        "list show": "cli.commands:show",
        "list import": "cli.commands:import_file",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(Entry(6, Section.NUMBERS, "/lists", N_("Lists")),),
    changes={
        **LISTS,
        "list export": DATA_OUT,
    },
    sentences={
        "list add/block": N_("{who} blocked {about}"),
        "list add/allow": N_("{who} allowed {about}"),
        "list add/block for": N_("{who} blocked {about} for {person}"),
        "list add/allow for": N_("{who} allowed {about} for {person}"),
        "list add": N_("{who} added {about} to a list"),
        "list remove/block": N_("{who} unblocked {about}"),
        "list remove/allow": N_("{who} removed {about} from the allowlist"),
        "list remove": N_("{who} removed {about} from a list"),
        "list import/": N_("{who} imported list entries"),
        "list import": N_("{who} imported {about} to a list"),
        "list export": N_("{who} exported the lists"),
    },
    messages={
        "on-allowlist": N_("The number is on the allowlist; its next call goes through."),
        "on-blocklist": N_("The number is on the blocklist; its next call is rejected."),
        "off-list": N_("The number is removed from the list."),
        "listed": N_("The entry is on the list and applies from the next call."),
        "unlisted": N_("The entry is removed from the list."),
    },
    has_templates=True,
)
