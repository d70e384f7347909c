"""The numbering plans in force: those that come with CallSieve, and the files of the state directory in their place.

    STATE/plan/fr.toml        the whole plan of a country, in the place of the shipped one
    STATE/plan/fr-own.toml    rows of the administrator's beside it

    STATE/plan/kept/          each version that was ever in force, for undoing

Both are written by `callsieve plan update` (callsieve/numbering/operations.py). A file that cannot be used is left out,
and the plan that comes with CallSieve stands.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from callsieve.settings import Loaded
from callsieve.system.files import complete_file
from policies.files import open_regular
from reputation.plan.loader import MAX_BYTES, PlanError, parse_plan, shipped_plans
from reputation.plan.rows import NumberPlan, PlanFile

FOLDER = "plan"
MODE = 0o640
OWN = "-own"

Stamp = tuple[str, int, int, int]  # path, inode, time of the last change (of its rights, too) and size


class Plans(NamedTuple):
    """The plan, and what is wrong with files of the state directory."""

    plan: NumberPlan
    problems: tuple[str, ...] = ()


def plan_of(loaded: Loaded) -> NumberPlan:
    """The plan in force."""
    return plans_of(loaded).plan


def plans_of(loaded: Loaded) -> Plans:
    """The plan in force, and which files were left out. Read again only when a file has changed."""
    return _read(stamps_of(loaded))


def stamps_of(loaded: Loaded) -> frozenset[Stamp]:
    """The files of the state directory: another set, and the plan is another."""
    found = []
    for path in plan_folder(loaded).glob("*.toml"):
        with suppress(OSError):  # it went away meanwhile
            status = path.stat()
            found.append((str(path), status.st_ino, status.st_ctime_ns, status.st_size))
    return frozenset(found)


def plan_folder(loaded: Loaded) -> Path:
    """Where the files are that `plan update` writes."""
    return loaded.state / FOLDER


def name_of(plan: PlanFile) -> str:
    """The file's name in that folder; one of a country and one of own rows."""
    return f"{plan.country.lower()}{OWN if plan.adds else ''}.toml"


def read_plan(path: Path) -> tuple[bytes, PlanFile]:
    """A file's text and the plan that it holds. PlanError, OSError."""
    with open_regular(path) as file:
        raw = file.read(MAX_BYTES + 1)
    return raw, parse_plan(raw, str(path))


@lru_cache(maxsize=4)
def _read(stamps: frozenset[Stamp]) -> Plans:
    whole = {plan.country: plan for plan in shipped_plans()}
    added: list[PlanFile] = []
    problems: list[str] = []
    for path, *_ in sorted(stamps):
        try:
            _, plan = read_plan(Path(path))
        except PlanError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{path}: cannot be read: {error.strerror}")
        else:
            if plan.adds:
                added.append(plan)
            else:
                whole[plan.country] = plan
    return Plans(NumberPlan([*whole.values(), *added]), tuple(problems))


# What `plan update` puts in force, and what takes it back. -------------------------------------------------


class PlanVersion(NamedTuple):
    """A file of the state directory as it was once: its name there, and the digest of its text."""

    file: str
    digest: str


def version_there(loaded: Loaded, file: str) -> PlanVersion | None:
    """The version in force; None where there is no such file. OSError."""
    try:
        with open_regular(plan_folder(loaded) / file) as stream:
            return PlanVersion(file, digest_of(stream.read(MAX_BYTES + 1)))
    except FileNotFoundError:
        return None


def digest_of(raw: bytes) -> str:
    """What a version is known by."""
    return sha256(raw).hexdigest()[:16]


def put_in_force(loaded: Loaded, file: str, raw: bytes) -> PlanVersion:
    """Writes the file, and keeps the text so that it can come back. OSError."""
    version = PlanVersion(file, digest_of(raw))
    kept = _kept(loaded, version)
    kept.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    for path in (kept, plan_folder(loaded) / file):
        with complete_file(path, MODE) as stream:
            stream.write(raw)
    return version


def put_back(loaded: Loaded, version: PlanVersion) -> None:
    """The version in force again. OSError; PlanError when its text cannot be used any more."""
    raw, _ = read_plan(_kept(loaded, version))
    put_in_force(loaded, version.file, raw)


def take_out(loaded: Loaded, file: str) -> None:
    """The file is there no more; its versions stay. OSError."""
    (plan_folder(loaded) / file).unlink()


def keep_version(loaded: Loaded, file: str) -> PlanVersion | None:
    """The version in force, kept so that it can come back, also where somebody has put the file there by hand. OSError,
    also for a file that is too large to be one of ours.
    """
    there = version_there(loaded, file)
    if there is not None and not _kept(loaded, there).is_file():
        with open_regular(path := plan_folder(loaded) / file) as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise OSError(
                errno.EFBIG, f"larger than {MAX_BYTES:,} bytes: it could not come back: move it away", str(path)
            )
        put_in_force(loaded, file, raw)
    return there


def _kept(loaded: Loaded, version: PlanVersion) -> Path:
    return plan_folder(loaded) / "kept" / f"{version.file.removesuffix('.toml')}-{version.digest}.toml"
