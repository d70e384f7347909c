"""The same facts give the same decision through each door: a call, the question of an operator, and a replay."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agi.screening import Screening
from callsieve.replay.engine import Replay
from callsieve.simulate import Question, SettingsFacts, call_of, opinion_of, situation_about
from policies.decision import Decision
from policies.engine import decide_for_callee
from policies.loader import PRESETS, load_policy
from policies.policy import Case, Policy
from policies.reasons import capped
from policies.situation import ScreeningHours
from reputation.facts import Facts, FactsQuery
from reputation.model import Attestation, DecisionRecord, Did, Identity, ListName, PhoneSetting, Verification
from reputation.numbers import stored_number
from reputation.own.hours import QuietHours
from reputation.store.as_of import background_of
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from reputation.store.identities import set_identity
from reputation.store.imports import import_numbers
from reputation.store.journal import record_decisions
from reputation.store.lists import (
    Contact,
    PersonalEntry,
    add_contacts,
    add_entry,
    expect_call,
    set_personal_entry,
    set_phone_setting,
)
from reputation.store.people import replace_settings_dids
from reputation.store.site import record_emergency
from reputation.store.transaction import transaction
from reputation.weights import DEFAULT, QuietWeights, SampleWeights
from tests.builders import (
    CALLER,
    DAY,
    HOUR,
    LONDON,
    NOW,
    Clock,
    Memory,
    make_entry,
    make_policy,
    make_request,
    make_screening,
    make_site,
)
from tests.callsieve.program import make_record
from tests.callsieve.replay.test_replay_engine import OURS, events_in, inbound, lines, random_history, store

LATER = NOW + 30 * DAY  # after the history
SOON = settings(max_examples=40, deadline=None)
NUMBERS = (CALLER, "+12017421801", "+12017421804")  # of strangers, and of callers in the history
NIGHT = QuietWeights(first_hour=0, last_hour=23, time_zone="UTC")
UNSAMPLED = msgspec.structs.replace(DEFAULT, sample=SampleWeights(every=0))  # a question is no call: nothing is drawn
ALICE = "201"
POLICIES = (
    *map(load_policy, PRESETS),
    make_policy("""
        [[rule]]
        name = "again"
        when = { calls_within = { minutes = 5, at_least = 2, of = "block" } }
        action = "challenge"
        reason = "again"
    """),
)
HISTORY = events_in(lines(*random_history(seed=5)))
Told = tuple[str, str, str, str, str, str, str | None]


@dataclass(frozen=True)
class World:
    """A call, and what is known of its caller besides the history."""

    policy: Policy
    number: str = CALLER
    trunk: str = "carrier"
    signed: tuple[Attestation, Verification] = (Attestation.NONE, Verification.NONE)
    callee: str | None = None
    entry: tuple[ListName, str] | None = None
    personal: ListName | None = None
    contact_of: str | None = None
    identity_level: int | None = None
    is_imported: bool = False
    ages: Sequence[float] = ()

    @property
    def ours(self) -> SettingsFacts:
        dids = {LONDON: Did(LONDON, ("sales",), self.callee)}
        return replace(OURS, dids=dids, hours=HOURS, weights=UNSAMPLED)

    def write_to(self, db: sqlite3.Connection) -> None:
        """What the store knows of it."""
        replace_settings_dids(db, self.ours.dids.values())
        if self.entry is not None:
            add_entry(db, make_entry(self.entry[0], self.number, self.entry[1]))
        if self.personal is not None:
            set_personal_entry(db, PersonalEntry(ALICE, self.number, self.personal, NOW))
        if self.contact_of is not None:
            add_contacts(db, "crm", [Contact(self.number, person=self.contact_of or None)])
        if self.identity_level is not None:
            set_identity(db, Identity(self.number, "Acme Bank", self.identity_level, LATER + DAY), NOW)
        earlier = [
            make_record(f"E{n}", at=LATER - age, caller=self.number, linkedid=f"e{n}")
            for n, age in enumerate(self.ages)
        ]
        record_decisions(db, earlier)


WORLDS = st.builds(
    World,
    policy=st.sampled_from(POLICIES),
    number=st.sampled_from(NUMBERS),
    trunk=st.sampled_from(["carrier", "backbone"]),
    signed=st.sampled_from(
        [
            (Attestation.NONE, Verification.NONE),
            (Attestation.A, Verification.PASSED),
            (Attestation.B, Verification.NONE),
            (Attestation.NONE, Verification.FAILED),
        ]
    ),
    callee=st.sampled_from([None, ALICE]),
    entry=st.none() | st.tuples(st.sampled_from(ListName), st.sampled_from(["allow", "warn", "reject"])),
    personal=st.none() | st.sampled_from(ListName),
    contact_of=st.sampled_from([None, "", ALICE, "301"]),
    identity_level=st.sampled_from([None, 1, 2]),
    is_imported=st.booleans(),
    ages=st.lists(st.sampled_from([10.0, 179.0, 181.0, 3599.0]), max_size=3, unique=True).map(sorted),
).filter(lambda world: world.contact_of is None or world.number == CALLER)
# Contacts have no date: to a replay somebody is one at the time of the marks already.
HOURS = ScreeningHours(QuietHours(NIGHT), 2 * HOUR)


@dataclass
class Stored(Memory):
    """A store for screening that is one."""

    db: sqlite3.Connection | None = None

    async def facts(self, query: FactsQuery, give_up_at: float) -> Facts:
        assert self.db is not None
        return facts_of(self.db, query, UNSAMPLED)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the history has been written."""
    path = tmp_path_factory.mktemp("history") / "callsieve.db"
    with open_store(path) as db, transaction(db):
        store(db, HISTORY)
    return path


