"""Operations on numbering plans (callsieve/changes/operation.py): replace a shipped plan, or add rows to it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from callsieve import plan_files
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import UndoKind
from callsieve.plan_files import plan_folder
from callsieve.settings import Loaded
from reputation.encoding import parse_plain
from reputation.plan.loader import PlanError, parse_plan, shipped_plans
from reputation.plan.rows import PlanFile
from reputation.wording import Wording

T = TypeVar("T")


class UpdateRequest(NamedTuple):
    """A request to use a plan file. `raw`: the content of the file; `name`: the name of the file in errors."""

    raw: bytes
    name: str


class RemoveRequest(NamedTuple):
    """A request to remove a country's plan file. `own`: remove the file with added rows, not the file with the plan."""

    country: str
    own: bool = False


class PlanUpdate(NamedTuple):
    """The result of an update. `plan`: the new plan. `replaced`: whether the plan replaced an earlier file."""

    change_id: int | None
    plan: PlanFile
    replaced: bool


class PlanRemoval(NamedTuple):
    """The result of a removal. `shipped`: whether the plan that comes with CallSieve applies again."""

    change_id: int | None
    file: str
    shipped: bool


def update(db: sqlite3.Connection, context: Context, request: UpdateRequest) -> PlanUpdate:
    """Activate the plan in a file. The daemon loads the plan within a second."""
    try:
        plan = parse_plan(request.raw, request.name)
    except PlanError as error:
        raise Refused("bad-plan", str(error)) from None
    file, loaded = plan_files.name_of(plan), context.loaded
    with change(db, context, "plan update", name=plan.country) as changed, _files(context):
        before = plan_files.keep_version(loaded, file)
        changed.before = before
        changed.after = plan_files.put_in_force(loaded, file, request.raw)
    return PlanUpdate(changed.id, plan, before is not None)


def remove(db: sqlite3.Connection, context: Context, request: RemoveRequest) -> PlanRemoval:
    """Remove the file that replaces a shipped plan, or the file that adds rows. Shipped plans cannot be removed."""
    country, loaded = request.country.strip().upper(), context.loaded
    file = f"{country.lower()}{'-own' if request.own else ''}.toml"
    with change(db, context, "plan remove", name=country) as changed, _files(context):
        current = plan_files.active_version(loaded, file) if country.isascii() and country.isalpha() else None
        if current is None:
            words = "{file} not found in {folder}; `callsieve plan show` lists the plans"
            raise Refused("no-such-plan", Wording(words, {"file": file, "folder": str(plan_folder(loaded))}))
        plan_files.keep_version(loaded, file)
        changed.before = current
        plan_files.take_out(loaded, file)
    return PlanRemoval(changed.id, file, not request.own and country in {plan.country for plan in shipped_plans()})


@contextmanager
def _files(context: Context) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused("cannot-write", f"{error.filename or plan_folder(context.loaded)}: {error.strerror}") from None


# Undo of changes.


def _refusing(
    step: Callable[[Loaded, plan_files.PlanVersion], T],
) -> Callable[[object, Context, plan_files.PlanVersion], T]:
    def run(_db: object, context: Context, version: plan_files.PlanVersion) -> T:
        try:
            with _files(context):
                return step(context.loaded, version)
        except PlanError as error:
            raise Refused("unusable-plan", str(error)) from None

    return run


PLAN = UndoKind(
    lambda _db, _row, value: parse_plain(value, plan_files.PlanVersion),
    _refusing(lambda loaded, version: plan_files.active_version(loaded, version.file)),
    _refusing(lambda loaded, version: plan_files.take_out(loaded, version.file)),
    _refusing(plan_files.put_back),
    replaces=True,
)
