"""Files that are written whole or not at all, with their mode and owner."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from callsieve.system.privileges import acting_for


@contextmanager
def naming(what: Path | str) -> Iterator[None]:
    """Inside, an OSError that names no file gets this one: the system says of a full disk or a socket only that."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(what)
        raise


@contextmanager
def complete_file(path: Path, mode: int, owner: tuple[int, int] | None = None) -> Iterator[BinaryIO]:
    """A temporary file beside it, then a rename: a reader sees the old file or the new one; after an error the old.

    A link stays one, and its target changes. OSError for what is no file: renamed over, a device or a pipe is gone.
    Without an `owner` root writes as whoever could redirect the path.
    """
    named, acting = path, acting_for if owner is None else nullcontext
    with acting(named):
        path, descriptor, name = _temporary_file(named)
    try:
        with naming(path), open(descriptor, "wb") as file:
            with acting(named):
                if owner is not None:
                    _give(descriptor, path, *owner)
                os.fchmod(descriptor, mode)
            yield file
            file.flush()
            os.fsync(descriptor)
        with acting(named):
            os.replace(name, path)
    except BaseException:
        with acting(named):
            Path(name).unlink(missing_ok=True)
        raise


def _temporary_file(path: Path) -> tuple[Path, int, str]:
    """What is to be replaced in the end, and an open file beside it with its name."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(f"{path}: is no regular file: name a file to be written")
    path = Path(os.path.realpath(path))
    try:
        return path, *tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    except OSError as error:
        error.filename = str(path.parent)  # nobody has asked for a temporary file
        raise


def _give(what: int | Path, path: Path, uid: int, gid: int) -> None:
    status = os.stat(what)
    if (status.st_uid, status.st_gid) == (uid, gid):
        return
    try:
        os.chown(what, uid, gid)
    except PermissionError:
        raise OSError(f"{path}: this user may not give it the owner that it needs: run the command as root") from None
