"""Calls, facts and policy texts as hypothesis makes them: from few values, so that they meet."""

from __future__ import annotations

from functools import cache
from typing import TypeVar

from hypothesis import strategies as st

from policies.conditions import toml_of
from policies.decision import Action, IncomingCall
from policies.policy import Case
from policies.vocabulary import LEAST_IN_A_ROW, MAX_COMPANIES, MAX_IN_A_ROW, MAX_NEIGHBOURS
from reputation.facts import Facts
from reputation.model import (
    Attestation,
    CallerKind,
    FirstCall,
    Level,
    ListEntry,
    ListName,
    Person,
    PersonalTie,
    Tie,
    Verification,
)
from reputation.plan.rows import Purpose
from tests.builders import (
    CALLER,
    DAY,
    LONDON,
    MINUTE,
    NOW,
    PREMIUM,
    SERVICE,
    make_call,
    make_did,
    make_entry,
    make_facts,
    make_identity,
    make_imported,
    make_plan_row,
)

NUMBERS = (CALLER, SERVICE, "+12017421999", LONDON, "+447911123456", PREMIUM, "+10000000000", "+870773111632")
KINDS = tuple(kind for kind in CallerKind if kind not in (CallerKind.NUMBER, CallerKind.SERVICE))
PEOPLE = (Person("201", "PJSIP/201", "sales"), Person("202", "PJSIP/202", "support"), Person("203"))
GROUPS = ("sales", "support")
SOURCES = ("ftc", "company")
CATEGORIES = ("scam", "telemarketing")
ACTION_WORDS = tuple(action.word for action in Action)
T = TypeVar("T")


# Each strategy is made once: to make and check one takes longer than to draw from it.
@cache
def instants() -> st.SearchStrategy[float]:
    """Moments up to forty days ago, with the limits that matter among them."""
    limits = st.sampled_from([0.0, 1.0, 3 * MINUTE, 120 * MINUTE, 30 * DAY])
    ages = limits | st.floats(0.0, 40 * DAY)
    return ages.map(lambda age: NOW - age)


@cache
def calls() -> st.SearchStrategy[IncomingCall]:
    return st.builds(
        make_call,
        st.none() | st.sampled_from(NUMBERS),
        kind=st.sampled_from(KINDS),
        did=st.sampled_from([None, LONDON, "s"]),
        trunk=st.sampled_from([None, "carrier", "backbone"]),
        trusted=st.booleans(),
        attestation=st.sampled_from(Attestation),
        verification=st.sampled_from(Verification),
        priority_callback=st.booleans(),
        diverted_from=st.sampled_from([None, "+12015550123"]),
        name=st.sampled_from([None, "", "12017421834", "SPAM RISK", "Acme Dental"]),
    )


def entries(list_name: ListName) -> st.SearchStrategy[ListEntry | None]:
    """No entry, or one with any action."""
    actions = st.none() | st.sampled_from(ACTION_WORDS)
    return st.none() | actions.map(lambda action: make_entry(list_name, action=action))


def ties() -> st.SearchStrategy[PersonalTie]:
    """A contact of the company, or any tie of one of our people."""
    personal = st.builds(
        lambda tie, person: PersonalTie(tie, person.extension, person.group, person.endpoint),
        st.sampled_from(Tie),
        st.sampled_from(PEOPLE),
    )
    return st.just(PersonalTie(Tie.CONTACT, None)) | personal


def rarely(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    """One time in four."""
    return st.integers(0, 3).flatmap(lambda roll: strategy if roll == 0 else st.none())


def recent() -> st.SearchStrategy[list[float]]:
    """When the last calls were, within the hour."""
    return st.lists(st.floats(0, 60 * MINUTE).map(lambda age: NOW - age), max_size=4)


@cache
def facts(*, lists: bool = True, levels: bool = True) -> st.SearchStrategy[Facts]:
    """Any facts; without `lists` nobody has put the caller on a list, without `levels` there is no evidence."""
    imported = st.builds(
        make_imported, st.sampled_from(SOURCES), st.sampled_from(["spam", "ok"]), st.sampled_from([None, *CATEGORIES])
    )
    return st.builds(
        make_facts,
        st.floats(-5, 12) if levels else st.just(0.0),
        level=st.none() | st.sampled_from(Level) if levels else st.just(Level.NONE),
        did=st.none() | st.builds(make_did, group=st.sampled_from([None, *GROUPS]), screen=st.just(True)),
        callee=st.none() | st.sampled_from(PEOPLE),
        caller_person=rarely(st.sampled_from(PEOPLE)),
        allow=entries(ListName.ALLOW) if lists else st.none(),
        block=entries(ListName.BLOCK) if lists else st.none(),
        ties=st.lists(ties(), max_size=3) if lists else st.just(()),
        identity=st.none() | st.sampled_from([1, 2]).map(make_identity),
        imported=st.lists(imported, max_size=2),
        plan=rarely(st.builds(make_plan_row, st.sampled_from(Purpose), law=st.booleans())),
        passed_until=st.none() | instants(),
        passed_at=st.none() | instants(),
        dialled_at=rarely(instants()),
        is_company_known=st.booleans(),
        emergency_at=rarely(instants()),
        own_number=st.integers(0, 3).map(lambda roll: roll == 0),
        recent_calls=recent(),
        recent_block_calls=recent(),
        recent_dids=st.lists(st.sampled_from(["", LONDON, "+442071838751"]), max_size=4),
        first_call=st.none() | st.builds(FirstCall, st.integers(0, 4), st.integers(1, 4)),
        bad_neighbours=rarely(st.integers(3, 9)),
    )


@cache
def cases() -> st.SearchStrategy[Case]:
    """A call and facts at a moment within the week."""
    return st.builds(Case, calls(), facts(), st.floats(0, 7 * DAY).map(lambda after: NOW + after))


def some_of(*values: str) -> st.SearchStrategy[str | list[str]]:
    """One of the words, or several."""
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=3)


