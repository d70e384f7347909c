"""Recordings of callers who were asked for their name. Asterisk writes the files, and CallSieve erases them.

    <state>/recordings/<decision>-<piece>.wav      8 kHz, 16 bits; at most three pieces, 8 s in total

The directory belongs to the daemon, and Asterisk's group may write to it. Recordings are kept for seven days.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from callsieve.prompts import wav

logger = logging.getLogger("callsieve.calls.spoken_names")

FOLDER = "recordings"
PIECES = (1, 2, 3)
# While the caller hears the prompt, and while a caller who still speaks is asked to stop. Only where words are
# recognised, and erased at once.
PROMPT_PIECE, STOP_PIECE = 0, 4
ALL_PIECES = (PROMPT_PIECE, *PIECES, STOP_PIECE)
CHECK_SECONDS = 60.0
KEPT_SECONDS = 7 * 86_400.0
# At most 256 MB. Above that, callers are asked for a digit until some files have been erased.
MAX_FILES = 2000
MAX_BYTES = 1 << 20  # of a recording; 8 s take 128 kB
# A limit in case somebody else fills the directory.
MAX_LISTED = 2 * MAX_FILES
# Paths that need no quoting in the arguments of a dialplan.
_PLAIN = re.compile(r"/[A-Za-z0-9_./-]{1,180}")


async def keep_recordings(state: Path, use: Callable[[str], None]) -> None:
    """Erase old recordings until cancelled. Call `use` with the path of their directory, or "" if it is unusable."""
    is_logged = False
    while True:
        usable, problem = await asyncio.to_thread(_check_folder, state, time.time())
        use(usable)
        if problem and not is_logged:
            logger.warning("callers are asked for a digit instead of their names: %s", problem)
        is_logged = bool(problem)
        await asyncio.sleep(CHECK_SECONDS)


def _check_folder(state: Path, now: float) -> tuple[str, str]:
    try:
        folder = make_folder(state)
        gone, left = expire(folder, now)
    except OSError as error:
        return "", f"{error.filename or FOLDER}: {error.strerror}"
    if gone:
        logger.info("erased old recordings: count=%d", gone)
    if left >= MAX_FILES:
        remedy = "wait until old files are erased after seven days, or remove some files"
        return "", f"{folder}: the folder is full ({left} files): {remedy}"
    usable = str(folder)
    return (
        (usable, "") if _PLAIN.fullmatch(usable) else ("", f"{usable}: the path has characters other than A-Z 0-9 _.-/")
    )


def make_folder(state: Path) -> Path:
    """Create the directory for recordings if it is missing, and return the path."""
    folder = state / FOLDER
    folder.mkdir(mode=0o770, exist_ok=True)
    if folder.stat().st_mode & 0o777 != 0o770:  # because of the umask, or by hand
        folder.chmod(0o770)
    return folder


def expire(folder: Path, now: float) -> tuple[int, int]:
    """Erase recordings that are too old. Return how many were erased and how many are left."""
    gone = left = 0
    for path in files_in(folder):
        if now - path.stat().st_mtime >= KEPT_SECONDS:
            path.unlink(missing_ok=True)
            gone += 1
        else:
            left += 1
    return gone, left


def of_decisions(state: Path, ids: Iterable[object], pieces: Iterable[int] = PIECES) -> list[Path]:
    """Return the recordings that exist for these decisions. `pieces`: which pieces of a caller's answer to include."""
    paths = (state / FOLDER / f"{decision}-{piece}.wav" for decision in ids for piece in pieces)
    return [path for path in paths if path.is_file()]


def read_recording(state: Path, decision_id: str, name: str) -> bytes:
    """Return the content of a decision's recording with this file name; empty if it cannot be read."""
    path = next((path for path in of_decisions(state, [decision_id]) if path.name == name), None)
    try:
        # Asterisk's group can write into the directory, so links and large files are not read.
        if path is None or path.is_symlink() or path.stat().st_size > MAX_BYTES:
            return b""
        content = path.read_bytes()
    except OSError:
        return b""
    return content if content.startswith(b"RIFF") else b""


def has_sound(paths: Iterable[Path]) -> bool:
    """Return whether any recording contains sound. A silent caller leaves a recording too."""
    try:
        return any(wav.has_sound(path.read_bytes()) for path in paths)
    except OSError:
        return True


def erase(paths: Iterable[Path]) -> int:
    """Erase recordings, and return how many were erased."""
    return sum(1 for path in paths if _erased(path))


def _erased(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the recordings in a directory, at most MAX_LISTED."""
    if not folder.is_dir():
        return
    for number, path in enumerate(folder.iterdir()):
        if number >= MAX_LISTED:
            return
        if path.is_file() and not path.is_symlink():
            yield path
