"""Limit root's rights: root handles files in a user's directory with that user's rights.

The owner of a directory can replace anything below it with a link at any moment, so a check beforehand does not help.
Commands run by root therefore act as the owner of the state directory. They regain root's rights only for files that
root named, and for Asterisk. docs/contributing/decisions/root-and-the-state-directory.md gives the reasons.
"""

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypedDict

from callsieve.settings import Loaded, Settings, load_settings
from policies.files import open_regular

FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
MOST_LINKS = 40  # as the kernel
Ids = tuple[int, int]


class ChildIds(TypedDict, total=False):
    """Arguments of subprocess.run that set the user and group of a child process."""

    user: int
    group: int


def become_owner(loaded: Loaded) -> None:
    """Make root act as the owner of the state directory, in a command that will need root's rights again."""
    if os.geteuid() == 0 and (owner := _owner_of_state(loaded)) is not None:
        _act_as(*owner, [owner[1]])


def drop_root(loaded: Loaded) -> None:
    """Make root act permanently as the owner of the state directory, for long-running programs. Raise OSError."""
    if os.geteuid() == 0 and (owner := _owner_of_state(loaded)) is not None:
        become(*owner)


def become(uid: int, gid: int) -> None:
    """Switch from root to this user permanently. Raise OSError."""
    with _explained():
        os.setgroups([gid])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def served_settings(config: Path | None) -> Loaded:
    """Load the settings for a long-running program, and permanently act as the owner of the state directory."""
    loaded = load_settings(config)
    drop_root(loaded)
    return loaded


@contextmanager
def acting_for(path: Path) -> Iterator[None]:
    """If root runs the program, run the block with the rights of the user who could redirect this path.

    Other users keep their rights. Not for threads, because the rights of the whole process change.
    """
    with _rights_put_back():
        act_for(None)
        act_for(owner_on_the_way(path))
        yield


def act_for(owner: Ids | None) -> None:
    """Make root act as this user from now on, or as root again for None. No effect for other users."""
    if os.getuid() != 0:
        return
    os.seteuid(0)
    if owner is not None:
        _act_as(*owner, [owner[1]])
    else:
        os.setegid(os.getgid())  # the group of new files; root's other groups do not matter


@contextmanager
def as_root() -> Iterator[None]:
    """Run the block with root's rights if root started the program. Use it for files of Asterisk and the system."""
    with acting_for(Path("/")):
        yield


def acting_ids() -> ChildIds:
    """Return arguments for subprocess that limit a child to the rights of the user we act as.

    If root acts as another user, its real user is still root. A child would inherit the real user, and could become
    root again (capabilities(7)). Empty if we act as ourselves: then Python starts the child by vfork, which is much
    cheaper for a large process.
    """
    if (os.getuid(), os.getgid()) == (os.geteuid(), os.getegid()):
        return {}
    return {"user": os.geteuid(), "group": os.getegid()}


def open_named(path: Path) -> BinaryIO:
    """Open for reading a file that an administrator named. Raise OSError if this fails or the file is not regular."""
    with acting_for(path):
        return open_regular(path)


def owner_on_the_way(path: Path) -> Ids | None:
    """Return user and group of the first part of a path that does not belong to root; None if all belong to root."""
    here, links = Path("/"), 0
    waiting = list(reversed(path.absolute().parts[1:]))
    while waiting:
        step = here / (part := waiting.pop())
        try:
            status = step.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None  # a missing part will be created in a directory of root's
        is_link = stat.S_ISLNK(status.st_mode)
        if status.st_uid != 0 and (is_link or stat.S_ISDIR(status.st_mode)):
            return status.st_uid, status.st_gid
        if part == "..":
            here = here.parent
        elif not is_link:
            here = step
        elif (links := links + 1) > MOST_LINKS:
            return None  # opening the path fails anyway
        else:
            target = step.readlink()
            here = Path("/") if target.is_absolute() else here
            waiting += [name for name in reversed(target.parts) if name != "/"]
    return None


class Place(NamedTuple):
    """An open directory in which a file will be written, with the file's name and owner."""

    folder: int
    """A descriptor of its directory."""
    name: str
    owner: Ids | None
    """The user who could redirect the path. Root acts as this user there. None: only root could."""

    @contextmanager
    def acting(self) -> Iterator[None]:
        """If root runs the program, run the block with the rights of the place's owner."""
        with _rights_put_back():
            act_for(self.owner)
            yield


