"""Everything that is known about one number, in one value: what `lookup` shows and prints as JSON."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from callsieve.calls.records import (
    Disputes,
    decision_as_json,
    disputes_as_json,
    disputes_of,
    opinion_as_json,
    reputation_as_json,
)
from callsieve.lists.views import EntryShown, entry_shown, is_over
from callsieve.numbering.views import PURPOSE_WORDS, row_as_json
from callsieve.settings import Loaded
from callsieve.simulate import Opinion, Ours, Question, call_of, opinion_of, situation_about
from callsieve.text.number_entry import covers
from callsieve.wiring import policies_of, site_of
from policies.policy import PolicyError
from policies.reasons import Reason
from policies.situation import query_of
from reputation.explaining import days_until_lower, parts_of
from reputation.facts import Facts
from reputation.families.feeds import listed_by
from reputation.history import Point, history_of
from reputation.model import (
    NEVER_CHALLENGED,
    AuthClass,
    ChallengeHistory,
    DecisionRecord,
    EntryKind,
    Family,
    Imported,
    Level,
    ListEntry,
    ListName,
    Mark,
    Person,
    Tie,
)
from reputation.numbers import NumberType, country_of, is_valid, number_type_of, service_number_of
from reputation.outcome import OutcomeRecord, Signal
from reputation.owner_sentence import owner_sentence
from reputation.plan.rows import NOBODYS
from reputation.speakers import account_of
from reputation.store.evidence import latest_challenge_pass
from reputation.store.evidence_rows import live_marks_of, rows_of, signals_of
from reputation.store.facts import evidence_of, standing
from reputation.store.journal import decisions
from reputation.store.lists import list_entries
from reputation.store.outcomes import outcomes
from reputation.store.people import person_of
from reputation.store.privacy import export_number
from reputation.store.site import people_here
from reputation.wording import Places, Wording, listed

NOTHING = Wording("nothing is known about this number")
MOST_NAMED = 3


def sentence_of(facts: Facts) -> str:
    """One sentence with what counts most: lists, identity, evidence, and who of ours knows the number."""
    sentence = str(said_of(facts))
    return sentence[0].upper() + sentence[1:] + "."


def said_of(facts: Facts) -> str | Wording:
    """The same for any language, not yet as a sentence."""
    return listed(list(_sayings(facts)) or [NOTHING], "{some}; {more}")


def _sayings(facts: Facts) -> Iterator[Wording]:
    yield from (_on_list(entry) for entry in (facts.allow, facts.block) if entry is not None)
    if facts.identity:
        owner: Places = {"name": facts.identity.name, "level": facts.identity.level}
        yield Wording("it belongs to {name} (level {level})", owner)
    for family in facts.reputation.families:
        yield from _of_family(family, facts.imported)
    yield from _of_ties(facts)
    if facts.reputation.appeal:
        yield Wording("its owner appeals ({reference})", {"reference": facts.reputation.appeal})
    if facts.own_number:
        yield Wording("it is one of our own numbers")


def _on_list(entry: ListEntry) -> Wording:
    is_allowed = entry.list_name is ListName.ALLOW
    if entry.kind is EntryKind.EXACT:
        return Wording("it is on the allowlist") if is_allowed else Wording("it is on the blocklist")
    return Wording(Reason.ON_ALLOWLIST if is_allowed else Reason.ON_BLOCKLIST, {"entry": entry.text})


def _of_family(family: Family, imported: tuple[Imported, ...]) -> Iterable[Wording]:
    """What a family says. Of sources the facts know more than the counts, and the identity is said with its name."""
    if family.name == "feeds":
        return [_of_feeds(imported)]
    return parts_of(family) if family.name != "identity" else ()


def _of_feeds(imported: tuple[Imported, ...]) -> Wording:
    spam = [row for row in imported if row.verdict == "spam"]
    fine = len(imported) - len(spam)
    said = listed_by(len(spam), "spam")
    if kinds := ", ".join(sorted({row.category for row in spam if row.category})):
        said = Wording("{listed} ({kinds})", {"listed": said, "kinds": kinds})
    if not fine:
        return said
    as_fine = listed_by(fine, "ok")
    return Wording("{spam} and {fine}", {"spam": said, "fine": as_fine}) if spam else as_fine


# Ties of one number, in the order in which they are said: of one of our people, and of several. Expected calls are no
# tie of the number.
_BY_TIE = {
    Tie.ALLOW: (Wording("{who} allowed it"), Wording("{who} allowed it")),
    Tie.BLOCK: (Wording("{who} blocked it"), Wording("{who} blocked it")),
    Tie.CONTACT: (Wording("{who} has it as a contact"), Wording("{who} have it as a contact")),
    Tie.TALKED: (Wording("{who} called it and talked"), Wording("{who} called it and talked")),
}


def _of_ties(facts: Facts) -> Iterable[Wording]:
    for tie, (one_of_us, several) in _BY_TIE.items():
        of_tie = [one for one in facts.ties if one.tie is tie]
        people = sorted({one.person for one in of_tie if one.person is not None})
        if any(one.person is None for one in of_tie):
            yield Wording("it is a contact of the company")
        if people:
            named = listed(people, "{some} and {more}")
            who = named if len(people) <= MOST_NAMED else Wording("{n} of our people", {"n": len(people)})
            yield Wording((one_of_us if len(people) == 1 else several).template, {"who": who})


SHOWN_DECISIONS = 5
TIES = {
    "allow": Wording("on the own allowlist of"),
    "block": Wording("on the own blocklist of"),
    "contact": Wording("contact of"),
    "talked": Wording("called by"),
}


@dataclass(frozen=True, slots=True)
class PersonalFact:
    """What one of ours, or the company (`person` None), has to do with a number.

    `what`: on the own list (allow, block), in the contacts (contact), or called and talked (talked).
    """

    what: str
    person: Person | None
    name: str | None = None
    at: float | None = None

    @property
    def tie(self) -> Wording:
        """What it is, before `who`."""
        return TIES[self.what]

    @property
    def who(self) -> str | Wording:
        """`201 (Bob)`, or that it is the company."""
        if self.person is None:
            return Wording("the company")
        return f"{self.person.extension} ({self.person.name})" if self.person.name else self.person.extension


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known about a number at an instant. `opinion` is what an ordinary call of it would get now.

    `passes`: when it last passed a challenge, `challenges`: what it did when challenged, by class.
    `marks` are all that people say; those that have a case against them (`cases`) do not count.
    `history` has a point a day, `lower_in` the days until the level falls by itself, and to which;
    `to_owner` what marks can do to an own number.
    """

    number: str
    at: float
    facts: Facts
    entries: tuple[EntryShown, ...]
    personal: tuple[PersonalFact, ...]
    identity_note: str
    passes: tuple[tuple[AuthClass, float], ...]
    challenges: tuple[tuple[AuthClass, ChallengeHistory], ...]
    decisions: tuple[DecisionRecord, ...]
    marks: tuple[Mark, ...]
    cases: Disputes
    signals: tuple[Signal, ...]
    outcomes: tuple[OutcomeRecord, ...]
    opinion: Opinion | None
    history: tuple[Point, ...] = ()
    lower_in: tuple[int, Level] | None = None
    trouble: str = ""
    to_owner: Wording | str = ""

    @property
    def about(self) -> Wording:
        """`US, mobile`; `95588 in CN, bank service line`; by the plan, where it says so; or that nobody can have it."""
        row, has_block = self.facts.plan, is_valid(self.number)
        if (service := service_number_of(self.number)) is not None:
            kind = Wording(NumberType.SERVICE.value) if row is None else PURPOSE_WORDS[row.purpose]
            return Wording(
                "{digits} in {country}, {kind}", {"digits": service.digits, "country": service.country, "kind": kind}
            )
        if row is None and not has_block:
            return Wording("in no allocated block")
        country = country_of(self.number) or Wording("no country")
        kind = Wording(number_type_of(self.number).value)
        if row is None:
            return Wording("{country}, {kind}", {"country": country, "kind": kind})
        purpose = PURPOSE_WORDS[row.purpose]
        if not has_block or row.purpose in NOBODYS:
            return Wording("{country}, {kind}", {"country": country, "kind": purpose})
        return Wording("{country}, {kind}: {purpose}", {"country": country, "kind": kind, "purpose": purpose})

    @property
    def range_words(self) -> Wording | None:
        """What its range is for, where a plan says so."""
        return None if self.facts.plan is None else PURPOSE_WORDS[self.facts.plan.purpose]

    @property
    def account(self) -> tuple[Wording, ...]:
        """Who its level comes from, and how many witnesses there are of how many it takes."""
        reputation = self.facts.reputation
        return account_of(reputation.level, reputation.families, reputation.witnesses)

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        return sentence_of(self.facts)

    @property
    def said(self) -> str | Wording:
        """The same, for another language."""
        return said_of(self.facts)


