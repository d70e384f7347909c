"""Screening: from a dialplan request to the answer, with one read of the store, one pure decision, and one write.

    request -> IncomingCall -> Facts (the store's facts query, and counts of recent calls) -> decide -> variables

The server enforces the deadline and turns every failure into `fail-open`. A read of the store also ends at the
deadline. After several failed reads, most calls skip the store until it answers again (reputation/backoff.py).
"""

import asyncio
import contextlib
import logging
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from agi import answers
from agi.parsing import (
    MAX_ENDPOINT,
    asked_at,
    carrier_reports,
    incoming_call_of,
    instant_of,
    known_call_of,
    linkedid_of,
    outbound_fail_open,
    outbound_record,
    outgoing_call_of,
)
from agi.protocol import ProtocolError, Request
from agi.site import Site
from agi.speech import spoken_language_of
from policies.decision import FAIL_OPEN_RULE, Decision, IncomingCall, fail_open
from policies.engine import decide, decide_for_callee
from policies.outbound import OutgoingCall, guard, outbound_query
from policies.policy import Case, PolicySet
from policies.quiet_hours import phones_kept_from
from policies.reasons import FailOpen, capped
from policies.relations import per_phone_of
from policies.situation import Lately, may_ask_again, may_ask_others, query_of, situation_of
from policies.vocabulary import carrier_label_of
from reputation.appeals import KeyedCode, is_code
from reputation.backoff import Breaker
from reputation.channels import endpoint_of
from reputation.facts import Facts, FactsQuery
from reputation.feature_codes import CODES, LastCall
from reputation.first_calls import FirstCalls
from reputation.model import AuthClass, CallerKind, ChallengeResult, DecisionRecord, FirstCall
from reputation.numbers import Number, masked
from reputation.own.outbound_types import OutboundFacts, OutboundQuery, OutboundRecord
from reputation.scoring import vector_of
from reputation.site_names import parse_id
from reputation.velocity import Velocity

logger = logging.getLogger("callsieve.screening")

T = TypeVar("T")
Q = TypeVar("Q")


class LookUps(Protocol):
    """The look-up of strangers at services. The services' answers are then read from the store."""

    async def ask(self, number: str, give_up_at: float) -> bool:
        """Look the number up. Return whether the store has new facts about it. `give_up_at`: a monotonic time."""
        ...

    def ask_again(self, number: str) -> None:
        """Start a new look-up of the number for the caller's next call, without waiting."""
        ...


class SpokenCall(NamedTuple):
    """A call whose caller has said a name. `language`: the expected language, empty if it must be detected."""

    decision_id: str
    linkedid: str
    number: str | None
    language: str


class Hearing(Protocol):
    """The recognition of callers' spoken words."""

    def begin(self, call: SpokenCall) -> float:
        """Start to recognise a caller's words. Return for how many seconds the call may wait for the text."""
        ...

    async def words_of(self, decision_id: str, seconds: float) -> str | None:
        """Return the caller's words; empty if no word was recognised; None if recognition takes more than `seconds`."""
        ...