def open_place(path: Path, *, act: bool = True) -> Place:
    """Open the directory of the file to which a path leads. It must be closed afterwards. The file need not exist.

    Each part of the path is opened once, relative to the part before it, and links are read instead of followed. So
    nobody can replace a part after it was checked. `act`: whether root drops its rights from the first part that
    another user could redirect.

    Raises:
        OSError: A part is missing or not accessible, or the path leads to something other than a regular file.
    """
    with _rights_put_back():
        if act:
            act_for(None)
        return _walk(path, act=act)


def _walk(path: Path, *, act: bool) -> Place:
    owner, links, waiting = None, 0, list(reversed(path.absolute().parts[1:]))
    folder = os.open("/", FOLDER)
    try:
        while waiting:
            part = waiting.pop()
            try:
                step = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            except FileNotFoundError:
                if waiting or part == "..":
                    raise
                return Place(folder, part, owner)
            try:
                status = os.fstat(step)
                if not stat.S_ISDIR(status.st_mode) and not stat.S_ISLNK(status.st_mode):
                    if waiting:
                        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
                    if not stat.S_ISREG(status.st_mode):
                        raise OSError(f"{path}: not a regular file: name a file to write")
                    return Place(folder, part, owner)
                if act and owner is None and status.st_uid != 0 and os.getuid() == 0:
                    owner = status.st_uid, status.st_gid
                    act_for(owner)
                if stat.S_ISDIR(status.st_mode):
                    folder, step = step, folder
                    continue
                _refuse_planted(status, os.fstat(folder))
                if (links := links + 1) > MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                target = Path(os.readlink("", dir_fd=step))
                if target.is_absolute():
                    folder, step = os.open("/", FOLDER), folder
                waiting += [name for name in reversed(target.parts) if name != "/"]
            finally:
                os.close(step)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        os.close(folder)
        if error.errno is not None:
            error.filename = str(path.parent if error.errno == errno.ENOENT else path)
        raise


def _refuse_planted(link: os.stat_result, folder: os.stat_result) -> None:
    """Refuse another user's link in a world-writable directory, like the kernel does."""
    if folder.st_mode & stat.S_IWOTH and link.st_uid not in {os.getuid(), folder.st_uid}:
        raise PermissionError(
            errno.EACCES, "refused a link that another user made in a directory where everybody may write"
        )


@contextmanager
def _rights_put_back() -> Iterator[None]:
    """At the end of the block, restore the rights that root had at its beginning."""
    if os.getuid() != 0:
        yield
        return
    before = os.geteuid(), os.getegid(), os.getgroups()
    try:
        yield
    finally:
        _act_as(*before)


def _owner_of_state(loaded: Loaded) -> Ids | None:
    return owner_on_the_way(loaded.state) or owner_on_the_way(loaded.store_path.parent)


def _act_as(uid: int, gid: int, groups: list[int]) -> None:
    with _explained():
        os.seteuid(0)
        if os.getgroups() != groups:
            os.setgroups(groups)
        os.setegid(gid)
        os.seteuid(uid)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise OSError(
            "root may not act as the owner of the state directory here (CAP_SETUID and CAP_SETGID are missing). "
            "For systemd run callsieve asterisk install --systemd again, or run this as the service's user"
        ) from None


SERVICE_USER = "callsieve"  # runs the daemon, console, API and timers; may use the store
PUBLIC_USER = "callsieve-public"  # runs what strangers reach; other processes do not trust it
HEARING_USER = "callsieve-hearing"  # reads recordings of strangers; may read only its model


def ids_of(name: str) -> tuple[int, int] | None:
    """Return the user and group ID of a user; None if this server has no such user."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def user_id_of(name: str) -> int | None:
    """Return the ID of a user; None if this server has no such user."""
    ids = ids_of(name)
    return None if ids is None else ids[0]


def is_ours_or(name: str, user: int | None) -> bool:
    """Return whether a user ID belongs to the user of this process or to the named user."""
    return user is not None and user in (os.geteuid(), user_id_of(name))


def accepted_users(settings: Settings, service: int | None = None) -> frozenset[int]:
    """Return the IDs of users whose requests the daemon accepts, including the owner of Asterisk's configuration.

    Configured users that do not exist are left out. `service`: the daemon's user, if it is not this process's user.
    """
    users = {0, os.geteuid() if service is None else service}
    with suppress(OSError):
        users.add(os.stat(settings.asterisk.etc).st_uid)
    for name in settings.agi.users:
        with suppress(KeyError):
            users.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
    return frozenset(users)
