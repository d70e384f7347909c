"""An event as a message for people: one line, in any language. Pure.

Numbers are whole, or masked where the receiver is so set: a mail and a chat travel through other hands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any, Final

from callsieve.events.event import Event, EventKind
from callsieve.text.times import day, when
from callsieve.web.i18n import translated, translations_of
from callsieve.web.rendering import mask_numbers
from reputation.events import ID_PREFIX
from reputation.numbers import spaced
from reputation.own.suspicion import Network
from reputation.own.suspicion_wording import confidence_text, place_of
from reputation.store.event_names import NUMBERS, PEOPLE
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


# By `state`.
_OF_POLICY = {
    "in-force": Wording("policy {policy} is in force, by {by}; before: {before}"),
    "waiting": Wording("policy {policy} of another site waits to be accepted"),
    "unusable": Wording("policy {policy} of another site cannot be used; what was accepted of it stays"),
}


_OTHER_MARK = Wording("{reporter} took back what they said of {number}")
_OF_MARK = {
    "spam": Wording("{reporter} marked {number} as spam"),
    "ok": Wording("{reporter} marked {number} as not spam"),
}
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
    words = _words(event, mask=mask)
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


def _words(event: Event, *, mask: bool) -> Wording:
    data: dict[str, Any] = {
        name: in_words(value, event.names, mask=mask) if name in NAMED and isinstance(value, str) else value
        for name, value in event.data.items()
    }
    about: dict[str, Any] = {name: "-" if value is None else value for name, value in data.items()}
    match event.kind:
        case EventKind.DECISION_TAKEN:
            caller = data["caller"] or Wording(data["caller_kind"])
            acted = Wording(data["would_be"])
            if data["would_be"] != data["action"]:
                acted = Wording("({action})", {"action": acted})  # the policy only observes
            places: Places = {"caller": caller, "action": acted, "rule": data["rule"], "did": about["did"]}
            return Wording("call from {caller} to {did}: {action} by {rule}", places)
        case EventKind.CALL_ENDED:
            other = data["caller"] or data["dialled"] or Wording(data["caller_kind"])
            how = Wording(data["disposition"])
            ended: Places = {"number": other, "how": how, "seconds": round(data["talk_seconds"])}
            return Wording("call with {number}: {how}, talked for {seconds} s", ended)
        case EventKind.NUMBER_MARKED:
            return replace(_OF_MARK.get(data["verdict"], _OTHER_MARK), places=about)
        case EventKind.LEVEL_CHANGED:
            levels: Places = {"level": Wording(data["level"]), "before": Wording(data["before"])}
            return Wording("evidence against {number}: {level}, before: {before}", {"number": data["number"], **levels})
        case EventKind.APPEAL_OPENED:
            return Wording("appeal {reference} of {number} was filed", about)
        case EventKind.APPEAL_DUE:
            about["day"] = day(data["due_at"] - 1)
            if data.get("overdue"):
                return Wording("appeal {reference} of {number} should have been decided until {day}", about)
            return Wording("appeal {reference} of {number} is to be decided until {day}", about)
        case EventKind.APPEAL_DECIDED:
            about["ruling"] = Wording(data["ruling"])
            return Wording("appeal {reference} of {number}: {ruling}", about)
        case EventKind.GRADE_CHANGED:
            grades: Places = {name: Wording(data[name] or "none") for name in ("grade", "before")}
            return Wording("own number {number}: {grade}, before: {before}", {"number": data["number"], **grades})
        case EventKind.LABEL_CHANGED:
            labels: Places = {name: data[name] or Wording("no label") for name in ("label", "before")}
            shown: Places = {"number": data["number"], "platform": data["platform"], **labels}
            return Wording("{platform} shows {label} of our number {number}, before: {before}", shown)
        case EventKind.SUSPECTED:
            network = place_of(Network(data["country"], data["network"]))
            suspected: Places = {
                "number": data["number"],
                "where": network,
                "confidence": confidence_text(data["confidence"]),
            }
            return Wording("our number {number} may be marked in {where} (confidence {confidence})", suspected)
        case EventKind.FEED_STALE:
            about["status"] = Wording(data["status"])
            return Wording("feed {feed}: {status}: {detail}", about)
        case EventKind.EXCHANGE_STALE:
            about["status"] = Wording(data["status"])
            return Wording("evidence of {company}: {status}: {detail}", about)
        case EventKind.HUB_STALE:
            return Wording("the hub: {detail}; calls are decided as ever, from what is here", about)
        case EventKind.POLICY_CHANGED:
            return Wording(_OF_POLICY[data["state"]].template, about)
        case EventKind.DAEMON_TROUBLE:
            return Wording("the daemon: {trouble}", about) if data["trouble"] else Wording("the daemon is well again")
        case EventKind.EMERGENCY_OPENED:
            return Wording("no call is screened: the emergency window is open")
        case EventKind.EMERGENCY_CLOSED:
            return Wording("calls are screened again: the emergency window is closed")
        case EventKind.DIGEST_READY:
            return Wording("the digest of {day} is ready", about)
