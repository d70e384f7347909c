"""All facts about a call that a decision may use, in one value. `facts_from` makes it, for calls and for replays."""

from math import floor
from typing import NamedTuple

from reputation.evidence import Evidence
from reputation.families.caller import passed_until
from reputation.model import (
    NEVER_CHALLENGED,
    NO_REPUTATION,
    NO_SAMPLE,
    Attestation,
    AuthClass,
    ControlSample,
    Did,
    FirstCall,
    Identity,
    Imported,
    ListEntry,
    PeerWord,
    Person,
    PersonalTie,
    Reputation,
    Verification,
    Voice,
)
from reputation.numbers import Number
from reputation.plan.rows import PlanRow
from reputation.velocity import NOTHING_EARLIER, Earlier
from reputation.weights import Weights

EMERGENCY_WINDOW_SECONDS = 7200.0  # after any emergency call screening stays open: 120 min


class FactsQuery(NamedTuple):
    """The parameters of the query that reads the facts of a call. A tuple for speed, because every call needs one.

    Attributes:
        number: The caller's number; None for a caller without a number.
        endpoint: The phone that the call is for, if known. Otherwise the callee of the DID is used.
        channel_endpoint: The endpoint that the call comes from.
        hour: The hour in the callee's time zone, if quiet hours are used.
        withheld: The number of a caller who withholds it. Only blocklists may match it.
        plan: The number's row in the numbering plan. This and the next two facts are not in the store.
        first_call: First calls of other numbers shortly before.
        name: The name that came with the call.
    """

    number: Number | None
    auth_class: AuthClass
    did: str | None
    now: float
    endpoint: str | None = None
    channel_endpoint: str | None = None
    attestation: Attestation = Attestation.NONE
    verification: Verification = Verification.NONE
    hour: int | None = None
    withheld: str | None = None
    plan: PlanRow | None = None
    first_call: FirstCall | None = None
    name: str | None = None


class CallContext(NamedTuple):
    """Facts about a call besides the evidence: the callee, ties to the caller, and recent events.

    Attributes:
        caller_person: The person here whose phone makes the call.
        emergency_at: When the latest emergency call was made. It suspends screening.
        emergency_closed_at: When somebody resumed screening.
        one_ring_at: When the number last hung up after ringing for 6 s or less, within a day.
        unwhispered: Phones whose users get no spoken warnings.
        quiet: People who use quiet hours, whether or not these include the present time (policies.quiet_hours).
        first_call: First calls of other numbers shortly before; None if this is not the number's first call.
        sample: How the control sample is drawn.
        plan: The number's row in the numbering plan.
        dialled_at: When the number was last called from here.
        is_company_known: Whether the call shows the name of a contact's company.
        voice: The kind of speaker in the number's last call in which the caller was asked for a name.
    """

    did: Did | None = None
    callee: Person | None = None
    caller_person: Person | None = None
    allow: ListEntry | None = None
    block: ListEntry | None = None
    ties: tuple[PersonalTie, ...] = ()
    emergency_at: float | None = None
    emergency_closed_at: float | None = None
    one_ring_at: float | None = None
    own_number: bool = False
    unwhispered: tuple[str, ...] = ()
    quiet: tuple[Person, ...] = ()
    first_call: FirstCall | None = None
    sample: ControlSample = NO_SAMPLE
    plan: PlanRow | None = None
    dialled_at: float | None = None
    is_company_known: bool = False
    voice: Voice | None = None


class Facts(NamedTuple):
    """All facts about a call, read at the same instant. The first fields are those of CallContext, in the same order.

    Attributes:
        peers: Rows of other companies about the number in this auth class.
        passed_until: Until when the last passed challenge or proof of control limits what a policy may do.
        passed_at: When that challenge was passed, or control was proven.
        failures: How many challenges the number failed since then, or ended by hanging up. Each DID and day counts
            once.
        is_storm: Whether this call is part of a storm of single-use numbers.
        recent_calls: The times of the number's calls in the last hour.
        recent_dids: The DIDs of these calls.
        recent_block_calls: The times of calls from the number's block.
        emergency_window_seconds: How long after `emergency_at` no call is screened.
    """

    did: Did | None = None
    callee: Person | None = None
    caller_person: Person | None = None
    allow: ListEntry | None = None
    block: ListEntry | None = None
    ties: tuple[PersonalTie, ...] = ()
    emergency_at: float | None = None
    emergency_closed_at: float | None = None
    one_ring_at: float | None = None
    own_number: bool = False
    unwhispered: tuple[str, ...] = ()
    quiet: tuple[Person, ...] = ()
    first_call: FirstCall | None = None
    sample: ControlSample = NO_SAMPLE
    plan: PlanRow | None = None
    dialled_at: float | None = None
    is_company_known: bool = False
    voice: Voice | None = None
    identity: Identity | None = None
    imported: tuple[Imported, ...] = ()
    peers: tuple[PeerWord, ...] = ()
    passed_until: float | None = None
    passed_at: float | None = None
    failures: int = 0
    is_storm: bool = False
    reputation: Reputation = NO_REPUTATION
    recent_calls: tuple[float, ...] = ()
    recent_dids: tuple[str, ...] = ()
    recent_block_calls: tuple[float, ...] = ()
    emergency_window_seconds: float = EMERGENCY_WINDOW_SECONDS


def facts_from(
    context: CallContext,
    evidence: Evidence,
    reputation: Reputation,
    weights: Weights,
    earlier: Earlier = NOTHING_EARLIER,
    peers: tuple[PeerWord, ...] = (),
) -> Facts:
    """Return the facts of a call. `earlier`: recent calls of the number and its block; empty if calls are not kept."""
    challenges, before = evidence.challenges, context.first_call
    return Facts(
        *context,
        evidence.identity,
        evidence.imported,
        peers,
        None if challenges is NEVER_CHALLENGED else passed_until(challenges, weights.caller),
        challenges.passed_at,
        challenges.failures + challenges.abandoned,
        before is not None and before.is_storm(weights.outside.storm),
        reputation,
        *earlier,
    )


def opens_after_closing(asterisk_at: float, closed_at: float | None) -> bool:
    """Return whether an emergency call at `asterisk_at` suspends screening although somebody resumed it at `closed_at`.

    An emergency call before `closed_at` has no effect. `closed_at`: None if nobody has resumed screening.
    """
    return closed_at is None or asterisk_at >= floor(closed_at)
