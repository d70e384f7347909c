"""The conditions that a policy may use: one table, checked when a policy is loaded."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, tzinfo
from functools import partial
from math import floor, inf
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from policies.decision import IncomingCall
from policies.files import hint, shown
from policies.policy import Case, PolicyError, callee_groups
from policies.relations import has_relationship, is_stranger, is_verified, own_number_spoofed, passed_days_ago
from reputation.caller_names import ANY, MAX_NAME, compared, is_missing, label_of_carrier, name_matches
from reputation.families import block
from reputation.first_calls import KEPT_OF_BLOCK
from reputation.model import NOTHING_BEFORE, Attestation, AuthClass, CallerKind, FirstCall, Level, Verification, Voice
from reputation.numbers import NumberType, supported_regions
from reputation.plan.rows import NEVER_CALL, NOBODYS, Purpose
from reputation.wording import Wording

WRITE_A_CODE = Wording(": write a country code such as GB")

LEVELS = {level.word: level for level in Level if level is not Level.NONE}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# The daemon's velocity counters keep the calls of the last hour, at most 64 a number.
MAX_MINUTES = 60
MAX_CALLS = 64
# How many calls of a block the counters keep, and how many DIDs in a row a rule may ask for.
MAX_NEIGHBOURS = KEPT_OF_BLOCK
LEAST_IN_A_ROW, MAX_IN_A_ROW = 2, 9

MAX_COMPANIES = 100  # companies that publish facts about numbers

EXCHANGE_DIGITS = 4  # of a number, those behind its exchange

# The largest number of name patterns in a condition, and their largest length.
MAX_PATTERNS, MAX_PATTERN = 64, MAX_NAME

MAX_PASSED_DAYS = 90  # for how many days challenges are kept
ROBOT_LABEL = "Robot voice?"  # agi/display.py has it in other languages

LOCAL = "local"  # instead of a time zone: the server's own


@dataclass(frozen=True, slots=True)
class Word:
    """A condition that policies may use.

    Attributes:
        value: Describes the operand for people.
        read: Reads an operand from TOML, or raises PolicyError.
        holds: Returns whether the condition with this operand is true in a case.
        covers: Returns whether the condition holds with the first operand whenever it holds with the second.
        fact: Formats the actual value in a case.
        reads: The fields of a case on which the condition depends, if cheap to compare; empty: test every case.
        needs: A field without which the condition is false, unless its operand is false.
        labels: The tag for each operand, for rules without a tag.
        may_reject: Whether the condition may be a rule's only reason to reject.
    """

    value: str
    read: Callable[[Any], Any]
    holds: Callable[[Case, Any], bool]
    covers: Callable[[Any, Any], bool]
    fact: Callable[[Case, Any], str]
    reads: tuple[str, ...] = ()
    needs: str = ""
    labels: Mapping[Any, str] = field(default_factory=dict)
    may_reject: bool = True


def read_boolean(value: Any) -> bool:
    """Check that a value is true or false, and return it."""
    if not isinstance(value, bool):
        raise PolicyError(Wording("must be true or false, not {value}", {"value": shown(value)}))
    return value


def read_texts(value: Any) -> frozenset[str]:
    """Check that a value is a text or a non-empty list of texts. Return the set of texts."""
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(v, str) and v for v in values):
        raise PolicyError(Wording("must be a string or a list of strings, not {value}", {"value": shown(value)}))
    return frozenset(values)


def read_words(allowed: frozenset[str], value: Any) -> frozenset[str]:
    """Check that a value is a word from `allowed` or a list of such words. Return the set of words."""
    words = read_texts(value)
    for word in sorted(words - allowed):
        raise PolicyError(
            Wording(
                "has the unknown value {value}{hint}", {"value": shown(word), "hint": hint(word, allowed, WRITE_A_CODE)}
            )
        )
    return words


def read_pattern(pattern: re.Pattern[str], example: str, value: Any) -> frozenset[str]:
    """Check that all texts of a value match a pattern, and return them. `example`: a valid text, for error messages."""
    texts = read_texts(value)
    for text in sorted(texts):
        if not pattern.fullmatch(text):
            raise PolicyError(
                Wording(
                    "has the invalid value {value}: write it as {example}", {"value": shown(text), "example": example}
                )
            )
    return texts


def read_level(value: Any) -> Level:
    """Check that a value is the name of a level, and return the level."""
    if not isinstance(value, str) or value not in LEVELS:
        raise PolicyError(
            Wording("has the unknown level {value}{hint}", {"value": shown(value), "hint": hint(str(value), LEVELS)})
        )
    return LEVELS[value]


def read_points(value: Any) -> tuple[int, int]:
    """Check that a value is a range of points. Return the lowest and the highest points."""
    whole = isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value)
    if not whole or value[0] > value[1]:
        raise PolicyError(Wording("must be `[lowest, highest]` in whole points, not {value}", {"value": shown(value)}))
    return value[0], value[1]


def read_table(value: Any, required: frozenset[str], optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Check that a value is a table with only `required` and `optional` keys, and return it."""
    if not isinstance(value, dict):
        raise PolicyError(
            Wording(
                "must be a table with the keys {keys}, not {value}",
                {"keys": ", ".join(sorted(required | optional)), "value": shown(value)},
            )
        )
    for key in sorted(value.keys() - required - optional):
        raise PolicyError(
            Wording("has the unknown key {key}{hint}", {"key": repr(key), "hint": hint(key, required | optional)})
        )
    for key in sorted(required.difference(value)):
        raise PolicyError(Wording("needs the key {key}", {"key": repr(key)}))
    return value


