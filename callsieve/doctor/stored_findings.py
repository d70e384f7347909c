"""The doctor's findings, stored by root for the console, /metrics and other users' `doctor`.

Only root may use Asterisk's console, which is as powerful as a shell. Everybody may read the stored findings, because
they contain no secret and no caller's number.
"""

import math
import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import Annotated

import msgspec

from callsieve.health import Check, CheckStatus
from callsieve.text.times import ago
from callsieve.version import program_version
from reputation.wording import N_, Wording

MOST_BYTES = 262_144
# The timer runs the doctor every ten minutes.
OLD_SECONDS = 3600.0
AHEAD_SECONDS = 60.0  # a clock may be set back a little
NAME = "seen by root"
NEVER = Wording("some checks need root, and root has not run them yet")
REMEDY = Wording("systemctl enable --now callsieve-doctor.timer, or callsieve doctor as root")
# The files of Asterisk that say in which context the calls of a trunk arrive.
TRUNK_FILES = ("pjsip*", "pjsip*/*", "iax*.conf", "chan_dahdi*.conf", "dahdi*.conf")
TRUNK_CHECKS = frozenset({"trunks", "DIDs"})
CHANGED = N_("the files of the trunks changed {when}, and root has not checked since Asterisk loaded them")
LOOK_AGAIN = Wording('asterisk -rx "module reload res_pjsip.so", then callsieve doctor as root')

_FORM = re.compile(r",?(?:\.[0-9])?f?")


class Findings(msgspec.Struct, frozen=True):
    """The findings of all checks. `at`: when they were made, in epoch seconds. `version`: CallSieve's version then.

    `loaded_at`: when Asterisk had last loaded a module and read its configuration. `passcode_code`: the feature code
    for a passcode to a person's page; empty if phones cannot dial this code.
    """

    at: float
    version: str
    checks: tuple[Check, ...]
    loaded_at: float
    passcode_code: Annotated[str, msgspec.Meta(pattern=r"^[0-9*#]{0,20}$")] = ""

    def is_old(self, now: float) -> bool:
        """Return whether the findings are too old to rely on (more than an hour), or were made in the future."""
        return not -AHEAD_SECONDS < now - self.at < OLD_SECONDS


def findings_of(checks: Iterable[Check], now: float, loaded_at: float, passcode_code: str = "") -> Findings:
    """Return the findings of these checks, ready to be stored."""
    return Findings(now, program_version(), tuple(checks), loaded_at, passcode_code)


# Writing


def may_store(path: Path) -> bool:
    """Return whether this process may store findings, as root or as the owner of the directory."""
    if os.geteuid() == 0:
        return True
    with suppress(OSError):
        return path.parent.stat().st_uid == os.geteuid()
    return False


def store_findings(path: Path, findings: Findings) -> None:
    """Replace the stored findings in one step. Raise OSError if the directory is a link or others may write to it."""
    with suppress(FileExistsError):
        path.parent.mkdir(0o755)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        status = os.fstat(folder)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise OSError(
                f"{path.parent}: other users may write in this directory, so nothing is stored: run chmod "
                "755 and chown root on the directory"
            )
        os.fchmod(folder, 0o755)  # whatever the umask is
        _replace(folder, path.name, msgspec.json.encode(findings))
    finally:
        os.close(folder)


def renew_finding(path: Path, check: Check) -> None:
    """Replace the stored finding of one check, if findings are stored and this process may write. Raise OSError."""
    stored = read_findings(path)
    if isinstance(stored, Findings) and may_store(path):
        checks = tuple(check if check.name == other.name else other for other in stored.checks)
        store_findings(path, msgspec.structs.replace(stored, checks=checks))


def _replace(folder: int, name: str, data: bytes) -> None:
    new = f".{name}.{os.getpid()}"
    with suppress(FileNotFoundError):  # left by a process that was killed
        os.unlink(new, dir_fd=folder)
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=folder)
    try:
        with open(file, "wb") as stream:
            os.fchmod(file, 0o644)
            stream.write(data)
            stream.flush()
            os.fsync(file)
        os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(new, dir_fd=folder)
        raise


