"""Operations that switch a look-up source off and on."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

import msgspec

from callsieve.changes.describe import NameText
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import UndoKind
from callsieve.lookup_settings import LookupTable
from callsieve.lookups.sources import PHONEBLOCK
from callsieve.reporting import operations as reporting
from callsieve.settings import Settings
from callsieve.source_skill import SWITCHED_BY_HAND, Judgement, OffReason, read_reason, skill_of
from policies.files import nearest
from reputation.encoding import HIDDEN, Instant, encode, parse_plain
from reputation.store import lookups
from reputation.store.lookups import compared
from reputation.store.reports import reports_to
from reputation.wording import Wording


class SwitchRequest(msgspec.Struct, frozen=True):
    """A request to switch a source on or off. `why`: the reason for switching it off."""

    name: NameText
    why: Annotated[OffReason, HIDDEN] = SWITCHED_BY_HAND


class SwitchState(NamedTuple):
    """The state of a source in the audit. `off_at`, `off_why`: None if on. `since`: when its measurement began."""

    name: str
    off_at: Instant | None
    off_why: OffReason | None
    since: Instant


def disable(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> int:
    """Switch a source off, and return the id of the change. The source's answers stop counting."""
    with change(db, context, "lookups disable", name=request.name) as changed:
        changed.before = _switched(db, request.name)
        if not lookups.switch_off(db, request.name, context.at, encode(request.why).decode()):
            raise Refused("off-already", Wording("{source} is already off", {"source": request.name}))
        changed.after = _switched(db, request.name)
    return _id(changed.id)


def enable(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> int:
    """Switch a source on, and return the id of the change. The source's accuracy is measured from now on."""
    with change(db, context, "lookups enable", name=request.name) as changed:
        changed.before = _switched(db, request.name)
        if not lookups.switch_on(db, request.name, context.at):
            raise Refused("on-already", Wording("{source} is already on", {"source": request.name}))
        changed.after = _switched(db, request.name)
    return _id(changed.id)


def disable_the_bad(db: sqlite3.Connection, context: Context) -> list[str]:
    """Switch off all sources that are worse than chance, and return their names."""
    switched_off = []
    for state in lookups.source_states(db):
        if state.off_at is not None or not state.in_settings:
            continue
        skill = skill_of(compared_of(db, state))
        if skill.judgement is Judgement.WORSE:
            with suppress(Refused):  # somebody may have switched it off during the comparison
                disable(db, context, SwitchRequest(state.name, skill.off_reason))
                switched_off.append(state.name)
    return switched_off


def _switched(db: sqlite3.Connection, name: str) -> SwitchState:
    state = _state(db, name)
    why = None if state.off_why is None else read_reason(state.off_why)
    return SwitchState(name, state.off_at, why, state.since)


def _switch_back(db: sqlite3.Connection, table: str, state: SwitchState) -> None:
    why = None if state.off_why is None else encode(state.off_why).decode()
    lookups.put_switch(db, table, (state.off_at, why, state.since, state.name))


def undo_of_switch(table: str, switched: Callable[[sqlite3.Connection, str], SwitchState]) -> UndoKind:
    """Return how to undo a change that switched a source on or off. `switched`: reads the source's present state."""
    return UndoKind(
        lambda _db, _row, value: parse_plain(value, SwitchState),
        lambda db, _, state: switched(db, state.name),
        lambda *_: None,  # the earlier state replaces it
        lambda db, _, state: _switch_back(db, table, state),
    )


SWITCH = undo_of_switch("lookup_source", _switched)


def compared_of(db: sqlite3.Connection, state: lookups.SourceState) -> lookups.Compared:
    """Compare a source's answers with this site's evidence. Answers before the source was switched on do not count."""
    return compared(db, state.name, state.since)


def _state(db: sqlite3.Connection, name: str) -> lookups.SourceState:
    state = lookups.source_state(db, name)
    if state is None:
        names = [source.name for source in lookups.source_states(db)]
        hint = nearest(name, names) if names else ""
        words = Wording("unknown look-up service {source}{hint}", {"source": repr(name[:80]), "hint": hint})
        raise Refused("no-such-lookup", words, "name")
    return state


def _id(change_id: int | None) -> int:
    assert change_id is not None
    return change_id


def register_sources(db: sqlite3.Connection, settings: Settings) -> None:
    """Replace the sources in the store with those in the settings. Call it in a transaction."""
    phoneblock = settings.reporting.phoneblock
    is_reported = phoneblock.enabled or bool(reports_to(db, reporting.PHONEBLOCK))
    lookups.replace_sources(
        db, {table.name: not (is_reported and _gets_reports(table, phoneblock.url)) for table in settings.lookup}
    )


def _gets_reports(table: LookupTable, report_url: str) -> bool:
    """Return whether the source may repeat our own reports, so that its answers are not independent evidence."""
    asked = urlsplit(table.url or PHONEBLOCK).hostname
    return table.kind == "phoneblock" or asked == urlsplit(report_url).hostname


def longest_budget_seconds(settings: Settings) -> float:
    """Return the longest time that a call may wait for its look-ups, which run at the same time; 0 without sources."""
    return max((table.budget_ms for table in settings.lookup), default=0) / 1000
