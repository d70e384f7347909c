"""Root's rights, put aside: root touches what is in somebody else's directory as that somebody.

Whoever owns a directory can put a link in the place of anything below it, at any moment. Looking first does not help;
having no more rights than the owner does. So a command of root begins by acting as the owner of the state directory,
and takes root's rights back only for what lies elsewhere: files that root has named, and Asterisk.
docs/decisions/root-and-the-state-directory.md says why.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypedDict

from callsieve.settings import Loaded, load_settings
from policies.files import open_regular

MOST_LINKS = 40  # as the kernel
Ids = tuple[int, int]


class ChildIds(TypedDict, total=False):
    """Arguments of subprocess.run."""

    user: int
    group: int


def become_owner(loaded: Loaded) -> None:
    """From now on root acts as the owner of the state directory. For commands, which need root's rights again."""
    if os.geteuid() == 0 and (owner := _owner_of_state(loaded)) is not None:
        _act_as(*owner, [owner[1]])


def drop_root(loaded: Loaded) -> None:
    """The same for good. For what runs on and answers others. OSError."""
    if os.geteuid() == 0 and (owner := _owner_of_state(loaded)) is not None:
        uid, gid = owner
        with _said():
            os.setgroups([gid])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)


def served_settings(config: Path | None) -> Loaded:
    """The settings for the daemon and the console, each time that they read them."""
    loaded = load_settings(config)
    drop_root(loaded)
    return loaded


@contextmanager
def acting_for(path: Path) -> Iterator[None]:
    """Inside, root acts as whoever could redirect this path; as root where nobody else could.

    Not for threads: the rights are those of the whole process. A no-op for everybody else.
    """
    if os.getuid() != 0:
        yield
        return
    before = os.geteuid(), os.getegid(), os.getgroups()
    os.seteuid(0)
    try:
        if (owner := owner_on_the_way(path)) is not None:
            _act_as(*owner, [owner[1]])
        else:
            os.setegid(os.getgid())  # of what is made; the other groups are nothing to root
        yield
    finally:
        _act_as(*before)


@contextmanager
def as_root() -> Iterator[None]:
    """Inside, root is root: for what is Asterisk's and the machine's."""
    with acting_for(Path("/")):
        yield


def acting_ids() -> ChildIds:
    """For subprocess, where a program of others reads files of others: whom we act as. Root that acts as somebody is
    still root by its real user, which a child inherits, and with it the right to become root again (capabilities(7)).
    Empty where we are who we act as: then Python starts the child by vfork, which costs a large process much less.
    """
    if (os.getuid(), os.getgid()) == (os.geteuid(), os.getegid()):
        return {}
    return {"user": os.geteuid(), "group": os.getegid()}


def open_named(path: Path) -> BinaryIO:
    """A file that the administrator names, to be read. OSError, for what is no regular file too."""
    with acting_for(path):
        return open_regular(path)


def owner_on_the_way(path: Path) -> Ids | None:
    """User and group of the first directory or link on the way to a path that is not root's. None: all of it is root's.

    Links are followed one by one: each directory that a path leads through counts, not only those that it names.
    """
    here, links = Path("/"), 0
    waiting = list(reversed(path.absolute().parts[1:]))
    while waiting:
        step = here / (part := waiting.pop())
        try:
            status = step.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None  # what is not there yet is made in a directory of root's
        is_link = stat.S_ISLNK(status.st_mode)
        if status.st_uid != 0 and (is_link or stat.S_ISDIR(status.st_mode)):
            return status.st_uid, status.st_gid
        if part == "..":
            here = here.parent
        elif not is_link:
            here = step
        elif (links := links + 1) > MOST_LINKS:
            return None  # whoever opens it gets an error
        else:
            target = step.readlink()
            here = Path("/") if target.is_absolute() else here
            waiting += [one for one in reversed(target.parts) if one != "/"]
    return None


def _owner_of_state(loaded: Loaded) -> Ids | None:
    return owner_on_the_way(loaded.state) or owner_on_the_way(loaded.store_path.parent)


def _act_as(uid: int, gid: int, groups: list[int]) -> None:
    with _said():
        os.seteuid(0)
        if os.getgroups() != groups:
            os.setgroups(groups)
        os.setegid(gid)
        os.seteuid(uid)


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise OSError(
            "root may not act as the owner of the state directory here (CAP_SETUID and CAP_SETGID are missing): "
            "for systemd run callsieve asterisk install --systemd again, or run this as the service's user"
        ) from None
