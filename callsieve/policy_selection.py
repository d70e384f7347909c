"""Which policy is in force for the PBX: that of the settings, or one that was activated in its place.

    STATE/policies/console-7.toml    a version: callsieve/policy/records.py
    STATE/policies/activated         {"policy": "console-7", "instead_of": "cautious"}

Whoever changes `[policy] name` afterwards has said the later word: what was activated stood in another's place. Whoever
activates has read the settings as they are on disk: a daemon that has not yet takes their name with it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from callsieve.settings import Loaded
from callsieve.system.files import complete_file
from callsieve.system.privileges import acting_for
from policies.files import open_regular
from policies.loader import MAX_BYTES, load_policy, parse_policy, read_text
from policies.policy import Policy, PolicyError

MODE = 0o640
FOLDER = "policies"
POINTER = "activated"
POINTER_BYTES = 4096


class Activated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was activated, and the `[policy] name` in whose place."""

    policy: str
    instead_of: str


def running_name(loaded: Loaded) -> str:
    """The policy in force for all calls that no scope covers. PolicyError when what was activated cannot be told."""
    activated = activated_of(loaded)
    return loaded.settings.policy.name if activated is None else activated.policy


def activated_of(loaded: Loaded) -> Activated | None:
    """What was activated in the place of what the settings name now."""
    found, name = pointed(loaded), loaded.settings.policy.name
    return found if found and found.instead_of == name != found.policy else None


def as_activated(loaded: Loaded) -> Loaded:
    """The settings with the `[policy] name` that whoever activated something last has read in them."""
    with suppress(PolicyError):  # who reads the policies hears of it
        if found := pointed(loaded):
            policy = msgspec.structs.replace(loaded.settings.policy, name=found.instead_of)
            settings = msgspec.structs.replace(loaded.settings, policy=policy)
            return msgspec.structs.replace(loaded, settings=settings)
    return loaded


def activate(loaded: Loaded, name: str) -> None:
    """The policy of this name, maybe that of the settings, is in force from the daemon's next look, within a second.

    OSError. `loaded`: the settings as they are on disk.
    """
    path = pointer_file(loaded)
    make_folder(path.parent)
    with complete_file(path, MODE) as file:
        file.write(msgspec.json.encode(Activated(name, loaded.settings.policy.name)) + b"\n")


def make_folder(folder: Path) -> None:
    """For policies: others never look in, and only whoever has the state directory changes them. OSError."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)


def pointed(loaded: Loaded) -> Activated | None:
    """What was activated last, in whose place ever. PolicyError: that cannot be told."""
    path = pointer_file(loaded)
    try:
        with open_regular(path) as file:
            return msgspec.json.decode(file.read(POINTER_BYTES), type=Activated)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise PolicyError(
            f"{path}: cannot be read ({error}): `callsieve policy activate` takes the policy of the settings again"
        ) from None


def pointer_file(loaded: Loaded) -> Path:
    """Where it is said what was activated."""
    return loaded.state / FOLDER / POINTER


def is_file(name: str) -> bool:
    """Whether it is a file that the administrator names, and not a policy's name."""
    return "/" in name or name.endswith(".toml")


def policy_called(name: str, loaded: Loaded) -> Policy:
    """A policy by name, or of a file wherever it is."""
    if not is_file(name):
        return load_policy(name, loaded.policy_directories)
    file = Path(name)
    directories = (*loaded.policy_directories, file.parent)
    return parse_policy(text_of(file), file.stem, name, lambda base: load_policy(base, directories))


def text_of(file: Path, max_bytes: int | None = None) -> str:
    """A file of policies or cases that the administrator names; `max_bytes` None: as large as a policy. PolicyError."""
    with acting_for(file):
        return read_text(file, max_bytes or MAX_BYTES)


def watched_files(loaded: Loaded) -> frozenset[tuple[Path, int, int]]:
    """All files that say which policy is in force, with time and size: another set, and something has changed."""
    paths = [path for directory in loaded.policy_directories for path in directory.glob("*.toml")]
    found = []
    for path in (*paths, pointer_file(loaded)):
        with suppress(OSError):  # it is not there, or went away meanwhile
            status = path.stat()
            found.append((path, status.st_mtime_ns, status.st_size))
    return frozenset(found)


def is_activation(before: frozenset[tuple[Path, int, int]], after: frozenset[tuple[Path, int, int]]) -> bool:
    """Whether something was activated between two looks at the watched files."""
    return any(path.name == POINTER for path, _, _ in before ^ after)
