"""The tuple of all capabilities. What the program can do is derived from it: commands, pages, endpoints, navigation."""

from __future__ import annotations

from callsieve.appeals import capability as appeals
from callsieve.audit import capability as audit
from callsieve.call_back import capability as call_back
from callsieve.call_lists import capability as call_lists
from callsieve.calls import capability as calls
from callsieve.capability import Capabilities, Capability, Group, Help, Unit
from callsieve.decide import capability as decide
from callsieve.digest import capability as digest
from callsieve.doctor import capability as doctor
from callsieve.events import capability as events
from callsieve.evidence_packs import capability as evidence_packs
from callsieve.exchange import capability as exchange
from callsieve.guide import capability as guide
from callsieve.hub import capability as hub
from callsieve.identities import capability as identities
from callsieve.imports import capability as imports
from callsieve.install import capability as install
from callsieve.lists import capability as lists
from callsieve.lookups import capability as lookups
from callsieve.maintenance import capability as maintenance
from callsieve.mark_watch import capability as mark_watch
from callsieve.monitoring import capability as monitoring
from callsieve.numbering import capability as numbering
from callsieve.numbers import capability as numbers
from callsieve.own_numbers import capability as own_numbers
from callsieve.people import capability as people
from callsieve.policy import capability as policy
from callsieve.prompts import capability as prompts
from callsieve.public_page import capability as public_page
from callsieve.replay import capability as replay
from callsieve.reporting import capability as reporting
from callsieve.signing import capability as signing
from callsieve.status import capability as status
from callsieve.switch import capability as switch
from callsieve.tokens import capability as tokens
from callsieve.users import capability as users

_OF_MAIN = Capability(
    name="main",
    help=(
        Help("help", Group.SETTING_UP, "All commands in groups: callsieve help all."),
        Help("serve", Group.RUNNING, "Run the daemon, which answers Asterisk."),
        Help("api", Group.RUNNING, "Run the API for programs and other switches."),
        Help("web", Group.RUNNING, "Run the console without the daemon."),
        Help("public", Group.RUNNING, "Run the page where owners of numbers appeal, and its backend."),
        Help("man", Group.RUNNING, "Print the manual page."),
        Help("completion", Group.RUNNING, "Let a shell complete commands with the tab key."),
    ),
    commands={
        "help": "help_command:help_all",
        "serve": "serve_command:serve",
        "api": "api_command:api",
        "web": "web_command:web",
        "public page": "public_page:page",
        "public backend": "public_backend:backend",
        "man": "manual_page:man",
        "completion": "help_command:completion",
    },
    units=(
        Unit("callsieve.service", "serve"),
        Unit("callsieve-api.service", "api"),
        Unit("callsieve-public.service", "public page"),
        Unit("callsieve-public-backend.service", "public backend"),
    ),
)
# In this order the help and the API's document have them.
CAPABILITIES = (
    status.CAPABILITY,
    policy.CAPABILITY,
    replay.CAPABILITY,
    digest.CAPABILITY,
    calls.CAPABILITY,
    numbers.CAPABILITY,
    lists.CAPABILITY,
    switch.CAPABILITY,
    audit.CAPABILITY,
    identities.CAPABILITY,
    appeals.CAPABILITY,
    reporting.CAPABILITY,
    own_numbers.CAPABILITY,
    mark_watch.CAPABILITY,
    evidence_packs.CAPABILITY,
    call_lists.CAPABILITY,
    imports.CAPABILITY,
    people.CAPABILITY,
    lookups.CAPABILITY,
    exchange.CAPABILITY,
    numbering.CAPABILITY,
    guide.CAPABILITY,
    doctor.CAPABILITY,
    install.CAPABILITY,
    decide.CAPABILITY,
    events.CAPABILITY,
    hub.CAPABILITY,
    call_back.CAPABILITY,
    prompts.CAPABILITY,
    public_page.CAPABILITY,
    maintenance.CAPABILITY,
    users.CAPABILITY,
    tokens.CAPABILITY,
    signing.CAPABILITY,
    monitoring.CAPABILITY,
    _OF_MAIN,
)
CHANGES = {what: undo for one in CAPABILITIES for what, undo in one.changes.items()}
ALL = Capabilities(CAPABILITIES, CHANGES)
