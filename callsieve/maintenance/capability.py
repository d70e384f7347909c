"""What the capability `maintenance` adds to the program: the store and the emergency window."""

from __future__ import annotations

from callsieve.capability import Capability, Group, Help

CAPABILITY = Capability(
    name="maintenance",
    help=(
        Help("emergency", Group.RUNNING, "The time after an emergency call, when nothing is screened."),
        Help("db", Group.RUNNING, "Check, back up, restore and migrate the store."),
        Help("housekeeping", Group.RUNNING, "Remove from the store what is too old."),
    ),
    commands={
        "emergency open": "cli.emergency:open_window",
        "emergency close": "cli.emergency:close",
        "emergency status": "cli.emergency:status",
        "db migrate": "cli.db:migrate_store",
        "db check": "cli.db:check",
        "db backup": "cli.db:backup",
        "db restore": "cli.db:restore_backup",
        "housekeeping run": "cli.housekeeping:run",
        "housekeeping show": "cli.housekeeping:show",
    },
    checks="checks:CHECKS",
    metrics="checks:metrics",
    scheduled="checks:SCHEDULED",
)