@contextmanager
def stored(history: Path, world: World) -> Iterator[sqlite3.Connection]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "callsieve.db"
        path.write_bytes(history.read_bytes())
        with open_store(path) as db:
            if world.is_imported:
                import_numbers(db, "ftc", "spam", [(world.number, "scam", None, None)], lambda: NOW)
            with transaction(db):
                world.write_to(db)
            yield db


def summary_of(decision: Decision) -> Told:
    words = (decision.action.word, decision.would_be.word, decision.rule, decision.level.word, decision.policy)
    return (*words, capped(decision.reason, decision.capped_by).kept, decision.callee)


def summary_in_journal(record: DecisionRecord) -> Told:
    return (
        *(record.action, record.would_be, record.rule, record.level, record.policy),
        *(record.reason, record.callee),
    )


def by_call(db: sqlite3.Connection, world: World, emergency: str = "") -> Screening:
    """Screening that has just decided about the call."""
    memory = Stored(Clock(), db=db)
    memory.clock.now = LATER
    screening = make_screening(memory, world.policy, site=make_site(hours=HOURS))
    for age in reversed(world.ages):
        screening.velocity.add(stored_number(world.number), LATER - age)
    attestation, verification = world.signed
    arguments = f"did={LONDON},attestation={attestation.value},verification={verification.value},emergency={emergency}"
    request = make_request("screen", arguments, callerid=world.number, channel=f"PJSIP/{world.trunk}-00000001")
    asyncio.run(screening.answer(request))
    return screening


def journal_of(screening: Screening) -> list[Told]:
    assert isinstance(screening.knowledge, Memory)
    return [summary_in_journal(record) for record in screening.knowledge.decisions]


def decided_by(screening: Screening) -> Told:
    return journal_of(screening)[-1]


def asked(db: sqlite3.Connection, world: World, callee: str | None = None) -> Case:
    attestation, verification = world.signed
    question = Question(world.number, LONDON, world.trunk, attestation=attestation, verification=verification)
    return situation_about(db, call_of(question, make_site()), LATER, world.ours, callee)


def by_replay(db: sqlite3.Connection, world: World) -> Decision:
    replay = Replay([world.policy], world.ours, partial(background_of, db))
    attestation, verification = (None if word == "none" else word for word in world.signed)
    about = {"caller": world.number, "trunk": world.trunk, "ring_seconds": 2 * HOUR}  # they go on
    earlier = [inbound(f"e{n}", LATER - age, **about) for n, age in enumerate(world.ages)][::-1]
    last = inbound("last", LATER, **about, attestation=attestation, verification=verification)
    *_, judged = map(replay.take, [*HISTORY, *events_in(lines(*earlier, last))])
    assert judged is not None
    return judged.decisions[0]


@SOON
@given(world=WORLDS)
@example(world=World(load_policy("strangers"), callee=ALICE, contact_of="301"))  # a colleague knows the caller
def test_call_explanation_and_replay_decide_alike(history: Path, world: World) -> None:
    with stored(history, world) as db:
        decided = decided_by(by_call(db, world))
        assert summary_of(opinion_of(asked(db, world), world.policy).decision) == decided
        assert summary_of(by_replay(db, world)) == decided


