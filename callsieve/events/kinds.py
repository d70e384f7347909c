"""The description of each kind of event: the text for people, and an example for tests and documentation."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from callsieve.text.times import day
from callsieve.web.rendering import mask_numbers
from policies.reasons import why_of
from reputation.events import (
    AppealDecided,
    AppealDue,
    AppealOpened,
    CallEnded,
    CallerHeard,
    DaemonTrouble,
    DecisionTaken,
    DigestReady,
    EmergencyClosed,
    EmergencyOpened,
    Event,
    EventData,
    EventKind,
    ExchangeStale,
    FeedStale,
    GradeChanged,
    HubStale,
    LabelChanged,
    LevelChanged,
    NumberMarked,
    NumberSuspected,
    PolicyChanged,
    new_event_id,
)
from reputation.numbers import masked
from reputation.own.suspicion import Network, confidence_text, place_of
from reputation.wording import Places, Wording

__all__ = ["DELIVER_SECONDS", "DeliveryError", "Event", "EventData", "EventKind", "Receiver"]

# Time limit of a delivery. A receiver that gathers events for longer has its own `deliver_seconds`.
DELIVER_SECONDS: Final = 30.0


class DeliveryError(Exception):
    """A receiver did not accept an event. `words`: the reason on one line, without a secret or a number.

    `permanent`: whether a retry is useless, so the event becomes a dead letter at once. `retry_after`: the pause in
    seconds that the receiver requests. `gone`: whether the receiver has unsubscribed and is switched off.
    """

    def __init__(
        self, words: str, permanent: bool = False, *, retry_after: float | None = None, gone: bool = False
    ) -> None:
        super().__init__(words)
        self.words = words
        self.permanent = permanent or gone
        self.retry_after = retry_after
        self.gone = gone


class Receiver(Protocol):
    """A receiver of events. `deliver` may run for several subjects at once, and may be cancelled."""

    @property
    def name(self) -> str:
        """Return the receiver's name in the settings, which is stored with waiting deliveries."""
        ...

    async def deliver(self, event: Event) -> bool | None:
        """Deliver an event. Return False if the receiver did not need it. Raise DeliveryError if it was refused."""
        ...


CALLER, DID = "+12015550123", "+442071838750"
AT = 1_795_780_800.0  # 2026-11-27 12:00 UTC
Data = Mapping[str, Any]


class EventDescription(NamedTuple):
    """The description of a kind of event. `line`: a text with placeholders for data, or a function that returns it.

    `sample`: example data. `worded`: placeholders whose values are texts of CallSieve, which are translated.
    """

    sample: EventData
    line: Wording | Callable[[Data], Wording]
    worded: tuple[str, ...] = ()


def event_words(kind: EventKind, data: Data) -> Wording:
    """Return the event's text for people. This function does not mask phone numbers in `data`."""
    description = KINDS[kind]
    if not isinstance(description.line, Wording):
        return description.line(data)
    worded = {name: Wording((data[name] or "none").replace("_", " ")) for name in description.worded}
    return Wording(description.line.template, _places(data) | worded)


def _places(data: Data) -> dict[str, Any]:
    return {name: "-" if value is None else value for name, value in data.items()}


def _decision(data: Data) -> Wording:
    acted = Wording(data["would_be"])
    if data["would_be"] != data["action"]:
        acted = Wording("({action})", {"action": acted})  # the policy only observes
    caller = data["caller"] or Wording(data["caller_kind"])
    places: Places = {"caller": caller, "action": acted, "rule": data["rule"], "did": data["did"] or "-"}
    return Wording("call from {caller} to {did}: {action} by {rule}", places)


def _call(data: Data) -> Wording:
    other = data["caller"] or data["dialled"] or Wording(data["caller_kind"])
    places: Places = {"number": other, "how": Wording(data["disposition"]), "seconds": round(data["talk_seconds"])}
    return Wording("call with {number}: {how}, talked for {seconds} s", places)


def _heard(data: Data) -> Wording:
    number = data["caller"] or Wording("a caller without a number")
    if not data["text"]:
        return Wording("{number} spoke, but nothing was understood", {"number": number})
    return Wording("{number} said: {text}", {"number": number, "text": data["text"]})


