"""Our own settings as `asterisk install` writes them: a new file begins in observe mode, either gets its [ami]."""

from __future__ import annotations

from pathlib import Path

from callsieve.asterisk_text import read_text, with_lines
from callsieve.changes import Change, Place
from callsieve.manager_user import PRIVATE_MODE, toml_text
from callsieve.settings import Loaded


def plan_settings(place: Place, loaded: Loaded, ami: list[str]) -> list[Change]:
    """The settings file with the [ami] table at its end. A file that is there keeps all that it says."""
    file = loaded.settings_file
    before = read_text(file)
    lines = ami if before is not None else [*_first_lines(place, loaded), *ami]
    if not lines:
        return []
    mode, group = _private(file, place.group)
    return [Change(file, before, with_lines(before, lines, "#"), mode, group, copied=before is not None)]


def _first_lines(place: Place, loaded: Loaded) -> list[str]:
    """A first month only watches: a policy that acts is a decision of the administrator's, made on what was seen."""
    settings = loaded.settings
    lines = ["[policy]", 'name = "observe"', "[numbers]", f"region = {toml_text(settings.numbers.region)}"]
    if place.etc != Path(settings.asterisk.etc):
        lines += ["[asterisk]", f"etc = {toml_text(str(place.etc))}"]
    return lines


def _private(file: Path, group: int) -> tuple[int, int | None]:
    """Mode and group of our settings with a secret in them: whoever runs the service reads them by Asterisk's group."""
    if not file.exists():
        return PRIVATE_MODE, group
    status = file.stat()
    if status.st_gid != 0 and not status.st_mode & 0o004:
        return status.st_mode & 0o770, None  # somebody has chosen who may read them
    return status.st_mode & 0o770 | 0o040, group
