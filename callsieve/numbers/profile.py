"""All information about one number, as a record for `lookup`, the API and the number's page."""

import math
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.calls.records import (
    CallDecision,
    DecisionShown,
    Disputes,
    ReputationShown,
    decision_shown,
    disputes_of,
    opinion_shown,
    reputation_shown,
)
from callsieve.changes.describe import NumberText, number_field
from callsieve.changes.operation import Context
from callsieve.lists.views import EntryShown, entry_shown, is_over
from callsieve.numbering.views import PURPOSE_WORDS
from callsieve.settings import Loaded
from callsieve.simulate import Opinion, Question, SettingsFacts, call_of, opinion_of, situation_about
from callsieve.wiring import policies_of, site_of
from policies.policy import PolicyError
from policies.reasons import Reason
from policies.situation import query_of
from reputation.encoding import FLAT, HIDDEN, Instant, encoded
from reputation.explaining import days_until_lower, parts_of
from reputation.facts import Facts
from reputation.families.feeds import listed_by
from reputation.families.former import COMPANIES_CLEARED, COMPANIES_COMPLAIN
from reputation.history import Point, history_of
from reputation.model import (
    NEVER_CHALLENGED,
    AuthClass,
    ChallengeHistory,
    EntryKind,
    Family,
    Identity,
    Imported,
    Level,
    ListEntry,
    ListName,
    LowerIn,
    Mark,
    PeerWord,
    Tie,
)
from reputation.numbers import NumberType, country_of, is_valid, number_type_of, service_number_of
from reputation.outcome import OutcomeRecord, Signal
from reputation.owner_sentence import owner_sentence
from reputation.plan.rows import NOBODYS, PlanRow
from reputation.speakers import account_of
from reputation.store.evidence import latest_challenge_pass
from reputation.store.evidence_rows import live_marks_of, rows_of, signals_of
from reputation.store.facts import evidence_of, standing
from reputation.store.journal import decisions
from reputation.store.lists import entries_matching
from reputation.store.outcomes import outcomes
from reputation.store.people import person_of
from reputation.store.privacy import export_number
from reputation.store.site import people_here
from reputation.wording import Places, Wording, listed

NOTHING = Wording("nothing is known about this number")
MOST_NAMED = 3


def sentence_of(facts: Facts) -> str:
    """Return an English sentence with the most important facts: lists, identity, evidence, and who knows the caller."""
    sentence = str(facts_in_words(facts))
    return sentence[0].upper() + sentence[1:] + "."


def facts_in_words(facts: Facts) -> str | Wording:
    """Return the most important facts as translatable words, without a capital and a full stop."""
    return listed(list(_parts(facts)) or [NOTHING], "{some}; {more}")


def _parts(facts: Facts) -> Iterator[Wording]:
    yield from (_on_list(entry) for entry in (facts.allow, facts.block) if entry is not None)
    if facts.identity:
        owner: Places = {"name": facts.identity.name, "level": facts.identity.level}
        yield Wording("the number belongs to {name} (level {level})", owner)
    for family in facts.reputation.families:
        yield from _of_family(family, facts.imported)
    yield from _of_companies(facts.peers)
    yield from _of_ties(facts)
    if facts.reputation.appeal:
        yield Wording("the number's owner has filed an appeal ({reference})", {"reference": facts.reputation.appeal})
    if facts.own_number:
        yield Wording("the number is one of our own numbers")


def _on_list(entry: ListEntry) -> Wording:
    is_allowed = entry.list_name is ListName.ALLOW
    if entry.kind is EntryKind.EXACT:
        return Wording("the number is on the allowlist") if is_allowed else Wording("the number is on the blocklist")
    return Wording(Reason.ON_ALLOWLIST if is_allowed else Reason.ON_BLOCKLIST, {"entry": entry.text})


def _of_family(family: Family, imported: tuple[Imported, ...]) -> Iterable[Wording]:
    # The facts have more details of sources than the counts. The identity is added elsewhere, with its name.
    if family.name == "feeds":
        return [_of_feeds(imported)]
    return parts_of(family) if family.name != "identity" else ()


