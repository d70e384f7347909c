"""Reads and checks a test case of `callsieve policy test`. docs/reference/policies.md describes every key."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from policies.conditions import KeyPath
from policies.decision import ACTION_BY_WORD, Decision, IncomingCall
from policies.files import nearest, shown
from policies.policy import PolicyError
from policies.vocabulary import MAX_IN_A_ROW, MAX_NEIGHBOURS, enum_words, read_boolean
from reputation.facts import Facts
from reputation.families import block
from reputation.families.caller import passed_until
from reputation.model import (
    Attestation,
    ChallengeHistory,
    Did,
    EntryKind,
    FirstCall,
    Identity,
    Imported,
    Level,
    ListEntry,
    ListName,
    Person,
    PersonalTie,
    Reputation,
    Tie,
    Verdict,
    Verification,
    Voice,
)
from reputation.numbers import caller_of, did_number_of, is_possible_region, number_of
from reputation.plan.rows import PlanRow, PlanSource, Purpose
from reputation.scoring import level_at
from reputation.weights import DAY_SECONDS, DEFAULT, Thresholds

MOST_TEXT = 200
POINTS_OF_LOG_ODDS = 4.34
ENTRY = re.compile(r"\+[1-9][0-9]{0,14}\*?")
LEVELS = {level.word: level for level in Level}

# The defaults of a call: an unknown caller from New Jersey on a Thursday morning.
SOMEBODY = "+12017421834"
SOME_DAY = datetime(2026, 1, 1, 9, tzinfo=UTC)

Reader = Callable[[Any], Any]


def read_line(value: Any) -> str:
    """Check that a value is a non-empty text of one line, and return it."""
    if not isinstance(value, str) or not 0 < len(value) <= MOST_TEXT or not value.isprintable():
        raise PolicyError(f"must be one line of text, not {shown(value)}")
    return value


def read_line_or_nothing(value: Any) -> str:
    """Check that a value is a text of one line, which may be empty, and return it."""
    return "" if value == "" else read_line(value)


def read_line_or_lines(value: Any) -> tuple[str, ...]:
    """Check that a value is a text of one line or a list of such texts. Return all texts."""
    return read_list(read_line, value) if isinstance(value, list) else (read_line(value),)


def read_word(allowed: frozenset[str], value: Any) -> str:
    """Check that a value is one of the allowed words, and return it."""
    if not isinstance(value, str) or value not in allowed:
        raise PolicyError(f"has the unknown value {shown(value)}{nearest(str(value), allowed)}")
    return value


def read_count(lowest: int, highest: int, value: Any) -> int:
    """Check that a value is a whole number from `lowest` to `highest`, and return it."""
    if type(value) is not int or not lowest <= value <= highest:
        raise PolicyError(f"must be a whole number from {lowest} to {highest}, not {shown(value)}")
    return value


def read_amount(value: Any) -> float:
    """Check that a value is an amount of minutes, hours or days (0 or more), and return it."""
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= 1e6:
        raise PolicyError(f"must be a number that is 0 or more, not {shown(value)}")
    return float(value)


class Refusal(NamedTuple):
    """An error in a value. `path`: the path of the value's key. `about`: the part of `path` that the message names."""

    path: KeyPath
    about: KeyPath
    words: str

    def __str__(self) -> str:
        return f"{'.'.join(step for step in self.about if isinstance(step, str))} {self.words}".lstrip()

    def below(self, step: str | int) -> Refusal:
        """Return the same error with `step`, the value's key or index in its parent, in front of `path` and `about`."""
        return Refusal((step, *self.path), (step, *self.about), self.words)


