"""Proof of a day: what the outbound guard checked for each call, by which rules and copies, and what it did not see."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib.resources import files
from itertools import islice
from typing import Annotated, Any, NamedTuple

import msgspec

from callsieve.call_lists.registers import CopyAge, copy_ages
from callsieve.changes.operation import Context
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.settings import Settings
from callsieve.signing.keys import SigningKey
from callsieve.signing.statements import sign
from callsieve.text.times import day, iso_with_zone
from callsieve.version import program_version
from callsieve.web.i18n import ENGLISH, TAGS, translations_of
from callsieve.web.rendering import document_of
from policies.outbound import FAIL_OPEN_RULE, PASSAGE_BY_WORD, Passage
from policies.reasons import why_of
from reputation.encoding import FLAT, Instant, told
from reputation.law.loader import shipped_laws, source_cited
from reputation.numbers import masked
from reputation.own.outbound_types import OutboundRecord
from reputation.store.do_not_call import count_do_not_call
from reputation.store.outbound import UnguardedCall, outbound_of_day, unguarded_of_day
from reputation.store.registers import find_consents
from reputation.wording import Wording

KIND = "outbound-day"
MOST_CALLS = 10_000
MOST_UNGUARDED = 1000
# The rule of each step of the guard, in its order: a call that a later one decided was looked at by all before it.
CHECKS = (
    *("emergency", "no-number", "do-not-call", "register", "consent", "resting", "at-risk", "hours"),
    *("law-limit", "person-day", "number-hour", "number-day"),
)
STEP_OF_RULE = {"retired": "resting", "young-number-day": "number-day"}


class CheckedCall(NamedTuple):
    """A call and the checks that were made for it, the last of which decided; all of them where none did.

    Attributes:
        passed: The checks that it passed.
        reason: Why it was decided so.
        source: The law that says so.
    """

    record: Annotated[OutboundRecord, FLAT]
    passed: tuple[str, ...]
    reason: str | Wording
    source: str

    @property
    def is_held(self) -> bool:
        """Whether it did not go out."""
        return PASSAGE_BY_WORD[self.record.action] is not Passage.ALLOW


class OutboundRuleCount(NamedTuple):
    """How many calls a rule held, refused, or would have while the guard observes; who says so, and where.

    Attributes:
        rule: The rule that decided; `fail-open` where nothing did.
        source: Where it comes from.
        held: How many calls it held.
        refused: How many calls it refused.
        observed: How many calls it would have stopped, had it not only observed.
        url: The address that it is taken from.
        read: The day on which the source was read.
    """

    rule: str
    source: str
    held: int
    refused: int
    observed: int
    url: str
    read: str


class LawVersion(NamedTuple):
    """A law file. `read`: when it was looked through; `sha256`: its checksum.

    Attributes:
        country: ISO 3166-1 code of the country.
    """

    country: str
    read: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayProof:
    """What the outbound guard checked on a day. `calls`: the first of `asked`; `unguarded`: the first of
    `without_guard`; `last`: the beginning of the next day.

    Attributes:
        first: The first instant of the day.
        made_at: When it was made.
        version: The version of CallSieve.
        observe: It decides and records, and every call goes on.
        settings: The settings that it was made with.
        asked: How many outbound calls the guard was asked about.
        went_out: How many calls went out.
        failed_open: Number of calls that went on because screening failed.
        without_guard: How many calls went out without the guard.
        rules: How many calls each rule held or refused.
        registers: The copies of registers.
        laws: The law files.
        consents: Number of calls that a consent allowed.
        do_not_call: Number of calls to numbers on the do-not-call list.
    """

    first: Instant
    last: Instant
    made_at: Instant
    version: str
    observe: bool
    settings: dict[str, Any]
    asked: int
    went_out: int
    failed_open: int
    without_guard: int
    rules: tuple[OutboundRuleCount, ...]
    calls: tuple[CheckedCall, ...]
    unguarded: tuple[UnguardedCall, ...]
    registers: tuple[CopyAge, ...]
    laws: tuple[LawVersion, ...]
    consents: int
    do_not_call: int

    @property
    @told
    def day(self) -> str:
        """The day, by the clock of the PBX."""
        return day(self.first)


def proof_of_day(db: sqlite3.Connection, settings: Settings, first: float, last: float, now: float) -> DayProof:
    """All that is known of the day. Copies and law files are those of now: what was replaced since is not kept."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    asked = went_out = failed_open = 0
    calls: list[CheckedCall] = []
    for record in outbound_of_day(db, first, last):
        asked += 1
        went_out += record.action == Passage.ALLOW.word
        failed_open += record.rule == FAIL_OPEN_RULE
        one = _checked(record)
        if record.would_be != Passage.ALLOW.word:
            counts[record.rule, one.source, record.would_be, record.action] += 1
        if len(calls) < MOST_CALLS:
            calls.append(one)
    missed = unguarded_of_day(db, first, last)
    unguarded = tuple(islice(missed, MOST_UNGUARDED))
    return DayProof(
        first=first,
        last=last,
        made_at=now,
        version=program_version(),
        observe=settings.outbound.observe,
        settings=msgspec.to_builtins(settings.outbound),
        asked=asked,
        went_out=went_out,
        failed_open=failed_open,
        without_guard=len(unguarded) + sum(1 for _ in missed),
        rules=_rules(counts),
        calls=tuple(calls),
        unguarded=unguarded,
        registers=tuple(copy_ages(db, now)),
        laws=law_versions(),
        consents=find_consents(db, limit=1)[1],
        do_not_call=count_do_not_call(db),
    )