@dataclass(frozen=True, slots=True)
class CallsWithin:
    """An operand: at least `at_least` earlier calls from the number, or from its block of 1000, within `minutes`."""

    minutes: int
    at_least: int
    block: bool


def read_calls_within(value: Any) -> CallsWithin:
    """Return the operand in a table such as `{ minutes = 10, at_least = 5, of = "number" }`."""
    table = read_table(value, frozenset({"minutes", "at_least"}), frozenset({"of"}))
    for key, highest in (("minutes", MAX_MINUTES), ("at_least", MAX_CALLS)):
        if type(table[key]) is not int or not 1 <= table[key] <= highest:
            raise PolicyError(
                Wording(
                    "needs `{key}` from 1 to {highest}, not {value}",
                    {"key": key, "highest": highest, "value": shown(table[key])},
                )
            )
    of = table.get("of", "number")
    if of not in ("number", "block"):
        raise PolicyError(Wording('needs `of = "number"` or `of = "block"`, not {value}', {"value": shown(of)}))
    return CallsWithin(table["minutes"], table["at_least"], of == "block")


def holds_calls_within(case: Case, operand: CallsWithin) -> bool:
    """Return whether there were at least as many calls as the operand requires."""
    return count_calls_within(case, operand) >= operand.at_least


def count_calls_within(case: Case, operand: CallsWithin) -> int:
    """Return how many earlier calls came within the operand's minutes, from the number or its block."""
    calls = case.facts.recent_block_calls if operand.block else case.facts.recent_calls
    since = case.now - 60 * operand.minutes
    return sum(at > since for at in calls)


def covers_calls_within(wide: CallsWithin, narrow: CallsWithin) -> bool:
    """Return whether `wide` holds whenever `narrow` holds: at least as many minutes, at most as many required calls."""
    return wide.block == narrow.block and wide.minutes >= narrow.minutes and wide.at_least <= narrow.at_least


@dataclass(frozen=True, slots=True)
class DidsCalled:
    """An operand: at least `at_least` DIDs that the number called within `minutes`."""

    minutes: int
    at_least: int


def read_dids_called(value: Any) -> DidsCalled:
    """Return the operand in a table such as `{ minutes = 10, at_least = 5 }`."""
    table = read_table(value, frozenset({"minutes", "at_least"}))
    for key, lowest, highest in (("minutes", 1, MAX_MINUTES), ("at_least", 2, MAX_CALLS)):
        if type(table[key]) is not int or not lowest <= table[key] <= highest:
            raise PolicyError(
                Wording(
                    "needs `{key}` from {lowest} to {highest}, not {value}",
                    {"key": key, "lowest": lowest, "highest": highest, "value": shown(table[key])},
                )
            )
    return DidsCalled(table["minutes"], table["at_least"])


def count_dids_called(case: Case, operand: DidsCalled) -> int:
    """Return how many DIDs the number called within the operand's minutes, including the DID of this call."""
    since = case.now - 60 * operand.minutes
    calls = zip(case.facts.recent_calls, case.facts.recent_dids, strict=False)
    return len({did for at, did in (*calls, (case.now, case.call.did)) if did and at > since})


