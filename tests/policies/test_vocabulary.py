"""Every condition: when it holds, when it does not, where it begins, and what it says of a caller without a number."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from policies.conditions import read_when, toml_of, why_not
from policies.decision import IncomingCall
from policies.policy import Case, PolicyError
from policies.vocabulary import VOCABULARY
from reputation.facts import Facts
from reputation.model import (
    Attestation,
    CallerKind,
    FirstCall,
    Level,
    PeerWord,
    Reputation,
    Tie,
    Verification,
    Voice,
    Witnesses,
)
from reputation.plan.rows import Purpose
from tests.builders import (
    DAY,
    LONDON,
    MINUTE,
    NOW,
    PREMIUM,
    SERVICE,
    make_call,
    make_did,
    make_facts,
    make_identity,
    make_imported,
    make_person,
    make_plan_row,
    make_reputation,
    make_signed_call,
    make_tie,
)
from tests.policies.strategies import OPERANDS, cases, when_tables


def holds(when: str, call: IncomingCall, facts: Facts, now: float = NOW) -> bool:
    """Whether `when = { ... }` holds, as it is written in a policy."""
    table = tomllib.loads(f"when = {{ {when} }}")["when"]
    return all(condition.holds(Case(call, facts, now)) for condition in read_when(table))


WITHHELD = make_call(None)
CALL, NOTHING = make_call(), make_facts()
BAD_SIGNATURE = make_call(verification=Verification.FAILED)
TWICE_LISTED = make_facts(imported=[make_imported("a"), make_imported("b")])
LISTED = make_facts(imported=[make_imported("ftc", "spam", "scam"), make_imported("company", "ok")])
OF_PEERS = NOTHING._replace(peers=(PeerWord("a", 1.0), PeerWord("b", 0.5), PeerWord("c", 0.5)))
CLEARED = OF_PEERS._replace(peers=(PeerWord("a", 1.0), PeerWord("d", is_cleared=True)))
WARNED = make_call(name="SPAM RISK")._replace(carrier_counts=True)
ONE_AND_PEOPLE = make_facts(imported=[make_imported()])._replace(
    reputation=Reputation(7.0, Level.CHALLENGE, witnesses=Witnesses(5, 5, 12))
)
SALES, SUPPORT = make_person("201", "sales"), make_did(group="support")
MINUTES_AGO = [NOW - minutes * MINUTE for minutes in (30, 10, 5, 1)]

TELEMARKETING = make_facts(plan=make_plan_row())
LABEL_ONLY = make_plan_row(Purpose.BANK, evidence=False)

FAILED = [
    ("purpose", 'purpose = "bank"', 'purpose = "bank": it is none'),
    ("name", 'name_matches = "*spam*"', 'name_matches = "*spam*": it is none'),
    ("name-missing", "name_missing = false", "name_missing = false: it is true"),
    ("allocated", "allocated = false", "allocated = false: it is true"),
    ("level", 'level_at_least = "warn"', 'level_at_least = "warn": it is tag'),
    ("points", "points_between = [8, 9]", "points_between = [8, 9]: it is 7"),
    ("listed", 'listed = "fcc"', 'listed = "fcc": it is company, ftc'),
    ("category", 'category = "robocall"', 'category = "robocall": it is scam'),
    ("attestation", 'attestation = "A"', 'attestation = "A": it is none'),
    ("number-type", 'number_type = "premium"', 'number_type = "premium": it is fixed-or-mobile'),
    ("prefix", 'prefix = "+44"', 'prefix = "+44": it is +12017421834'),
    ("did", 'did = "+442071838751"', 'did = "+442071838751": it is +442071838750'),
    ("relationship", "relationship = true", "relationship = true: it is false"),
    (
        "calls",
        "calls_within = { minutes = 10, at_least = 3 }",
        "calls_within = { minutes = 10, at_least = 3 }: it is 2",
    ),
    (
        "hours",
        'hours = { from = "22:00", to = "08:00", zone = "Europe/London" }',
        'hours = { from = "22:00", to = "08:00", zone = "Europe/London" }: it is 09:00',
    ),
    (
        "days",
        'weekdays = { days = ["sat"], zone = "Europe/London" }',
        'weekdays = { days = ["sat"], zone = "Europe/London" }: it is thu',
    ),
    ("not", 'not = { country = "US" }', 'not = { country = "US" }: country is US'),
    (
        "any",
        'any = [{ country = "GB" }, { level_at_least = "warn", diverted = true }]',
        'any = [{ country = "GB" }, { level_at_least = "warn", diverted = true }]: '
        "country is US, level_at_least is tag, diverted is false",
    ),
]


@pytest.mark.parametrize(("when", "said"), [pytest.param(*case[1:], id=case[0]) for case in FAILED])
def test_failed_condition_names_the_actual_value(when: str, said: str) -> None:
    facts = LISTED._replace(reputation=make_reputation(1.5), recent_calls=tuple(MINUTES_AGO[-2:]))
    [condition] = read_when(tomllib.loads(f"when = {{ {when} }}")["when"])
    case = Case(CALL, facts, NOW)
    assert not condition.holds(case)
    assert why_not(condition, case) == said


CONDITIONS = [
    ("level", 'level_at_least = "warn"', CALL, make_facts(level=Level.WARN), True),
    ("higher-level", 'level_at_least = "warn"', CALL, make_facts(level=Level.REJECT), True),
    ("lower-level", 'level_at_least = "warn"', CALL, make_facts(level=Level.TAG), False),
    ("level-none", 'level_at_least = "tag"', CALL, NOTHING, False),
    ("level-withheld", 'level_at_least = "tag"', WITHHELD, NOTHING, False),
    ("points-lowest", "points_between = [10, 20]", CALL, make_facts(2.3), True),  # 9.98: 10 points
    ("points-highest", "points_between = [10, 20]", CALL, make_facts(4.6), True),  # 19.96: 20 points
    ("points-below", "points_between = [10, 20]", CALL, make_facts(2.15), False),  # 9.3: 9 points
    ("points-above", "points_between = [10, 20]", CALL, make_facts(4.75), False),  # 20.6: 21 points
    ("points-of-other-companies", "points_between = [0, 0]", CALL, OF_PEERS, True),
    ("companies", "companies_complain = 2", CALL, OF_PEERS, True),
    ("fewer-companies", "companies_complain = 3", CALL, OF_PEERS, False),
    ("a-company-that-cleared-it", "companies_complain = 1", CALL, CLEARED, False),
    ("carrier-warns", "carrier_warns = true", WARNED, NOTHING, True),
    ("a-caller-may-say-so", "carrier_warns = true", make_call(name="SPAM RISK"), NOTHING, False),
    ("a-robot-before", 'voice = "robot"', CALL, NOTHING._replace(voice=Voice.ROBOT), True),
    ("one-of-two-voices", 'voice = ["robot", "unclear"]', CALL, NOTHING._replace(voice=Voice.UNCLEAR), True),
    ("a-person-before", 'voice = "robot"', CALL, NOTHING._replace(voice=Voice.PERSON), False),
    ("nobody-heard", 'voice = ["robot", "person", "unclear"]', CALL, NOTHING, False),
    ("who-passed-is-no-robot", 'voice = "robot"', CALL, make_facts(passed_at=NOW)._replace(voice=Voice.ROBOT), False),
    ("storm", "storm = true", CALL, make_facts(first_call=FirstCall(0, 3)), True),
    ("hardly-a-storm", "storm = true", CALL, make_facts(first_call=FirstCall(2, 1)), False),
    ("in-a-burst", "storm = true", CALL, make_facts(first_call=FirstCall(2, 1, True)), True),
    ("storm-of-somebody-known", "storm = true", CALL, NOTHING, False),
    ("nobodys-range", "nobodys_range = true", CALL, make_facts(plan=make_plan_row(Purpose.UNALLOCATED)), True),
    (
        "range-without-a-source",
        "nobodys_range = true",
        CALL,
        make_facts(plan=make_plan_row(Purpose.UNALLOCATED, evidence=False)),
        False,
    ),
    ("one-source", "one_source = true", CALL, make_facts(imported=[make_imported()]), True),
    ("two-sources", "one_source = true", CALL, TWICE_LISTED, False),
    ("and-witnesses", "one_source = true", CALL, ONE_AND_PEOPLE, False),
    ("points-exact", "points_between = [0, 0]", WITHHELD, NOTHING, True),
    ("points-negative", "points_between = [-30, -10]", CALL, make_facts(-3.0), True),
    ("listed", 'listed = "ftc"', CALL, LISTED, True),
    ("listed-in-one-of-them", 'listed = ["none", "company"]', CALL, LISTED, True),
    ("listed-elsewhere", 'listed = "fcc"', CALL, LISTED, False),
    ("listed-nowhere", 'listed = "ftc"', WITHHELD, NOTHING, False),
    ("category", 'category = ["fraud", "scam"]', CALL, LISTED, True),
    ("other-category", 'category = "telemarketing"', CALL, LISTED, False),
    ("no-category", 'category = "scam"', CALL, make_facts(imported=[make_imported()]), False),
    ("attestation", 'attestation = ["B", "C"]', make_call(attestation=Attestation.C), NOTHING, True),
    ("other-attestation", 'attestation = "A"', make_call(attestation=Attestation.B), NOTHING, False),
    ("no-attestation", 'attestation = "none"', CALL, NOTHING, True),
    ("verification", 'verification = "failed"', make_call(verification=Verification.FAILED), NOTHING, True),
    ("other-verification", 'verification = ["failed", "none"]', make_signed_call(), NOTHING, False),
    ("auth-class", 'auth_class = "authenticated"', make_signed_call(), NOTHING, True),
    ("trusted-trunk", 'auth_class = "authenticated"', make_call(trusted=True), NOTHING, True),
    ("unsigned", 'auth_class = "authenticated"', CALL, NOTHING, False),
    ("kind", 'caller_kind = ["withheld", "invalid"]', WITHHELD, NOTHING, True),
    ("other-kind", 'caller_kind = "withheld"', make_call(None, kind=CallerKind.INVALID), NOTHING, False),
    ("service", 'caller_kind = "service"', make_call(SERVICE), NOTHING, True),
    ("a-number", 'caller_kind = "number"', CALL, NOTHING, True),
    ("country", 'country = ["GB", "US"]', CALL, NOTHING, True),
    ("other-country", 'country = "CA"', CALL, NOTHING, False),
    ("country-of-none", 'country = "001"', make_call("+870773111632"), NOTHING, True),
    ("country-withheld", 'country = "US"', WITHHELD, NOTHING, False),
    ("type", 'number_type = ["premium", "shared-cost"]', make_call(PREMIUM), NOTHING, True),
    ("other-type", 'number_type = "premium"', CALL, NOTHING, False),
    ("unallocated", 'number_type = "unallocated"', make_call("+10000000000"), NOTHING, True),
    ("type-withheld", 'number_type = "unallocated"', WITHHELD, NOTHING, False),
    ("purpose", 'purpose = ["bank", "telemarketing"]', CALL, TELEMARKETING, True),
    ("other-purpose", 'purpose = "bank"', CALL, TELEMARKETING, False),
    ("purpose-of-no-range", 'purpose = "telemarketing"', CALL, NOTHING, False),
    ("purpose-without-a-source", 'purpose = "bank"', CALL, make_facts(plan=LABEL_ONLY), True),
    ("allocated-by-metadata", "allocated = true", CALL, NOTHING, True),
    ("unallocated-by-metadata", "allocated = false", make_call("+10000000000"), NOTHING, True),
    ("allocated-by-plan", "allocated = true", make_call("+10000000000"), TELEMARKETING, True),
    ("unallocated-by-plan", "allocated = false", CALL, make_facts(plan=make_plan_row(Purpose.UNALLOCATED)), True),
    ("allocated-withheld", "allocated = true", WITHHELD, NOTHING, False),
    ("unallocated-withheld", "allocated = false", WITHHELD, NOTHING, False),
    ("prefix", 'prefix = ["+44", "+1201"]', CALL, NOTHING, True),
    ("whole-number", 'prefix = "+12017421834"', CALL, NOTHING, True),
    ("other-prefix", 'prefix = "+1202"', CALL, NOTHING, False),
    ("longer-prefix", 'prefix = "+120174218340"', CALL, NOTHING, False),
    ("prefix-withheld", 'prefix = "+1"', WITHHELD, NOTHING, False),
    ("name", 'name_matches = "spam risk"', make_call(name="SPAM  Risk"), NOTHING, True),
    ("part-of-a-name", 'name_matches = ["x", "*Spam*"]', make_call(name="[spam] Joe"), NOTHING, True),
    ("start-of-a-name", 'name_matches = "acme*"', make_call(name="Acme Dental"), NOTHING, True),
    ("end-of-a-name", 'name_matches = "*dental"', make_call(name="Acme Dental"), NOTHING, True),
    ("parts-in-order", 'name_matches = "a*e*d*l"', make_call(name="Acme Dental"), NOTHING, True),
    ("parts-out-of-order", 'name_matches = "*dental*acme*"', make_call(name="Acme Dental"), NOTHING, False),
    ("parts-may-not-overlap", 'name_matches = "acme*me"', make_call(name="Acme"), NOTHING, False),
    ("only-part-of-a-name", 'name_matches = "spam"', make_call(name="Spam Risk Advisors"), NOTHING, False),
    ("other-signs-are-themselves", 'name_matches = "[s]pam?"', make_call(name="spams"), NOTHING, False),
    ("a-name-that-hides", 'name_matches = "scam likely"', make_call(name="\u200bＳｃａｍ\u202e likely"), NOTHING, True),
    ("no-name", 'name_matches = "**s**"', CALL, NOTHING, False),
    ("name-not-known", 'name_matches = "*s*"', make_call(name=None), NOTHING, False),
    ("name-of-a-withheld-number", 'name_matches = "joe"', make_call(None, name="Joe"), NOTHING, True),
    ("name-missing", "name_missing = true", CALL, NOTHING, True),
    ("name-is-the-number", "name_missing = true", make_call(name="+1 (201) 742-1834"), NOTHING, True),
    ("name-says-there-is-none", "name_missing = true", make_call(name="UNAVAILABLE"), NOTHING, True),
    ("name-there", "name_missing = true", make_call(name="银行"), NOTHING, False),
    ("name-there-indeed", "name_missing = false", make_call(name="Joe"), NOTHING, True),
    ("name-missing-unknown", "name_missing = true", make_call(name=None), NOTHING, False),
    ("name-there-unknown", "name_missing = false", make_call(name=None), NOTHING, False),
    ("did", 'did = ["+442071838750", "s"]', CALL, NOTHING, True),
    ("other-did", 'did = "+442071838751"', CALL, NOTHING, False),
    ("no-did", 'did = "+442071838750"', make_call(did=None), NOTHING, False),
    ("trunk", 'trunk = "carrier"', CALL, NOTHING, True),
    ("other-trunk", 'trunk = "backbone"', CALL, NOTHING, False),
    ("no-trunk", 'trunk = "carrier"', make_call(trunk=None), NOTHING, False),
    ("same-exchange", "same_exchange = true", make_call("+442071831234"), NOTHING, True),
    ("other-exchange", "same_exchange = true", make_call("+442071841234"), NOTHING, False),
    ("same-exchange-longer", "same_exchange = true", make_call("+4420718312345"), NOTHING, False),
    ("no-did-no-exchange", "same_exchange = false", make_call(did=None), NOTHING, False),
    ("withheld-no-exchange", "same_exchange = false", WITHHELD, NOTHING, False),
    ("block-listed", "block_listed = true", CALL, make_facts(bad_neighbours=3), True),
    ("block-hardly-listed", "block_listed = true", CALL, make_facts(bad_neighbours=2), False),
    ("block-not-listed", "block_listed = false", CALL, NOTHING, True),
    ("first-call", "first_call = true", CALL, make_facts(first_call=FirstCall()), True),
    ("not-the-first-call", "first_call = false", CALL, NOTHING, True),
    ("nobodys-first-call", "first_call = false", WITHHELD, NOTHING, False),
    ("neighbours-called", "neighbours_called = 2", CALL, make_facts(first_call=FirstCall(2)), True),
    ("too-few-neighbours-called", "neighbours_called = 2", CALL, make_facts(first_call=FirstCall(1)), False),
    ("neighbours-of-somebody-known", "neighbours_called = 1", CALL, NOTHING, False),
    ("in-a-row", "dids_in_a_row = 3", CALL, make_facts(first_call=FirstCall(0, 3)), True),
    ("hardly-in-a-row", "dids_in_a_row = 3", CALL, make_facts(first_call=FirstCall(9, 2)), False),
    ("group-of-the-callee", 'callee_group = "sales"', CALL, make_facts(callee=SALES, did=SUPPORT), True),
    ("group-of-the-did", 'callee_group = "support"', CALL, make_facts(did=SUPPORT), True),
    (
        "group-of-several",
        'callee_group = "sales"',
        CALL,
        make_facts(did=make_did("+442071838750", "support", "sales")),
        True,
    ),
    (
        "not-of-several",
        'callee_group = "board"',
        CALL,
        make_facts(did=make_did("+442071838750", "support", "sales")),
        False,
    ),
    ("callee-before-did", 'callee_group = "support"', CALL, make_facts(callee=SALES, did=SUPPORT), False),
    ("no-group", 'callee_group = "sales"', CALL, NOTHING, False),
    ("contact", "relationship = true", CALL, make_facts(ties=[make_tie(Tie.CONTACT)]), True),
    ("contact-of-the-company", "relationship = true", CALL, make_facts(ties=[make_tie(Tie.CONTACT, None)]), True),
    ("allowed", "relationship = true", CALL, make_facts(ties=[make_tie(Tie.ALLOW)]), True),
    ("only-expected", "relationship = true", CALL, make_facts(ties=[make_tie(Tie.EXPECTED)]), False),
    ("only-blocked", "relationship = true", CALL, make_facts(ties=[make_tie(Tie.BLOCK)]), False),
    ("stranger", "relationship = false", CALL, NOTHING, True),
    ("known-elsewhere", "relationship = true", CALL, make_facts(did=SUPPORT, ties=[make_tie(Tie.CONTACT)]), False),
    ("premium", "relationship = true", make_call(PREMIUM), make_facts(ties=[make_tie(Tie.CONTACT)]), False),
    ("relationship-withheld", "relationship = false", WITHHELD, make_facts(ties=[make_tie(Tie.ALLOW)]), True),
    ("known-to-nobody", "stranger = true", CALL, NOTHING, True),
    ("known-to-nobody-here", "stranger = true", CALL, make_facts(ties=[make_tie(Tie.BLOCK)]), True),
    ("expected-by-somebody", "stranger = true", CALL, make_facts(ties=[make_tie(Tie.EXPECTED)]), True),
    ("known-to-a-group", "stranger = true", CALL, make_facts(did=SUPPORT, ties=[make_tie(Tie.CONTACT)]), False),
    ("no-spam-for-one", "stranger = true", CALL, make_facts(ties=[make_tie(Tie.NOT_SPAM)]), False),
    ("dialled", "stranger = true", CALL, make_facts(dialled_at=NOW - DAY), False),
    ("colleague-of-a-contact", "stranger = false", CALL, make_facts(is_company_known=True), True),
    ("verified-stranger", "stranger = false", make_signed_call(), make_facts(identity=make_identity(2)), True),
    ("half-verified-stranger", "stranger = true", make_signed_call(), make_facts(identity=make_identity(1)), True),
    ("stranger-with-a-bad-signature", "stranger = true", BAD_SIGNATURE, make_facts(dialled_at=NOW - DAY), True),
    ("premium-stranger", "stranger = true", make_call(PREMIUM), make_facts(dialled_at=NOW - DAY), True),
    ("no-number-no-stranger", "stranger = true", WITHHELD, NOTHING, False),
    ("no-number-nobody-known", "stranger = false", WITHHELD, NOTHING, False),
    ("passed-lately", "passed_within = 90", CALL, make_facts(passed_at=NOW - 89 * DAY), True),
    ("passed-long-ago", "passed_within = 30", CALL, make_facts(passed_at=NOW - 31 * DAY), False),
    ("never-passed", "passed_within = 90", CALL, NOTHING, False),
    ("verified", "verified = true", make_signed_call(), make_facts(identity=make_identity(2)), True),
    ("half-verified", "verified = true", make_signed_call(), make_facts(identity=make_identity(1)), False),
    ("not-verified", "verified = false", CALL, NOTHING, True),
    ("own-number", "own_number_spoofed = true", CALL, make_facts(own_number=True), True),
    ("own-trunk", "own_number_spoofed = false", make_call(trusted=True), make_facts(own_number=True), True),
    ("not-own-number", "own_number_spoofed = true", CALL, NOTHING, False),
    ("diverted", "diverted = true", make_call(diverted_from="+12015550123"), NOTHING, True),
    ("not-diverted", "diverted = true", CALL, NOTHING, False),
    ("direct", "diverted = false", WITHHELD, NOTHING, True),
]


@pytest.mark.parametrize(
    ("when", "call", "facts", "expected"), [pytest.param(*rest, id=name) for name, *rest in CONDITIONS]
)
def test_each_condition_holds_for_its_example(when: str, call: IncomingCall, facts: Facts, expected: bool) -> None:
    assert holds(when, call, facts) is expected
    assert holds(f"not = {{ {when} }}", call, facts) is not expected


CALLS_WITHIN = [
    pytest.param("{ minutes = 10, at_least = 2 }", MINUTES_AGO, (), True, id="enough"),
    pytest.param("{ minutes = 10, at_least = 3 }", MINUTES_AGO, (), False, id="ten-minutes-ago-is-no-longer-within"),
    pytest.param("{ minutes = 11, at_least = 3 }", MINUTES_AGO, (), True, id="one-more-minute"),
    pytest.param("{ minutes = 60, at_least = 5 }", MINUTES_AGO, (), False, id="one-short"),
    pytest.param("{ minutes = 60, at_least = 1 }", (), MINUTES_AGO, False, id="the-blocks-calls-are-not-the-numbers"),
    pytest.param('{ minutes = 60, at_least = 1, of = "number" }', MINUTES_AGO, (), True, id="of-number"),
    pytest.param('{ minutes = 60, at_least = 4, of = "block" }', (), MINUTES_AGO, True, id="of-block"),
    pytest.param('{ minutes = 60, at_least = 1, of = "block" }', MINUTES_AGO, (), False, id="of-block-alone"),
    pytest.param("{ minutes = 60, at_least = 1 }", (), (), False, id="none"),
]


@pytest.mark.parametrize(("operand", "number", "block", "expected"), CALLS_WITHIN)
def test_calls_within(operand: str, number: list[float], block: list[float], expected: bool) -> None:
    facts = make_facts(recent_calls=number, recent_block_calls=block)
    assert holds(f"calls_within = {operand}", CALL, facts) is expected


DIDS = ("+442071838751", "", "+442071838751", "+442071838752")  # and of the call itself +442071838750


@pytest.mark.parametrize(
    ("operand", "expected"),
    [
        pytest.param("{ minutes = 60, at_least = 3 }", True, id="three-different-ones"),
        pytest.param("{ minutes = 60, at_least = 4 }", False, id="one-short"),
        pytest.param("{ minutes = 11, at_least = 3 }", False, id="too-long-ago"),
        pytest.param("{ minutes = 3, at_least = 2 }", True, id="that-of-the-call-counts"),
    ],
)
def test_dids_called(operand: str, expected: bool) -> None:
    calls = [NOW - minutes * MINUTE for minutes in (30, 20, 12, 2)]
    facts = make_facts(recent_calls=calls, recent_dids=DIDS)
    assert holds(f"dids_called = {operand}", CALL, facts) is expected


def at(text: str) -> float:
    """An instant, from `2026-01-01 09:00` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NIGHT = 'hours = { from = "22:00", to = "08:00", zone = "Europe/London" }'
