"""The capability `maintenance`: backup and checks of the store, daily jobs, and the emergency window (no screening)."""

from callsieve.capability import DATA_OUT, Capability, Group, Help, Undo
from reputation.wording import N_, Wording

CAPABILITY = Capability(
    name="maintenance",
    help=(
        Help("emergency", Group.RUNNING, "Show or end the pause in screening after an emergency call."),
        Help("db", Group.RUNNING, "Check, back up, restore and migrate the store."),
        Help("housekeeping", Group.RUNNING, "Remove old data from the store."),
    ),
    commands={
        "emergency open": "cli.emergency:open_window",
        "emergency close": "cli.emergency:close",
        "emergency status": "cli.emergency:status",
        "db migrate": "cli.db:migrate_store",
        "db check": "cli.db:check",
        "db backup": "cli.db:backup",
        "db restore": "cli.db:restore_backup",
        "housekeeping run": "cli.db:run",
        "housekeeping show": "cli.db:show",
    },
    checks="operations:CHECKS",
    metrics="operations:metrics",
    scheduled="operations:SCHEDULED",
    changes={
        "emergency open": Undo(by="callsieve.maintenance.operations:WINDOW"),
        "emergency close": Undo(by="callsieve.maintenance.operations:WINDOW"),
        "emergency call": Wording("To close the emergency window: callsieve emergency close."),
        "db backup": DATA_OUT,
        "db check accept": Wording("To restore the previous lists from a backup: callsieve db restore."),
        "housekeeping run": Wording("Removed data cannot be restored here; a backup may have it."),
    },
    sentences={
        "emergency open": N_("{who} opened the emergency window"),
        "emergency close": N_("{who} closed the emergency window"),
        "emergency call": N_("{who} made an emergency call"),
        "db backup": N_("{who} made the backup {about}"),
        "db check accept": N_("{who} accepted the lists as another program had changed them"),
        "housekeeping run": N_("{who} removed old data"),
    },
)