def read_at_least(lowest: int, highest: int, value: Any) -> int:
    """Check that a value is a whole number from `lowest` to `highest`, and return it."""
    if type(value) is not int or not lowest <= value <= highest:
        raise PolicyError(
            Wording(
                "must be a whole number from {lowest} to {highest}, not {value}",
                {"lowest": lowest, "highest": highest, "value": shown(value)},
            )
        )
    return value


def at_least(lowest: int, highest: int, fact: Callable[[Case], int], needs: str) -> Word:
    """Return a condition that holds if the fact is at least as great as the operand, from `lowest` to `highest`."""
    return Word(
        f"a whole number from {lowest} to {highest}",
        partial(read_at_least, lowest, highest),
        lambda case, least: fact(case) >= least,
        lambda wide, narrow: wide <= narrow,
        lambda case, _least: str(fact(case)),
        needs=needs,
    )


FIRST_CALL = "facts.first_call"


def before_first_call(case: Case) -> FirstCall:
    """Return the calls from other unknown numbers before the number's first call; empty if this is a later call."""
    return case.facts.first_call or NOTHING_BEFORE


def carrier_label_of(call: IncomingCall) -> str | None:
    """Return the carrier's warning in the caller's name, or None. Only carriers whose reports count are believed."""
    return label_of_carrier(call.name) if call.carrier_counts and call.name else None


def is_of_nobodys_range(case: Case) -> bool:
    """Return whether a source lists the caller's number range as unallocated, or as a range that never calls."""
    plan = case.facts.plan
    return plan is not None and plan.is_evidence and plan.purpose in NEVER_CALL


def companies_complaining(case: Case) -> int:
    """Return the summed weights of complaining companies, rounded down, minus 1 if a company has cleared the number."""
    reports = case.facts.peers
    listed = sum([min(1.0, report.weight) for report in reports if not report.is_cleared])
    return floor(listed + 1e-9) - any(report.is_cleared for report in reports) if reports else 0


def is_first_call(case: Case) -> bool | None:
    """Return whether this is the first call of a number unknown here; None for a caller without a number."""
    return None if case.call.caller.key is None else case.facts.first_call is not None


def is_of_listed_block(case: Case) -> bool:
    """Return whether the caller's block counts against them: enough other numbers in it are listed or marked."""
    return any(family.name in (block.LISTED, block.OWN) for family in case.facts.reputation.families)


def is_of_same_exchange(case: Case) -> bool | None:
    """Return whether the caller's number and the DID differ only in the last four digits; None if one is unknown."""
    number, did = case.call.caller.key, case.call.did
    if number is None or not did:
        return None
    return len(number) == len(did) and number[:-EXCHANGE_DIGITS] == did[:-EXCHANGE_DIGITS]


def is_of_one_source(case: Case) -> bool:
    """Return whether a single source lists the number as spam, and no other evidence supports the number's level."""
    listing = {row.source for row in case.facts.imported if row.verdict == "spam"}
    witnesses = case.facts.reputation.witnesses
    return len(listing) == 1 and (witnesses is None or witnesses.seen < witnesses.label)


@dataclass(frozen=True, slots=True)
class Clock:
    """An operand: a period of the day in a time zone. If `until` is before `since`, it ends on the next day."""

    since: time
    until: time
    zone: tzinfo | None


@dataclass(frozen=True, slots=True)
class Days:
    """An operand: days of the week in a time zone."""

    days: frozenset[str]
    zone: tzinfo | None


def read_zone(table: dict[str, Any]) -> ZoneInfo | None:
    """Return the time zone (IANA) under the key `zone` of a table; None for `local`, the server's zone."""
    name = table["zone"]
    if name == LOCAL:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise PolicyError(
            Wording(
                "has the unknown time zone {value}: write a name such as Europe/London, or `local` for the server's "
                "time zone",
                {"value": shown(name)},
            )
        ) from None


