"""The active policy of the PBX: the policy in the settings, or a policy that was activated instead.

    STATE/policies/console-7.toml    a version: callsieve/policy/records.py
    STATE/policies/activated         {"policy": "console-7", "instead_of": "cautious"}

An activation is valid only while `[policy] name` is the policy in `instead_of`: a later change of the settings wins.
`instead_of` comes from the settings on disk, which may be newer than those of the daemon. Until the daemon reloads its
settings, it uses `instead_of` as its `[policy] name`.
"""

from contextlib import suppress
from pathlib import Path

import msgspec

from callsieve.settings import Loaded
from callsieve.system.files import complete_file
from callsieve.system.privileges import acting_for
from policies.files import open_regular
from policies.loader import MAX_BYTES, load_policy, parse_policy, read_text
from policies.policy import Policy, PolicyError
from reputation.wording import Wording

MODE = 0o640
FOLDER = "policies"
POINTER = "activated"
POINTER_BYTES = 4096


class Activated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An activated policy, and the policy in `[policy] name` that it replaces."""

    policy: str
    instead_of: str


def running_name(loaded: Loaded) -> str:
    """Return the name of the policy for calls outside all scopes. Raise PolicyError if the activation is unreadable."""
    activated = activated_of(loaded)
    return loaded.settings.policy.name if activated is None else activated.policy


def activated_of(loaded: Loaded) -> Activated | None:
    """Return the valid activation. None: nothing was activated, or the settings no longer name the replaced policy."""
    activated, name = pointed(loaded), loaded.settings.policy.name
    return activated if activated and activated.instead_of == name != activated.policy else None


def as_activated(loaded: Loaded) -> Loaded:
    """Return the settings with the `[policy] name` that was on disk at the last activation."""
    with suppress(PolicyError):  # the error is reported when the policies are read
        if activated := pointed(loaded):
            policy = msgspec.structs.replace(loaded.settings.policy, name=activated.instead_of)
            settings = msgspec.structs.replace(loaded.settings, policy=policy)
            return msgspec.structs.replace(loaded, settings=settings)
    return loaded


def activate(loaded: Loaded, name: str) -> None:
    """Activate a policy, which may be the policy in the settings. The daemon notices within a second. Raise OSError.

    `loaded`: the settings as they are on disk.
    """
    path = pointer_file(loaded)
    make_folder(path.parent)
    with complete_file(path, MODE) as file:
        file.write(msgspec.json.encode(Activated(name, loaded.settings.policy.name)) + b"\n")


def make_folder(folder: Path) -> None:
    """Create a directory for policies that other users cannot read. Raise OSError."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)


def pointed(loaded: Loaded) -> Activated | None:
    """Return the last activation, even an invalid one; None without any. Raise PolicyError if its file is damaged."""
    path = pointer_file(loaded)
    try:
        with open_regular(path) as file:
            return msgspec.json.decode(file.read(POINTER_BYTES), type=Activated)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise PolicyError(
            Wording(
                "{path}: cannot be read ({problem}): activate a policy again with `callsieve policy activate`",
                {"path": str(path), "problem": str(error)},
            )
        ) from None


def pointer_file(loaded: Loaded) -> Path:
    """Return the path of the file that names the activated policy."""
    return loaded.state / FOLDER / POINTER


def is_file(name: str) -> bool:
    """Return whether the text is a file path, not a policy's name."""
    return "/" in name or name.endswith(".toml")


def policy_called(name: str, loaded: Loaded) -> Policy:
    """Return a policy by its name or file path."""
    if not is_file(name):
        return load_policy(name, loaded.policy_directories)
    file = Path(name)
    directories = (*loaded.policy_directories, file.parent)
    return parse_policy(text_of(file), file.stem, name, lambda base: load_policy(base, directories))


def text_of(file: Path, max_bytes: int | None = None) -> str:
    """Return the text of an administrator's policy or case file. Raise PolicyError if it is unreadable or too long."""
    with acting_for(file):
        return read_text(file, max_bytes or MAX_BYTES)


def watched_files(loaded: Loaded) -> frozenset[tuple[Path, int, int]]:
    """Return all files that determine the active policy, with modification times and sizes, to detect changes."""
    paths = [path for directory in loaded.policy_directories for path in directory.glob("*.toml")]
    stamps = []
    for path in (*paths, pointer_file(loaded)):
        with suppress(OSError):  # it does not exist, or was removed meanwhile
            status = path.stat()
            stamps.append((path, status.st_mtime_ns, status.st_size))
    return frozenset(stamps)


def is_activation(before: frozenset[tuple[Path, int, int]], after: frozenset[tuple[Path, int, int]]) -> bool:
    """Return whether a policy was activated between two results of `watched_files`."""
    return any(path.name == POINTER for path, _, _ in before ^ after)
