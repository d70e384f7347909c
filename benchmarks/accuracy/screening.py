"""The CallSieve that screens a simulated number's calls: its real evidence store in memory, precedence and presets.

Only this module runs CallSieve; the other modules get only decisions. The facts about a call are collected as in a
replay, and the DID determines the callee. As in CallSieve, a mark also puts the number on the marker's own blocklist.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from benchmarks.accuracy.call_outcomes import NUMBER, Handling
from benchmarks.accuracy.callers import Attempt, User, result_of
from benchmarks.accuracy.parameters import START, Parameters
from policies.decision import Action, Decision, IncomingCall
from policies.engine import decide
from policies.loader import load_policy
from policies.policy import Policy
from reputation.evidence import Circumstances
from reputation.facts import CallContext, facts_from
from reputation.fold import with_other_sites
from reputation.memory_store import MemoryStore
from reputation.model import (
    Attestation,
    AuthClass,
    CallerKind,
    ControlSample,
    Did,
    Direction,
    Identity,
    Imported,
    Mark,
    Person,
    PersonalTie,
    Tie,
    Verdict,
    Verification,
)
from reputation.numbers import Number
from reputation.outcome import OutcomeRecord
from reputation.scoring import reputation_of
from reputation.signals import DIALLED_SECONDS, proofs_of_control
from reputation.standing import Rows, Standing
from reputation.velocity import WINDOW_SECONDS, Earlier
from reputation.weights import DEFAULT, Weights

STRICT = "strict"
CALLER = Number(NUMBER, NUMBER, CallerKind.NUMBER)
SALT = b"the salt of the control sample"
OWN_BLOCK = "callee-blocklist"
_SIGNATURE = {
    AuthClass.AUTHENTICATED: (Attestation.A, Verification.PASSED),
    AuthClass.UNKNOWN: (Attestation.NONE, Verification.NONE),
}
# The callee's relationship that made the phone ring, by deciding rule (policies/engine.py).
TIES = {
    "callee-allowlist": Tie.ALLOW,
    "expected-call": Tie.EXPECTED,
    "contact": Tie.CONTACT,
    "talked": Tie.TALKED,
}


class Memory(Protocol):
    """CallSieve's evidence about the number. Which evidence counts for a call may depend on the trunk of the call."""

    @property
    def stores(self) -> Sequence[MemoryStore]:
        """All stores of evidence. The first store has learnt from all calls."""
        ...

    def learn(self, outcome: OutcomeRecord) -> None: ...

    def add_mark(self, mark: Mark) -> None: ...

    def store_for(self, trunk: str, now: float) -> MemoryStore:
        """Return the store whose evidence counts for a call on this trunk."""
        ...


class OneMemory:
    """One store of evidence that counts for calls on every trunk, as in CallSieve."""

    def __init__(self, weights: Weights) -> None:
        self.stores = (MemoryStore(weights),)

    def learn(self, outcome: OutcomeRecord) -> None:
        self.stores[0].learn(outcome)

    def add_mark(self, mark: Mark) -> None:
        self.stores[0].add_mark(mark)

    def store_for(self, _trunk: str, _now: float) -> MemoryStore:
        return self.stores[0]


class OtherSite(Protocol):
    """Another site, which shares the evidence of its people about the number."""

    def standing_at(self, now: float) -> Standing | None:
        """Return the summed evidence of the other site's people at the time `now`; None if they have none yet."""
        ...


