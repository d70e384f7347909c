"""Decide past calls with policies: events in time order go in, decisions come out.

Each call is decided with only what was known when the call began. The evidence of a call is added when the call ends.
The decisions of a replay do not change the history: people reacted to the tags that they saw then, not to the tags of
the replay.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from heapq import heappop, heappush
from operator import attrgetter, itemgetter
from typing import NamedTuple

from callsieve.replay.history_file import Event, HistoryReader, PastCall
from callsieve.replay.marks import Marks
from callsieve.simulate import SettingsFacts
from policies.decision import Action, Decision, IncomingCall
from policies.engine import decide_by_each
from policies.policy import Policy, PolicySet
from policies.reasons import Reason
from policies.relations import KNOWING, lasts
from policies.situation import situation_of
from reputation.evidence import NO_EVIDENCE, Circumstances
from reputation.facts import CallContext, Facts, facts_from
from reputation.first_calls import FirstCalls
from reputation.memory_store import MemoryStore
from reputation.model import (
    AuthClass,
    ControlSample,
    Did,
    Direction,
    ListName,
    Mark,
    Person,
    PersonalTie,
    Tie,
    Verdict,
)
from reputation.numbers import Number
from reputation.outcome import OutcomeRecord
from reputation.own.hours import hour_at
from reputation.plan.rows import PlanRow
from reputation.scoring import reputation_of
from reputation.signals import DIALLED_SECONDS, LABELS, proofs_of_control
from reputation.site_names import site_of
from reputation.store.as_of import NO_BACKGROUND, NOTHING_THEN, Background, OwnEntry, Then
from reputation.velocity import NOTHING_EARLIER, Earlier, Velocity
from reputation.weights import DAY_SECONDS, DEFAULT

BACKWARDS = "is older than the line before it: sort the history by time"
TWICE = "has the id of an earlier call"

NOBODYS = SettingsFacts({}, {}, frozenset(), DEFAULT)
NOT_SPAM, INBOUND = Verdict.OK, Direction.INBOUND  # before Python 3.12 a member of an enum is ten times as slow
_TIES = {ListName.ALLOW: Tie.ALLOW, ListName.BLOCK: Tie.BLOCK}


class Judged(NamedTuple):
    """An incoming call with the decision of each policy, in the order of the policies."""

    outcome: OutcomeRecord
    decisions: tuple[Decision, ...]

    @property
    def compared(self) -> tuple[Action, Action]:
        """The actions of the first policy and of the policy to compare with.

        A policy in observe mode lets every call ring, so it counts as `allow` beside a policy that acts.
        """
        first, second = self.decisions
        return first.would_be, second.would_be if first.observed else second.action


def no_background(_number: str) -> Background:
    """Return an empty background for any number, for replays without a store."""
    return NO_BACKGROUND


class Replay:
    """The state of a replay: everything that is known at one moment of the history.

    `background_of` returns what the store knows about a number, and is called once per number. With `plan_at`, the
    first policy uses the numbering plan of that time instead of the plan at the time of the call.
    """

    def __init__(
        self,
        policies: Sequence[PolicySet | Policy],
        ours: SettingsFacts = NOBODYS,
        background_of: Callable[[str], Background] = no_background,
        plan_at: float | None = None,
    ) -> None:
        self.ledger = MemoryStore(ours.weights)
        self._own_numbers = ours.own_numbers.union(ours.dids)
        self.marks = Marks(self.ledger, self._own_numbers, lambda number: bool(self.background(number).contacts))
        self._policies = policies
        self._ours = ours
        self._background_of = background_of
        self._plan_at = plan_at
        self._weights, self._quiet = ours.weights, ours.hours.quiet.usual
        self._velocity = Velocity()
        self._dialled: dict[str, float] = {}
        self._first_calls = FirstCalls()
        self._lessons: list[tuple[float, int, OutcomeRecord]] = []
        self._backgrounds: dict[str, Background] = {}
        self._by_endpoint = {person.endpoint: person for person in ours.people.values() if person.endpoint}
        self._people: dict[str, Person] = dict(ours.people)
        self._sample = ControlSample(ours.sample_salt, ours.weights.sample.every)
        self._at = 0.0
        self._taken = 0

    def problem(self, event: Event) -> str:
        """Return why the event cannot be used; empty if it can be used."""
        at = event.at if isinstance(event, Mark) else event.outcome.at
        if at < self._at:
            return BACKWARDS
        return TWICE if isinstance(event, PastCall) and self.marks.knows(event.outcome.linkedid) else ""

    def take(self, event: Event) -> Judged | None:
        """Process the next event. Return the decisions if it is an incoming call, else None."""
        self._taken += 1
        if isinstance(event, Mark):
            self._learn_until(event.at)
            if site_of(event.reporter):
                self.ledger.add_mark(event)  # of another site: it has the auth class of its call, and blocks nothing
            else:
                self.marks.take(replace(event, group=self._person(event.reporter, event.group).group))
            return None
        outcome = self._with_people(event.outcome)
        self._learn_until(outcome.at)
        is_judged = outcome.direction is INBOUND and not outcome.trap
        judged = self._judge(event, outcome) if is_judged else None
        if judged is None and outcome.direction is not INBOUND:
            self.marks.add_outbound(outcome.linkedid)
            if outcome.direction is Direction.OUTBOUND and outcome.number:
                self._dialled[outcome.number] = outcome.at
        heappush(self._lessons, (outcome.ended_at, self._taken, outcome))
        return judged

    def is_sampled(self, event: PastCall, judged: Judged) -> bool:
        """Return whether the call was in the control sample, so that its warning was left out at random.

        The history may not say this. Then the call counts as sampled if the first policy warned, the call was selected
        at random, and the call was shown without a tag.
        """
        if event.sampled is not None:
            return event.sampled
        cap = judged.decisions[0].capped_by
        is_drawn = cap is not None and cap.reason is Reason.CONTROL_SAMPLE
        return is_drawn and bool(self._sample.salt) and judged.outcome.action not in LABELS

    def background(self, number: str) -> Background:
        """Return what the store knows about the number."""
        background_of_number = self._backgrounds.get(number)
        if background_of_number is None:
            background_of_number = self._backgrounds[number] = self._background_of(number)
        return background_of_number

    def _learn_until(self, at: float) -> None:
        self._at = at
        while self._lessons and self._lessons[0][0] <= at:
            self.ledger.learn(heappop(self._lessons)[2])

    def _judge(self, event: PastCall, outcome: OutcomeRecord) -> Judged:
        number = outcome.caller
        at = outcome.at
        call = IncomingCall(  # keyword arguments would take three times as long, for every call
            outcome.linkedid,
            Number(number, number or "", outcome.caller_kind),
            outcome.did,
            outcome.trunk,
            event.trusted,
            event.attestation,
            event.verification,
            False,
            None,
            event.name,
            None,
            event.carrier_counts,
        )
        row = self._row_of(number, at)
        row_then = row if self._plan_at is None else self._row_of(number, self._plan_at)
        earlier = NOTHING_EARLIER if number is None else self._velocity.count(call.caller, at, outcome.did)
        facts = self._facts(call, outcome, row, earlier)
        facts_then = facts if row_then is row or row_then == row else self._facts(call, outcome, row_then, earlier)
        self.marks.add_call(outcome)
        if number is not None and facts.first_call is not None:
            self._first_calls.add(call.caller, outcome.did, at)
        if facts_then is facts:
            return Judged(outcome, tuple(self._decide(call, facts, at, self._policies)))
        first = self._decide(call, facts_then, at, self._policies[:1])
        return Judged(outcome, (*first, *self._decide(call, facts, at, self._policies[1:])))

    def _decide(
        self, call: IncomingCall, facts: Facts, at: float, policies: Sequence[PolicySet | Policy]
    ) -> list[Decision]:
        situation = situation_of(call, facts, at, self._ours.hours)
        return decide_by_each(call, situation.facts, map(situation.policy_of, policies), at)

    def _row_of(self, number: str | None, at: float) -> PlanRow | None:
        return None if number is None else self._ours.plan.row_of(number, at)

    def _facts(self, call: IncomingCall, outcome: OutcomeRecord, row: PlanRow | None, earlier: Earlier) -> Facts:
        """Return the facts at the start of the call, as reputation/store/facts.py does for the daemon.

        `earlier`: the calls of the number and of its block of numbers within the last hour.
        """
        number, at = call.caller.key, outcome.at
        did = self._did(outcome)
        callee = self._callee(outcome, did)
        auth_class, hour = call.auth_class, hour_at(at, self._quiet)
        if number is None:
            stranger = Circumstances(auth_class, call.attestation, call.verification, hour, True)
            reputation = reputation_of(NO_EVIDENCE, stranger, self._weights, at)
            return facts_from(CallContext(did, callee), NO_EVIDENCE, reputation, self._weights)
        background = self.background(number)
        then = NOTHING_THEN if background is NO_BACKGROUND else background.then(at)
        ties, is_tied = self._ties(number, auth_class, then, at, callee)
        is_stranger = not is_tied and then.identity is None
        if then.identity is not None:
            for proof in proofs_of_control(number, background.identified_at):
                self.ledger.add_challenge(proof)
        evidence = self.ledger.evidence(number, auth_class, at)
        if then.listed:
            oldest = at - self._weights.block.days * DAY_SECONDS
            listed = {neighbour for neighbour, imported_at in then.listed if imported_at > oldest}
            evidence = evidence._replace(listed_neighbours=len(listed))
        if then.imported or then.identity:
            evidence = evidence._replace(imported=then.imported, identity=then.identity)
        peers = then.words_of_peers(auth_class) if then.peers else ()
        is_first = evidence.standing is None and is_stranger and then.allow is None
        before = self._first_calls.before(call.caller, outcome.did, at) if is_first else None
        circumstances = Circumstances(
            auth_class,
            call.attestation,
            call.verification,
            hour,
            is_stranger,
            len(self._people),
        )
        context = CallContext(
            did=did,
            callee=callee,
            allow=then.allow,
            block=then.block,
            ties=ties,
            one_ring_at=self.ledger.one_ring_at(number, at),
            own_number=number in self._own_numbers,
            first_call=before,
            sample=self._sample,
            plan=row,
            dialled_at=self._dialled_at(number, at),
            voice=self.ledger.voice(number, auth_class, at),
        )
        reputation = reputation_of(evidence, circumstances, self._weights, at)
        return facts_from(context, evidence, reputation, self._weights, earlier, peers)

    def _dialled_at(self, number: str, at: float) -> float | None:
        dialled_at = self._dialled.get(number)
        return None if dialled_at is None or at - dialled_at >= DIALLED_SECONDS else dialled_at

    def _ties(
        self, number: str, auth_class: AuthClass, then: Then, at: float, callee: Person | None
    ) -> tuple[tuple[PersonalTie, ...], bool]:
        """Return the ties of people to the number that matter for a decision, and whether anybody has a tie.

        If a person has both a list entry and a mark, the later of the two counts. A number may have ties to hundreds of
        people. If the callee is known, only the ties of the callee and the company matter. A single tie of a colleague
        matters too, because the caller is then no stranger.
        """
        blocks, ledger = self.marks.blocks(number), self.ledger
        if not blocks and then is NOTHING_THEN and not ledger.has_words(number):
            return (), False
        who = None if callee is None else callee.extension
        own = {e.person: e for e in then.personal if not self._is_withdrawn(number, e)} if then.personal else {}
        ties: list[PersonalTie] = []  # `list[PersonalTie]()` takes as long as the rest of this method
        for person in own if who is None else (who,):
            entry, blocked_at = own.get(person), blocks.get(person)
            if blocked_at is not None and (entry is None or entry.at <= blocked_at):
                ties.append(self._tie(Tie.BLOCK, person))
            elif entry is not None:
                ties.append(self._tie(_TIES[entry.verdict], person))
        for contact in then.contacts:
            if contact is None:
                ties.append(PersonalTie(Tie.CONTACT, None))
            elif who in (None, contact):
                ties.append(self._tie(Tie.CONTACT, contact))
        for person, talked_at in ledger.talks(number, at, who):
            ties.append(self._tie(Tie.TALKED, person, talked_at))
        if who is not None and (said_at := ledger.not_spam_at(number, auth_class, who)) is not None:
            ties.append(self._tie(Tie.NOT_SPAM, who, said_at))
        if who is not None and not any(tie.tie in KNOWING and lasts(tie, at) for tie in ties):
            ties += self._ties_of_colleagues(number, auth_class, then, at, own)
        is_tied = bool(ties or own or blocks or then.contacts) or ledger.has_talked(number, at)
        return tuple(ties), is_tied or ledger.has_not_spam(number, auth_class)

    def _ties_of_colleagues(
        self, number: str, auth_class: AuthClass, then: Then, at: float, own: Mapping[str, OwnEntry]
    ) -> Iterator[PersonalTie]:
        if contacts := [person for person in then.contacts if person is not None]:
            yield self._tie(Tie.CONTACT, contacts[0])
        blocks = self.marks.blocks(number)
        if allows := [
            e.person for e in own.values() if _TIES[e.verdict] is Tie.ALLOW and e.at > blocks.get(e.person, 0)
        ]:
            yield self._tie(Tie.ALLOW, allows[0])
        if talks := self.ledger.talks(number, at):
            yield self._tie(Tie.TALKED, *max(talks, key=itemgetter(1)))
        marks = [
            mark for mark in self.ledger.marks(number) if mark.auth_class is auth_class and not site_of(mark.reporter)
        ]
        if verdicts := [mark for mark in marks if mark.verdict is Verdict.OK]:
            latest = max(verdicts, key=attrgetter("at"))
            yield self._tie(Tie.NOT_SPAM, latest.reporter, latest.at)

    def _is_withdrawn(self, number: str, entry: OwnEntry) -> bool:
        return entry.by_mark and self.marks.unblocked_at(number, entry.person) >= entry.at

    def _tie(self, tie: Tie, extension: str, at: float | None = None) -> PersonalTie:
        person = self._people.get(extension)
        if person is None:
            return PersonalTie(tie, extension, None, None, at)
        return PersonalTie(tie, person.extension, person.group, person.endpoint, at)

    def _did(self, outcome: OutcomeRecord) -> Did | None:
        known = self._ours.dids.get(outcome.did or "")
        if known is not None or (outcome.did is None and outcome.group is None):
            return known
        return _unknown_did(outcome.did or "", outcome.group)

    def _callee(self, outcome: OutcomeRecord, did: Did | None) -> Person | None:
        who = outcome.answered_by or (outcome.rung[0] if len(outcome.rung) == 1 else None)
        if who:
            return self._person(who, outcome.group)
        return self._people.get(did.callee) if did is not None and did.callee else None

    def _person(self, extension: str, group: str | None) -> Person:
        person = self._people.get(extension)
        if person is None or (group and person.group is None):
            person = self._people[extension] = Person(extension, person.endpoint if person else None, group)
        return person

    def _with_people(self, outcome: OutcomeRecord) -> OutcomeRecord:
        phones = self._by_endpoint
        if not phones or phones.keys().isdisjoint(filter(None, (outcome.answered_by, outcome.caller, *outcome.rung))):
            return outcome
        answered_by, rung = outcome.answered_by, tuple(dict.fromkeys(map(self._extension, outcome.rung)))
        outcome = outcome._replace(answered_by=answered_by and self._extension(answered_by), rung=rung)
        if outcome.direction is not Direction.OUTBOUND or not outcome.caller:
            return outcome
        return outcome._replace(caller=self._extension(outcome.caller))

    def _extension(self, who: str) -> str:
        person = self._by_endpoint.get(who)
        return person.extension if person else who


@lru_cache(maxsize=1024)
def _unknown_did(number: str, group: str | None) -> Did:
    return Did(number, (group,) if group else ())


def judgements(
    events: Iterable[Event], replay: Replay, reading: HistoryReader
) -> Iterator[tuple[Event, Judged | None]]:
    """Yield each usable event with its decisions; with None if it is no incoming call. `reading` counts the others."""
    for event in events:
        problem = replay.problem(event)
        if problem:
            reading.refuse(problem)
        else:
            yield event, replay.take(event)