# Reading


def read_findings(path: Path) -> Findings | Wording:
    """Return the stored findings, or a text that says why they cannot be used."""
    try:
        return _decoded(_read(path))
    except FileNotFoundError:
        return NEVER
    except _Foreign:
        return Wording("{file} is ignored: users other than root may write to the file", {"file": str(path)})
    except OSError as error:
        return Wording("{file} is ignored: {why}", {"file": str(path), "why": str(error.strerror)})
    except (ValueError, LookupError, RecursionError):
        return Wording("{file} is ignored, because the file is damaged", {"file": str(path)})


def recent_findings(path: Path, now: float) -> Findings | Wording:
    """Return the stored findings if at most an hour old. Otherwise return a text that says why they cannot be used."""
    stored = read_findings(path)
    return _made(stored, now) if isinstance(stored, Findings) and stored.is_old(now) else stored


class _Foreign(Exception):
    """Another user may have written the file of findings, so its content is not trusted."""


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
            raise _Foreign
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            raise ValueError("the content is not in the format that CallSieve writes")
        return os.read(descriptor, MOST_BYTES)
    finally:
        os.close(descriptor)


def _decoded(data: bytes) -> Findings:
    findings = msgspec.json.decode(data, type=Findings)
    for check in findings.checks:
        for text in (check.detail, check.remedy):
            _check_fits(text)
            str(text)
    if not all(map(math.isfinite, (findings.at, findings.loaded_at, *(check.at for check in findings.checks)))):
        raise ValueError("a time is missing")
    return findings


def _check_fits(text: str | Wording) -> None:
    """Raise ValueError if a stored text has fields without values, or a field width that could exhaust memory."""
    if isinstance(text, str) or not text.places:
        return
    for _, name, form, conversion in Formatter().parse(text.template):
        if name is not None and (name not in text.places or conversion or not _FORM.fullmatch(form or "")):
            raise ValueError("a message and its values do not match")
    for place in text.places.values():
        if isinstance(place, Wording):
            _check_fits(place)


# Showing


def trunks_changed_at(etc: Path) -> float:
    """Return when Asterisk's configuration of trunks last changed, in epoch seconds; 0 if it cannot be read."""
    try:
        return max((path.stat().st_ctime for pattern in TRUNK_FILES for path in etc.glob(pattern)), default=0.0)
    except OSError:
        return 0.0


def completed(checks: Iterable[Check], stored: Findings | Wording, now: float, trunks_changed_at: float) -> list[Check]:
    """Replace each check that this process could not run by root's stored finding. Warn of old or missing findings.

    `trunks_changed_at`: when Asterisk's configuration of trunks last changed. A finding about trunks counts only if
    Asterisk had loaded this configuration before root's doctor ran.
    """
    made = list(checks)
    if all(check.status is not CheckStatus.UNKNOWN for check in made):
        return made
    if isinstance(stored, Wording):
        return [*made, Check(NAME, CheckStatus.WARN, stored, REMEDY, now)]
    known = {check.name: replace(check, stored=True) for check in stored.checks}
    if trunks_changed_at > stored.loaded_at:
        changed = Wording(CHANGED, {"when": ago(trunks_changed_at, now)})
        unknown = (
            Check(name, CheckStatus.UNKNOWN, changed, LOOK_AGAIN, stored.at, stored=True) for name in TRUNK_CHECKS
        )
        known |= {check.name: check for check in unknown}
    shown = [known.get(check.name, check) if check.status is CheckStatus.UNKNOWN else check for check in made]
    if stored.is_old(now):
        shown.append(Check(NAME, CheckStatus.WARN, _made(stored, now), REMEDY, now))
    return shown


def _made(stored: Findings, now: float) -> Wording:
    return Wording("the checks that need root last ran {when}", {"when": ago(stored.at, now)})
