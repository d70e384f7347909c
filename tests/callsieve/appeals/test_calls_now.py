"""The status page of an appeal agrees with the code that decides calls, whatever is in the store.

An upheld appeal removes everything that stops the calls, in one change that can be undone.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from callsieve.appeals import operations
from callsieve.appeals.operations import ClearRequest, RulingRequest
from callsieve.calls.records import appeal_in_words
from callsieve.changes.operation import Context
from callsieve.changes.undo import UndoRequest, undo
from callsieve.main.capabilities import CHANGES
from callsieve.numbers.calls_now import StopKind, calls_now, stops_of
from callsieve.simulate import Question, SettingsFacts, call_of, opinion_of, situation_about
from callsieve.web.tokens import hash_of, new_token
from callsieve.wiring import dids_of, policies_of, site_of
from policies.decision import Action
from reputation.appeals import Appeal, AppealState, AppealStep
from reputation.model import AuthClass, EntryKind, ListEntry, ListName, Mark, MarkChannel, Verdict
from reputation.store.appeals import appeal_of, open_appeal, take_step
from reputation.store.lists import PersonalEntry, add_entry, list_entries, personal_entries, set_personal_entry
from reputation.store.marks import add_mark
from reputation.store.people import upsert_dids
from reputation.store.public_appeals import add_public_appeal, cleared_of
from reputation.store.site import record_emergency
from reputation.users import Role
from tests.callsieve.browsing import NOW, Office
from tests.callsieve.public_page.pages import SETTINGS, page_of

NUMBER, REFERENCE = "+12015550480", "AP000001"
BRANCH = "+442071838752"
ALL = tuple(StopKind)
POLICY = """\
extends = "{base}"
observe = {observe}

[[rule]]
name = "turned-away"
when = {{ prefix = ["+120155"] }}
action = "{action}"
reason = "turned away"
"""
SCOPES = f"""
[[did]]
number = "{BRANCH}"
callee = "202"