@SOON
@given(world=WORLDS, emergency_ago=st.sampled_from([None, HOUR, 3 * HOUR]), expects=st.booleans(), rests=st.booleans())
def test_explanation_knows_the_circumstances_of_a_call(
    history: Path, world: World, emergency_ago: float | None, expects: bool, rests: bool
) -> None:
    """What a replay does not look at: emergency calls, expected calls, quiet hours."""
    with stored(history, world) as db:
        with transaction(db):
            if emergency_ago is not None:
                record_emergency(db, LATER - emergency_ago)
            if expects:
                expect_call(db, ALICE, LATER + HOUR)
            if rests:
                set_phone_setting(db, ALICE, PhoneSetting.QUIET, NOW)
        assert summary_of(opinion_of(asked(db, world), world.policy).decision) == decided_by(by_call(db, world))


@SOON
@given(world=WORLDS, rests=st.booleans())
def test_the_person_is_asked_about_with_the_same_facts(history: Path, world: World, rests: bool) -> None:
    with stored(history, world) as db:
        if rests:
            with transaction(db):
                set_phone_setting(db, ALICE, PhoneSetting.QUIET, NOW)
        screening = by_call(db, world)
        situation = asked(db, world, ALICE)
        auth = "failed" if Verification.FAILED in world.signed else situation.call.auth_class.value
        arguments = f"caller={world.number},auth={auth},endpoint=PJSIP/{ALICE},did={LONDON},trunk=PJSIP/{world.trunk}-1"
        asyncio.run(screening.answer(make_request("callee", arguments)))
        decided = [words[:3] for words in journal_of(screening)[1:]]
        expected = decide_for_callee(*situation.under(world.policy))
        assert decided == ([summary_of(expected)[:3]] if expected is not None else [])


STORM = [(f"+12015558{n:03d}", f"+4420718387{n:02d}", 10.0 * n) for n in range(6)]  # in order, 10 s apart
QUIET = [("+12025550140", "+442071838790", 120.0), ("+12035550141", "+442071838740", 900.0)]


@pytest.mark.parametrize(
    ("calls", "actions"),
    [
        pytest.param(STORM, ["allow", "allow", *["tag"] * 4], id="a-storm"),
        pytest.param(QUIET, ["allow", "allow"], id="strangers-who-have-nothing-in-common"),
        pytest.param([*STORM[:3], *QUIET], ["allow", "allow", "tag", "allow", "allow"], id="a-stranger-in-a-storm"),
    ],
)
def test_first_calls_are_recognised_alike(
    history: Path, calls: list[tuple[str, str, float]], actions: list[str]
) -> None:
    """By calls, by a question just before each, which reads the journal, and by a replay."""
    world = World(load_policy("strict"))
    with stored(history, world) as db:
        memory = Stored(Clock(), db=db)
        screening, questioned = make_screening(memory, world.policy, site=make_site(hours=HOURS)), []
        for number, did, after in calls:
            memory.clock.now = LATER + after
            call = call_of(Question(number, did, "carrier"), make_site())
            questioned.append(opinion_of(situation_about(db, call, LATER + after, world.ours), world.policy).decision)
            request = make_request("screen", f"did={did}", callerid=number, channel="PJSIP/carrier-00000001")
            asyncio.run(screening.answer(request))
            record_decisions(db, [memory.decisions[-1]._replace(id=number, linkedid=number)])
        replay = Replay([world.policy], world.ours, partial(background_of, db))
        past = [inbound(who, LATER + after, caller=who, did=did, ring_seconds=HOUR) for who, did, after in calls]
        judged = [replay.take(event) for event in [*HISTORY, *events_in(lines(*past))]][-len(calls) :]
    assert [record.action for record in memory.decisions] == actions
    assert [summary_of(decision) for decision in questioned] == [
        summary_in_journal(decision_) for decision_ in memory.decisions
    ]
    assert [summary_of(item.decisions[0]) for item in judged if item is not None] == list(map(summary_of, questioned))


@pytest.mark.parametrize(("ago", "rule"), [(HOUR, "emergency-window"), (3 * HOUR, None)])
def test_an_emergency_call_that_asterisk_alone_knows(history: Path, ago: float, rule: str | None) -> None:
    world = World(POLICIES[0])
    with stored(history, world) as db:
        found = decided_by(by_call(db, world, f"{LATER - ago:.0f}"))[2]
        assert found == (rule or decided_by(by_call(db, world))[2])
