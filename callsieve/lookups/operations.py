"""Operations that switch a look-up source off and on, and the measure of its skill."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from callsieve.changes.describe import NameText
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import UndoKind
from callsieve.lookup_settings import LookupTable
from callsieve.lookups.sources import PHONEBLOCK
from callsieve.reporting import operations as reporting
from callsieve.settings import Settings
from policies.files import nearest
from reputation.encoding import HIDDEN, Instant, encode, parse_plain
from reputation.formulas import Interval, difference, wilson
from reputation.store import lookups
from reputation.store.lookups import compared
from reputation.store.reports import reports_to
from reputation.wording import Wording

SHOWN_Z: Final = 1.96  # 95 % of such intervals contain the true share
# A source is judged every hour. 99.9 % confidence hardly ever switches a good one off by chance.
DECIDING_Z: Final = 3.29
# Nothing is decided with fewer numbers of either kind.
LEAST_OF_KIND: Final = 10
LEAST_IN_ALL: Final = 40


class Judgement(StrEnum):
    """The result of judging a source."""

    TOO_FEW = "too few calls to tell"
    NO_WORSE = "no worse than chance"
    BETTER = "better than chance"
    WORSE = "worse than chance"

    @property
    def code(self) -> str:
        """Return the code for programs, such as `worse-than-chance`."""
        return self.value.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Skill:
    """How good a source is.

    Attributes:
        right: How many listed callers your people judged likewise.
        told: How many listed callers your people judged.
        share: The share of `right`.
        gain: How much more often it reports spam for spam than for other callers.
        judgement: The judgement on its listings.
    """

    right: int
    told: int
    share: Interval
    gain: Interval
    judgement: Judgement


def skill_of(compared: lookups.Compared) -> Skill:
    """Return the skill of a source."""
    right = compared.spam_of_spam + compared.fine_of_fine
    told = right + compared.spam_of_fine + compared.fine_of_spam
    return Skill(right, told, wilson(right, told, SHOWN_Z), _gain(compared, SHOWN_Z), judgement_of(compared))


def judgement_of(compared: lookups.Compared) -> Judgement:
    """Return whether it is worse than chance, in what it calls spam or in what it calls fine."""
    spam, fine = _of_spam(compared), _of_fine(compared)
    if min(spam, fine) < LEAST_OF_KIND or spam + fine < LEAST_IN_ALL:
        return Judgement.TOO_FEW
    gain, trust = _gain(compared, DECIDING_Z), _trust(compared, DECIDING_Z)
    if gain.high < 0 or trust.high < 0:
        return Judgement.WORSE
    return Judgement.BETTER if max(gain.low, trust.low) > 0 else Judgement.NO_WORSE


def _of_spam(compared: lookups.Compared) -> int:
    return compared.spam_of_spam + compared.other_of_spam + compared.fine_of_spam


def _of_fine(compared: lookups.Compared) -> int:
    return compared.spam_of_fine + compared.other_of_fine + compared.fine_of_fine


def _gain(compared: lookups.Compared, z: float) -> Interval:
    """Return how much more often it reports spam for spam than for honest callers."""
    of_spam = wilson(compared.spam_of_spam, _of_spam(compared), z)
    return difference(of_spam, wilson(compared.spam_of_fine, _of_fine(compared), z))


def _trust(compared: lookups.Compared, z: float) -> Interval:
    """Return how much more often it reports fine for honest callers than for spam."""
    of_fine = wilson(compared.fine_of_fine, _of_fine(compared), z)
    return difference(of_fine, wilson(compared.fine_of_spam, _of_spam(compared), z))


BY_HAND = "by-hand"


class OffReason(msgspec.Struct, frozen=True):
    """Why a source was switched off.

    Attributes:
        code: The reason as a code: `by-hand` or `worse-than-chance`.
        right: For how many numbers it had been right.
        told: By how many numbers it had been judged.
    """

    code: str
    right: int = 0
    told: int = 0

    @property
    def words(self) -> Wording:
        """Return the reason in words."""
        if self.code == Judgement.WORSE.code:
            return Wording(
                "worse than chance: right about {right} of {told} numbers", {"right": self.right, "told": self.told}
            )
        return Wording("switched off by hand")


SWITCHED_BY_HAND = OffReason(BY_HAND)


class SwitchRequest(msgspec.Struct, frozen=True):
    """A source by its name in the settings, and why it is switched off."""

    name: NameText
    why: Annotated[OffReason, HIDDEN] = SWITCHED_BY_HAND


class SwitchState(NamedTuple):
    """The switch of a source, as the audit keeps it: since when it is on, or when and why it was switched off."""

    name: str
    off_at: Instant | None
    off_why: OffReason | None
    since: Instant


def read_reason(text: str) -> OffReason:
    """Return the stored reason. An unreadable one counts as switched off by hand."""
    try:
        return msgspec.json.decode(text, type=OffReason)
    except msgspec.DecodeError:
        return OffReason(BY_HAND)


def disable(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> int:
    """Switch a source off, and return the id of the change. Its answers do not count from now on."""
    with change(db, context, "lookups disable", name=request.name) as changed:
        changed.before = _switched(db, request.name)
        if not lookups.switch_off(db, request.name, context.at, encode(request.why).decode()):
            raise Refused("off-already", Wording("{source} is off already", {"source": request.name}))
        changed.after = _switched(db, request.name)
    return _id(changed.id)


def enable(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> int:
    """Switch a source on, and return the id of the change. It is measured from now on."""
    with change(db, context, "lookups enable", name=request.name) as changed:
        changed.before = _switched(db, request.name)
        if not lookups.switch_on(db, request.name, context.at):
            raise Refused("on-already", Wording("{source} is on already", {"source": request.name}))
        changed.after = _switched(db, request.name)
    return _id(changed.id)


def disable_the_bad(db: sqlite3.Connection, context: Context) -> list[str]:
    """Switch off each source that is worse than chance, and return their names."""
    switched_off = []
    for state in lookups.source_states(db):
        if state.off_at is not None or not state.in_settings:
            continue
        skill = skill_of(compared_of(db, state))
        if skill.judgement is Judgement.WORSE:
            with suppress(Refused):  # somebody may have switched it off during the comparison
                reason = OffReason(skill.judgement.code, skill.right, skill.told)
                disable(db, context, SwitchRequest(state.name, reason))
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
    """Return the undo of a switch in this table."""
    return UndoKind(
        lambda _db, _row, value: parse_plain(value, SwitchState),
        lambda db, _, state: switched(db, state.name),
        lambda *_: None,  # the earlier state replaces it
        lambda db, _, state: _switch_back(db, table, state),
    )


SWITCH = undo_of_switch("lookup_source", _switched)


def compared_of(db: sqlite3.Connection, state: lookups.SourceState) -> lookups.Compared:
    """Return the answers of a source against what is known here, since it was switched on."""
    return compared(db, state.name, state.since)


def _state(db: sqlite3.Connection, name: str) -> lookups.SourceState:
    state = lookups.source_state(db, name)
    if state is None:
        names = [source.name for source in lookups.source_states(db)]
        hint = nearest(name, names) if names else ""
        words = Wording("unknown look-up {source}{hint}", {"source": repr(name[:80]), "hint": hint})
        raise Refused("no-such-lookup", words, "name")
    return state


def _id(change_id: int | None) -> int:
    assert change_id is not None
    return change_id


def register_sources(db: sqlite3.Connection, settings: Settings) -> None:
    """Make the store's sources those of the settings. Call it in a transaction."""
    phoneblock = settings.reporting.phoneblock
    is_reported = phoneblock.enabled or bool(reports_to(db, reporting.PHONEBLOCK))
    lookups.replace_sources(
        db, {table.name: not (is_reported and _gets_reports(table, phoneblock.url)) for table in settings.lookup}
    )


def _gets_reports(table: LookupTable, told: str) -> bool:
    """Return whether our reports may come back from this source, so that it is not outside evidence (rule 1)."""
    asked = urlsplit(table.url or PHONEBLOCK).hostname
    return table.kind == "phoneblock" or asked == urlsplit(told).hostname


def longest_budget_seconds(settings: Settings) -> float:
    """Return how long a call may wait for all sources together; 0 without sources."""
    return max((table.budget_ms for table in settings.lookup), default=0) / 1000