class Knowledge(Protocol):
    """The methods of the store that screening uses."""

    async def facts(self, query: FactsQuery, give_up_at: float) -> Facts:
        """Return all facts about a call. Raise TimeoutError at the monotonic time `give_up_at`."""
        ...

    async def record_emergency(self, at: float, who: str = "Asterisk") -> None:
        """Record an emergency call from this site. `who` is the user for the audit."""
        ...

    async def record_challenge(
        self, linkedid: str, number: str | None, auth_class: AuthClass, result: ChallengeResult, at: float
    ) -> None:
        """Record how the caller answered a challenge."""
        ...

    async def apply_feature_code(self, endpoint: str, code: str, at: float, give_up_at: float) -> str:
        """Apply a feature code of CODES. Return the name of the spoken confirmation.

        Raise TimeoutError and drop the change if it is not stored by the monotonic time `give_up_at`.
        """
        ...

    async def prove_by_call(self, keyed: KeyedCode, at: float, give_up_at: float) -> bool:
        """Return whether the caller keyed the code that was made for the number. If so, record the proof of control.

        Raise TimeoutError and drop the record if it is not stored by the monotonic time `give_up_at`.
        """
        ...

    async def last_call(self, endpoint: str, now: float) -> LastCall | None:
        """Return the last call to the person of an endpoint, with the decision about the call; None without a call."""
        ...

    async def make_passcode(self, endpoint: str, at: float, give_up_at: float) -> str | None:
        """Return a new passcode for the own page of the endpoint's person; None if nobody has the endpoint.

        Raise TimeoutError and drop the passcode if it is not stored by the monotonic time `give_up_at`.
        """
        ...

    async def outbound_facts(self, query: OutboundQuery, give_up_at: float) -> OutboundFacts:
        """Return all facts about an outgoing call. Raise TimeoutError at the monotonic time `give_up_at`."""
        ...

    def record_outbound(self, record: OutboundRecord) -> None:
        """Queue the decision about an outgoing call for the journal, without waiting."""
        ...

    def record_decision(self, record: DecisionRecord) -> None:
        """Queue a decision for the journal, without waiting."""
        ...


# Results of a challenge that the dialplan reports at once. The others are known when the call is over.
REPORTED = {result.value: result for result in (ChallengeResult.PASSED, ChallengeResult.WRONG, ChallengeResult.SILENT)}
# The argument `record` of a call that is decided but not recorded, because its switch sends too many.
UNRECORDED = "no"
# The requests of the dialplan: each is a method of Screening.
PATHS = (
    *("screen", "callee", "challenge", "hear", "heard", "emergency"),
    *("mark", "prove", "explain", "passcode", "outbound", "status"),
)

# How long [callsieve-ask] waits for an answer, and the part of it that COMMIT and sending need.
ASTERISK_WAITS_SECONDS = 0.6
ANSWERING_SECONDS = 0.05

# How many codes may be keyed per hour in calls from one number. A code also ends after five wrong tries.
PROOFS_AN_HOUR = 10

# Upper bounds of the histogram of decision times: usual times, and the deadlines.
BUCKETS_MS = (0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 200.0, 400.0)


@dataclass(slots=True)
class Counts:
    """Counters for the metrics since the start. `took` counts decisions by duration, in the buckets of BUCKETS_MS.

    `by_carrier`: for each trunk whose carrier checks callers, how many calls came, and how many of them had a result of
    this check.
    """

    by_action: dict[str, int] = field(default_factory=dict)
    store_refused: int = 0
    unrecorded: int = 0
    took: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_MS) + 1))
    took_ms: float = 0.0
    by_carrier: dict[str, tuple[int, int]] = field(default_factory=dict)

    def count_carrier_call(self, trunk: str, has_report: bool) -> None:
        """Count a call on a trunk whose carrier checks callers. `has_report`: whether the call came with a result."""
        calls, reports = self.by_carrier.get(trunk, (0, 0))
        self.by_carrier[trunk] = calls + 1, reports + has_report

    def count_decision(self, elapsed_ms: float) -> None:
        """Count one decision by how long it took."""
        self.took[bisect_left(BUCKETS_MS, elapsed_ms)] += 1
        self.took_ms += elapsed_ms


