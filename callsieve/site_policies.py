"""Policy files from other sites, stored beside this site's own policies.

    STATE/policies/head-office:office.toml      as accepted here: a policy like any other
    STATE/policies/head-office:office.new.toml  received but not accepted yet, to be compared and tried
    STATE/policies/head-office:office.old.toml  as it was before the last acceptance

Because the files are stored here, the active policy never depends on the hub. An accepted policy stays even if its site
withdraws it.
"""

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from callsieve.policy_selection import MODE, make_folder, pointer_file
from callsieve.settings import Loaded
from callsieve.system.files import complete_file
from callsieve.system.privileges import acting_for
from policies.loader import PRESETS, SITE_POLICY, load_policy, parse_policy, read_text
from policies.policy import Policy, PolicyError
from reputation.wording import Wording

NEW, OLD = ".new", ".old"
MOST_BYTES = 48 * 1024


class SiteVersion(NamedTuple):
    """An accepted version of a policy such as `head-office:office`. `digest`: the digest of its text."""

    name: str
    digest: str


def digest_of(text: str) -> str:
    """Return the digest that identifies a policy text."""
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def read_site_policy(text: str, name: str) -> Policy:
    """Parse another site's policy, which may extend only presets. Raise PolicyError if it is invalid or too large."""
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise PolicyError(
            Wording("{name}: larger than {most} kB: it cannot be published", {"name": name, "most": MOST_BYTES // 1024})
        )
    return parse_policy(text, name, name, _preset)


def _preset(name: str) -> Policy:
    if name not in PRESETS:
        raise PolicyError(
            Wording(
                "it extends {name}, which other sites do not have: put all rules into one file that extends a preset",
                {"name": name},
            )
        )
    return load_policy(name)


def site_policy_text(loaded: Loaded, name: str) -> str | None:
    """Return the text of a site policy file, or None if it cannot be read."""
    path = _path(loaded, name)
    try:
        with acting_for(path):
            return read_text(path)
    except PolicyError:
        return None


def site_policy_files(loaded: Loaded) -> frozenset[str]:
    """Return the names of all site policy files."""
    names = (path.stem for path in pointer_file(loaded).parent.glob("*:*.toml"))
    return frozenset(name for name in names if SITE_POLICY.fullmatch(name))


def accepted_version(loaded: Loaded, name: str) -> SiteVersion | None:
    """Return the accepted version of a policy; None if the policy is not accepted."""
    text = site_policy_text(loaded, name)
    return None if text is None else SiteVersion(name, digest_of(text))


def put_new(loaded: Loaded, name: str, text: str) -> None:
    """Store a received policy that is not accepted yet. Raise OSError."""
    _write(loaded, f"{name}{NEW}", text)


def drop_new(loaded: Loaded, name: str) -> None:
    """Remove a received policy that its site no longer publishes. Raise OSError."""
    _unlink(loaded, f"{name}{NEW}")


def put_accepted(loaded: Loaded, name: str, text: str) -> None:
    """Accept a policy, and keep the previous version. Raise OSError."""
    before = site_policy_text(loaded, name)
    if before is not None:
        _write(loaded, f"{name}{OLD}", before)
    _write(loaded, name, text)
    drop_new(loaded, name)


def go_back(loaded: Loaded, version: SiteVersion) -> bool:
    """Restore this previously accepted version. Return False if the version is no longer stored. Raise OSError.

    The version that was accepted until now is kept as a received version.
    """
    now, before = site_policy_text(loaded, version.name), site_policy_text(loaded, f"{version.name}{OLD}")
    if before is None or digest_of(before) != version.digest:
        return False
    if now is not None:
        put_new(loaded, version.name, now)
    _write(loaded, version.name, before)
    _unlink(loaded, f"{version.name}{OLD}")
    return True


def take_out(loaded: Loaded, name: str) -> None:
    """Withdraw the acceptance of a policy. The policy is kept as a received policy. Raise OSError."""
    if (now := site_policy_text(loaded, name)) is not None:
        put_new(loaded, name, now)
    _unlink(loaded, name)


def _unlink(loaded: Loaded, name: str) -> None:
    path = _path(loaded, name)
    with acting_for(path):
        path.unlink(missing_ok=True)


def _write(loaded: Loaded, name: str, text: str) -> None:
    path = _path(loaded, name)
    make_folder(path.parent)
    with complete_file(path, MODE) as file:
        file.write(text.encode())


def _path(loaded: Loaded, name: str) -> Path:
    assert SITE_POLICY.fullmatch(name)  # no path
    return pointer_file(loaded).parent / f"{name}.toml"
