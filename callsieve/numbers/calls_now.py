"""The decision that calls from a number get now, and the reasons that would stop them even after an upheld appeal.

calls_now() returns the strictest decision of all combinations of DID and trunk, because they may have different
policies. People's own lists are left out and only counted, because each of these lists affects only one person.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from callsieve.settings import Loaded
from callsieve.simulate import Question, SettingsFacts, call_of, opinion_of, situation_about
from callsieve.wiring import policies_of, site_of
from policies.decision import ACTION_BY_WORD, ALLOW, REJECT, WARN, Action, Decision
from policies.engine import STEP_OF_LISTS, decide
from policies.policy import Case
from policies.situation import query_of
from reputation.encoding import HIDDEN, encoded
from reputation.facts import FactsQuery
from reputation.fold import standing_of
from reputation.model import Did, ListEntry, ListName, Reputation, Tie, Verdict
from reputation.scoring import reputation_of
from reputation.store.as_of import background_of
from reputation.store.evidence_rows import rows_of
from reputation.store.facts import evidence_of, most_specific
from reputation.store.identities import epochs_of
from reputation.store.people import all_dids
from reputation.weights import Weights
from reputation.wording import Places, Wording

STEP_OF_CALLEE = 3
MOST_DIDS = 20  # kinds of DIDs for which a call is decided

HAPPENS = {
    Action.ALLOW: Wording("calls from the number ring"),
    Action.TAG: Wording("calls from the number ring"),
    Action.WARN: Wording("calls from the number ring, and our people are warned"),
    Action.CHALLENGE: Wording("callers with the number are asked to press a key or to say who they are"),
    Action.ROUTE: Wording("calls from the number go to voicemail, or wherever suspicious calls are routed"),
    Action.REJECT: Wording("calls from the number are rejected"),
}


class StopKind(StrEnum):
    """The kinds of reasons why a number's calls are stopped: the organisation's lists, a policy, or personal lists."""

    LIST = "list"  # the organisation's lists
    POLICY = "policy"
    PEOPLE = "people"  # personal lists


DECIDES = {
    StopKind.LIST: Wording("an administrator's list causes this, and an appeal does not change it"),
    StopKind.POLICY: Wording("a rule for all calls causes this"),
    StopKind.PEOPLE: Wording("the called person has chosen this action"),
}


@dataclass(frozen=True, slots=True)
class CallsNow:
    """The strictest decision about an ordinary, unsigned call from a number. `varies`: whether only some calls ring.

    `people`: how many people have the number on their own blocklist.
    """

    decision: Decision
    varies: bool
    people: int

    @property
    def action(self) -> Action:
        """The action for an ordinary call from the number."""
        return self.decision.action

    @property
    def rings(self) -> bool:
        """Whether the call rings at once, without a challenge."""
        return self.action <= WARN

    @property
    def by(self) -> StopKind | None:
        """The kind of reason that stops the calls; None if the calls ring."""
        if self.rings:
            return None
        kinds = {STEP_OF_LISTS: StopKind.LIST, STEP_OF_CALLEE: StopKind.PEOPLE}
        return kinds.get(self.decision.step, StopKind.POLICY)

    @property
    def words(self) -> Wording:
        """The decision in words for the number's owner, as the beginning of a sentence."""
        happens: Wording = HAPPENS[self.action]
        if self.varies:
            happens = Wording("{happens}, at least if certain of our numbers are called", {"happens": happens})
        if self.by is None:
            return happens
        return Wording("{happens}; {decides}", {"happens": happens, "decides": DECIDES[self.by]})

    @property
    def people_words(self) -> Wording | None:
        """A sentence about how many people have blocked the number; None if nobody has."""
        if not self.people:
            return None
        if self.people == 1:
            return Wording("one person here has blocked the number: their phone does not ring")
        places: Places = {"count": self.people}
        return Wording("{count} people here have blocked the number: their phones do not ring", places)


@dataclass(frozen=True, slots=True)
class Stop:
    """A reason that would stop calls from a number even after an upheld appeal.

    Attributes:
        kind: The kind of reason.
        words: The reason in words.
        remedy: How to remove the reason.
        entries: The list entries that stop calls.
        people: The people who have blocked the number.
    """

    kind: StopKind
    words: Wording
    remedy: Wording
    entries: tuple[ListEntry, ...] = ()
    people: Annotated[tuple[str, ...], HIDDEN] = ()

    @property
    @encoded
    def blockers(self) -> int:
        """How many people have blocked the number."""
        return len(self.people)


