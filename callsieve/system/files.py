"""Write files completely or not at all, with a given mode and owner."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

from callsieve.system.privileges import open_place

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def naming(what: Path | str) -> Iterator[None]:
    """Add the file name to an OSError without a file name, such as an error of a full disk or a socket."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(what)
        raise


@contextmanager
def complete_file(path: Path, mode: int, owner: tuple[int, int] | None = None) -> Iterator[BinaryIO]:
    """Yield a temporary file beside the path, and rename it at the end, so that readers never see half a file.

    After an error the old file stays. If the path is a link, its target is replaced. Raise OSError if the path is not a
    regular file, because renaming would replace a device or pipe. Without an `owner`, root writes as the user who could
    redirect the path. The directory is opened once, so that a link placed on the path meanwhile has no effect.
    """
    place = open_place(path, act=owner is None)
    try:
        acting = place.acting if owner is None else nullcontext
        temporary = f".{place.name[:100]}.{secrets.token_hex(6)}.new"
        with acting(), _naming_folder(path):
            if path.exists() and not path.is_file():  # a link of /proc's, to a pipe
                raise OSError(f"{path}: not a regular file: name a file to write")
            descriptor = os.open(temporary, NEW, 0o600, dir_fd=place.folder)
        try:
            with naming(path), open(descriptor, "wb") as file:
                with acting():
                    if owner is not None:
                        _give(descriptor, path, *owner)
                    os.fchmod(descriptor, mode)
                yield file
                file.flush()
                os.fsync(descriptor)
            with acting():
                os.replace(temporary, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
        except BaseException:
            with acting(), suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=place.folder)
            raise
    finally:
        os.close(place.folder)


@contextmanager
def _naming_folder(path: Path) -> Iterator[None]:
    """Add the directory's name to an OSError of a temporary file, because the temporary name means nothing."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path.absolute().parent)
        raise


def _give(what: int | Path, path: Path, uid: int, gid: int) -> None:
    status = os.stat(what)
    if (status.st_uid, status.st_gid) == (uid, gid):
        return
    try:
        os.chown(what, uid, gid)
    except PermissionError:
        raise OSError(f"{path}: this user may not set the file's owner: run the command as root") from None