@dataclass(slots=True)
class Screening:
    """Answers the requests of the dialplan. A reload of the settings replaces `site` and `policies`."""

    site: Site
    policies: PolicySet
    knowledge: Knowledge
    new_id: Callable[[], str]
    deadline_seconds: float
    wall_clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    trouble: Callable[[], str] = str
    look_ups: LookUps | None = None
    hearing: Hearing | None = None
    velocity: Velocity = field(default_factory=Velocity)
    first_calls: FirstCalls = field(default_factory=FirstCalls)
    breaker: Breaker = field(default_factory=Breaker)
    proofs: Velocity = field(default_factory=Velocity)
    counts: Counts = field(default_factory=Counts)
    _paths: dict[str, Callable[[Request], Coroutine[Any, Any, bytes]]] = field(init=False)
    _one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def __post_init__(self) -> None:
        self._paths = {path: getattr(self, path) for path in PATHS}

    def answer(self, request: Request) -> Coroutine[Any, Any, bytes]:
        """Return the coroutine that answers a request. Raise ProtocolError for an unknown path."""
        path = self._paths.get(request.path)
        if path is None:
            raise ProtocolError(
                f"unknown path of an AGI request: use one of {', '.join(f'/{known}' for known in PATHS)}"
            )
        return path(request)

    async def screen(self, request: Request) -> bytes:
        """Decide on a call that arrives on a trunk (`/screen`)."""
        started, now = self.monotonic(), self.wall_clock()
        call, hours = incoming_call_of(request, self.site), self.site.hours
        if _may_ask_for_headers(request.arguments) and (call.carrier_counts or self.policies.asks("diverted")):
            return answers.answer_ask_for_headers()
        endpoint = endpoint_of(request.variables.get("agi_channel", ""))
        before = self._before(call, now)
        query = query_of(call, now, hours.quiet, None, endpoint, self.site.plan, before)
        facts = await self._read(self.knowledge.facts, query, started)
        if facts.first_call is not None:
            self.first_calls.add(call.caller, call.did, now)
        lately = self._lately(call, request, now)
        situation = situation_of(call, facts, now, hours, lately)
        decision = decide(*situation.under(self.policies))
        if self.look_ups is not None and (
            more := await self._look_up(query, situation, decision, _accepted_at(request, started))
        ):
            situation = situation_of(call, more, now, hours, lately)
            decision = decide(*situation.under(self.policies))
        facts = situation.facts
        recorded = request.arguments.get("record") != UNRECORDED
        decision_id = self.new_id() if recorded else ""
        per_phone = per_phone_of(call, facts, decision, phones_kept_from(call, facts, decision))
        answer = answers.answer_to_screen(call, decision, decision_id, self.site, per_phone)
        self._record(decision_id, call, facts, decision, now, started)
        if call.carrier_counts and call.trunk is not None:
            uri, header = request.arguments.get("uri", ""), request.arguments.get("header", "")
            self.counts.count_carrier_call(call.trunk, carrier_reports(uri, header))
        return answer

    async def callee(self, request: Request) -> bytes:
        """Decide on a call again, for the callee's phone, once the callee is known (`/callee`)."""
        started, now = self.monotonic(), self.wall_clock()
        call, hours = known_call_of(request, self.site), self.site.hours
        # The call was counted on arrival, as the latest call of its number.
        *earlier, came_at = self.velocity.calls(call.caller, now) or (now,)
        endpoint, before = request.arguments.get("endpoint") or None, self._before(call, came_at)
        query = query_of(call, now, hours.quiet, endpoint, None, self.site.plan, before)
        facts = await self._read(self.knowledge.facts, query, started)
        lately = Lately(tuple(earlier), (), instant_of(request.arguments.get("emergency", "")), came_at)
        situation = situation_of(call, facts, now, hours, lately)
        decision = decide_for_callee(*situation.under(self.policies))
        if decision is not None:
            self._record(self.new_id(), call, situation.facts, decision, now, started)
        return answers.answer_to_callee(call, decision, self.site)

    async def challenge(self, request: Request) -> bytes:
        """Record how the caller answered a challenge (`/challenge`)."""
        call = known_call_of(request, self.site)
        result = REPORTED.get(request.arguments.get("result", ""))
        if result is None:
            raise ProtocolError(f"unknown `result` of a challenge: use one of {', '.join(REPORTED)}")
        about = (call.linkedid, call.caller.key, call.auth_class, result)
        await self.knowledge.record_challenge(*about, self.wall_clock())
        return answers.answer_done()

    async def hear(self, request: Request) -> bytes:
        """Start to recognise the caller's words (`/hear`). Answer at once with how long the call may wait for them."""
        call, decision_id = known_call_of(request, self.site), parse_id(request.arguments.get("id", ""))
        if self.hearing is None or decision_id is None:
            return answers.answer_to_hear(0.0)
        language = spoken_language_of(call.caller.country)
        return answers.answer_to_hear(
            self.hearing.begin(SpokenCall(decision_id, call.linkedid, call.caller.key, language))
        )

    async def heard(self, request: Request) -> bytes:
        """Return the caller's words for the phone's display, or that they are not recognised yet (`/heard`)."""
        decision_id = parse_id(request.arguments.get("id", ""))
        if self.hearing is None or decision_id is None:
            return answers.answer_to_heard("", self.site)
        left = max(self.deadline_seconds - ANSWERING_SECONDS, 0.0)
        return answers.answer_to_heard(await self.hearing.words_of(decision_id, left), self.site)

    async def emergency(self, request: Request) -> bytes:
        """Suspend screening for a while, because a phone of this site calls an emergency number (`/emergency`)."""
        logger.warning(
            "emergency call started, screening suspended: seconds=%.0f", self.site.hours.emergency_window_seconds
        )
        endpoint = endpoint_of(request.variables.get("agi_channel", ""))[:MAX_ENDPOINT]
        await self.knowledge.record_emergency(self.wall_clock(), f"phone {endpoint}")
        return answers.answer_done()

    async def mark(self, request: Request) -> bytes:
        """Apply a feature code (`/mark`). The reporter is the person whose endpoint dialled the code.

        A code that misses the deadline is dropped. By then the phone has announced a failure, so people dial again. If
        the late code were applied, the repeated code would undo it, as any second code within a minute does.
        """
        started, now = self.monotonic(), self.wall_clock()
        endpoint, code = request.arguments.get("endpoint", ""), request.arguments.get("code", "")
        if not endpoint or code not in CODES:
            raise ProtocolError(
                "the request /mark needs the arguments `endpoint` and `code`, and `code` must be a known feature code"
            )
        give_up_at = started + self._left_of_code(request, now)
        return answers.answer_to_mark(await self.knowledge.apply_feature_code(endpoint, code, now, give_up_at))

    def _left_of_code(self, request: Request, now: float) -> float:
        """Return how many seconds are left to process a feature code. After that, the phone announces a failure."""
        waited = now - (asked_at(request.arguments.get("asked", "")) or now)
        return min(self.deadline_seconds, ASTERISK_WAITS_SECONDS - waited) - ANSWERING_SECONDS

    async def prove(self, request: Request) -> bytes:
        """Check the code that a caller keyed to prove control of the number (`/prove`).

        Only a call that CallSieve placed to the number has a `ticket`. Calls without a ticket are limited per number
        and hour. A call is refused if the network reports that its number may be forged.
        """
        started, now = self.monotonic(), self.wall_clock()
        call, code = known_call_of(request, self.site), request.arguments.get("code", "")
        number = call.caller.key
        if number is None or call.auth_class is AuthClass.UNAUTHENTICATED or not is_code(code):
            return answers.answer_to_prove(False)
        # The limit is for callers with forged numbers. A call placed by CallSieve reaches the number itself.
        ticket = request.arguments.get("ticket", "")
        if not ticket and len(self.proofs.calls(call.caller, now)) >= PROOFS_AN_HOUR:
            logger.warning(
                "ignored a code for an appeal, too many codes from one number: number=%s limit_per_hour=%d",
                masked(number),
                PROOFS_AN_HOUR,
            )
            return answers.answer_to_prove(False)
        if not ticket:
            self.proofs.add(call.caller, now)
        left = self.deadline_seconds - ANSWERING_SECONDS
        keyed = KeyedCode(number, code, call.auth_class, ticket)
        proven = await self.knowledge.prove_by_call(keyed, now, started + left)
        return answers.answer_to_prove(proven)

    async def explain(self, request: Request) -> bytes:
        """Return the spoken explanation of the last call to an endpoint's person (`/explain`)."""
        endpoint = request.arguments.get("endpoint", "")
        if not endpoint:
            raise ProtocolError("missing argument: endpoint")
        return answers.answer_to_explain(await self.knowledge.last_call(endpoint, self.wall_clock()))

    async def passcode(self, request: Request) -> bytes:
        """Return a new spoken passcode for the own page of the endpoint's person (`/passcode`)."""
        started, now, endpoint = self.monotonic(), self.wall_clock(), request.arguments.get("endpoint", "")
        if not endpoint:
            raise ProtocolError("missing argument: endpoint")
        made = await self.knowledge.make_passcode(endpoint, now, started + self._left_of_code(request, now))
        return answers.answer_to_passcode(made)

    async def outbound(self, request: Request) -> bytes:
        """Decide whether an outgoing call is allowed now (`/outbound`)."""
        started, now, site = self.monotonic(), self.wall_clock(), self.site
        call = outgoing_call_of(request, site)
        query = outbound_query(call, site.outbound, now)
        if query is None:
            return self._guarded(call, OutboundFacts(), now, started)
        async with self._one_by_one:  # so that each decision sees the previous one
            facts = await self._read(self.knowledge.outbound_facts, query, started)
            return self._guarded(call, facts, now, started)

    def _guarded(self, call: OutgoingCall, facts: OutboundFacts, now: float, started: float) -> bytes:
        decision, decision_id = guard(call, facts, self.site.outbound, now), self.new_id()
        answer = answers.answer_to_outbound(decision, decision_id)
        elapsed_ms = round(1000 * (self.monotonic() - started), 3)
        self.knowledge.record_outbound(outbound_record(decision_id, call, decision, self.site, now, elapsed_ms))
        fields = (decision_id, masked(call.callee and call.callee.key), decision.action.word, decision.rule, elapsed_ms)
        logger.info("outbound call decided: id=%s callee=%s action=%s rule=%s ms=%.1f", *fields)
        return answer

    async def status(self, _request: Request) -> bytes:
        """Return the current problem for `callsieve doctor` (`/status`); empty if screening works."""
        return answers.answer_status(self.trouble())

    def failed_open(self, reason: str, request: Request | None = None) -> bytes:
        """Return the fail-open answer and count it. Record the answer if the request needed a decision.

        `request` is None if no request could be parsed. Then only a protocol error is recorded, as a call without a
        number.
        """
        if request is not None and request.path == "outbound":
            return self._outbound_failed_open(reason, request)
        if _asks_for_decision(reason, request):
            recorded = request is None or request.arguments.get("record") != UNRECORDED
            decision_id = self.new_id() if recorded else ""
            self._journal(decision_id, self._call_of(request), None, fail_open(reason), self.wall_clock(), 0.0)
        else:  # no decision was asked for
            self._count(FAIL_OPEN_RULE)
        return answers.answer_fail_open(reason)

    def _outbound_failed_open(self, reason: str, request: Request) -> bytes:
        now, call = self.wall_clock(), OutgoingCall(linkedid=linkedid_of(request), callee=None)
        with contextlib.suppress(Exception):  # we are failing open already, perhaps because of this
            call = outgoing_call_of(request, self.site)
        record = outbound_record(self.new_id(), call, outbound_fail_open(reason), self.site, now, 0.0)
        self.knowledge.record_outbound(record)
        self._count(FAIL_OPEN_RULE)
        return answers.answer_outbound_failed_open(reason)

    def _call_of(self, request: Request | None) -> IncomingCall:
        """Return the call of a failed request. If the request cannot be parsed, the call has only its linkedid."""
        try:
            if request is not None:
                return (incoming_call_of if request.path == "screen" else known_call_of)(request, self.site)
        except Exception:  # noqa: BLE001 (we are failing open already, perhaps because of this)
            logger.debug("failed request cannot be parsed, its call is recorded without the caller's number")
        return IncomingCall(linkedid_of(request) if request else "", Number(None, "", CallerKind.INVALID))

    async def _read(self, read: Callable[[Q, float], Awaitable[T]], query: Q, started: float) -> T:
        if not self.breaker.allows(started):
            self.counts.store_refused += 1
            raise StoreUnavailable("the store did not answer recent requests")
        try:
            result = await read(query, started + self.deadline_seconds)
        except (Exception, asyncio.CancelledError):
            self.breaker.failed(self.monotonic())
            raise
        self.breaker.succeeded()
        return result

    async def _look_up(
        self, query: FactsQuery, situation: Case, decision: Decision, accepted_at: float
    ) -> Facts | None:
        """Return new facts if a look-up answered in time, or None to keep the decision.

        A decision exists already, so no error here may lose that decision. The look-up must also end before the
        server's deadline, which counts from the accept of the connection.
        """
        look_ups, call, facts, now = self.look_ups, situation.call, situation.facts, situation.now
        number = call.caller.key
        if look_ups is None or number is None:
            return None
        if may_ask_again(call, facts, decision, now):
            look_ups.ask_again(number)
            return None
        if not may_ask_others(call, facts, decision, now):
            return None
        give_up_at = accepted_at + self.deadline_seconds - ANSWERING_SECONDS
        try:
            return await self.knowledge.facts(query, give_up_at) if await look_ups.ask(number, give_up_at) else None
        except Exception as error:  # noqa: BLE001 (see above)
            logger.warning("look-up failed, call decided without it: error=%s", type(error).__name__)
            return None

    def _lately(self, call: IncomingCall, request: Request, now: float) -> Lately:
        number, emergency_at = call.caller, instant_of(request.arguments.get("emergency", ""))
        if number.key is None:
            return Lately(emergency_at=emergency_at)
        calls, dids, block_calls = self.velocity.count(number, now, call.did)
        return Lately(calls, block_calls, emergency_at, dids=dids)

    def _before(self, call: IncomingCall, now: float) -> FirstCall | None:
        return None if call.caller.key is None else self.first_calls.before(call.caller, call.did, now)

    def _record(
        self, decision_id: str, call: IncomingCall, facts: Facts, decision: Decision, now: float, started: float
    ) -> None:
        elapsed_ms = round(1000 * (self.monotonic() - started), 3)
        self._journal(decision_id, call, facts, decision, now, elapsed_ms)
        self.counts.count_decision(elapsed_ms)
        logger.info(
            "call decided: id=%s caller=%s action=%s rule=%s ms=%.1f",
            decision_id or "(not recorded)",
            masked(call.caller.key) if call.caller.key else call.caller.kind.value,
            decision.action.word,
            decision.rule,
            elapsed_ms,
        )

    def _journal(
        self,
        decision_id: str,
        call: IncomingCall,
        facts: Facts | None,
        decision: Decision,
        now: float,
        elapsed_ms: float,
    ) -> None:
        caller, action = call.caller, decision.action.word
        self._count(decision.rule if decision.rule == FAIL_OPEN_RULE else action)
        if not decision_id:
            self.counts.unrecorded += 1
            return
        record = DecisionRecord(  # by position: keywords take three times as long
            decision_id,
            now,
            call.linkedid,
            caller.key,
            caller.kind,
            call.auth_class,
            call.did,
            call.trunk,
            facts.callee.extension if facts is not None and facts.callee else None,
            action,
            decision.would_be.word,
            decision.rule,
            capped(decision.reason, decision.capped_by).kept,
            decision.level.word,
            decision.reputation.log_odds,
            vector_of(decision.reputation, carrier_label_of(call)),
            decision.policy,
            elapsed_ms,
            "" if caller.key or caller.kind is CallerKind.WITHHELD else caller.raw,
            facts is not None and facts.first_call is not None,
        )
        self.knowledge.record_decision(record)

    def _count(self, action: str) -> None:
        self.counts.by_action[action] = self.counts.by_action.get(action, 0) + 1


def _accepted_at(request: Request, started: float) -> float:
    return started if request.accepted_at is None else request.accepted_at


def _may_ask_for_headers(arguments: Mapping[str, str]) -> bool:
    """Return whether the dialplan can read the call's SIP headers and has not done that. Older dialplans cannot."""
    return "carrier" in arguments and "uri" not in arguments and "header" not in arguments


def _asks_for_decision(reason: str, request: Request | None) -> bool:
    if request is None:
        return reason == FailOpen.PROTOCOL
    return request.path in ("screen", "callee")


class StoreUnavailable(Exception):
    """The error for a store that failed to answer recently, so that calls do not wait for it (open circuit breaker)."""
