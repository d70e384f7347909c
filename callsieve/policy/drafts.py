"""Drafts of policies: what somebody is writing, in a file of their own until it is activated. No policy by itself."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from callsieve.policy_selection import FOLDER, make_folder
from callsieve.settings import Loaded
from callsieve.system.files import complete_file
from policies.loader import PRESETS, policy_text
from policies.policy import PolicyError
from reputation.users import NAME

MODE = 0o600
MOST_BYTES = 48 * 1024  # what fits into a form

FROM_PRESET = """\
extends = "{name}"

# Rules are tried in their order, before those of {name}; the first that holds decides. For example:
#
# [[rule]]
# name = "premium"
# when = {{ prefix = ["+1900", "+1976"] }}
# action = "reject"
# reason = "premium numbers do not call"
"""


def draft_of(loaded: Loaded, user: str) -> str | None:
    """What the user is writing; None: nothing."""
    try:
        return _path(loaded, user).read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def keep_draft(loaded: Loaded, user: str, text: str) -> None:
    """From now on this is what the user is writing. OSError."""
    path = _path(loaded, user)
    make_folder(path.parent.parent)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with complete_file(path, MODE) as file:
        file.write(text.encode())


def drop_draft(loaded: Loaded, user: str) -> None:
    """The user is writing nothing."""
    _path(loaded, user).unlink(missing_ok=True)


def first_draft(name: str, loaded: Loaded) -> str:
    """What to begin with: the text of a policy; of a preset, which stays what it is, one that builds on it."""
    return FROM_PRESET.format(name=name) if name in PRESETS else policy_text(name, loaded.policy_directories)


def as_typed(text: str) -> str:
    """A text as files have it, from how browsers send it. PolicyError for what is too large."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise PolicyError(f"larger than {MOST_BYTES // 1024} kB: put a policy of this size into a file")
    return text if not text or text.endswith("\n") else f"{text}\n"


def digest_of(text: str) -> str:
    """Tells one draft from another."""
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _path(loaded: Loaded, user: str) -> Path:
    assert NAME.fullmatch(user)  # no path: letters, digits, _ . @ and -, a letter or digit first
    return loaded.state / FOLDER / "drafts" / f"{user}.toml"
