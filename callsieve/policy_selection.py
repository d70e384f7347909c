"""Which policy is in force: that of the settings or one activated in its place; and policies by name or file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from callsieve.settings import Loaded
from callsieve.system.privileges import acting_for
from policies.files import open_regular
from policies.policy import Policy, PolicyError

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
    found, name = _pointed(loaded), loaded.settings.policy.name
    return found if found and found.instead_of == name != found.policy else None


def _pointed(loaded: Loaded) -> Activated | None:
    path = _pointer(loaded)
    try:
        with open_regular(path) as file:
            return msgspec.json.decode(file.read(POINTER_BYTES), type=Activated)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise PolicyError(
            f"{path}: cannot be read ({error}): `callsieve policy activate` takes the policy of the settings again"
        ) from None


def _pointer(loaded: Loaded) -> Path:
    return loaded.state / FOLDER / POINTER


def _is_file(name: str) -> bool:
    return "/" in name or name.endswith(".toml")


def policy_called(name: str, loaded: Loaded) -> Policy:
    """A policy by name, or of a file wherever it is."""
    from policies.loader import load_policy, parse_policy

    if not _is_file(name):
        return load_policy(name, loaded.policy_directories)
    file = Path(name)
    directories = (*loaded.policy_directories, file.parent)
    return parse_policy(text_of(file), file.stem, name, lambda base: load_policy(base, directories))


def text_of(file: Path, max_bytes: int | None = None) -> str:
    """A file of policies or cases that the administrator names; `max_bytes` None: as large as a policy. PolicyError."""
    from policies.loader import MAX_BYTES, read_text

    with acting_for(file):
        return read_text(file, max_bytes or MAX_BYTES)


def watched_files(loaded: Loaded) -> frozenset[tuple[Path, int, int]]:
    """All files that say which policy is in force, with time and size: another set, and something has changed."""
    paths = [path for directory in loaded.policy_directories for path in directory.glob("*.toml")]
    found = []
    for path in (*paths, _pointer(loaded)):
        with suppress(OSError):  # it is not there, or went away meanwhile
            status = path.stat()
            found.append((path, status.st_mtime_ns, status.st_size))
    return frozenset(found)


def is_activation(before: frozenset[tuple[Path, int, int]], after: frozenset[tuple[Path, int, int]]) -> bool:
    """Whether something was activated between two looks at the watched files."""
    return any(path.name == POINTER for path, _, _ in before ^ after)