LUNCH = 'hours = { from = "12:30", to = "13:00", zone = "Europe/London" }'
CHINA = 'hours = { from = "22:00", to = "08:00", zone = "Asia/Shanghai" }'
WEEKEND = 'weekdays = { days = ["sat", "sun"], zone = "Europe/London" }'
SATURDAY = 'weekdays = { days = "sat", zone = "Asia/Shanghai" }'


@pytest.mark.parametrize(
    ("when", "now", "expected"),
    [
        pytest.param(NIGHT, "2026-01-01 22:00", True, id="night-begins"),
        pytest.param(NIGHT, "2026-01-01 21:59", False, id="before-night"),
        pytest.param(NIGHT, "2026-01-02 00:00", True, id="midnight"),
        pytest.param(NIGHT, "2026-01-02 07:59", True, id="last-minute-of-the-night"),
        pytest.param(NIGHT, "2026-01-02 08:00", False, id="night-is-over"),
        pytest.param(NIGHT, "2026-07-01 21:00", True, id="in-summer-an-hour-earlier"),
        pytest.param(NIGHT, "2026-07-01 07:00", False, id="in-summer-over-an-hour-earlier"),
        pytest.param(NIGHT, "2026-03-29 01:30", True, id="in-the-night-the-clocks-change"),
        pytest.param(CHINA, "2026-01-01 14:00", True, id="night-in-shanghai"),
        pytest.param(CHINA, "2026-01-02 00:00", False, id="morning-in-shanghai"),
        pytest.param(LUNCH, "2026-01-01 12:30", True, id="lunch-begins"),
        pytest.param(LUNCH, "2026-01-01 13:00", False, id="lunch-is-over"),
        pytest.param(LUNCH, "2026-01-01 12:29", False, id="before-lunch"),
        pytest.param(WEEKEND, "2026-01-03 00:00", True, id="saturday-begins"),
        pytest.param(WEEKEND, "2026-01-02 23:59", False, id="still-friday"),
        pytest.param(WEEKEND, "2026-01-04 23:59", True, id="sunday"),
        pytest.param(WEEKEND, "2026-01-05 00:00", False, id="monday"),
        pytest.param(SATURDAY, "2026-01-02 16:00", True, id="already-saturday-in-shanghai"),
    ],
)
def test_time_of_day_and_week(when: str, now: str, expected: bool) -> None:
    assert holds(when, CALL, NOTHING, at(now)) is expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        pytest.param('trunk = "carrier", country = "US"', True, id="all-of-a-table"),
        pytest.param('trunk = "carrier", country = "GB"', False, id="one-of-a-table-does-not"),
        pytest.param('any = [{ country = "GB" }, { trunk = "carrier" }]', True, id="any"),
        pytest.param('any = [{ country = "GB" }, { trunk = "backbone" }]', False, id="any-of-none"),
        pytest.param('any = [{ country = "US", trunk = "backbone" }]', False, id="within-a-branch-all-must-hold"),
        pytest.param('all = [{ country = "US" }, { trunk = "carrier" }]', True, id="all"),
        pytest.param('all = [{ country = "US" }, { country = "GB" }]', False, id="all-but-one"),
        pytest.param('not = { country = "GB" }', True, id="not"),
        pytest.param('not = { country = "US", trunk = "backbone" }', True, id="not-both"),
        pytest.param('not = { country = "US", trunk = "carrier" }', False, id="not-neither"),
        pytest.param('not = { any = [{ country = "GB" }, { not = { trunk = "carrier" } }] }', True, id="nested"),
        pytest.param('country = "US", not = { trunk = "backbone" }', True, id="beside-a-condition"),
    ],
)
def test_any_all_and_not(when: str, expected: bool) -> None:
    assert holds(when, CALL, NOTHING) is expected


