"""How a call ended: one value for each call, whatever happened to it in between.

The same call offered again: a carrier that got 4xx or 5xx tries once more, and that is one call, not two.

An unanswered inbound call that the caller did not give up is held back for OFFER_SECONDS. If the same caller comes to
the same DID on the same trunk meanwhile, the two become one outcome; else it is let go as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from reputation.model import CallerKind, Direction, Disposition, EndedBy
from reputation.numbers import caller_of, did_number_of, is_emergency, number_of
from reputation.outcome import OutcomeRecord
from reputation.site_names import own_name

# Q.850 cause of a channel that was hung up before it was answered.
UNANSWERED_BY_CAUSE = {
    16: Disposition.NO_ANSWER,
    17: Disposition.BUSY,
    18: Disposition.NO_ANSWER,
    19: Disposition.NO_ANSWER,
    21: Disposition.REJECTED,
    26: Disposition.NO_ANSWER,  # answered elsewhere
}

# SIP codes for which Asterisk has no cause of its own (127): a person does not want the call (RFC 8197), or a network
# will not carry it (RFC 8688).
UNWANTED, NETWORK_REJECTED = 607, 608

# DialStatus of a channel that nobody at its end hung up (app_dial.c), and the disposition of a CDR, of which a back end
# may write the number instead (cdr.h: AST_CDR_NOANSWER and so on are bits).
_BY_WORD = {
    "ANSWERED": Disposition.ANSWERED,
    "8": Disposition.ANSWERED,
    "NOANSWER": Disposition.NO_ANSWER,
    "0": Disposition.NO_ANSWER,
    "CANCEL": Disposition.NO_ANSWER,
    "ABORT": Disposition.NO_ANSWER,
    "BUSY": Disposition.BUSY,
    "4": Disposition.BUSY,
    "FAILED": Disposition.FAILED,
    "2": Disposition.FAILED,
    "CONGESTION": Disposition.FAILED,
    "16": Disposition.FAILED,
}


def disposition_of(word: str) -> Disposition | None:
    """Ours for a word of Asterisk's, which writes `NOANSWER` in an event and `NO ANSWER` in a CDR."""
    return _BY_WORD.get(word.replace(" ", "").upper())