def _mark(data: Data) -> Wording:
    if data["verdict"] == "spam":
        return Wording("{reporter} marked {number} as spam", _places(data))
    if data["verdict"] == "ok":
        return Wording("{reporter} marked {number} as not spam", _places(data))
    return Wording("{reporter} removed their mark of {number}", _places(data))


def _appeal_due(data: Data) -> Wording:
    places = _places(data) | {"day": day(data["due_at"] - 1)}
    if data.get("overdue"):
        return Wording("appeal {reference} for {number} should have been decided by {day}", places)
    return Wording("appeal {reference} for {number} must be decided by {day}", places)


def _label(data: Data) -> Wording:
    labels: Places = {name: data[name] or Wording("no label") for name in ("label", "before")}
    places: Places = {"number": data["number"], "platform": data["platform"], **labels}
    return Wording("{platform} shows {label} for own number {number}, before: {before}", places)


def _suspicion(data: Data) -> Wording:
    places: Places = {
        "number": data["number"],
        "where": place_of(Network(data["country"], data["network"])),
        "confidence": confidence_text(data["confidence"]),
    }
    return Wording("own number {number} may be labelled in {where} (confidence {confidence})", places)


def _policy(data: Data) -> Wording:
    if data["state"] == "waiting":
        return Wording("policy {policy} of another site waits to be accepted", _places(data))
    if data["state"] == "unusable":
        return Wording("policy {policy} of another site is unusable; the accepted version stays", _places(data))
    return Wording("policy {policy} was activated by {by}; before: {before}", _places(data))


def _daemon(data: Data) -> Wording:
    return (
        Wording("the daemon: {trouble}", _places(data))
        if data["trouble"]
        else Wording("the daemon has no problems any more")
    )


KINDS: Final[Mapping[EventKind, EventDescription]] = {
    EventKind.DECISION_TAKEN: EventDescription(
        DecisionTaken(
            id="8M3Q0ZKC",
            linkedid="1795780799.17",
            caller=CALLER,
            caller_kind="number",
            did=DID,
            trunk="carrier",
            callee=None,
            action="warn",
            would_be="warn",
            rule="level-warn",
            reason='{"code": "complaints"}',
            level="warn",
            log_odds=4.61,
            policy="cautious",
        ),
        _decision,
    ),
    EventKind.CALL_ENDED: EventDescription(
        CallEnded(
            linkedid="1795780799.17",
            direction="inbound",
            disposition="answered",
            caller=CALLER,
            caller_kind="number",
            did=DID,
            dialled=None,
            own_number=None,
            trunk="carrier",
            answered_by="201",
            rung=("201",),
            started_at=AT - 20.0,
            ring_seconds=8.0,
            talk_seconds=12.0,
            ended_by="callee",
            voicemail_left=False,
            challenge=None,
            complete=True,
            decision_id="8M3Q0ZKC",
            action="warn",
        ),
        _call,
    ),
    EventKind.CALLER_HEARD: EventDescription(
        CallerHeard(
            decision_id="8M3Q0ZKC",
            linkedid="1795780799.17",
            caller=CALLER,
            text="This is Tom Baker, I am calling about your delivery on Friday.",
            language="en",
            voice="unclear",
        ),
        _heard,
    ),
    EventKind.NUMBER_MARKED: EventDescription(
        NumberMarked(
            number=CALLER,
            auth_class="unknown",
            verdict="spam",
            reporter="201",
            channel="extension",
            category=None,
            reason="",
            linkedid="1795780799.17",
        ),
        _mark,
    ),
    EventKind.LEVEL_CHANGED: EventDescription(
        LevelChanged(number=CALLER, auth_class="unknown", before="tag", level="warn", log_odds=4.61),
        Wording("evidence against {number}: {level}, before: {before}"),
        ("level", "before"),
    ),
    EventKind.APPEAL_OPENED: EventDescription(
        AppealOpened(reference="AP9E4100", number=CALLER, decision_id="8M3Q0ZKC"),
        Wording("appeal {reference} for {number} was filed"),
    ),
    EventKind.APPEAL_DUE: EventDescription(
        AppealDue(reference="AP9E4100", number=CALLER, due_at=AT + 43_200.0), _appeal_due
    ),
    EventKind.APPEAL_DECIDED: EventDescription(
        AppealDecided(reference="AP9E4100", number=CALLER, ruling="upheld", category_only=False),
        Wording("appeal {reference} for {number}: {ruling}"),
        ("ruling",),
    ),
    EventKind.GRADE_CHANGED: EventDescription(
        GradeChanged(number=DID, before="healthy", grade="watch", reasons=("listed",)),
        Wording("own number {number}: {grade}, before: {before}"),
        ("grade", "before"),
    ),
    EventKind.LABEL_CHANGED: EventDescription(
        LabelChanged(number=DID, platform="Hiya", before="", label="Scam Likely", marks=12), _label
    ),
    EventKind.SUSPECTED: EventDescription(
        NumberSuspected(
            number=DID, country="GB", network="EE", by="answered", before=0.41, lately=0.18, confidence=0.9991
        ),
        _suspicion,
    ),
    EventKind.FEED_STALE: EventDescription(
        FeedStale(
            feed="ftc", status="stale", detail="the feed was usually updated every 7 d", imported_at=AT - 1_814_400.0
        ),
        Wording("feed {feed}: {status}: {detail}"),
        ("status",),
    ),
    EventKind.EXCHANGE_STALE: EventDescription(
        ExchangeStale(company="partner", status="stale", detail="nothing was fetched for 2 d", came_at=AT - 172_800.0),
        Wording("evidence from {company}: {status}: {detail}"),
        ("status",),
    ),
    EventKind.HUB_STALE: EventDescription(
        HubStale(status="stale", detail="no exchange for 10 min", waiting=12, exchanged_at=AT - 620.0),
        Wording("the hub: {detail}; calls are decided with this site's own data"),
    ),
    EventKind.POLICY_CHANGED: EventDescription(
        PolicyChanged(policy="head-office:office", state="waiting", before="", by="hub"), _policy
    ),
    EventKind.DAEMON_TROUBLE: EventDescription(
        DaemonTrouble(trouble="the store did not answer recent requests", running=True), _daemon
    ),
    EventKind.EMERGENCY_OPENED: EventDescription(
        EmergencyOpened(by="Asterisk"), Wording("no call is screened: the emergency window is open")
    ),
    EventKind.EMERGENCY_CLOSED: EventDescription(
        EmergencyClosed(by="time"), Wording("calls are screened again: the emergency window is closed")
    ),
    EventKind.DIGEST_READY: EventDescription(DigestReady(day="2026-11-26"), Wording("the digest of {day} is ready")),
}