def profile_of(db: sqlite3.Connection, loaded: Loaded, number: str, now: float) -> Profile:
    """Everything about the number. A policy that cannot be used leaves `opinion` empty and says so in `trouble`."""
    call = call_of(Question(number), site_of(loaded.settings))
    ours = Ours.of(loaded)
    situation = situation_about(db, call, now, ours, at_its_hour=False)
    facts = situation.facts
    asked = evidence_of(db, query_of(call, now, None, plan=ours.plan), ours.weights)
    judged = (*asked, ours.weights, now)
    rows = export_number(db, number, ("personal_entry", "contact", "identity"))
    cases = disputes_of(db, number)
    opinion, trouble = None, ""
    try:
        opinion = opinion_of(situation, policies_of(loaded))
    except PolicyError as error:
        trouble = str(error)
    covering = (entry for entry in list_entries(db) if covers(entry, number) and not is_over(entry, now))
    return Profile(
        number=number,
        at=now,
        facts=facts,
        entries=tuple(entry_shown(db, entry, loaded.settings, now) for entry in covering),
        personal=(*_personal(db, rows), *_talks(db, facts)),
        identity_note=str(rows["identity"][0]["note"]) if rows["identity"] else "",
        passes=tuple(
            (auth_class, at) for auth_class in AuthClass if (at := latest_challenge_pass(db, number, auth_class))
        ),
        challenges=tuple(_challenges(db, number)),
        decisions=tuple(decisions(db, caller=number, since=-math.inf, limit=SHOWN_DECISIONS)),
        marks=tuple(live_marks_of(db, number)),
        cases=cases,
        signals=tuple(signals_of(db, number)),
        outcomes=tuple(outcomes(db, number=number, limit=SHOWN_DECISIONS)),
        opinion=opinion,
        history=tuple(history_of(rows_of(db, number), *judged, cases.epochs[0].at if cases.epochs else None)),
        lower_in=days_until_lower(*judged) if facts.reputation.level is not Level.NONE else None,
        trouble=trouble,
        to_owner=owner_sentence(ours.weights, people_here(db)) if facts.own_number else "",
    )