class Refusals(PolicyError):
    """The error that contains all errors in a list or a table."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(str(refusals[0]))
        self.refusals = refusals


def refused_by(error: PolicyError) -> Sequence[Refusal]:
    """Return the errors that `error` contains: several if the reader read a list or a table, otherwise one."""
    return error.refusals if isinstance(error, Refusals) else [Refusal((), (), str(error))]


def read_parts(parts: Iterable[tuple[str | int, Reader, Any]], before: Sequence[Refusal] = ()) -> list[Any]:
    """Read the values of a list or a table. Raise Refusals with all errors, including the errors in `before`."""
    values, refusals = [], list(before)
    for step, read, value in parts:
        try:
            values.append(read(value))
        except PolicyError as error:
            refusals += [refusal.below(step) for refusal in refused_by(error)]
    if refusals:
        raise Refusals(refusals)
    return values


def read_list(read: Reader, value: Any) -> tuple[Any, ...]:
    """Check that a value is a list, and read every item with the same reader."""
    if not isinstance(value, list):
        raise PolicyError(f"must be a list, not {shown(value)}")
    return tuple(read_parts((place, read, item) for place, item in enumerate(value)))


def read_keys(keys: Mapping[str, Reader], required: frozenset[str], value: Any) -> dict[str, Any]:
    """Check that a value is a table with all `required` keys and none outside `keys`. Read each of its values."""
    if not isinstance(value, dict):
        raise PolicyError(f"must be a table with the keys {', '.join(sorted(keys))}, not {shown(value)}")
    unknown = [
        Refusal((key,), (), f"has the unknown key {shown(key)}{nearest(key, keys)}") for key in value if key not in keys
    ]
    missing = [Refusal((), (), f"needs the key {key!r}") for key in sorted(required - value.keys())]
    known = [key for key in value if key in keys]
    read = read_parts(((key, keys[key], value[key]) for key in known), unknown + missing)
    return dict(zip(known, read, strict=True))


def read_region(value: Any) -> str:
    """Check that a value is a region such as `GB`, whose plan is used to parse national numbers. Return the region."""
    if not isinstance(value, str) or not is_possible_region(value):
        raise PolicyError(f"has the unknown region {shown(value)}: write a country code such as GB")
    return value


def read_instant(value: Any) -> float:
    """Check that a value is a TOML date and time with a time zone. Return the time in UTC seconds."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise PolicyError(f"must be a time with a time zone, such as 2026-01-15T03:00:00-05:00, not {shown(value)}")
    return value.timestamp()


def read_entry(value: Any) -> str:
    """Check that a value is a list entry (an E.164 number, or a prefix and `*`), and return it."""
    if not isinstance(value, str) or not ENTRY.fullmatch(value):
        raise PolicyError(f"has the invalid value {shown(value)}: write it as +12017421834 or +1201742*")
    return value


def _word_of(members: Any) -> Reader:
    return partial(read_word, enum_words(members))


_ACTION = partial(read_word, frozenset(ACTION_BY_WORD))
_ENTRY = partial(read_keys, {"entry": read_entry, "action": _ACTION}, frozenset())
_PERSON: dict[str, Reader] = {"extension": read_line, "group": read_line}
_TIE: dict[str, Reader] = {"tie": _word_of(Tie), "person": read_line, "group": read_line, "days_ago": read_amount}
_LISTED: dict[str, Reader] = {
    "source": read_line,
    "verdict": partial(read_word, frozenset({"spam", "ok"})),
    "category": read_line,
}
_IDENTITY: dict[str, Reader] = {"level": partial(read_count, 1, 2), "name": read_line}

CALL: dict[str, Reader] = {
    "caller": read_line,
    "region": read_region,
    "did": read_line,
    "trunk": read_line,
    "trusted": read_boolean,
    "attestation": _word_of(Attestation),
    "verification": _word_of(Verification),
    "priority_callback": read_boolean,
    "diverted_from": read_line,
    "name": read_line_or_nothing,
    "at": read_instant,
}

