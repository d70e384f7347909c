"""What the capability `lists` adds to the program: allowlists and blocklists."""

from __future__ import annotations

from callsieve.capability import Capability, Entry, Group, Help
from reputation.wording import N_

CAPABILITY = Capability(
    name="lists",
    help=(Help("list", Group.EVERY_DAY, "Allowlists and blocklists."),),
    commands={
        "list add": "cli.commands:add",
        "list remove": "cli.commands:remove",
        "list show": "cli.commands:show",
        "list import": "cli.csv_import:import_file",
    },
    pages=("web.pages",),
    endpoints=("api.endpoints",),
    navigation=(Entry(6, "/lists", N_("Lists")),),
    messages={
        "on-allowlist": N_("The number is on the allowlist; its next call goes through."),
        "on-blocklist": N_("The number is on the blocklist; its next call is rejected."),
        "off-list": N_("The number is off the list."),
        "listed": N_("The entry is on the list, and counts at the next call."),
        "unlisted": N_("The entry is off the list."),
    },
    has_templates=True,
)
