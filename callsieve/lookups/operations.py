"""Switching a source of look-ups off and on. Its answers stop counting, or count again, with the next call."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from callsieve.changes.operation import Context, Refused, change
from callsieve.lookups.measure import Judgement, skill_of
from policies.hints import nearest
from reputation.store.lookups import (
    Compared,
    SourceState,
    compared,
    source_state,
    source_states,
    switch_off,
    switch_on,
)
from reputation.wording import Wording

BY_HAND = "by-hand"


class OffReason(msgspec.Struct, frozen=True):
    """Why a source was switched off, as the store keeps it: a code, and the figures of that moment."""

    code: str
    right: int = 0
    told: int = 0

    @property
    def words(self) -> Wording:
        """For people."""
        if self.code == Judgement.WORSE.code:
            return Wording(
                "worse than chance: right about {right} of {told} numbers", {"right": self.right, "told": self.told}
            )
        return Wording("switched off by hand")


SWITCHED_BY_HAND = OffReason(BY_HAND)


@dataclass(frozen=True, slots=True)
class SwitchRequest:
    """A source by its name in the settings; why it is switched off."""

    name: str
    why: OffReason = SWITCHED_BY_HAND


def read_reason(kept: str) -> OffReason:
    """As the store has it; what cannot be read was done by somebody."""
    try:
        return msgspec.json.decode(kept, type=OffReason)
    except msgspec.DecodeError:
        return OffReason(BY_HAND)


def disable(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> int:
    """Operation: asks the source no more, and nothing that it said counts. The id of the change. Refused."""
    with change(db, context, "lookups disable", name=request.name) as changed:
        changed.before = _state(db, request.name)._asdict()
        if not switch_off(db, request.name, context.at, msgspec.json.encode(request.why).decode()):
            raise Refused("off-already", Wording("{source} is off already", {"source": request.name}))
        changed.after = _state(db, request.name)._asdict()
    return _id(changed.id)


def enable(db: sqlite3.Connection, context: Context, request: SwitchRequest) -> int:
    """Operation: asks the source again; it is measured anew from now on. The id of the change. Refused."""
    with change(db, context, "lookups enable", name=request.name) as changed:
        changed.before = _state(db, request.name)._asdict()
        if not switch_on(db, request.name, context.at):
            raise Refused("on-already", Wording("{source} is on already", {"source": request.name}))
        changed.after = _state(db, request.name)._asdict()
    return _id(changed.id)


def disable_the_bad(db: sqlite3.Connection, context: Context) -> list[str]:
    """Switches off each source that is worse than chance. Their names."""
    done = []
    for state in source_states(db):
        if state.off_at is not None or not state.in_settings:
            continue
        skill = skill_of(compared_of(db, state))
        if skill.judgement is Judgement.WORSE:
            with suppress(Refused):  # comparing takes a while: somebody has switched it off meanwhile
                reason = OffReason(skill.judgement.code, skill.right, skill.told)
                disable(db, context, SwitchRequest(state.name, reason))
                done.append(state.name)
    return done


def compared_of(db: sqlite3.Connection, state: SourceState) -> Compared:
    """What the source said against what we know, since it was switched on last."""
    return compared(db, state.name, state.since)


def _state(db: sqlite3.Connection, name: str) -> SourceState:
    state = source_state(db, name)
    if state is None:
        names = [one.name for one in source_states(db)]
        hint = nearest(name, names) if names else ""
        words = Wording("there is no look-up {source}{hint}", {"source": repr(name[:80]), "hint": hint})
        raise Refused("no-such-lookup", words, "name")
    return state


def _id(found: int | None) -> int:
    assert found is not None
    return found