FACTS: dict[str, Reader] = {
    "level": partial(read_word, frozenset(LEVELS)),
    "points": partial(read_count, -100, 100),
    "appeal": read_line,
    "callee": partial(read_keys, _PERSON, frozenset({"extension"})),
    "did_group": read_line_or_lines,
    "unscreened": read_boolean,
    "internal": read_boolean,
    "allowlisted": _ENTRY,
    "blocklisted": _ENTRY,
    "ties": partial(read_list, partial(read_keys, _TIE, frozenset({"tie"}))),
    "identity": partial(read_keys, _IDENTITY, frozenset({"level"})),
    "listed": partial(read_list, partial(read_keys, _LISTED, frozenset({"source"}))),
    "own_number": read_boolean,
    "purpose": _word_of(Purpose),
    "law_forbids_blocking": read_boolean,
    "bad_neighbours": partial(read_count, 0, 1000),
    "first_call": read_boolean,
    "neighbours_called": partial(read_count, 0, MAX_NEIGHBOURS),
    "dids_in_a_row": partial(read_count, 1, MAX_IN_A_ROW),
    "challenge_passed_days_ago": read_amount,
    "dialled_days_ago": read_amount,
    "company_known": read_boolean,
    "challenges_failed": partial(read_count, 0, 1000),
    "emergency_minutes_ago": read_amount,
    "one_ring_hours_ago": read_amount,
    "called_minutes_ago": partial(read_list, read_amount),
    "block_called_minutes_ago": partial(read_list, read_amount),
    "called_dids": partial(read_list, read_line),
    "voice": _word_of(Voice),
}

EXPECT: dict[str, tuple[Reader, Callable[[Decision], Any]]] = {
    "action": (_ACTION, lambda decision: decision.action.word),
    "would_be": (_ACTION, lambda decision: decision.would_be.word),
    "rule": (read_line, lambda decision: decision.rule),
    "reason": (read_line, lambda decision: str(decision.reason)),
    "step": (partial(read_count, 0, 9), lambda decision: decision.step),
    "capped_by": (read_line_or_nothing, lambda decision: str(decision.capped_by or "")),
    "label": (read_line_or_nothing, lambda decision: decision.label or ""),
    "ask": (read_line_or_nothing, lambda decision: decision.ask or ""),
    "name": (read_line_or_nothing, lambda decision: decision.name or ""),
}


def call_of(table: Mapping[str, Any], home: str) -> tuple[IncomingCall, float]:
    """Read a call and its time from a `call` table. `home`: the region for national numbers if the table names none."""
    region = table.get("region", home)
    did, diverted_from = table.get("did"), table.get("diverted_from")
    call = IncomingCall(
        linkedid="",
        caller=caller_of(table.get("caller", SOMEBODY), region),
        did=did and (did_number_of(did, region) or did),
        trunk=table.get("trunk"),
        trusted=table.get("trusted", False),
        attestation=Attestation(table.get("attestation", Attestation.NONE)),
        verification=Verification(table.get("verification", Verification.NONE)),
        priority_callback=table.get("priority_callback", False),
        diverted_from=diverted_from and (number_of(diverted_from, region) or diverted_from),
        name=table.get("name", ""),
    )
    return call, table.get("at", SOME_DAY.timestamp())


def facts_of(table: Mapping[str, Any], call: IncomingCall, now: float, levels: Thresholds) -> Facts:
    """Read the facts about a call from a `facts` table. Ages in the table count back from `now`."""
    number = call.caller.key or ""

    def ago(key: str, unit_seconds: float) -> float | None:
        return now - table[key] * unit_seconds if key in table else None

    passed_at, first_call = ago("challenge_passed_days_ago", DAY_SECONDS), _first_call(table)
    return Facts(
        did=_did(table, call),
        callee=_person(**table["callee"]) if "callee" in table else None,
        caller_person=_person("299") if table.get("internal") else None,
        allow=_entry(ListName.ALLOW, number, table["allowlisted"]) if "allowlisted" in table else None,
        block=_entry(ListName.BLOCK, number, table["blocklisted"]) if "blocklisted" in table else None,
        ties=tuple(_tie(now, **tie) for tie in table.get("ties", ())),
        identity=_identity(number, now, **table["identity"]) if "identity" in table else None,
        imported=tuple(_imported(now, **row) for row in table.get("listed", ())),
        dialled_at=ago("dialled_days_ago", DAY_SECONDS),
        is_company_known=table.get("company_known", False),
        passed_until=_passed_until(passed_at),
        passed_at=passed_at,
        failures=table.get("challenges_failed", 0),
        emergency_at=ago("emergency_minutes_ago", 60.0),
        one_ring_at=ago("one_ring_hours_ago", 3600.0),
        own_number=table.get("own_number", False),
        reputation=_reputation(table, levels),
        plan=_plan(table, number),
        recent_calls=_minutes_ago(table.get("called_minutes_ago", ()), now),
        recent_block_calls=_minutes_ago(table.get("block_called_minutes_ago", ()), now),
        recent_dids=table.get("called_dids", ()),
        first_call=first_call,
        is_storm=first_call is not None and first_call.is_storm(DEFAULT.outside.storm),
        voice=Voice(table["voice"]) if "voice" in table else None,
    )


