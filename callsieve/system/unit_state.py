"""What systemd says of one of our units."""

from __future__ import annotations

import shutil
import subprocess

SECONDS = 2.0


def is_failing(unit: str) -> bool:
    """Return whether systemd starts the unit again and again, or has given it up; False where it cannot be asked."""
    if shutil.which("systemctl") is None:
        return False
    command = ["systemctl", "show", unit, "--property=ActiveState,SubState"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    said = done.stdout.split()
    return "SubState=auto-restart" in said or "ActiveState=failed" in said