ZONES = st.sampled_from(["Europe/London", "Asia/Shanghai"])
CLOCK_TIMES = ["00:00", "08:00", "12:30", "22:00"]

# What each condition may take, as TOML values; the same words as in calls() and facts().
OPERANDS: dict[str, st.SearchStrategy[object]] = {
    "level_at_least": st.sampled_from([level.word for level in Level if level is not Level.NONE]),
    "points_between": st.tuples(st.integers(-25, 55), st.integers(0, 30)).map(lambda t: [t[0], t[0] + t[1]]),
    "listed": some_of(*SOURCES),
    "category": some_of(*CATEGORIES),
    "attestation": some_of("A", "B", "C", "none"),
    "verification": some_of("passed", "failed", "none"),
    "auth_class": some_of("authenticated", "unauthenticated", "unknown"),
    "caller_kind": some_of("number", "withheld", "invalid", "internal", "emergency", "service"),
    "country": some_of("US", "GB", "001"),
    "number_type": some_of("fixed-or-mobile", "mobile", "service", "premium", "unallocated"),
    "purpose": some_of("telemarketing", "bank", "unallocated"),
    "allocated": st.booleans(),
    "prefix": some_of("+1", "+1201", "+1900", "+44", "+447"),
    "same_exchange": st.booleans(),
    "block_listed": st.booleans(),
    "first_call": st.booleans(),
    "neighbours_called": st.integers(1, MAX_NEIGHBOURS),
    "dids_in_a_row": st.integers(LEAST_IN_A_ROW, MAX_IN_A_ROW),
    "storm": st.booleans(),
    "carrier_warns": st.booleans(),
    "nobodys_range": st.booleans(),
    "companies_complain": st.integers(1, MAX_COMPANIES),
    "one_source": st.booleans(),
    "voice": some_of("robot", "person", "unclear"),
    "did": some_of(LONDON, "s"),
    "trunk": some_of("carrier", "backbone"),
    "callee_group": some_of(*GROUPS),
    "relationship": st.booleans(),
    "stranger": st.booleans(),
    "passed_within": st.integers(1, 90),
    "verified": st.booleans(),
    "own_number_spoofed": st.booleans(),
    "diverted": st.booleans(),
    "name_matches": some_of("*spam*", "Spam Risk", "acme*", "*dental"),
    "name_missing": st.booleans(),
    "calls_within": st.fixed_dictionaries(
        {"minutes": st.sampled_from([1, 10, 60]), "at_least": st.integers(1, 4)},
        optional={"of": st.sampled_from(["number", "block"])},
    ),
    "dids_called": st.fixed_dictionaries({"minutes": st.sampled_from([1, 10, 60]), "at_least": st.integers(2, 4)}),
    "hours": st.builds(
        lambda times, zone: {"from": times[0], "to": times[1], "zone": zone},
        st.lists(st.sampled_from(CLOCK_TIMES), min_size=2, max_size=2, unique=True),
        ZONES,
    ),
    "weekdays": st.fixed_dictionaries({"days": some_of("mon", "thu", "sat", "sun"), "zone": ZONES}),
}
CHOSEN = st.lists(st.sampled_from(sorted(OPERANDS)), min_size=1, max_size=3, unique=True)


@st.composite
def flat_tables(draw: st.DrawFn) -> dict[str, object]:
    """A `when` table of one to three conditions."""
    names = draw(CHOSEN)
    return {name: draw(OPERANDS[name]) for name in names}


def when_tables() -> st.SearchStrategy[dict[str, object]]:
    """A `when` table, perhaps with any, all and not in it."""
    combined = st.recursive(
        flat_tables(),
        lambda inner: st.builds(
            lambda name, tables: {name: tables[0] if name == "not" else tables},
            st.sampled_from(["any", "all", "not"]),
            st.lists(inner, min_size=1, max_size=2),
        ),
        max_leaves=4,
    )
    return st.builds(lambda a, b: {**a, **b}, flat_tables(), combined) | flat_tables()


def toml_of_rule(name: str, when: dict[str, object], action: str = "tag") -> str:
    """A rule as a policy file has it."""
    return f'[[rule]]\nname = "{name}"\nwhen = {toml_of(when)}\naction = "{action}"\nreason = "a test"\n'


def policy_texts() -> st.SearchStrategy[str]:
    """Policies of up to four rules; some cannot be loaded, because a rule is never reached."""
    rules = st.lists(st.tuples(when_tables(), st.sampled_from(ACTION_WORDS)), max_size=4)
    return st.builds(
        lambda default, observe, rules: (
            f'default = "{default}"\nobserve = {toml_of(observe)}\n'
            + "".join(toml_of_rule(f"rule-{n}", when, action) for n, (when, action) in enumerate(rules))
        ),
        st.sampled_from(ACTION_WORDS),
        st.booleans(),
        rules,
    )