[[scope]]
did = "{BRANCH}"
policy = "branch"
"""
ENTRIES = (
    (ListName.BLOCK, EntryKind.EXACT, NUMBER, None),
    (ListName.BLOCK, EntryKind.PREFIX, "+1201555", None),
    (ListName.BLOCK, EntryKind.RANGE, "+12015550400", "+12015550499"),
    (ListName.ALLOW, EntryKind.EXACT, NUMBER, None),
    (ListName.ALLOW, EntryKind.PREFIX, "+1201", None),
)
BLOCKS = st.sampled_from([None, "tag", "warn", "challenge", "route", "reject"])
ALLOWS = st.sampled_from([None, "allow", "tag", "warn", "challenge"])


@dataclass(frozen=True)
class Case:
    """A store and policies. `entries`: of ENTRIES by place, with their actions and whether they are over."""

    entries: dict[int, tuple[str | None, bool]]
    blockers: tuple[str, ...]
    allowers: tuple[str, ...]
    markers: int
    emergency: bool
    policy: tuple[str, str, bool]
    branch: tuple[str, str, bool]
    state: AppealState


def entries() -> st.SearchStrategy[dict[int, tuple[str | None, bool]]]:
    places = st.sets(st.integers(0, len(ENTRIES) - 1))
    return places.flatmap(
        lambda chosen: st.fixed_dictionaries(
            {place: st.tuples(BLOCKS if place < 3 else ALLOWS, st.booleans()) for place in chosen}
        )
    )


def policies() -> st.SearchStrategy[tuple[str, str, bool]]:
    bases = st.sampled_from(["cautious", "balanced", "strict", "observe"])
    return st.tuples(bases, st.sampled_from([action.word for action in Action]), st.booleans())


people = st.lists(st.sampled_from(["201", "202"]), unique=True).map(tuple)
cases = st.builds(
    Case,
    entries=entries(),
    blockers=people,
    allowers=people,
    markers=st.integers(0, 4),
    emergency=st.booleans(),
    policy=policies(),
    branch=policies(),
    state=st.sampled_from([AppealState.OPEN, AppealState.IN_FORCE, AppealState.UPHELD]),
)


def text_of(policy: tuple[str, str, bool]) -> str:
    base, action, observe = policy
    return POLICY.format(base=base, action=action, observe=str(observe).lower())


def office_of(case: Case, folder: Path) -> Office:
    """Return the store of a case with an appeal from the public page. Each change has its own time."""
    office = Office(folder, SETTINGS.replace('name = "cautious"', 'name = "office"') + SCOPES)
    (folder / "policies").mkdir()
    (folder / "policies" / "office.toml").write_text(text_of(case.policy))
    (folder / "policies" / "branch.toml").write_text(text_of(case.branch))

    def fill(db: sqlite3.Connection) -> None:
        upsert_dids(db, dids_of(office.load().settings), "settings")
        for place, (action, is_over) in case.entries.items():
            name, kind, first, last = ENTRIES[place]
            expires = NOW - 1 if is_over else None
            add_entry(db, ListEntry(name, kind, first, last, action, "", expires, NOW - 9))
        for person in case.blockers:
            set_personal_entry(db, PersonalEntry(person, NUMBER, ListName.BLOCK, NOW - 9))
        for person in set(case.allowers) - set(case.blockers):
            set_personal_entry(db, PersonalEntry(person, NUMBER, ListName.ALLOW, NOW - 9))
        for place in range(case.markers):
            add_mark(db, Mark(NUMBER, AuthClass.UNKNOWN, f"30{place}", Verdict.SPAM, NOW - 99, MarkChannel.WEB))
        if case.emergency:
            record_emergency(db, NOW - 60)
        appeal = Appeal(reference=REFERENCE, number=NUMBER, name="Carol", contact="c@example.org", opened_at=NOW - 50)
        open_appeal(db, appeal)
        add_public_appeal(db, REFERENCE, hash_of(LINK), NOW - 50)
        if case.state is not AppealState.OPEN:
            take_step(db, REFERENCE, AppealStep.PROVE, NOW - 40)

    office.write(fill)
    if case.state is AppealState.UPHELD:
        office.write(operations.decide, context_of(office, NOW - 30), RulingRequest(REFERENCE, "uphold", "x"))
    return office


LINK = new_token()


def count_blockers(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM personal_entry WHERE verdict = 'block'").fetchone()[0])


def context_of(office: Office, at: float) -> Context:
    return Context("otto", Role.OPERATOR, at, office.load(), changes=CHANGES)


def simulated(db: sqlite3.Connection, office: Office) -> list[tuple[Action, int]]:
    """Return action and step of `simulate` for calls to each DID and to an unknown one."""
    loaded = office.load()
    site, policies = site_of(loaded.settings), policies_of(loaded)
    found = []
    for did in (None, "+442071838750", BRANCH):
        call = call_of(Question(NUMBER, did=did), site)
        situation = situation_about(db, call, NOW, SettingsFacts.of(loaded), at_its_hour=False)
        decision = opinion_of(situation, policies).decision
        found.append((decision.action, decision.step))
    return found


@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(cases)
def test_status_page_agrees_with_simulate(case: Case) -> None:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        office = office_of(case, Path(folder))
        said = office.read(simulated, office)
        said = [item for item in said if item[1] != 3] or said
        page = stack.enter_context(page_of(office)).get(f"/status/{LINK}").text
        found = re.search(r'data-call="(\w+)" data-by="(\w*)" data-people="(\d+)"', page)
        if case.state is AppealState.OPEN:
            assert found is None
            return
        assert found is not None
        strictest = max(action for action, _ in said)
        assert found[1] == strictest.word
        steps = {step for action, step in said if action is strictest}
        by = {3: "people", 4: "list"}
        assert found[2] in ({""} if strictest <= Action.WARN else {by.get(step, "policy") for step in steps})
        assert int(found[3]) == office.read(count_blockers)


@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(cases, st.sets(st.sampled_from(ALL)))
def test_ruling_promises_only_what_rings_and_is_undone_at_once(case: Case, kinds: set[StopKind]) -> None:
    with TemporaryDirectory() as folder:
        office = office_of(Case(**{**vars(case), "state": AppealState.IN_FORCE}), Path(folder))
        before = state_of(office)
        foreseen = {stop.kind for stop in office.read(stops_of, office.load(), NUMBER, NOW)}
        request = RulingRequest(REFERENCE, "uphold", "They are right.", remove=tuple(kinds))
        done = office.write(operations.decide, context_of(office, NOW), request)
        now = office.read(calls_now, office.load(), NUMBER, NOW)
        signed = office.read(cleared_of, REFERENCE) is not None
        assert signed == (now.rings and {stop.kind for stop in done.stops} <= {StopKind.PEOPLE})
        if foreseen <= kinds:
            assert now.rings
        assert {stop.kind for stop in done.stops}.isdisjoint(kinds)
        assert StopKind.PEOPLE not in kinds or now.people == 0
        office.write(undo, context_of(office, NOW + 1), UndoRequest(done.change_id or 0))
        assert state_of(office) == before


def state_of(office: Office) -> tuple[object, ...]:
    return (
        sorted(office.read(list_entries), key=lambda entry: (entry.list_name, entry.text)),
        [office.read(personal_entries, person) for person in ("201", "202")],
        office.read(appeal_of, REFERENCE),
    )


LISTED = Case(
    entries={0: ("reject", False), 1: (None, False)},
    blockers=("201",),
    allowers=(),
    markers=2,
    emergency=False,
    policy=("cautious", "reject", False),
    branch=("cautious", "allow", False),
    state=AppealState.UPHELD,
)


def test_blockers_can_be_removed_after_the_ruling(tmp_path: Path) -> None:
    office = office_of(LISTED, tmp_path)
    assert office.read(cleared_of, REFERENCE) is None
    before = state_of(office)
    stops = office.read(stops_of, office.load(), NUMBER, NOW)
    assert [stop.kind for stop in stops] == list(ALL)
    first = office.write(operations.clear, context_of(office, NOW), ClearRequest(REFERENCE, ("list", "policy")))
    assert [stop.kind for stop in first.stops] == [StopKind.PEOPLE]
    assert office.read(cleared_of, REFERENCE) is not None
    assert office.read(calls_now, office.load(), NUMBER, NOW).rings
    office.write(undo, context_of(office, NOW + 1), UndoRequest(first.change_id or 0))
    assert state_of(office) == before


@pytest.mark.parametrize("kinds", [("list",), ("policy",)])
def test_clearing_one_number_keeps_the_prefix_blocked(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    office = office_of(LISTED, tmp_path)
    office.write(operations.clear, context_of(office, NOW), ClearRequest(REFERENCE, kinds))
    left = {(entry.list_name, entry.text) for entry in office.read(list_entries)}
    assert {(ListName.BLOCK, "+1201555*"), (ListName.ALLOW, NUMBER)} <= left


@pytest.mark.parametrize("state", AppealState)
def test_state_is_shown_without_underscores(state: AppealState) -> None:
    appeal = Appeal(
        reference="AP1", number="+12015550123", name="Bo", contact="b@example.com", opened_at=1.0, state=state
    )
    assert "_" not in str(appeal_in_words(appeal))