def test_every_condition_is_tested() -> None:
    """Each condition is in a table above, once true and once false, and in the strategies."""
    seen = {(when.partition(" ")[0], expected) for _, when, _, _, expected in CONDITIONS}
    timed = {"calls_within", "dids_called", "hours", "weekdays"}
    assert seen == {(name, expected) for name in VOCABULARY.keys() - timed for expected in (True, False)}
    assert OPERANDS.keys() == VOCABULARY.keys()


ERRORS = [
    ('level_at_least = "wran"', "condition level_at_least has the unknown level 'wran' (did you mean warn?)"),
    ('level_at_least = "none"', "allowed: challenge, reject, route, tag, warn"),
    ("level_at_least = 3", "condition level_at_least has the unknown level 3"),
    ("points_between = [20, 10]", "condition points_between must be `[lowest, highest]` in whole points, not [20, 10]"),
    ("points_between = [1]", "must be `[lowest, highest]`"),
    ("points_between = 10", "must be `[lowest, highest]`"),
    ("points_between = [1.5, 2]", "must be `[lowest, highest]`"),
    ("points_between = [true, 2]", "must be `[lowest, highest]`"),
    ("listed = []", "condition listed must be a string or a list of strings, not []"),
    ('listed = [""]', "condition listed must be a string or a list of strings"),
    ("listed = 5", "must be a string or a list of strings, not 5"),
    ('category = ["scam", 1]', "condition category must be a string"),
    ('attestation = "D"', "condition attestation has the unknown value 'D' (allowed: A, B, C, none)"),
    ('attestation = "a"', "condition attestation has the unknown value 'a' (did you mean A?)"),
    ('verification = ["passed", "fail"]', "condition verification has the unknown value 'fail' (did you mean failed?)"),
    ('auth_class = "trusted"', "allowed: authenticated, unauthenticated, unknown"),
    ('caller_kind = "anonymous"', "condition caller_kind has the unknown value 'anonymous'"),
    ('country = "gb"', "condition country has the unknown value 'gb' (did you mean GB?)"),
    ("passed_within = 91", "condition passed_within must be a whole number from 1 to 90, not 91"),
    ("passed_within = 0", "must be a whole number from 1 to 90"),
    ('country = "UK"', "condition country has the unknown value 'UK': write a country code such as GB"),
    ('number_type = "cell"', "condition number_type has the unknown value 'cell' (allowed: fixed, "),
    ('purpose = "sales"', "condition purpose has the unknown value 'sales' (allowed: bank, "),
    ('allocated = "no"', "condition allocated must be true or false, not 'no'"),
    (
        'name_matches = "**"',
        "condition name_matches has the invalid value '**': write a name, or a part of a name between asterisks, "
        "such as *spam*",
    ),
    (f'name_matches = "{97 * "x"}"', "write a name, or a part of a name"),
    (f"name_matches = {[str(n) for n in range(65)]}", "may have at most 64 names, not 65"),
    ("name_matches = []", "must be a string or a list of strings"),
    ('name_missing = "no"', "condition name_missing must be true or false"),
    ('prefix = "0044"', "condition prefix has the invalid value '0044': write it as +1900"),
    ('prefix = "+"', "write it as +1900"),
    ('prefix = "+44 20"', "write it as +1900"),
    ('prefix = "+٤٤"', "write it as +1900"),
    ("did = 442071838750", "condition did must be a string"),
    ("relationship = 1", "condition relationship must be true or false, not 1"),
    ('verified = "yes"', "condition verified must be true or false, not 'yes'"),
    ("calls_within = 5", "condition calls_within must be a table with the keys at_least, minutes, of, not 5"),
    ("calls_within = { minutes = 10 }", "condition calls_within needs the key 'at_least'"),
    ("calls_within = { minutes = 61, at_least = 1 }", "needs `minutes` from 1 to 60, not 61"),
    ("calls_within = { minutes = 0, at_least = 1 }", "needs `minutes` from 1 to 60, not 0"),
    ("calls_within = { minutes = true, at_least = 1 }", "needs `minutes` from 1 to 60, not True"),
    ("calls_within = { minutes = 10, at_least = 65 }", "needs `at_least` from 1 to 64, not 65"),
    (
        'calls_within = { minutes = 10, at_least = 1, of = "trunk" }',
        'needs `of = "number"` or `of = "block"`, not \'trunk\'',
    ),
    ("calls_within = { minutes = 10, atleast = 1 }", "has the unknown key 'atleast' (did you mean at_least?)"),
    ('hours = { from = "22:00", to = "08:00" }', "condition hours needs the key 'zone'"),
    (
        'hours = { from = "22:00", to = "24:00", zone = "UTC" }',
        "condition hours must be a time such as 22:00, not '24:00'",
    ),
    ('hours = { from = "9:00", to = "10:00", zone = "UTC" }', "must be a time such as 22:00, not '9:00'"),
    ('hours = { from = 22:00:00, to = "08:00", zone = "UTC" }', "must be a time such as 22:00"),
    ('hours = { from = "22:00", to = "22:00", zone = "UTC" }', "must have two different times"),
    ('hours = { from = "22:00", to = "08:00", zone = "London" }', "has the unknown time zone 'London'"),
    ('hours = { from = "22:00", to = "08:00", zone = "/etc/passwd" }', "has the unknown time zone"),
    ('hours = { from = "22:00", to = "08:00", zone = "" }', "has the unknown time zone"),
    ('hours = { from = "22:00", to = "08:00", zone = ["UTC"] }', "write a name such as Europe/London"),
    ('hours = { from = "22:00", to = "08:00", zone = "Europe" }', "write a name such as Europe/London"),
    ('weekdays = { days = "saturday", zone = "UTC" }', "condition weekdays has the unknown value 'saturday'"),
    ('weekdays = ["sat"]', "condition weekdays must be a table with the keys days, zone"),
    ('level_atleast = "warn"', "unknown condition level_atleast (did you mean level_at_least?)"),
    ("spammer = 5", "unknown condition spammer (allowed: all, allocated, any, attestation, "),
    ("any = []", "any` must be a list of one or more tables, not []"),
    ('all = { trunk = "carrier" }', "`all` must be a list of one or more tables"),
    ("any = [5]", "the conditions must be a table such as"),
    ("not = {}", "has no condition, so it would always match: add a condition, or use the policy's `default` instead"),
    ('not = [{ trunk = "carrier" }]', "the conditions must be a table such as"),
    (
        "not = {" * 9 + "diverted = true" + "}" * 9,
        "`any`, `all` and `not` are nested more than 8 levels deep: write several rules instead",
    ),
    (
        "any = [{" * 9 + "diverted = true" + "}]" * 9,
        "`any`, `all` and `not` are nested more than 8 levels deep: write several rules instead",
    ),
]