def day_bounds(text: str) -> tuple[float, float] | None:
    """The first instant of a day such as 2026-12-31 by the clock here, and of the next one; None of what is no day."""
    try:
        first = date.fromisoformat(text)
        days = (first, first + timedelta(days=1))
        midnight, next_midnight = (time.mktime(one.timetuple()) for one in days)
    except (ValueError, OverflowError):
        return None
    return midnight, next_midnight


def proof_page(proof: DayProof, *, whole_numbers: bool, language: str = ENGLISH) -> str:
    """Return the day with each call as one HTML file that needs no other."""

    def name(number: str | None) -> str:
        return (number or "") if whole_numbers else _masked(number)

    catalogue = translations_of(language)
    shown = {"proof": proof, "name": name, "version": proof.version, "lang": TAGS[language]}
    shown |= {"_": catalogue.gettext, "catalogue": catalogue, "sees_numbers": True}
    return document_of("call_lists", "comply.html", language, shown)


def signed_proof(key: SigningKey, issuer: str, proof: DayProof, printed: bytes) -> str:
    """Return a signed statement of what was printed, by its SHA-256: a file beside it, as with an evidence pack."""
    about = {
        **{"day": day(proof.first), "from": iso_with_zone(proof.first), "until": iso_with_zone(proof.last)},
        **{"asked": proof.asked, "went_out": proof.went_out, "without_guard": proof.without_guard},
        "made_by": f"CallSieve {proof.version}",
        "file": {"bytes": len(printed), "sha256": hashlib.sha256(printed).hexdigest()},
    }
    return sign(key, KIND, issuer, issued_at=proof.made_at, valid_until=None, about=about)


def masked_proof(proof: DayProof) -> DayProof:
    """Return the same with called numbers masked."""
    return replace(
        proof,
        calls=tuple(one._replace(record=one.record._replace(callee=_masked(one.record.callee))) for one in proof.calls),
        unguarded=tuple(one._replace(callee=_masked(one.callee)) for one in proof.unguarded),
    )


def list_laws(_db: sqlite3.Connection, _context: Context, request: PageQuery) -> ResultPage[LawVersion]:
    """Return the law files that calls are checked by."""
    return page_from(law_versions(), request, lambda one: (one.country,), lambda one: one)


def law_versions() -> tuple[LawVersion, ...]:
    """The law files as they are installed."""
    folder = files("reputation.law")
    return tuple(
        LawVersion(
            law.country,
            law.read.isoformat(),
            hashlib.sha256((folder / f"{law.country.lower()}.toml").read_bytes()).hexdigest(),
        )
        for law in shipped_laws()
    )


def _masked(number: str | None) -> str:
    return masked(number) if number else ""


def _checked(record: OutboundRecord) -> CheckedCall:
    why = why_of(record.reason)
    step = STEP_OF_RULE.get(record.rule, record.rule)
    passed = CHECKS[: CHECKS.index(step)] if step in CHECKS else () if step == FAIL_OPEN_RULE else CHECKS
    return CheckedCall(record, passed, why.words, str(why.about.get("law", "")))


def _rules(counts: Counter[tuple[str, str, str, str]]) -> tuple[OutboundRuleCount, ...]:
    found = sorted({(rule, source) for rule, source, _, _ in counts})
    return tuple(_rule(rule, source, counts) for rule, source in found)


def _rule(rule: str, source: str, counts: Counter[tuple[str, str, str, str]]) -> OutboundRuleCount:
    def of(would_be: str, acted: bool) -> int:
        return sum(
            count
            for (name, cite, would, did), count in counts.items()
            if (name, cite, would) == (rule, source, would_be) and (did == would) is acted
        )

    page = source_cited(source)
    hold, refuse = Passage.HOLD.word, Passage.REFUSE.word
    return OutboundRuleCount(
        rule,
        source,
        of(hold, True),
        of(refuse, True),
        of(hold, False) + of(refuse, False),
        page.url if page else "",
        page.read.isoformat() if page else "",
    )