class Presentation(StrEnum):
    """Whether the caller's number may be shown. UNKNOWN is the rule: AMI says it only if `channelvars` has it."""

    ALLOWED = "allowed"
    WITHHELD = "withheld"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call from its first channel to its last. Only `complete` ones may count as evidence of anything.

    `at` and `ended_at` are UTC seconds. `direction` is None where we came in so late that the call's first channel was
    never seen; FAILED is also what ended before any phone rang, or was answered by the PBX alone. `caller` is the raw
    number of an inbound call, even of a withheld one (the decision knows that), or what our own phone calls itself;
    `placed_by` is that phone's endpoint. `did` is what an inbound caller dialled, `dialled` what an outbound one did.
    `answered_by` and `rang` are endpoints (`PJSIP/201`); `answered_by` is a trunk's endpoint when the far end answered:
    of an inbound call, at the number `forwarded_to`. `ring_seconds` is from the first phone's ringing to the first
    answer, or until nothing rang any more; `talk_seconds` how long the outside party (of an internal call, the caller)
    was connected to somebody. `cause` is Q.850 as Asterisk last set it on the caller's channel, `sip_code` of a call
    that was never answered. `forked_to` is how many phones rang at once. `earlier` are the linkedids of the same call
    offered before by the carrier: `at` is then the first one's start, and ringing is added up. `answered_by_pbx`:
    nobody took the call, but a menu, a queue, voicemail or a challenge had answered. Of a call that went out
    `blocked` is one that a network refused, not a person, and `machine` one that a machine answered: the dialplan says
    so, or it was diverted after ringing and announced by audio.
    """

    linkedid: str
    at: float
    ended_at: float
    direction: Direction | None
    disposition: Disposition
    complete: bool
    caller: str = ""
    caller_name: str = ""
    placed_by: str | None = None
    presentation: Presentation = Presentation.UNKNOWN
    trunk: str | None = None
    did: str = ""
    own_number: str = ""
    dialled: str = ""
    answered_by: str | None = None
    rang: tuple[str, ...] = ()
    forked_to: int = 0
    ring_seconds: float = 0.0
    talk_seconds: float = 0.0
    cause: int | None = None
    sip_code: int | None = None
    ended_by: EndedBy | None = None
    queue: str | None = None
    forwarded_to: str | None = None
    answered_by_pbx: bool = False
    voicemail_left: bool = False
    transferred: bool = False
    picked_up: bool = False
    parked: bool = False
    conference: bool = False
    blocked: bool = False
    machine: bool = False
    call_id: str | None = None
    earlier: tuple[str, ...] = ()


# From a tracked Outcome to the OutcomeRecord that is stored: numbers normalised, words of the store. Pure.

RegionOf = Callable[[str | None], str]

# CALLERID(num-pres) as numbers.caller_of reads it.
PRESENTATIONS = {Presentation.WITHHELD: "prohib"}
MAX_TEXT = 64


def record_of(outcome: Outcome, region_of: RegionOf) -> OutcomeRecord | None:
    """The record of a call; None for one of which so little was seen that nobody knows where it came from.

    `region_of` gives the region in which a trunk (None: the PBX itself) writes its national numbers.
    """
    direction = outcome.direction
    if direction is None:
        return None
    region = region_of(outcome.trunk)
    caller, kind = _caller_of(outcome, direction, region)
    return OutcomeRecord(
        linkedid=own_name(outcome.linkedid),
        at=outcome.at,
        direction=direction,
        disposition=outcome.disposition,
        caller=caller,
        caller_kind=kind,
        did=_number(outcome.did, region, did_number_of),
        dialled=_number(outcome.dialled, region, number_of if direction is not Direction.INTERNAL else _extension),
        own_number=_number(outcome.own_number, region, number_of),
        trunk=outcome.trunk,
        # The person who answers a forwarded call is not one of our users, so they are no witness.
        answered_by=outcome.answered_by if outcome.forwarded_to is None else None,
        queue=outcome.queue,
        rung=outcome.rang,
        forked=outcome.forked_to,
        ring_seconds=outcome.ring_seconds,
        talk_seconds=outcome.talk_seconds,
        cause=outcome.cause,
        sip_code=outcome.sip_code,
        ended_by=outcome.ended_by,
        answered_by_pbx=outcome.answered_by_pbx,
        voicemail_left=outcome.voicemail_left,
        transferred=outcome.transferred or outcome.picked_up or outcome.forwarded_to is not None,
        parked=outcome.parked,
        conference=outcome.conference,
        complete=outcome.complete,
        blocked=outcome.blocked and direction is Direction.OUTBOUND,
        machine=outcome.machine and direction is Direction.OUTBOUND,
        call_id=outcome.call_id if direction is Direction.OUTBOUND else None,
        waited_seconds=max(0.0, outcome.ended_at - outcome.at - outcome.ring_seconds - outcome.talk_seconds),
    )


def is_emergency_call(outcome: Outcome, region: str) -> bool:
    """Whether somebody here called an emergency number, after which nothing is screened for a while."""
    return outcome.direction is Direction.OUTBOUND and is_emergency(outcome.dialled, region)


def _caller_of(outcome: Outcome, direction: Direction, region: str) -> tuple[str | None, CallerKind]:
    """The caller of an inbound call by number; of our own by the phone, in whose place the store puts the person."""
    if direction is not Direction.INBOUND:
        return outcome.placed_by or own_name(outcome.caller[:MAX_TEXT]) or None, CallerKind.INTERNAL
    caller = caller_of(outcome.caller, region, PRESENTATIONS.get(outcome.presentation, ""))
    return caller.key, caller.kind


def _extension(_text: str, _region: str) -> None:
    """Among ourselves no number is dialled: 411 is an extension."""


def _number(text: str, region: str, read: Callable[[str, str], str | None]) -> str | None:
    return (read(text, region) or text[:MAX_TEXT]) if text else None


OFFER_SECONDS = 30.0
HELD_LIMIT = 10_000
# A carrier tries a few ways. Who calls every half a minute for ever makes calls of his own, and each lot is told.
MOST_OFFERS = 5

Key = tuple[str, str, str | None]


def key_of(outcome: Outcome) -> Key:
    """What makes two offers the same call."""
    return outcome.caller, outcome.did, outcome.trunk


def may_be_offered_again(outcome: Outcome) -> bool:
    """Whether the carrier may try once more; not when the PBX had answered (voicemail), nor a call seen in part."""
    return (
        outcome.complete
        and outcome.direction is Direction.INBOUND
        and outcome.disposition is not Disposition.ANSWERED
        and not outcome.answered_by_pbx
        and outcome.ended_by is not EndedBy.CALLER
        and outcome.caller != ""
        and len(outcome.earlier) + 1 < MOST_OFFERS
    )


def merge(earlier: Outcome, later: Outcome) -> Outcome:
    """Two offers of one call: how the later one ended, and the whole of the ringing."""
    return replace(
        later,
        at=earlier.at,
        complete=earlier.complete and later.complete,
        rang=tuple(dict.fromkeys(earlier.rang + later.rang)),
        forked_to=max(earlier.forked_to, later.forked_to),
        ring_seconds=earlier.ring_seconds + later.ring_seconds,
        earlier=(*earlier.earlier, earlier.linkedid),
    )


@dataclass(slots=True)
class CarrierRetries:
    """Outcomes held back, the oldest first. Bounded: beyond HELD_LIMIT the oldest is let go."""

    _held: dict[Key, Outcome] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, outcome: Outcome) -> Iterator[Outcome]:
        """Keep one back; gives what has to go for it."""
        key = key_of(outcome)
        if (other := self._held.pop(key, None)) is not None:
            yield other
        self._held[key] = outcome
        if len(self._held) > HELD_LIMIT:
            yield self._held.pop(next(iter(self._held)))

    def take(self, key: Key, at: float) -> Outcome | None:
        """The earlier offer of a call that begins at `at`, which is then no longer held."""
        held = self._held.get(key)
        if held is None or at - held.ended_at > OFFER_SECONDS:
            return None
        return self._held.pop(key)

    def due(self, at: float) -> Iterator[Outcome]:
        """Those nobody tried again in time."""
        while self._held:
            key = next(iter(self._held))
            if at - self._held[key].ended_at <= OFFER_SECONDS:
                return
            yield self._held.pop(key)

    def give_up(self) -> Iterator[Outcome]:
        """All of them at once, when we cannot see any more whether they are offered again: so not complete."""
        while self._held:
            yield replace(self._held.pop(next(iter(self._held))), complete=False)