@pytest.mark.parametrize(("when", "message"), [pytest.param(*error, id=error[0][:60]) for error in ERRORS])
def test_bad_values_of_a_condition_are_refused(when: str, message: str) -> None:
    with pytest.raises(PolicyError) as refused:
        holds(when, CALL, NOTHING)
    assert message in str(refused.value)


def test_eight_levels_of_nesting_are_allowed() -> None:
    assert holds("not = {" * 8 + "diverted = true" + "}" * 8, CALL, NOTHING) is False


def test_an_error_stays_short_whatever_the_file_holds() -> None:
    with pytest.raises(PolicyError) as refused:
        read_when({"listed": ["x" * 100_000, *range(100_000)]})
    assert len(str(refused.value)) < 300


@given(when_tables(), cases())
def test_conditions_are_shown_as_they_are_read(table: dict[str, object], case: Case) -> None:
    conditions = read_when(table)
    shown = tomllib.loads("when = { " + ", ".join(condition.text for condition in conditions) + " }")["when"]
    assert shown == table
    again = read_when(shown)
    assert again == conditions
    assert [condition.holds(case) for condition in again] == [condition.holds(case) for condition in conditions]


@pytest.mark.parametrize("text", ['say "hi"', "back\\slash", "tab\tnewline\nbell\x07del\x7f", "Zürich 上海 😀", LONDON])
def test_any_text_is_shown_as_toml(text: str) -> None:
    assert tomllib.loads(f"shown = {toml_of([text, True, 5])}")["shown"] == [text, True, 5]


FIELDS = sorted({field for word in VOCABULARY.values() for field in word.reads})


def with_field(case: Case, path: str, other: Case) -> Case:
    """The case with one field as the other has it."""
    first, *rest = path.split(".")
    theirs = getattr(other, first)
    return replace(case, **{first: with_part(getattr(case, first), rest, theirs)})


def with_part(mine: Any, path: list[str], theirs: Any) -> Any:
    """The same of a field's own fields; without any it is theirs."""
    if not path:
        return theirs
    first, *rest = path
    return mine._replace(**{first: with_part(getattr(mine, first), rest, getattr(theirs, first))})


@given(cases(), cases(), when_tables())
def test_a_condition_depends_only_on_the_fields_that_it_names(case: Case, other: Case, table: object) -> None:
    for condition in read_when(table):
        if condition.reads:
            alike = case
            for path in condition.reads:
                alike = with_field(alike, path, other)
            assert condition.holds(alike) is condition.holds(other)


def test_conditions_name_the_fields_that_they_read() -> None:
    assert {"facts.reputation.level", "call.verification", "call.caller.kind"} <= set(FIELDS)