def _passed_until(at: float | None) -> float | None:
    return at if at is None else passed_until(ChallengeHistory((at,), of_number=(at,)), DEFAULT.caller)


def _did(table: Mapping[str, Any], call: IncomingCall) -> Did | None:
    if not table.keys() & {"did_group", "unscreened"}:
        return None
    return Did(call.did or "", table.get("did_group", ()), screen=not table.get("unscreened", False))


def _person(extension: str, group: str | None = None) -> Person:
    return Person(extension, f"PJSIP/{extension}", group)


def _entry(list_name: ListName, number: str, table: Mapping[str, str]) -> ListEntry:
    text = table.get("entry", number)
    kind = EntryKind.PREFIX if text.endswith("*") else EntryKind.EXACT
    return ListEntry(list_name, kind, text.removesuffix("*"), action=table.get("action"))


def _tie(now: float, tie: str, person: str | None = None, group: str | None = None, days_ago: float = 1) -> PersonalTie:
    at = now - days_ago * DAY_SECONDS if tie in (Tie.TALKED, Tie.NOT_SPAM) else None
    return PersonalTie(Tie(tie), person, group, f"PJSIP/{person}" if person else None, at)


def _identity(number: str, now: float, level: int, name: str = "Verified") -> Identity:
    return Identity(number, name, level, expires_at=now + 365 * DAY_SECONDS)


def _imported(now: float, source: str, verdict: str = Verdict.SPAM, category: str | None = None) -> Imported:
    return Imported(source, verdict, category, imported_at=now - DAY_SECONDS)


def _plan(table: Mapping[str, Any], number: str) -> PlanRow | None:
    if "purpose" not in table:
        return None
    law = (
        PlanSource("law", "a law", "https://example.org", SOME_DAY.date())
        if table.get("law_forbids_blocking")
        else None
    )
    return PlanRow("", number, Purpose(table["purpose"]), law=law)


def _first_call(table: Mapping[str, Any]) -> FirstCall | None:
    if not table.get("first_call", table.keys().isdisjoint(_KNOWN_BY)):
        return None
    return FirstCall(table.get("neighbours_called", 0), table.get("dids_in_a_row", 1))


_KNOWN_BY = frozenset(
    {"ties", "identity", "allowlisted", "internal", "one_ring_hours_ago"}
    | {"challenge_passed_days_ago", "challenges_failed"}
)


def _reputation(table: Mapping[str, Any], levels: Thresholds) -> Reputation:
    level, appeal = LEVELS.get(table.get("level", "")), table.get("appeal")
    near = block.block_of(block.LISTED, table.get("bad_neighbours", 0), DEFAULT.block)
    families = () if near is None else (near,)
    if "points" in table:
        log_odds = table["points"] / POINTS_OF_LOG_ODDS
        return Reputation(log_odds, level_at(log_odds, levels) if level is None else level, families, appeal=appeal)
    least = {strong: threshold for threshold, strong in levels.strongest_first}
    level = Level.NONE if level is None else level
    return Reputation(least.get(level, 0.0), level, families, appeal=appeal)


def _minutes_ago(minutes: Sequence[float], now: float) -> tuple[float, ...]:
    return tuple(now - 60.0 * minute for minute in minutes)


def differences(expected: Mapping[str, Any], decision: Decision) -> tuple[tuple[str, Any, Any], ...]:
    """Return each difference between the expected result and the decision, as key, expected and actual value."""
    values = ((key, value, EXPECT[key][1](decision)) for key, value in expected.items())
    return tuple((key, value, has) for key, value, has in values if value != has)
