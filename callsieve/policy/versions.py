"""The policies that were written in the console: each is a version that is written once and never changed.

Decisions name the policy that made them, so each version has a name of its own, and going back is naming an earlier
one: callsieve/policy_selection.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from callsieve.policy_selection import MODE, make_folder, pointer_file
from callsieve.settings import Loaded
from callsieve.system.files import complete_file
from policies.files import open_regular
from reputation.wording import one_line

NOTE_CHARACTERS = 200
_VERSION = re.compile(r"console-([1-9][0-9]{0,8})")
_HEAD = re.compile(r"# Written by (.*) on (\d{4}-\d{2}-\d{2} \d{2}:\d{2})(?:: (.*))?")


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy that was written in the console. `head`: who wrote it when, and why."""

    number: int
    name: str
    who: str = ""
    when: str = ""
    note: str = ""


def add_version(loaded: Loaded, text: str, who: str, when: str, note: str = "") -> str:
    """Keeps the text as the next version, and returns its name. Call it where nobody else does the same. OSError."""
    folder = pointer_file(loaded).parent
    make_folder(folder)
    name = f"console-{max((one.number for one in versions_of(loaded)), default=0) + 1}"
    note = one_line(note, NOTE_CHARACTERS)
    head = f"# Written by {who} on {when}{f': {note}' if note else ''}\n"
    with complete_file(folder / f"{name}.toml", MODE) as file:
        file.write((head + without_head(text)).encode())
    return name


def is_version(name: str) -> bool:
    """Whether it is the name of one, which changes with each."""
    return _VERSION.fullmatch(name) is not None


def without_head(text: str) -> str:
    """The text of a version without the line that says whose it is."""
    first, _, rest = text.partition("\n")
    return rest if _HEAD.fullmatch(first.rstrip("\r")) else text


def versions_of(loaded: Loaded) -> list[PolicyVersion]:
    """The versions that there are, the latest first."""
    return sorted(_versions(pointer_file(loaded).parent), key=lambda one: -one.number)


def _versions(folder: Path) -> Iterator[PolicyVersion]:
    for path in folder.glob("console-*.toml"):
        found = _VERSION.fullmatch(path.stem)
        if found is None:
            continue
        with suppress(OSError), open_regular(path) as file:
            head = _HEAD.fullmatch(file.readline(1000).decode("utf-8", "replace").rstrip("\r\n"))
            yield PolicyVersion(int(found[1]), path.stem, *((head[1], head[2], head[3] or "") if head else ()))
