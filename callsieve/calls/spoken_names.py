"""What callers said who were asked for their name: files that Asterisk writes and we erase.

    <state>/recordings/<decision>-<piece>.wav      8 kHz, 16 bits; at most three pieces, 8 s in all

A recording is named after its decision, so that the journal tells whose it is and no table has to.
The directory is the daemon's, and its group (Asterisk's) may write there. Kept for seven days.
"""

from __future__ import annotations

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
LOOK_SECONDS = 60.0
KEPT_SECONDS = 7 * 86_400.0
# At most 256 MB; past that, callers are asked for a digit until some have been erased.
MAX_FILES = 2000
MAX_BYTES = 1 << 20  # of a recording; 8 s take 128 kB
# Twice that, so that one look at a directory that somebody else fills stays short.
MAX_LOOKED_AT = 2 * MAX_FILES
# What may stand in a dialplan's arguments as it is.
_PLAIN = re.compile(r"/[A-Za-z0-9_./-]{1,180}")


async def keep_recordings(state: Path, use: Callable[[str], None]) -> None:
    """Until cancelled: erases what is past its time, and says which directory to use, empty while there is none.

    Without one, callers are asked for a digit instead of their names.
    """
    complained = False
    while True:
        usable, trouble = await asyncio.to_thread(_kept, state, time.time())
        use(usable)
        if trouble and not complained:
            logger.warning("callers are not asked for their names: %s", trouble)
        complained = bool(trouble)
        await asyncio.sleep(LOOK_SECONDS)


def _kept(state: Path, now: float) -> tuple[str, str]:
    """The directory to use, and what is wrong: one of the two is empty."""
    try:
        folder = make_folder(state)
        gone, left = expire(folder, now)
    except OSError as error:
        return "", f"{error.filename or FOLDER}: {error.strerror}"
    if gone:
        logger.info("%d recordings were past their time and are erased", gone)
    if left >= MAX_FILES:
        return "", f"{folder}: {left} files wait for their time to be erased"
    usable = str(folder)
    return (usable, "") if _PLAIN.fullmatch(usable) else ("", f"{usable}: a dialplan cannot name this directory")


def make_folder(state: Path) -> Path:
    """The directory of the recordings, made if it is not there. OSError."""
    folder = state / FOLDER
    folder.mkdir(mode=0o770, exist_ok=True)
    if folder.stat().st_mode & 0o777 != 0o770:  # by the umask, or by hand: others never look in
        folder.chmod(0o770)
    return folder


def expire(folder: Path, now: float) -> tuple[int, int]:
    """Erases what is past its time: how many files went, and how many are left. OSError."""
    gone = left = 0
    for path in files_in(folder):
        if now - path.stat().st_mtime >= KEPT_SECONDS:
            path.unlink(missing_ok=True)
            gone += 1
        else:
            left += 1
    return gone, left


def of_decisions(state: Path, ids: Iterable[object]) -> list[Path]:
    """The recordings of these decisions, by their ids."""
    paths = (state / FOLDER / f"{one}-{piece}.wav" for one in ids for piece in PIECES)
    return [path for path in paths if path.is_file()]


def read_recording(state: Path, decision_id: str, name: str) -> bytes:
    """Return a recording of a decision by the name of its file; nothing where there is none that can be read."""
    path = next((path for path in of_decisions(state, [decision_id]) if path.name == name), None)
    try:
        # Asterisk's group writes into the directory: nothing is followed out of it, and nothing large is read.
        if path is None or path.is_symlink() or path.stat().st_size > MAX_BYTES:
            return b""
        content = path.read_bytes()
    except OSError:
        return b""
    return content if content.startswith(b"RIFF") else b""


def has_sound(paths: Iterable[Path]) -> bool:
    """Whether anything is heard in these recordings, as far as they may be read: silent callers have one, too."""
    try:
        return any(wav.has_sound(path.read_bytes()) for path in paths)
    except OSError:
        return True


def erase(paths: Iterable[Path]) -> int:
    """Erases recordings; how many there were. OSError when one cannot be."""
    return sum(1 for path in paths if _erased(path))


def _erased(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def files_in(folder: Path) -> Iterator[Path]:
    """The recordings that there are, MAX_LOOKED_AT at most. OSError."""
    if not folder.is_dir():
        return
    for number, path in enumerate(folder.iterdir()):
        if number >= MAX_LOOKED_AT:
            return
        if path.is_file() and not path.is_symlink():
            yield path