def sample_of(kind: EventKind, at: float = AT) -> Event:
    """Return an example event of this kind, with invented numbers and a new id."""
    data = msgspec.to_builtins(KINDS[kind].sample)
    return Event(new_event_id(at), kind, str(data.get("number") or data.get("caller") or "sample"), at, data)


IDS = frozenset({"id", "linkedid", "decision_id", "reference"})
_NUMBER = re.compile(r"\+[0-9]{4,17}")


def as_sent(event: Event, *, mask: bool = False) -> Event:
    """Return the event in the format that receivers get."""
    data: Any = event.data
    if event.kind is EventKind.DECISION_TAKEN:
        why = why_of(str(data["reason"]))
        data = {**data, "reason": str(why), "reason_code": why.code}
    if not mask:
        return replace(event, data=data)
    return replace(event, subject=_masked_id(event.subject), data=_masked(without_words(event.kind, data)))


def without_words(kind: EventKind, data: Data) -> Data:
    """Return the data without the transcript of a caller, which may contain a name."""
    return {**data, "text": ""} if kind is EventKind.CALLER_HEARD else data


def body_of(event: Event, *, with_id: bool = False) -> bytes:
    """Return the event as JSON in the format of Standard Webhooks. `with_id`: include the id, if no header has it."""
    at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"id": event.id} if with_id else {}
    return msgspec.json.encode({**head, "type": event.kind.value, "timestamp": at, "data": event.data})


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask_numbers(value)
    if isinstance(value, Mapping):
        return {key: _masked_id(item) if key in IDS and item else _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list | tuple) else value


def _masked_id(text: str) -> str:
    """Mask phone numbers in an id. Keep other digits, by which receivers recognise a call."""
    return _NUMBER.sub(lambda match: masked(match[0]), text)
