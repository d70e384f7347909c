"""Writing what callsieve.install.install planned: each file whole or not at all, with the mode and the owner it had."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

from callsieve.install.plan import FileChange, InstallError, InstallPlan, SystemUser
from callsieve.pbx.config_files import read_text
from callsieve.system.files import _give, complete_file

NEW_MODE = 0o644


def write(plan: InstallPlan) -> None:
    """Make the changes, in order. InstallError or OSError at the first that cannot be made.

    What was written by then stays: no file needs one that comes after it, and the next run goes on from there.
    """
    for change in plan.changes:
        _check_unchanged(change)
    for user in plan.new_users:
        make_user(user)
    for change in plan.changes:
        _write_one(change)
    for directory in plan.directories:
        with suppress(OSError):  # something else is in it, or it is not there
            directory.rmdir()


def make_user(user: SystemUser) -> None:
    """Make a system user. InstallError with what useradd says."""
    command = ["useradd", "--system", "--home-dir", str(user.home), "--shell", "/usr/sbin/nologin"]
    command += ["--gid", user.group, user.name] if user.group else ["--user-group", user.name]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        group = user.group or user.name
        raise InstallError(
            f"there is no useradd: make the user {user.name} in the group {group}, then try again"
        ) from None
    if done.returncode != 0:
        raise InstallError(f"the user {user.name} could not be made: {done.stderr.strip() or done.returncode}")


def _check_unchanged(change: FileChange) -> None:
    if read_text(change.path) != change.before:
        raise InstallError(f"{change.path}: somebody changed it meanwhile: run the command again")


def _write_one(change: FileChange) -> None:
    if change.after is None:
        change.path.unlink()
        return
    path = change.path.resolve()  # a link stays one, and its target changes
    make_directory(path.parent)
    status = path.stat() if change.before is not None else None
    owner = status or path.parent.stat()
    mode = change.mode if change.mode is not None else (status.st_mode & 0o7777 if status else NEW_MODE)
    group = owner.st_gid if change.group is None else change.group
    copy = change.copy_path
    if change.copied and change.before is not None and status is not None and not copy.exists():
        _replace(copy, change.before, status.st_mode & 0o7777, (status.st_uid, status.st_gid))
    _replace(path, change.after, mode, (owner.st_uid, group))


def make_directory(directory: Path) -> None:
    """With the owner of the directory that it is in, so that whoever reads that one can read it."""
    if directory.is_dir():
        return
    make_directory(directory.parent)
    directory.mkdir(mode=0o755)
    above = directory.parent.stat()
    _give(directory, directory, above.st_uid, above.st_gid)


def _replace(path: Path, text: str, mode: int, owner: tuple[int, int]) -> None:
    with complete_file(path, mode, owner) as file:
        file.write(text.encode("utf-8", "surrogateescape"))
