"""An event as a message for people: one line, in any language. Pure.

Numbers are whole, or masked where the receiver is so set: a mail and a chat travel through other hands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Final

from callsieve.events.kinds import Event, event_words
from callsieve.text.times import when
from callsieve.web.i18n import translated, translations_of
from callsieve.web.rendering import mask_numbers
from reputation.events import ID_PREFIX
from reputation.numbers import spaced
from reputation.store.event_deliveries import NUMBERS, PEOPLE
from reputation.wording import Places, Wording

ALERT_PREFIX: Final = "alert_"
ALERT: Final = "alert"  # what an alert adds to the data of its event
LINE_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class Alert:
    """That a rule of this name fired. `suppressed`: how often it would have since `since` and was kept quiet."""

    name: str
    suppressed: int = 0
    since: float = 0.0


NAMED = frozenset({*PEOPLE, *NUMBERS})


def with_alert(event: Event, alert: Alert) -> Event:
    """The event as receivers of an alert get it: its id and its data say so, the same at each attempt."""
    told = {"name": alert.name, "event": event.id, "suppressed": alert.suppressed, "since": alert.since}
    # An id of its own: a receiver may be told of the event itself, too, and leave out what it knows.
    rule = sha256(alert.name.encode()).hexdigest()[:8].upper()
    return replace(
        event, id=f"{ALERT_PREFIX}{event.id.removeprefix(ID_PREFIX)}_{rule}", data={**event.data, ALERT: told}
    )


def alert_of(event: Event) -> Alert | None:
    """The alert that the event is told for; None: it is told for itself."""
    told = event.data.get(ALERT)
    return Alert(told["name"], told["suppressed"], told["since"]) if told else None


def event_in_words(event: Event, language: str, *, mask: bool) -> str:
    """One line. What others wrote is in it as text: without controls, and not endless."""
    data = {
        name: in_words(value, event.names, mask=mask) if name in NAMED and isinstance(value, str) else value
        for name, value in event.data.items()
    }
    words = event_words(event.kind, data)
    alert = alert_of(event)
    if alert is not None and alert.suppressed:
        held: Places = {"what": words, "count": alert.suppressed, "when": when(alert.since)}
        words = Wording("{what} (kept quiet since {when}: {count:,})", held)
    return one_line(words.said(partial(translated, catalogue=translations_of(language))), mask=mask)


def said(words: Wording, language: str) -> str:
    """A text of ours in a language."""
    return words.said(partial(translated, catalogue=translations_of(language)))


def one_line(text: str, *, mask: bool) -> str:
    """Text as a header or a line may have it."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LINE_CHARACTERS]
    return mask_numbers(line) if mask else line


def in_words(text: str, names: Mapping[str, str], *, mask: bool) -> str:
    """Return a person or a number as people know it: `Alice (201)`, `+1 201 555 0123 (Joe's Loans)`.

    Who may not see numbers is not told whose they are.
    """
    if not text.startswith("+"):
        return f"{names[text]} ({text})" if text in names else text
    if mask:
        return text
    return f"{spaced(text)} ({names[text]})" if text in names else spaced(text)