def _of_feeds(imported: tuple[Imported, ...]) -> Wording:
    spam = [row for row in imported if row.verdict == "spam"]
    fine = len(imported) - len(spam)
    as_spam = listed_by(len(spam), "spam")
    if kinds := listed(
        [Wording(kind) for kind in sorted({row.category for row in spam if row.category})], "{some}, {more}"
    ):
        as_spam = Wording("{listed} ({kinds})", {"listed": as_spam, "kinds": kinds})
    if not fine:
        return as_spam
    as_fine = listed_by(fine, "ok")
    return Wording("{spam} and {fine}", {"spam": as_spam, "fine": as_fine}) if spam else as_fine


def _of_companies(peers: tuple[PeerWord, ...]) -> Iterator[Wording]:
    cleared = sum(word.is_cleared for word in peers)
    for companies, words in ((len(peers) - cleared, COMPANIES_COMPLAIN), (cleared, COMPANIES_CLEARED)):
        if companies:
            yield words.of(companies)


# The words for ties of one person and of several, in order. Somebody who expects a call has no tie to a number.
_BY_TIE = {
    Tie.ALLOW: (Wording("{who} allowed the number"), Wording("{who} allowed the number")),
    Tie.BLOCK: (Wording("{who} blocked the number"), Wording("{who} blocked the number")),
    Tie.CONTACT: (Wording("{who} has the number as a contact"), Wording("{who} have the number as a contact")),
    Tie.TALKED: (Wording("{who} called the number and talked"), Wording("{who} called the number and talked")),
}


def _of_ties(facts: Facts) -> Iterable[Wording]:
    for tie, (of_one, of_several) in _BY_TIE.items():
        ties = [personal for personal in facts.ties if personal.tie is tie]
        people = sorted({personal.person for personal in ties if personal.person is not None})
        if any(personal.person is None for personal in ties):
            yield Wording("the number is a contact of the company")
        if people:
            named = listed(people, "{some} and {more}")
            who = named if len(people) <= MOST_NAMED else Wording("{n} of our people", {"n": len(people)})
            yield Wording((of_one if len(people) == 1 else of_several).template, {"who": who})


SHOWN_DECISIONS = 5
TIES = {
    "allow": Wording("on the personal allowlist of"),
    "block": Wording("on the personal blocklist of"),
    "contact": Wording("contact of"),
    "talked": Wording("called by"),
}


@dataclass(frozen=True, slots=True)
class PersonalFact:
    """A tie between a number and a person or the company.

    Attributes:
        what: The kind of tie: `allow` or `block` (on a personal list), `contact`, or `talked` (called and talked).
        person: The extension of the person; null for the company.
        person_name: The name of the person.
        name: The name of the number in the contacts.
        at: When the number was added to the list, or when the person last talked with the number.
    """

    what: Literal["allow", "block", "contact", "talked"]
    person: str | None
    person_name: str | None = None
    name: str | None = None
    at: Instant | None = None

    @property
    def tie(self) -> Wording:
        """The tie in words, to be followed by `who`."""
        return TIES[self.what]

    @property
    def who(self) -> str | Wording:
        """The person, such as `201 (Bob)`, or the company."""
        if self.person is None:
            return Wording("the company")
        return f"{self.person} ({self.person_name})" if self.person_name else self.person


class ChallengePassed(NamedTuple):
    """The last challenge that a number passed in one authentication class of calls.

    Attributes:
        auth_class: The authentication class of the calls: how well their caller ID is authenticated.
        at: When the number passed the challenge.
    """

    auth_class: AuthClass
    at: Instant


class ChallengesOfClass(NamedTuple):
    """The results of a number's challenges in one authentication class of calls.

    `auth_class`: the authentication class of the calls: how well their caller ID is authenticated.
    """

    auth_class: AuthClass
    history: Annotated[ChallengeHistory, FLAT]


