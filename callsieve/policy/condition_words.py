"""The conditions of a rule as text for people who do not read policy files. Translations are in the web catalogue."""

from collections.abc import Mapping
from typing import Any

from policies.policy import Condition
from policies.vocabulary import CallsWithin, Clock, Days, DidsCalled
from reputation.model import Level
from reputation.wording import N_, Wording, listed

# By condition: text with its value. `either` joins several values.
WITH_VALUE: Mapping[str, str] = {
    "level_at_least": N_("level: {value} or higher"),
    "points_between": N_("points: {value}"),
    "listed": N_("listed by {value}"),
    "category": N_("category: {value}"),
    "attestation": N_("attestation: {value}"),
    "verification": N_("signature check: {value}"),
    "auth_class": N_("auth class of the call: {value}"),
    "caller_kind": N_("kind of caller: {value}"),
    "country": N_("country: {value}"),
    "number_type": N_("type of number: {value}"),
    "purpose": N_("number range meant for: {value}"),
    "prefix": N_("number begins with {value}"),
    "did": N_("number dialled: {value}"),
    "trunk": N_("trunk: {value}"),
    "callee_group": N_("group of the callee: {value}"),
    "neighbours_called": N_("other new numbers of the same block that called within the hour: {value} or more"),
    "dids_in_a_row": N_("our neighbouring numbers that new callers called one after another: {value} or more"),
    "companies_complain": N_("other companies whose people complain about the number: {value} or more"),
    "passed_within": N_("caller passed a challenge in the last {value} days"),
    "name_matches": N_("caller's name matches {value}"),
    "voice": N_("voice heard in an earlier call from the number: {value}"),
}
# By condition: text for the value true, and for the value false.
EITHER: Mapping[str, tuple[str, str]] = {
    "allocated": (
        N_("the number is in a range that the numbering plan allocates"),
        N_("the number is in no range that the numbering plan allocates"),
    ),
    "same_exchange": (N_("same exchange as the number dialled"), N_("not the same exchange as the number dialled")),
    "block_listed": (N_("spam lists contain the number's block"), N_("no spam list contains the number's block")),
    "first_call": (N_("first call from the number"), N_("the number has called before")),
    "storm": (
        N_("new numbers call several of our numbers at once"),
        N_("new numbers do not call several of our numbers at once"),
    ),
    "carrier_warns": (N_("the carrier flags the call"), N_("the carrier does not flag the call")),
    "nobodys_range": (N_("number range from which nobody calls"), N_("number range from which people call")),
    "one_source": (N_("listed by only one source"), N_("listed by no source, or by several")),
    "stranger": (N_("nobody here knows the caller"), N_("somebody here knows the caller")),
    "relationship": (
        N_("somebody here has a relationship with the caller"),
        N_("nobody here has a relationship with the caller"),
    ),
    "verified": (N_("caller is verified"), N_("caller is not verified")),
    "own_number_spoofed": (
        N_("call from outside that shows one of our own numbers"),
        N_("call does not show one of our own numbers"),
    ),
    "diverted": (N_("call was diverted"), N_("call was not diverted")),
    "name_missing": (N_("call came without a caller name"), N_("call came with a caller name")),
}
CALLS, CALLS_OF_BLOCK = (
    N_("{count} or more calls from the number within {minutes} min"),
    N_("{count} or more calls from the number's block within {minutes} min"),
)
DIDS, HOURS, DAYS = (
    N_("caller called {count} or more of our numbers within {minutes} min"),
    N_("from {since} to {until} ({zone})"),
    N_("on {days} ({zone})"),
)
LOCAL, OR, AND = N_("local time"), N_("{some} or {more}"), N_("{some} and {more}")
TO = N_("{first} to {last}")
NOT = N_("not ({text})")
# Values whose word on screens differs from the one in a file.
SHOWN_AS = {"invalid": N_("unreadable"), "fixed-or-mobile": N_("fixed or mobile")}


def words_of(condition: Condition) -> str | Wording:
    """Return a condition as text, such as "level: challenge or higher". Conditions without a text stay unchanged."""
    name, operand = condition.name, condition.operand
    if name == "not":
        return Wording(NOT, {"text": _all_of(operand)})
    if name in ("any", "all"):
        return listed([_all_of(branch) for branch in operand], OR if name == "any" else AND)
    if isinstance(operand, bool) and name in EITHER:
        return Wording(EITHER[name][0 if operand else 1])
    if isinstance(operand, CallsWithin):
        template = CALLS_OF_BLOCK if operand.block else CALLS
        return Wording(template, {"minutes": operand.minutes, "count": operand.at_least})
    if isinstance(operand, DidsCalled):
        return Wording(DIDS, {"minutes": operand.minutes, "count": operand.at_least})
    if isinstance(operand, Clock):
        clock = {"since": f"{operand.since:%H:%M}", "until": f"{operand.until:%H:%M}", "zone": _zone(operand)}
        return Wording(HOURS, clock)
    if isinstance(operand, Days):
        return Wording(DAYS, {"days": _either(operand.days), "zone": _zone(operand)})
    if name in WITH_VALUE:
        return Wording(WITH_VALUE[name], {"value": _value(operand)})
    return condition.text


def _all_of(conditions: tuple[Condition, ...]) -> str | Wording:
    return listed([words_of(condition) for condition in conditions], AND)


def _zone(operand: Clock | Days) -> str | Wording:
    return Wording(LOCAL) if operand.zone is None else str(operand.zone)


def _value(operand: Any) -> str | Wording:
    if isinstance(operand, Level):
        return Wording(operand.word)
    if isinstance(operand, frozenset):
        return _either(operand)
    if isinstance(operand, tuple):
        return Wording(TO, {"first": operand[0], "last": operand[1]})
    return str(operand)


def _either(words: frozenset[str]) -> str | Wording:
    return listed([Wording(SHOWN_AS.get(word, word)) for word in sorted(words)], OR)
