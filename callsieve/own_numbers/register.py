"""Changing the register of our own numbers: what may be said of one, and each change with what the audit keeps of it.

The command and the console share it. Where a field is wrong the error names it, and each says it in its own way.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from callsieve.settings import Settings
from callsieve.text.times import TimeError, expiry_of, instant_of
from reputation.own.register import NotRegistered, OwnNumber, RegisterError
from reputation.store.audit import Change, add_audit
from reputation.store.own_register import own_of, put_own, remove_own
from reputation.wording import Wording

TEXT_CHARACTERS = 200
MOST_TEXTS = 20
CHECK_EVERY = "180d"
NEVER = "never"
# Raw outcomes are kept for 30 days: so far back is looked for numbers that go out.
SEEN_SECONDS = 30 * 86_400.0

TEXTS = ("name", "purpose", "owner")
LISTS = ("trunks", "documents", "registered")
NEXT_CHECK = "next_check"

# What is typed of a number, by TEXTS, LISTS and NEXT_CHECK.
Typed = Mapping[str, str | Sequence[str] | None]
# What a row of a file says of a number, by the fields of OwnNumber.
Given = Mapping[str, Any]
Step = Callable[[OwnNumber], OwnNumber]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class NothingChanged(RegisterError):
    """All that is asked for is so already: there is no change to keep."""


class FieldError(ValueError):
    """What was typed cannot be kept so. `field` is where, and `words` go on from its name."""

    def __init__(self, field: str, words: Wording) -> None:
        super().__init__(f"{field} {words}")
        self.field, self.words = field, words


def new_number(number: str, now: float) -> OwnNumber:
    """A number of which nothing is said yet."""
    return OwnNumber(number=number, since=now, added_at=now, next_check_at=next_check_of(CHECK_EVERY, now))


def filled_in(own: OwnNumber, typed: Typed, now: float) -> OwnNumber:
    """The number with what was typed; None: as it was. FieldError."""
    found: dict[str, object] = {}
    for field, value in typed.items():
        if field == NEXT_CHECK and isinstance(value, str):
            found["next_check_at"] = next_check_of(value, now)
        elif isinstance(value, str):
            found[field] = one_line(field, value)
        elif value is not None:
            found[field] = several(field, value)
    return replace(own, **found)  # type: ignore[arg-type]


def one_line(field: str, text: str) -> str:
    """A text as it is kept. FieldError."""
    text = text.strip()
    if len(text) > TEXT_CHARACTERS or not text.isprintable():
        most = {"most": TEXT_CHARACTERS}
        raise FieldError(field, Wording("takes one line of at most {most} characters", most))
    return text


def several(field: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Texts that stand beside each other, each once; in a file `|` stands between them. FieldError."""
    if len(texts) > MOST_TEXTS or any("|" in text for text in texts):
        most = {"most": MOST_TEXTS}
        raise FieldError(field, Wording("may be given at most {most} times, and | has no place in it", most))
    return tuple(dict.fromkeys(kept for text in texts if (kept := one_line(field, text))))


def next_check_of(text: str, now: float) -> float | None:
    """When somebody is to look again: after a span, at the beginning of a day, or None: never. FieldError."""
    text = text.strip().lower()
    if text == NEVER:
        return None
    try:
        at = expiry_of(text, now)
        return max(now, instant_of(f"{text}T00:00", now)) if _DAY.fullmatch(text) else at
    except TimeError as error:
        problem = {"problem": str(error)}
        raise FieldError(NEXT_CHECK, Wording("takes a time to come, or never: {problem}", problem)) from None


def unknown_trunks(owns: Iterable[OwnNumber], settings: Settings) -> list[str]:
    """Names of trunks that the settings do not know: a misspelling, most of the time."""
    return sorted({name for own in owns for name in own.trunks} - {trunk.name for trunk in settings.trunk})


def registered(db: sqlite3.Connection, number: str) -> OwnNumber:
    """The number as it is registered. NotRegistered."""
    own = own_of(db, number)
    if own is None:
        raise NotRegistered(number)
    return own


def put_in_register(db: sqlite3.Connection, change: Change, own: OwnNumber) -> None:
    """The number is registered so, whether it was there or not. NothingChanged."""
    change.before, change.after = own_of(db, own.number), own
    if change.before == own:
        raise NothingChanged(Wording("{number} is registered already: nothing was changed", {"number": own.number}))
    put_own(db, own)


def take_step(db: sqlite3.Connection, change: Change, number: str, step: Step) -> OwnNumber:
    """How a registered number is after the step. RegisterError."""
    after = step(registered(db, number))
    put_in_register(db, change, after)
    return after


def take_out(db: sqlite3.Connection, change: Change, number: str) -> None:
    """The number is not registered any more. NotRegistered."""
    change.before = registered(db, number)
    remove_own(db, number)


def to_bring_in(db: sqlite3.Connection, found: Mapping[str, Given], at: float) -> list[tuple[bool, OwnNumber]]:
    """The numbers of a file that it changes, as they are then, and whether each is new.

    Of a number that is there what the file does not say stays; of a new one it is as `new_number` has it.
    """
    read = ((own_of(db, number), number, given) for number, given in found.items())
    told = ((before, _as_told(before or new_number(number, at), given, at)) for before, number, given in read)
    return [(before is None, after) for before, after in told if after != before]


def bring_in(
    db: sqlite3.Connection, change: Change, owns: Sequence[tuple[bool, OwnNumber]], who: str, at: float
) -> tuple[int, int]:
    """Those of `to_bring_in`, each with a row of its own in the audit; how many are new, and how many were there.

    NothingChanged where there are none.
    """
    if not owns:
        raise NothingChanged(Wording("All of it is registered already: nothing was changed."))
    for _, own in owns:
        row = Change("own import", own.number)
        put_in_register(db, row, own)
        add_audit(db, row, who, at)
    added = sum(is_new for is_new, _ in owns)
    change.after = {"added": added, "changed": len(owns) - added}
    return added, len(owns) - added


def _as_told(before: OwnNumber, given: Given, at: float) -> OwnNumber:
    """With what a row says; a file has whole seconds, so an instant within its second is none that changed."""
    same = {name for name, value in given.items() if _is_same_second(getattr(before, name), value)}
    after = replace(before, **{name: value for name, value in given.items() if name not in same})
    return replace(after, since=at) if after.state is not before.state and "since" not in given else after


def _is_same_second(one: object, other: object) -> bool:
    return isinstance(one, float) and isinstance(other, float) and int(one) == int(other)