def read_time(text: Any) -> time:
    """Return the time of day in a text such as `22:00`."""
    if not isinstance(text, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise PolicyError(Wording("must be a time such as 22:00, not {value}", {"value": shown(text)}))
    return time(int(text[:2]), int(text[3:]))


def read_hours(value: Any) -> Clock:
    """Return the period in a table such as `{ from = "22:00", to = "08:00", zone = "Europe/London" }`."""
    table = read_table(value, frozenset({"from", "to", "zone"}))
    clock = Clock(read_time(table["from"]), read_time(table["to"]), read_zone(table))
    if clock.since == clock.until:
        raise PolicyError(Wording("must have two different times: with equal times the condition would never hold"))
    return clock


def time_of(case: Case, operand: Clock) -> time:
    """Return the time of day of the call in the operand's time zone."""
    return datetime.fromtimestamp(case.now, operand.zone).time()


def holds_hours(case: Case, operand: Clock) -> bool:
    """Return whether the call came at or after the operand's `since` and before its `until`."""
    now = time_of(case, operand)
    if operand.since < operand.until:
        return operand.since <= now < operand.until
    return now >= operand.since or now < operand.until


def read_weekdays(value: Any) -> Days:
    """Return the days in a table such as `{ days = ["sat", "sun"], zone = "Europe/London" }`."""
    table = read_table(value, frozenset({"days", "zone"}))
    return Days(read_words(frozenset(WEEKDAYS), table["days"]), read_zone(table))


def _days_ago(days: float) -> str:
    return NOTHING if days == inf else f"{days:.1f} days ago"


def holds_weekdays(case: Case, operand: Days) -> bool:
    """Return whether the call came on one of the operand's days."""
    return weekday_of(case, operand) in operand.days


def weekday_of(case: Case, operand: Days) -> str:
    """Return the day of the week of the call in the operand's time zone."""
    return WEEKDAYS[datetime.fromtimestamp(case.now, operand.zone).weekday()]


def covers_weekdays(wide: Days, narrow: Days) -> bool:
    """Return whether `wide` has the same time zone as `narrow`, and all days of `narrow`."""
    return wide.zone == narrow.zone and wide.days >= narrow.days


def one_of(fact: Callable[[Case], str | None]) -> Callable[[Case, frozenset[str]], bool]:
    """Return a test that is true if the fact is among the operand's words."""
    return lambda case, operand: fact(case) in operand


NOTHING = "none"


def fact_text(fact: Callable[[Case], object]) -> Callable[[Case, Any], str]:
    """Return a function that formats a fact as text for an explanation."""

    def say(case: Case, _operand: Any) -> str:
        value = fact(case)
        return str(value).lower() if isinstance(value, bool) else str(value or NOTHING)

    return say


def equals_operand(fact: Callable[[Case], bool | None]) -> Callable[[Case, bool], bool]:
    """Return a test that is true if the fact equals the operand. A missing fact equals neither true nor false."""
    return lambda case, operand: fact(case) is operand


def words(allowed: frozenset[str], fact: Callable[[Case], str | None], *reads: str, needs: str = "") -> Word:
    """Return a condition that holds if the fact is one of the words that a rule lists. `allowed`: all valid words."""
    value = ", ".join(sorted(allowed)) if len(allowed) < 20 else "codes such as GB"
    value = f"one or several of {value}"
    return Word(value, partial(read_words, allowed), one_of(fact), frozenset.issuperset, fact_text(fact), reads, needs)


def texts(value: str, fact: Callable[[Case], str | None], *reads: str) -> Word:
    """Return a condition that holds if the fact is one of the names that a rule lists. Any name is allowed."""
    return Word(value, read_texts, one_of(fact), frozenset.issuperset, fact_text(fact), reads)


def boolean(fact: Callable[[Case], bool | None], *reads: str, needs: str = "") -> Word:
    """Return a condition on a fact that is True, False, or None if unknown."""
    return Word(
        "true or false",
        read_boolean,
        equals_operand(fact),
        lambda wide, narrow: wide is narrow,
        fact_text(fact),
        reads,
        needs,
    )


def purpose_of(case: Case) -> Purpose | None:
    """Return the purpose of the caller's number range in the numbering plan, or None."""
    return None if case.facts.plan is None else case.facts.plan.purpose


def is_allocated(case: Case) -> bool | None:
    """Return whether the caller's number can be in use, by the numbering plan or libphonenumber; None if unknown."""
    if case.facts.plan is not None:
        return case.facts.plan.purpose not in NOBODYS
    return case.call.caller.is_allocated


def starts_with(case: Case, prefixes: frozenset[str]) -> bool:
    """Return whether the caller's number starts with one of the prefixes."""
    number = case.call.caller.key
    return number is not None and begins_with_one(number, prefixes)


def begins_with_one(text: str, prefixes: frozenset[str]) -> bool:
    """Return whether a text starts with one of the prefixes, with one look-up in the set for each length."""
    return any(text[:length] in prefixes for length in range(1, len(text) + 1))


def covers_prefixes(wide: frozenset[str], narrow: frozenset[str]) -> bool:
    """Return whether each prefix in `narrow` starts with a prefix in `wide`."""
    return all(begins_with_one(prefix, wide) for prefix in narrow)


def read_name_patterns(value: Any) -> frozenset[str]:
    """Return the patterns for names in a value. In a pattern, `*` matches any text."""
    texts = read_texts(value)
    if len(texts) > MAX_PATTERNS:
        raise PolicyError(
            Wording("may have at most {most} names, not {count}", {"most": MAX_PATTERNS, "count": len(texts)})
        )
    for text in sorted(texts):
        if len(text) > MAX_PATTERN or not compared(text).replace(ANY, ""):
            raise PolicyError(
                Wording(
                    "has the invalid value {value}: write a name, or a part of a name between asterisks, "
                    "such as *spam*",
                    {"value": shown(text)},
                )
            )
    return frozenset(map(compared, texts))


def has_such_a_name(case: Case, patterns: frozenset[str]) -> bool:
    """Return whether the caller's name matches one of the patterns."""
    name = compared(case.call.name or "")
    return bool(name) and any(name_matches(name, pattern) for pattern in patterns)


def name_missing(case: Case) -> bool | None:
    """Return whether the call came without a name; None if names were not recorded."""
    return None if case.call.name is None else is_missing(case.call.name)


def enum_words(members: Any) -> frozenset[str]:
    """Return the values of the members of a StrEnum."""
    return frozenset(str(member) for member in members)


PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")
COUNTRIES = frozenset({*supported_regions(), "001"})  # 001: numbers of no country, such as satellite telephones


def points_of_caller(case: Case) -> int:
    """Return the points of the evidence against the caller."""
    return case.facts.reputation.points


def voice_before(case: Case) -> Voice | None:
    """Return who spoke in the last recorded call; None if unknown, or if an automated caller passed a challenge."""
    voice, facts = case.facts.voice, case.facts
    has_passed = facts.passed_at is not None or facts.passed_until is not None
    return None if voice is Voice.ROBOT and has_passed else voice


# The fields that make the auth class of a call.
CLASS = ("call.attestation", "call.verification", "call.trusted")
PASSED = ("facts.passed_at", "facts.passed_until")

VOCABULARY: dict[str, Word] = {
    "level_at_least": Word(
        "tag, warn, challenge, route or reject",
        read_level,
        lambda case, level: case.facts.reputation.level >= level,
        lambda wide, narrow: wide <= narrow,
        fact_text(lambda case: case.facts.reputation.level.word),
        ("facts.reputation.level",),
    ),
    "points_between": Word(
        "[lowest, highest], both included",
        read_points,
        lambda case, span: span[0] <= points_of_caller(case) <= span[1],
        lambda wide, narrow: wide[0] <= narrow[0] and narrow[1] <= wide[1],
        lambda case, _span: str(points_of_caller(case)),
    ),
    "listed": Word(
        "names of imported sources",
        read_texts,
        lambda case, names: any(row.source in names for row in case.facts.imported),
        frozenset.issuperset,
        fact_text(lambda case: ", ".join(sorted({row.source for row in case.facts.imported}))),
    ),
    "category": Word(
        "categories of imported numbers, such as scam",
        read_texts,
        lambda case, names: any(row.category in names for row in case.facts.imported),
        frozenset.issuperset,
        fact_text(lambda case: ", ".join(sorted({row.category for row in case.facts.imported if row.category}))),
    ),
    "attestation": words(enum_words(Attestation), lambda case: case.call.attestation, "call.attestation"),
    "verification": words(enum_words(Verification), lambda case: case.call.verification, "call.verification"),
    "auth_class": words(enum_words(AuthClass), lambda case: case.call.auth_class, *CLASS),
    "caller_kind": words(enum_words(CallerKind), lambda case: case.call.caller.kind, "call.caller.kind"),
    "country": words(COUNTRIES, lambda case: case.call.caller.country),
    "number_type": words(enum_words(NumberType), lambda case: case.call.caller.number_type),
    "purpose": words(enum_words(Purpose), purpose_of, needs="facts.plan"),
    "allocated": boolean(is_allocated),
    "prefix": Word(
        "E.164 prefixes, such as +1900",
        partial(read_pattern, PREFIX, "+1900"),
        starts_with,
        covers_prefixes,
        fact_text(lambda case: case.call.caller.key),
    ),
    "same_exchange": boolean(is_of_same_exchange),
    "block_listed": boolean(is_of_listed_block),
    "first_call": boolean(is_first_call),
    "neighbours_called": at_least(1, MAX_NEIGHBOURS, lambda case: before_first_call(case).neighbours, FIRST_CALL),
    "dids_in_a_row": at_least(LEAST_IN_A_ROW, MAX_IN_A_ROW, lambda case: before_first_call(case).in_a_row, FIRST_CALL),
    "storm": boolean(lambda case: case.facts.is_storm, needs="facts.is_storm"),
    "carrier_warns": boolean(lambda case: carrier_label_of(case.call) is not None, needs="call.carrier_counts"),
    "nobodys_range": boolean(is_of_nobodys_range, needs="facts.plan"),
    "companies_complain": at_least(1, MAX_COMPANIES, companies_complaining, "facts.peers"),
    "one_source": boolean(is_of_one_source, needs="facts.imported"),
    "did": texts("DIDs that are named in [[did]]", lambda case: case.call.did, "call.did"),
    "trunk": texts("trunks that are named in [[trunk]]", lambda case: case.call.trunk, "call.trunk"),
    "callee_group": Word(
        "groups that are named in [[person]]",
        read_texts,
        lambda case, operand: not operand.isdisjoint(callee_groups(case.facts)),
        frozenset.issuperset,
        fact_text(lambda case: ", ".join(callee_groups(case.facts))),
    ),
    "stranger": boolean(lambda case: is_stranger(case.call, case.facts, case.now)),
    "passed_within": Word(
        "a whole number of days from 1 to 90",
        partial(read_at_least, 1, MAX_PASSED_DAYS),
        lambda case, days: passed_days_ago(case.facts, case.now) <= days,
        lambda wide, narrow: wide >= narrow,
        lambda case, _days: _days_ago(passed_days_ago(case.facts, case.now)),
    ),
    "relationship": boolean(lambda case: has_relationship(case.call, case.facts, case.now)),
    "verified": boolean(lambda case: is_verified(case.call, case.facts), "facts.identity", *CLASS),
    "own_number_spoofed": boolean(
        lambda case: own_number_spoofed(case.call, case.facts), "facts.own_number", "call.trusted"
    ),
    "voice": replace(
        words(enum_words(Voice), voice_before, "facts.voice", *PASSED, needs="facts.voice"),
        labels={frozenset({Voice.ROBOT}): ROBOT_LABEL},
        may_reject=False,
    ),
    "diverted": boolean(lambda case: case.call.diverted_from is not None, "call.diverted_from"),
    "name_matches": Word(
        "names, with * for any text, such as *spam*",
        read_name_patterns,
        has_such_a_name,
        frozenset.issuperset,
        fact_text(lambda case: compared(case.call.name or "")),
    ),
    "name_missing": boolean(name_missing),
    "calls_within": Word(
        '{ minutes = 10, at_least = 5, of = "number" }, or with of = "block"',
        read_calls_within,
        holds_calls_within,
        covers_calls_within,
        lambda case, operand: str(count_calls_within(case, operand)),
    ),
    "dids_called": Word(
        "{ minutes = 10, at_least = 5 }",
        read_dids_called,
        lambda case, operand: count_dids_called(case, operand) >= operand.at_least,
        lambda wide, narrow: wide.minutes >= narrow.minutes and wide.at_least <= narrow.at_least,
        lambda case, operand: str(count_dids_called(case, operand)),
    ),
    "hours": Word(
        '{ from = "22:00", to = "08:00", zone = "Europe/London" }',
        read_hours,
        holds_hours,
        lambda wide, narrow: wide == narrow,
        lambda case, operand: time_of(case, operand).isoformat("minutes"),
    ),
    "weekdays": Word(
        '{ days = ["sat", "sun"], zone = "Europe/London" }',
        read_weekdays,
        holds_weekdays,
        covers_weekdays,
        weekday_of,
    ),
}