def calls_now(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> CallsNow:
    """Return the strictest decision that calls from the number get now. Raise PolicyError for an invalid policy."""
    policies = policies_of(loaded)
    decisions = [opinion_of(case, policies).decision for case in _situations(db, loaded, number, now)]
    # A personal list concerns one person only, so its decisions count only if there are no others.
    others = [decision for decision in decisions if decision.step != STEP_OF_CALLEE] or decisions
    strictest = max(others, key=lambda decision: (decision.action, decision.would_be))
    varies = any((decision.action <= WARN) is not (strictest.action <= WARN) for decision in others)
    return CallsNow(strictest, varies, len(_blockers(db, number)))


def stops_of(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> tuple[Stop, ...]:
    """Return all reasons that would still stop calls after an upheld appeal.

    Raise PolicyError for an invalid policy.
    """
    stops = []
    policies = policies_of(loaded)
    if all(policy.observe for policy in (policies.default, *(scope.policy for scope in policies.scopes))):
        entries: Sequence[ListEntry] = ()  # no call is stopped
    else:
        entries = background_of(db, number).entries
    listed, is_let_through = _stopping_entries(entries, now)
    if listed:
        about: Places = {"entries": ", ".join(entry.text for entry in listed)}
        stops.append(
            Stop(
                StopKind.LIST,
                Wording("entries in the lists of the organisation: {entries}", about),
                _remedy_of_lists(listed, number),
                entries=listed,
            )
        )
    ordered = [] if is_let_through else list(_policy_decisions(db, loaded, number, now))
    if ordered:
        strictest = max(ordered, key=lambda decision: decision.action)
        about = {
            "policy": strictest.policy,
            "rule": strictest.rule,
            "action": Wording(strictest.action.word),
            "reason": strictest.reason.words,
        }
        words = Wording("rule {rule} of the policy {policy}: {action}, {reason}", about)
        stops.append(Stop(StopKind.POLICY, words, Wording("put the number on the allowlist")))
    people = _blockers(db, number)
    if people:
        count: Places = {"count": len(people)}
        words = Wording("people who have blocked the number: {count}", count)
        stops.append(
            Stop(
                StopKind.PEOPLE,
                words,
                Wording("remove the number from the personal lists of these people"),
                people=people,
            )
        )
    return tuple(stops)


def reputation_if_upheld(db: sqlite3.Connection, query: FactsQuery, weights: Weights) -> Reputation:
    """Return the reputation that the number would have after an upheld appeal: without its spam marks."""
    number = (query.number and query.number.key) or ""
    evidence, circumstances = evidence_of(db, query, weights)
    rows, epochs = rows_of(db, number), epochs_of(db, number)
    kept = rows._replace(marks=[mark for mark in rows.marks if mark.verdict is not Verdict.SPAM])
    standing = standing_of(kept, query.auth_class, weights, epoch_at=epochs[0].at if epochs else None)
    after = evidence._replace(standing=standing, appeal=None, upheld_at=query.now)
    return reputation_of(after, circumstances, weights, query.now)


def _situations(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> Iterator[Case]:
    site, ours = site_of(loaded.settings), SettingsFacts.of(loaded)
    for question in _questions(db, loaded, number, [trunk.name for trunk in site.trunks], ours):
        yield situation_about(db, call_of(question, site), now, ours, at_its_hour=False)


def _questions(
    db: sqlite3.Connection, loaded: Loaded, number: str, trunks: Sequence[str], ours: SettingsFacts
) -> Iterator[Question]:
    by_number = {did.number: did for did in all_dids(db)} | dict(ours.dids)
    with_a_policy = {scope.did for scope in policies_of(loaded).scopes if scope.did is not None}
    kinds: dict[object, Did] = {}
    for did in by_number.values():
        if did.screen:
            kinds.setdefault((did.groups, did.callee, did.number if did.number in with_a_policy else None), did)
    for trunk in trunks or (None,):
        yield Question(number, trunk=trunk)
        for did in list(kinds.values())[:MOST_DIDS]:
            yield Question(number, did=did.number, trunk=trunk)


def _policy_decisions(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> Iterator[Decision]:
    """Yield the policies' decisions that would stop calls even after an upheld appeal.

    Temporary facts, such as recent calls or an emergency call, are ignored.
    """
    policies, ours = policies_of(loaded), SettingsFacts.of(loaded)
    for case in _situations(db, loaded, number, now):
        reputation = reputation_if_upheld(db, query_of(case.call, now, None, plan=ours.plan), ours.weights)
        ties = tuple(tie for tie in case.facts.ties if tie.tie not in (Tie.BLOCK, Tie.EXPECTED))
        facts = case.facts._replace(
            allow=None, block=None, emergency_at=None, recent_calls=(), ties=ties, reputation=reputation
        )
        decision = decide(*replace(case, facts=facts).under(policies))
        if decision.step > STEP_OF_LISTS and decision.action > WARN:
            yield decision


def _stopping_entries(entries: Sequence[ListEntry], now: float) -> tuple[tuple[ListEntry, ...], bool]:
    """Return the list entries that would stop calls, and whether one of the remaining list entries lets calls ring."""
    left = [entry for entry in entries if entry.expires_at is None or entry.expires_at > now]
    stopping: list[ListEntry] = []
    while (entry := most_specific(left, ListName.ALLOW) or most_specific(left, ListName.BLOCK)) is not None:
        usual = ALLOW if entry.list_name is ListName.ALLOW else REJECT
        if ACTION_BY_WORD.get(entry.action or "", usual) <= WARN:
            return tuple(stopping), True
        stopping.append(entry)
        left.remove(entry)
    return tuple(stopping), False


def _remedy_of_lists(entries: Sequence[ListEntry], number: str) -> Wording:
    if all(entry.text == number and entry.list_name is ListName.BLOCK for entry in entries):
        return Wording("remove the number from the blocklist")
    return Wording("put the number on the allowlist; the entries still apply to other numbers")


def _blockers(db: sqlite3.Connection, number: str) -> tuple[str, ...]:
    return tuple(entry.person for entry in background_of(db, number).personal if entry.verdict is ListName.BLOCK)
