"""The numbering plans in force: those that come with CallSieve, and the files of the state directory in their place.

    STATE/plan/fr.toml        the whole plan of a country, in the place of the shipped one
    STATE/plan/fr-own.toml    rows of the administrator's beside it

Both are written by `callsieve plan update`. A file that cannot be used is left out, and
the plan that comes with CallSieve stands.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from callsieve.settings import Loaded
from policies.files import open_regular
from reputation.plan.index import NumberPlan
from reputation.plan.loader import MAX_BYTES, PlanError, parse_plan, shipped_plans
from reputation.plan.rows import PlanFile

FOLDER = "plan"
OWN = "-own"

Stamp = tuple[str, int, int]  # path, time and size


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
            found.append((str(path), status.st_mtime_ns, status.st_size))
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
    for path, _, _ in sorted(stamps):
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