@dataclass(frozen=True, slots=True)
class Profile:
    """All information about a number.

    Attributes:
        number: The number, or the key of a service number.
        at: The time of this information.
        lists: The list entries that match the number.
        personal: Ties between the number and people or the company.
        identity: The proven owner of the number, or null.
        challenge_passed: When the number last passed a challenge, by authentication class of the call.
        challenges: The results of the number's challenges, by authentication class of the call.
        decisions: The latest decisions about the number's calls.
        marks: Marks by people. A mark does not count if an entry in `tombstones` corrects it.
        signals: Signals from the number's calls.
        outcomes: How the number's latest calls ended.
        history: The evidence day by day.
        lower_in: When the level falls if nothing new happens; null for never.
        trouble: Why `now` is null; empty if `now` is not null.
        to_owner: For an own number, a sentence that says what marks can do to it; otherwise empty.
    """

    number: str
    at: Instant
    facts: Annotated[Facts, HIDDEN]
    lists: tuple[EntryShown, ...]
    personal: tuple[PersonalFact, ...]
    identity: Identity | None
    challenge_passed: tuple[ChallengePassed, ...]
    challenges: tuple[ChallengesOfClass, ...]
    decisions: tuple[CallDecision, ...]
    marks: tuple[Mark, ...]
    cases: Annotated[Disputes, FLAT]
    signals: tuple[Signal, ...]
    outcomes: tuple[OutcomeRecord, ...]
    opinion: Annotated[Opinion | None, HIDDEN]
    history: tuple[Point, ...] = ()
    lower_in: LowerIn | None = None
    trouble: str | Wording = ""
    to_owner: Wording | str = ""

    @property
    @encoded
    def country(self) -> str | None:
        """The country of the number, as two letters; null if the number has no country."""
        return country_of(self.number)

    @property
    @encoded
    def number_type(self) -> NumberType:
        """The type of the number, such as `mobile` or `toll-free`."""
        return number_type_of(self.number)

    @property
    @encoded
    def valid(self) -> bool:
        """Whether a phone number with these digits can exist."""
        return is_valid(self.number)

    @property
    @encoded
    def plan(self) -> PlanRow | None:
        """The row of the numbering plan for the number's range; null if no row matches."""
        return self.facts.plan

    @property
    @encoded
    def reputation(self) -> ReputationShown:
        """The reputation of the number."""
        return reputation_shown(self.facts.reputation)

    @property
    @encoded
    def imported(self) -> tuple[Imported, ...]:
        """The sources that list the number."""
        return self.facts.imported

    @property
    @encoded
    def peers(self) -> tuple[PeerWord, ...]:
        """Statements of other companies about the number: unwanted, or cleared by an appeal at the company."""
        return self.facts.peers

    @property
    @encoded
    def own_number(self) -> bool:
        """Whether the number is an own number."""
        return self.facts.own_number

    @property
    @encoded
    def calls_within_the_hour(self) -> int:
        """How often the number called within the last hour."""
        return len(self.facts.recent_calls)

    @property
    @encoded
    def now(self) -> DecisionShown | None:
        """The decision that an ordinary call would get now; null if the policy is not valid."""
        return None if self.opinion is None else opinion_shown(self.opinion)

    @property
    def about(self) -> Wording:
        """A short description, such as `US, mobile`, `95588 in CN, bank service line` or `in no allocated block`."""
        row, has_block = self.facts.plan, is_valid(self.number)
        if (service := service_number_of(self.number)) is not None:
            kind = Wording(NumberType.SERVICE.value) if row is None else PURPOSE_WORDS[row.purpose]
            return Wording(
                "{digits} in {country}, {kind}", {"digits": service.digits, "country": service.country, "kind": kind}
            )
        if row is None and not has_block:
            return Wording("in no allocated block")
        country = country_of(self.number) or Wording("no country")
        kind = Wording(number_type_of(self.number).words)
        if row is None:
            return Wording("{country}, {kind}", {"country": country, "kind": kind})
        purpose = PURPOSE_WORDS[row.purpose]
        if not has_block or row.purpose in NOBODYS:
            return Wording("{country}, {kind}", {"country": country, "kind": purpose})
        return Wording("{country}, {kind}: {purpose}", {"country": country, "kind": kind, "purpose": purpose})

    @property
    def range_words(self) -> Wording | None:
        """The purpose of the number's range; null without a numbering plan."""
        return None if self.facts.plan is None else PURPOSE_WORDS[self.facts.plan.purpose]

    @property
    def account(self) -> tuple[Wording, ...]:
        """The explanation of the level: the evidence, the witnesses, and how many witnesses each level needs."""
        reputation = self.facts.reputation
        return account_of(reputation.level, reputation.families, reputation.witnesses)

    @property
    @encoded
    def sentence(self) -> str:
        """The most important facts in one sentence."""
        return sentence_of(self.facts)

    @property
    def words(self) -> str | Wording:
        """The most important facts as translatable words."""
        return facts_in_words(self.facts)