class Screening:
    """The screening of a number's calls: the evidence about the number, and the policy that decides.

    `identity`: what the owner of the number has proven. `listed`: whether outside sources list the number.
    """

    def __init__(
        self,
        policy: str | Policy,
        p: Parameters,
        weights: Weights = DEFAULT,
        identity: Identity | None = None,
        listed: bool = False,
        memory: Memory | None = None,
    ) -> None:
        self._policy = _preset(policy) if isinstance(policy, str) else policy
        self._parameters = p
        self._weights = weights
        self._memory = memory or OneMemory(weights)
        self._identity = identity
        self._imported = tuple(Imported(f"source-{n}", "spam") for n in range(p.sources if listed else 0))
        self._vouched: dict[str, float] = {}
        self._allowed: set[str] = set()
        self._blocked: set[str] = set()
        self._calls: list[tuple[float, str]] = []
        self._dialled_at: float | None = None
        self._people = p.users
        self.others: Sequence[OtherSite] = ()  # the sites that share with this site
        self._sample = ControlSample(SALT, weights.sample.every)
        if identity is not None:
            self.prove(identity, START)

    def prove(self, identity: Identity, at: float) -> None:
        """Record that the owner has proven control of the number."""
        self._identity = identity
        for store in self._memory.stores:
            for proof in proofs_of_control(NUMBER, at):
                store.add_challenge(proof)

    def standing_at(self, _now: float) -> Standing | None:
        """Return the summed evidence of this site's people, which other sites receive at once."""
        return self._memory.stores[0].standing(NUMBER, AuthClass.UNKNOWN)

    def has_mark(self) -> bool:
        return any(mark.verdict is Verdict.SPAM for mark in self._memory.stores[0].marks(NUMBER))

    def rows(self) -> Rows:
        """Return all evidence about the number."""
        return self._memory.stores[0].rows(NUMBER)

    def learn(self, outcome: OutcomeRecord) -> None:
        if outcome.direction is Direction.OUTBOUND:
            self._dialled_at = outcome.at
        self._memory.learn(outcome)

    def add_mark(self, mark: Mark) -> None:
        """Record a mark. A spam mark also puts the number on the marker's own blocklist."""
        self._memory.add_mark(mark)
        if mark.verdict is Verdict.SPAM:
            self._blocked.add(mark.reporter)
            self._allowed.discard(mark.reporter)
            self._vouched.pop(mark.reporter, None)
        else:
            self._blocked.discard(mark.reporter)
            self._vouched[mark.reporter] = mark.at

    def allow(self, extension: str) -> None:
        self._allowed.add(extension)

    def handle(self, attempt: Attempt) -> tuple[Decision, Handling]:
        """Decide about a call. Return the decision, and how the call was handled."""
        self._calls = [call for call in self._calls if call[0] > attempt.at - WINDOW_SECONDS]
        decision = self.decide(attempt.linkedid, attempt.user, attempt.at, attempt.auth_class, attempt.line.trunk)
        self._calls.append((attempt.at, attempt.user.did))
        result = result_of(self._parameters, attempt) if decision.action is Action.CHALLENGE else None
        return decision, Handling(decision.action, result, TIES.get(decision.rule))

    def decide(
        self,
        linkedid: str,
        user: User,
        now: float,
        auth_class: AuthClass = AuthClass.UNKNOWN,
        trunk: str = "trunk-1",
    ) -> Decision:
        """Return the decision about a call to a person of the office."""
        did, callee = _callee(user)
        store = self._memory.store_for(trunk, now)
        evidence = store.evidence(NUMBER, auth_class, now)
        evidence = evidence._replace(identity=self._identity, imported=self._imported)
        if self.others:
            theirs = [(standing, 1.0) for other in self.others if (standing := other.standing_at(now)) is not None]
            evidence = evidence._replace(standing=with_other_sites(evidence.standing, theirs, self._weights))
        ties = tuple(self._ties(user.extension, now))
        attestation, verification = _SIGNATURE[auth_class]
        circumstances = Circumstances(auth_class, attestation, verification, people=self._people)
        facts = facts_from(
            CallContext(
                did=did,
                callee=callee,
                ties=ties,
                one_ring_at=store.one_ring_at(NUMBER, now),
                sample=self._sample,
                dialled_at=self._dialled(now),
            ),
            evidence,
            reputation_of(evidence, circumstances, self._weights, now),
            self._weights,
            Earlier(tuple([at for at, _ in self._calls]), tuple([did for _, did in self._calls])),
        )
        call = IncomingCall(linkedid, CALLER, user.did, trunk, False, attestation, verification)
        return decide(call, facts, self._policy, now)

    def _dialled(self, now: float) -> float | None:
        at = self._dialled_at
        return None if at is None or now - at >= DIALLED_SECONDS else at

    def _ties(self, extension: str, now: float) -> list[PersonalTie]:
        ties = [
            PersonalTie(Tie.TALKED, who, at=at)
            for who, at in self._memory.stores[0].talks(NUMBER, now)
            if who == extension
        ]
        if extension in self._allowed:
            ties.append(PersonalTie(Tie.ALLOW, extension))
        if extension in self._blocked:
            ties.append(PersonalTie(Tie.BLOCK, extension))
        if extension in self._vouched:
            ties.append(PersonalTie(Tie.NOT_SPAM, extension, at=self._vouched[extension]))
        return ties


@lru_cache
def _preset(name: str) -> Policy:
    return load_policy(name)


@lru_cache(maxsize=1024)
def _callee(user: User) -> tuple[Did, Person]:
    endpoint = f"PJSIP/{user.extension}"
    return Did(user.did, (user.group,), user.extension), Person(user.extension, endpoint, user.group)
