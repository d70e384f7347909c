"""The capability `call_back`: Asterisk calls back number owners who ask for a call on the public page."""

from callsieve.capability import Capability, Group, Help, Unit

CAPABILITY = Capability(
    name="call_back",
    help=(Help("call-back", Group.RUNNING, "Call back owners who appeal: run the helper, show limits."),),
    commands={
        "call-back serve": "cli.commands:serve",
        "call-back show": "cli.commands:show",
    },
    checks="checks:CHECKS",
    units=(Unit("callsieve-call-back.service", "call-back serve"),),
)