def _challenges(db: sqlite3.Connection, number: str) -> Iterator[tuple[AuthClass, ChallengeHistory]]:
    for auth_class in AuthClass:
        known = standing(db, number, auth_class)
        if known is not None and known.challenges != NEVER_CHALLENGED:
            yield auth_class, known.challenges


def _personal(db: sqlite3.Connection, rows: dict[str, list[dict[str, Any]]]) -> list[PersonalFact]:
    own = [PersonalFact(row["verdict"], _person(db, row["person"]), at=row["at"]) for row in rows["personal_entry"]]
    contacts = [
        PersonalFact("contact", _person(db, row["person"]) if row["person"] else None, row["name"])
        for row in rows["contact"]
    ]
    return [*own, *dict.fromkeys(contacts)]


def _talks(db: sqlite3.Connection, facts: Facts) -> list[PersonalFact]:
    talks = [tie for tie in facts.ties if tie.tie is Tie.TALKED and tie.person is not None]
    return [PersonalFact("talked", _person(db, str(tie.person)), at=tie.at) for tie in talks]


def _person(db: sqlite3.Connection, extension: str) -> Person:
    return person_of(db, extension) or Person(extension)


# As JSON: keys are stable, instants UTC seconds.


def profile_as_json(known: Profile) -> dict[str, Any]:
    """All of it for scripts."""
    facts = known.facts
    return {
        "number": known.number,
        "country": country_of(known.number),
        "number_type": number_type_of(known.number).value,
        "valid": is_valid(known.number),
        "plan": facts.plan and row_as_json(facts.plan),
        "sentence": known.sentence,
        "reputation": reputation_as_json(facts.reputation),
        "lower_in": known.lower_in and {"days": known.lower_in[0], "level": known.lower_in[1].word},
        "history": [{"at": point.at, "log_odds": point.log_odds, "level": point.level.word} for point in known.history],
        "lists": known.entries,
        "personal": [
            {"what": fact.what, "person": fact.person and fact.person.extension, "name": fact.name, "at": fact.at}
            for fact in known.personal
        ],
        "identity": facts.identity
        and {
            "name": facts.identity.name,
            "level": facts.identity.level,
            "expires_at": facts.identity.expires_at,
            "note": known.identity_note,
        },
        "imported": [row._asdict() for row in facts.imported],
        "peers": [{**word._asdict(), "level": word.level.word} for word in facts.peers],
        "own_number": facts.own_number,
        "to_owner": str(known.to_owner) or None,
        "challenge_passed": [{"auth_class": auth_class, "at": at} for auth_class, at in known.passes],
        "challenges": [{"auth_class": auth_class, **asdict(history)} for auth_class, history in known.challenges],
        "calls_within_the_hour": len(facts.recent_calls),
        "marks": list(known.marks),
        **disputes_as_json(known.cases),
        "signals": list(known.signals),
        "outcomes": list(known.outcomes),
        "decisions": [decision_as_json(record) for record in known.decisions],
        "now": opinion_as_json(known.opinion) if known.opinion else None,
        "trouble": known.trouble or None,
    }
