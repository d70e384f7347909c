"""The capability `reporting`: report marked numbers to PhoneBlock, and prepare complaints to authorities about them."""

from callsieve.capability import Capability, Group, Help, Unit

CAPABILITY = Capability(
    name="reporting",
    help=(Help("report", Group.NUMBERS, "Report spam numbers to PhoneBlock, or print a complaint."),),
    commands={
        "report send": "cli.commands:send",
        "report list": "cli.commands:show_reports",
        "report show": "cli.commands:show",
    },
    pages=("web.pages",),
    has_templates=True,
    checks="checks:CHECKS",
    units=(
        Unit("callsieve-reports.service", "report send"),
        Unit("callsieve-reports.timer"),
    ),
)
