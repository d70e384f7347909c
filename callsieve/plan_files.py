"""The active numbering plans: plans that come with CallSieve, and files in the state directory that change these plans.

    STATE/plan/fr.toml        replaces the shipped plan of a country
    STATE/plan/fr-own.toml    adds rows to the plan of the country
    STATE/plan/kept/          each version that was ever active, for undo

`callsieve plan update` writes these files (callsieve/numbering/operations.py). If a file has an error, the shipped plan
is used instead.
"""

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
from reputation.wording import Wording

FOLDER = "plan"
MODE = 0o640
OWN = "-own"

Stamp = tuple[str, int, int, int]  # path, inode, time of the last change (of its rights, too) and size


class Plans(NamedTuple):
    """The active numbering plans, merged into one, and the errors in plan files of the state directory."""

    plan: NumberPlan
    problems: tuple[Wording, ...] = ()


def plan_of(loaded: Loaded) -> NumberPlan:
    """Return the active numbering plans, merged into one."""
    return plans_of(loaded).plan


def plans_of(loaded: Loaded) -> Plans:
    """Return the active numbering plans and the errors in plan files. Files are read again only after a change."""
    return _read(stamps_of(loaded))


def stamps_of(loaded: Loaded) -> frozenset[Stamp]:
    """Return the plan files with their modification times and sizes, to detect changes."""
    stamps = []
    for path in plan_folder(loaded).glob("*.toml"):
        with suppress(OSError):  # it was removed meanwhile
            status = path.stat()
            stamps.append((str(path), status.st_ino, status.st_ctime_ns, status.st_size))
    return frozenset(stamps)


def plan_folder(loaded: Loaded) -> Path:
    """Return the directory of the files that `plan update` writes."""
    return loaded.state / FOLDER


def name_of(plan: PlanFile) -> str:
    """Return the file name of a plan: `fr.toml`, or `fr-own.toml` if the file only adds rows to a plan."""
    return f"{plan.country.lower()}{OWN if plan.adds else ''}.toml"


def read_plan(path: Path) -> tuple[bytes, PlanFile]:
    """Return the content of a plan file, raw and parsed. Raise PlanError or OSError."""
    with open_regular(path) as file:
        raw = file.read(MAX_BYTES + 1)
    return raw, parse_plan(raw, str(path))


@lru_cache(maxsize=4)
def _read(stamps: frozenset[Stamp]) -> Plans:
    whole = {plan.country: plan for plan in shipped_plans()}
    added: list[PlanFile] = []
    problems: list[Wording] = []
    for path, *_ in sorted(stamps):
        try:
            _, plan = read_plan(Path(path))
        except PlanError as error:
            problems.append(error.words)
        except OSError as error:
            problems.append(
                Wording("{path}: cannot be read: {problem}", {"path": path, "problem": str(error.strerror)})
            )
        else:
            if plan.adds:
                added.append(plan)
            else:
                whole[plan.country] = plan
    return Plans(NumberPlan([*whole.values(), *added]), tuple(problems))


# Activating a plan, and undoing that. -------------------------------------------------


class PlanVersion(NamedTuple):
    """A version of a plan file: its file name, and the digest of its content."""

    file: str
    digest: str


def active_version(loaded: Loaded, file: str) -> PlanVersion | None:
    """Return the active version of a plan file; None if the file does not exist. Raise OSError."""
    try:
        with open_regular(plan_folder(loaded) / file) as stream:
            return PlanVersion(file, digest_of(stream.read(MAX_BYTES + 1)))
    except FileNotFoundError:
        return None


def digest_of(raw: bytes) -> str:
    """Return the digest that identifies a version of a plan file."""
    return sha256(raw).hexdigest()[:16]


def put_in_force(loaded: Loaded, file: str, raw: bytes) -> PlanVersion:
    """Write a plan file, which activates it, and keep a copy for undo. Raise OSError."""
    version = PlanVersion(file, digest_of(raw))
    kept = _kept(loaded, version)
    kept.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    for path in (kept, plan_folder(loaded) / file):
        with complete_file(path, MODE) as stream:
            stream.write(raw)
    return version


def put_back(loaded: Loaded, version: PlanVersion) -> None:
    """Activate a kept version of a plan file again. Raise OSError, or PlanError if its content is no longer valid."""
    raw, _ = read_plan(_kept(loaded, version))
    put_in_force(loaded, version.file, raw)


def take_out(loaded: Loaded, file: str) -> None:
    """Remove a plan file but keep its stored versions. Raise OSError."""
    (plan_folder(loaded) / file).unlink()


def keep_version(loaded: Loaded, file: str) -> PlanVersion | None:
    """Keep a copy of a plan file for undo, even if it was edited by hand. Return its version; None without a file.

    Raises:
        OSError: The file cannot be read, or is too large to be kept.
    """
    active = active_version(loaded, file)
    if active is not None and not _kept(loaded, active).is_file():
        with open_regular(path := plan_folder(loaded) / file) as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise OSError(
                errno.EFBIG,
                f"larger than {MAX_BYTES:,} bytes, so an undo could not restore it: move the file away",
                str(path),
            )
        put_in_force(loaded, file, raw)
    return active


def _kept(loaded: Loaded, version: PlanVersion) -> Path:
    return plan_folder(loaded) / "kept" / f"{version.file.removesuffix('.toml')}-{version.digest}.toml"