def profile_of(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> Profile:
    """Return all information about a number. If the policy is invalid, `now` is None and `trouble` says why."""
    call = call_of(Question(number), site_of(loaded.settings))
    ours = SettingsFacts.of(loaded)
    situation = situation_about(db, call, now, ours, at_its_hour=False)
    facts = situation.facts
    evidence = evidence_of(db, query_of(call, now, None, plan=ours.plan), ours.weights)
    arguments = (*evidence, ours.weights, now)
    rows = export_number(db, number, ("personal_entry", "contact", "identity"))
    cases = disputes_of(db, number)
    opinion: Opinion | None = None
    trouble: str | Wording = ""
    try:
        opinion = opinion_of(situation, policies_of(loaded))
    except PolicyError as error:
        trouble = error.words
    falls = days_until_lower(*arguments) if facts.reputation.level is not Level.NONE else None
    matching = (entry for entry in entries_matching(db, number) if not is_over(entry, now))
    return Profile(
        number=number,
        at=now,
        facts=facts,
        lists=tuple(entry_shown(db, entry, loaded.settings, now) for entry in matching),
        personal=(*_personal(db, rows), *_talks(db, facts)),
        identity=facts.identity and replace(facts.identity, note=str(rows["identity"][0]["note"] or "")),
        challenge_passed=tuple(
            ChallengePassed(auth_class, at)
            for auth_class in AuthClass
            if (at := latest_challenge_pass(db, number, auth_class))
        ),
        challenges=tuple(_challenges(db, number)),
        decisions=tuple(
            decision_shown(db, record)
            for record in decisions(db, caller=number, since=-math.inf, limit=SHOWN_DECISIONS)
        ),
        marks=tuple(live_marks_of(db, number)),
        cases=cases,
        signals=tuple(signals_of(db, number)),
        outcomes=tuple(outcomes(db, number=number, limit=SHOWN_DECISIONS)),
        opinion=opinion,
        history=tuple(history_of(rows_of(db, number), *arguments, cases.epochs[0].at if cases.epochs else None)),
        lower_in=LowerIn(*falls) if falls else None,
        trouble=trouble,
        to_owner=owner_sentence(ours.weights, people_here(db)) if facts.own_number else "",
    )


def _challenges(db: sqlite3.Connection, number: str) -> Iterator[ChallengesOfClass]:
    for auth_class in AuthClass:
        known = standing(db, number, auth_class)
        if known is not None and replace(known.challenges, of_number=()) != NEVER_CHALLENGED:
            yield ChallengesOfClass(auth_class, known.challenges)


def _personal(db: sqlite3.Connection, rows: dict[str, list[dict[str, Any]]]) -> list[PersonalFact]:
    own = [PersonalFact(row["verdict"], *_person(db, row["person"]), at=row["at"]) for row in rows["personal_entry"]]
    contacts = [PersonalFact("contact", *_person(db, row["person"]), row["name"]) for row in rows["contact"]]
    return [*own, *dict.fromkeys(contacts)]


def _talks(db: sqlite3.Connection, facts: Facts) -> list[PersonalFact]:
    talks = [tie for tie in facts.ties if tie.tie is Tie.TALKED and tie.person is not None]
    return [PersonalFact("talked", *_person(db, tie.person), at=tie.at) for tie in talks]


def _person(db: sqlite3.Connection, extension: str | None) -> tuple[str | None, str | None]:
    person = person_of(db, extension) if extension else None
    return extension or None, None if person is None else person.name


MOST_NUMBERS = 100


NumberPart = Annotated[
    str,
    Meta(min_length=1, max_length=200, description="E.164, or as you dial it.", examples=["+12015550123"]),
]


class NumberKey(msgspec.Struct, frozen=True):
    """A request for all information about one number."""

    number: NumberPart


class NumbersRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request for all information about several numbers. `numbers`: phone numbers in E.164, or as you dial them."""

    numbers: Annotated[list[NumberText], Meta(min_length=1, max_length=MOST_NUMBERS)]


class Profiles(msgspec.Struct, frozen=True):
    """All information about several numbers. `items`: a profile of each number, in the order of the request."""

    items: list[Profile]


def look_up(db: sqlite3.Connection, context: Context, request: NumberKey) -> Profile:
    """Return all information about a number."""
    number = number_field(context, request.number, "number")
    return profile_of(db, context.loaded, number, context.at)


def look_up_many(db: sqlite3.Connection, context: Context, request: NumbersRequest) -> Profiles:
    """Return all information about several numbers."""
    numbers = [number_field(context, text, "numbers") for text in request.numbers]
    return Profiles([profile_of(db, context.loaded, number, context.at) for number in numbers])
