"""Which policy is in force for the PBX: that of the settings, or one that was activated in its place.

    STATE/policies/console-7.toml    a version: written once, never changed
    STATE/policies/activated         {"policy": "console-7", "instead_of": "cautious"}

Decisions name the policy that made them, so each version has a name of its own, and going back is naming an earlier
one. Whoever changes `[policy] name` afterwards has said the later word: what was activated stood in another's place.
Whoever activates has read the settings as they are on disk: a daemon that has not yet takes their name with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from callsieve.policy_selection import Activated, _pointed, _pointer
from callsieve.settings import Loaded
from policies.files import open_regular
from policies.policy import PolicyError

MODE = 0o640
NOTE_CHARACTERS = 200
_VERSION = re.compile(r"console-([1-9][0-9]{0,8})")
_HEAD = re.compile(r"# Written by (.*) on (\d{4}-\d{2}-\d{2} \d{2}:\d{2})(?:: (.*))?")


@dataclass(frozen=True, slots=True)
class Version:
    """A policy that was written in the console. `head`: who wrote it when, and why."""

    number: int
    name: str
    who: str = ""
    when: str = ""
    note: str = ""


def as_activated(loaded: Loaded) -> Loaded:
    """The settings with the `[policy] name` that whoever activated something last has read in them."""
    with suppress(PolicyError):  # who reads the policies hears of it
        if found := _pointed(loaded):
            policy = msgspec.structs.replace(loaded.settings.policy, name=found.instead_of)
            settings = msgspec.structs.replace(loaded.settings, policy=policy)
            return msgspec.structs.replace(loaded, settings=settings)
    return loaded


def activate(loaded: Loaded, name: str) -> None:
    """The policy of this name, maybe that of the settings, is in force from the daemon's next look, within a second.

    OSError. `loaded`: the settings as they are on disk.
    """
    from callsieve.system.files import complete_file

    path = _pointer(loaded)
    make_folder(path.parent)
    with complete_file(path, MODE) as file:
        file.write(msgspec.json.encode(Activated(name, loaded.settings.policy.name)) + b"\n")


def add_version(loaded: Loaded, text: str, who: str, when: str, note: str = "") -> str:
    """Keeps the text as the next version, and returns its name. Call it where nobody else does the same. OSError."""
    from callsieve.system.files import complete_file

    folder = _pointer(loaded).parent
    make_folder(folder)
    name = f"console-{max((one.number for one in versions_of(loaded)), default=0) + 1}"
    note = " ".join("".join(c if c.isprintable() else " " for c in note).split())[:NOTE_CHARACTERS]
    head = f"# Written by {who} on {when}{f': {note}' if note else ''}\n"
    with complete_file(folder / f"{name}.toml", MODE) as file:
        file.write((head + without_head(text)).encode())
    return name


def make_folder(folder: Path) -> None:
    """For policies: others never look in, and only whoever has the state directory changes them. OSError."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)


def without_head(text: str) -> str:
    """The text of a version without the line that says whose it is."""
    first, _, rest = text.partition("\n")
    return rest if _HEAD.fullmatch(first.rstrip("\r")) else text


def versions_of(loaded: Loaded) -> list[Version]:
    """The versions that there are, the latest first."""
    return sorted(_versions(_pointer(loaded).parent), key=lambda one: -one.number)


def _versions(folder: Path) -> Iterator[Version]:
    for path in folder.glob("console-*.toml"):
        found = _VERSION.fullmatch(path.stem)
        if found is None:
            continue
        with suppress(OSError), open_regular(path) as file:
            head = _HEAD.fullmatch(file.readline(1000).decode("utf-8", "replace").rstrip("\r\n"))
            yield Version(int(found[1]), path.stem, *((head[1], head[2], head[3] or "") if head else ()))
