"""The compliance report of a day: outgoing calls, the rules that were checked for each, and calls without a check."""

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
from reputation.encoding import FLAT, Instant, encoded
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
# The rule of each step of the guard, in order. A call that a step decided has passed all earlier ones.
CHECKS = (
    *("emergency", "no-number", "do-not-call", "register", "consent", "resting", "at-risk", "hours"),
    *("law-limit", "person-day", "number-hour", "number-day"),
)
STEP_OF_RULE = {"retired": "resting", "young-number-day": "number-day"}


class CheckedCall(NamedTuple):
    """An outgoing call with the outbound guard's decision about it.

    `passed`: the checks that the call passed. `reason`: the reason for the decision. `source`: the law behind the
    decision; empty if it is not based on a law.
    """

    record: Annotated[OutboundRecord, FLAT]
    passed: tuple[str, ...]
    reason: str | Wording
    source: str

    @property
    def is_held(self) -> bool:
        """Whether the outbound guard stopped the call: it was held or refused."""
        return PASSAGE_BY_WORD[self.record.action] is not Passage.ALLOW


class OutboundRuleCount(NamedTuple):
    """How many outgoing calls a rule held or refused, with the source of the rule.

    Attributes:
        rule: The rule that decided; `fail-open` if no decision was possible.
        source: The law behind the rule; empty without a law.
        held: How many calls the rule held.
        refused: How many calls the rule refused.
        observed: How many calls the rule would have stopped if the outbound guard did not only observe.
        url: The address of the source.
        read: The day on which the source was read for the law file.
    """

    rule: str
    source: str
    held: int
    refused: int
    observed: int
    url: str
    read: str


class LawVersion(NamedTuple):
    """A file with the calling rules of a country's law. `country`: ISO 3166-1 code of the country.

    `read`: the day on which the sources of the file were read. `sha256`: the checksum of the file.
    """

    country: str
    read: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayProof:
    """The compliance report of a day, until `last`.

    Attributes:
        first: The beginning of the day.
        last: The last instant that the report covers.
        made_at: When the report was made.
        version: The version of CallSieve.
        observe: Whether the outbound guard only decides and records, so every call goes out.
        settings: The settings of the outbound guard.
        asked: How many outgoing calls the guard checked.
        went_out: How many of the checked calls went out.
        failed_open: How many calls went out because screening failed.
        without_guard: How many calls went out without the guard.
        rules: How many calls each rule held or refused.
        calls: The first calls of the day that the guard checked.
        unguarded: The first calls of the day that went out without the guard.
        registers: The current copies of do-not-call registers.
        laws: The installed files with the calling rules of each country's law.
        consents: How many consents are stored when the report is made.
        do_not_call: How many numbers are on the do-not-call list when the report is made.
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
    @encoded
    def day(self) -> str:
        """The date of the report, in the server's time zone."""
        return day(self.first)


def proof_of_day(db: sqlite3.Connection, settings: Settings, first: float, last: float, now: float) -> DayProof:
    """Return the report of a day. Register copies and law files are the current ones, as older ones are not kept."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    asked = went_out = failed_open = 0
    calls: list[CheckedCall] = []
    for record in outbound_of_day(db, first, last):
        asked += 1
        went_out += record.action == Passage.ALLOW.word
        failed_open += record.rule == FAIL_OPEN_RULE
        call = _checked(record)
        if record.would_be != Passage.ALLOW.word:
            counts[record.rule, call.source, record.would_be, record.action] += 1
        if len(calls) < MOST_CALLS:
            calls.append(call)
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
    """Return when a day such as `2026-12-31` begins and ends, in the server's time zone. None if it is not a day."""
    try:
        first = date.fromisoformat(text)
        days = (first, first + timedelta(days=1))
        midnight, next_midnight = (time.mktime(midnight_of.timetuple()) for midnight_of in days)
    except (ValueError, OverflowError):
        return None
    return midnight, next_midnight


def proof_page(proof: DayProof, *, whole_numbers: bool, language: str = ENGLISH) -> str:
    """Return the report as a single HTML file. `whole_numbers`: whether called numbers are shown unmasked."""

    def name(number: str | None) -> str:
        return (number or "") if whole_numbers else _masked(number)

    catalogue = translations_of(language)
    shown = {"proof": proof, "name": name, "version": proof.version, "lang": TAGS[language]}
    shown |= {"_": catalogue.gettext, "catalogue": catalogue, "sees_numbers": True}
    return document_of("call_lists", "comply.html", language, shown)


def signed_proof(key: SigningKey, issuer: str, proof: DayProof, printed: bytes) -> str:
    """Return a signed statement with the SHA-256 of `printed`, the report as bytes. `issuer`: who vouches for it."""
    about = {
        **{"day": day(proof.first), "from": iso_with_zone(proof.first), "until": iso_with_zone(proof.last)},
        **{"asked": proof.asked, "went_out": proof.went_out, "without_guard": proof.without_guard},
        "made_by": f"CallSieve {proof.version}",
        "file": {"bytes": len(printed), "sha256": hashlib.sha256(printed).hexdigest()},
    }
    return sign(key, KIND, issuer, issued_at=proof.made_at, valid_until=None, about=about)


def masked_proof(proof: DayProof) -> DayProof:
    """Return the report with masked called numbers."""
    return replace(
        proof,
        calls=tuple(
            call._replace(record=call.record._replace(callee=_masked(call.record.callee))) for call in proof.calls
        ),
        unguarded=tuple(call._replace(callee=_masked(call.callee)) for call in proof.unguarded),
    )


def list_laws(_db: sqlite3.Connection, _context: Context, request: PageQuery) -> ResultPage[LawVersion]:
    """Return the files with the calling rules of each country's law."""
    return page_from(law_versions(), request, lambda law: (law.country,), lambda law: law)


def law_versions() -> tuple[LawVersion, ...]:
    """Return the installed files with the calling rules of each country's law."""
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
    rules = sorted({(rule, source) for rule, source, _, _ in counts})
    return tuple(_rule(rule, source, counts) for rule, source in rules)


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
