"""The outcome of a call: one value for each call, whatever happened during the call.

A carrier that gets 4xx or 5xx tries the same call again. So the outcome of an incoming call is held for OFFER_SECONDS
if nobody answered the call and the caller did not end it. If the same caller calls the same DID on the same trunk in
that time, the two calls become one outcome.
"""

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

# The DialStatus of a channel that was not hung up at its end (app_dial.c), and the disposition of a CDR. Some CDR back
# ends write its number instead (cdr.h: AST_CDR_NOANSWER and so on are bits).
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
    """Return the disposition for Asterisk's word, or None. Events write `NOANSWER`, CDRs write `NO ANSWER`."""
    return _BY_WORD.get(word.replace(" ", "").upper())


class Presentation(StrEnum):
    """Whether the caller's number may be shown. Usually UNKNOWN: AMI sends this only if `channelvars` is set."""

    ALLOWED = "allowed"
    WITHHELD = "withheld"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a call. Only a `complete` outcome may become evidence. Times are in UTC seconds.

    Attributes:
        direction: The direction of the call; None if the call's first channel was not seen.
        disposition: How the call ended. FAILED also means: no phone rang before the end, or only the PBX answered.
        caller: The raw number of an incoming caller, even if withheld, or the caller ID of the phone that called.
        placed_by: The endpoint of the phone that called.
        answered_by: The endpoint that answered. For a forwarded call: the trunk's endpoint.
        rang: The endpoints that rang.
        forked_to: The largest number of endpoints that rang at the same time.
        ring_seconds: From the first ringing to the first answer or the end of all ringing, over all attempts.
        talk_seconds: How long the outside party, or the caller of an internal call, was connected to somebody.
        cause: The last Q.850 cause that Asterisk set on the caller's channel.
        sip_code: The SIP code of a call that was never answered.
        forwarded_to: The outside number that answered an incoming call; None if the call was not forwarded.
        answered_by_pbx: Whether only a menu, a queue, voicemail or a challenge answered.
        blocked: Whether a network, not a person, refused the outgoing call.
        machine: Whether a machine answered: the dialplan reported it, or the callee's phone rang for some time and
            then sent audio just before the answer, as voicemail does.
        earlier: The linkedids of the carrier's earlier attempts to deliver the call.
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


RegionOf = Callable[[str | None], str]

# The values of CALLERID(num-pres) that numbers.caller_of knows.
PRESENTATIONS = {Presentation.WITHHELD: "prohib"}
MAX_TEXT = 64


def record_of(outcome: Outcome, region_of: RegionOf) -> OutcomeRecord | None:
    """Return the stored record of a call; None if its direction is unknown. `region_of` returns a trunk's region."""
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
    """Return whether a phone of this site called an emergency number. Such a call suspends screening for a while."""
    return outcome.direction is Direction.OUTBOUND and is_emergency(outcome.dialled, region)


def _caller_of(outcome: Outcome, direction: Direction, region: str) -> tuple[str | None, CallerKind]:
    if direction is not Direction.INBOUND:
        return outcome.placed_by or own_name(outcome.caller[:MAX_TEXT]) or None, CallerKind.INTERNAL
    caller = caller_of(outcome.caller, region, PRESENTATIONS.get(outcome.presentation, ""))
    return caller.key, caller.kind


def _extension(_text: str, _region: str) -> None:
    """Return None, because text dialled between phones is an extension, even if it looks like a number (411)."""


def _number(text: str, region: str, read: Callable[[str, str], str | None]) -> str | None:
    return (read(text, region) or text[:MAX_TEXT]) if text else None


OFFER_SECONDS = 30.0
HELD_LIMIT = 10_000
# A carrier tries a few routes. More attempts than this come from a person who calls every 30 s, so they are
# separate calls.
MOST_OFFERS = 5

Key = tuple[str, str, str | None]


def key_of(outcome: Outcome) -> Key:
    """Return the values that are equal in all attempts of the carrier to deliver the same call."""
    return outcome.caller, outcome.did, outcome.trunk


def may_be_offered_again(outcome: Outcome) -> bool:
    """Return whether the carrier may retry the call. False if the PBX answered or the call is incomplete."""
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
    """Return one outcome for two attempts at a call. The later attempt gives the ending. Ringing times are added."""
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
    """Outcomes of calls that the carrier may retry, oldest first. Beyond HELD_LIMIT the oldest outcome is released."""

    _held: dict[Key, Outcome] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, outcome: Outcome) -> Iterator[Outcome]:
        """Store an outcome in case the carrier retries the call. Yield the stored outcomes that it displaces."""
        key = key_of(outcome)
        if (other := self._held.pop(key, None)) is not None:
            yield other
        self._held[key] = outcome
        if len(self._held) > HELD_LIMIT:
            yield self._held.pop(next(iter(self._held)))

    def take(self, key: Key, at: float) -> Outcome | None:
        """Remove and return the outcome of the carrier's previous attempt. `at`: the start of the new attempt.

        None: no previous attempt is stored, or it was too long ago.
        """
        held = self._held.get(key)
        if held is None or at - held.ended_at > OFFER_SECONDS:
            return None
        return self._held.pop(key)

    def due(self, at: float) -> Iterator[Outcome]:
        """Remove and yield the outcomes of calls that the carrier did not retry in time."""
        while self._held:
            key = next(iter(self._held))
            if at - self._held[key].ended_at <= OFFER_SECONDS:
                return
            yield self._held.pop(key)

    def give_up(self) -> Iterator[Outcome]:
        """Yield all stored outcomes as incomplete, because further attempts can no longer be seen."""
        while self._held:
            yield replace(self._held.pop(next(iter(self._held))), complete=False)
