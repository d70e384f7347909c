"""The state machine of appeals: allowed steps, due dates, and when the next appeal is allowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.appeals import (
    CODE_SECONDS,
    CODE_TRIES,
    COOLING_OFF_DAYS,
    LIVE,
    NEXT,
    AppealError,
    AppealState,
    AppealStep,
    Code,
    ProofAnswer,
    answer_of,
    checked,
    checked_reason,
    digest_of,
    due_at,
    is_overdue,
    new_code,
    refusal,
    stepped,
)
from reputation.site_names import ALPHABET, new_id, parse_id
from reputation.wording import Places, Wording
from tests.reputation.store_builders import DAY, NOW, make_appeal

LONDON = ZoneInfo("Europe/London")


def places_of(error: AppealError) -> Places:
    assert isinstance(error.words, Wording)
    return error.words.places


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON).timestamp()


@pytest.mark.parametrize(("state", "step"), list(product(AppealState, AppealStep)))
def test_steps_outside_the_table_are_refused(state: AppealState, step: AppealStep) -> None:
    appeal = make_appeal(state=state)
    if (state, step) in NEXT:
        assert stepped(appeal, step, NOW).state is NEXT[state, step]
    else:
        with pytest.raises(AppealError) as error:
            stepped(appeal, step, NOW)
        code = {AppealState.OPEN: "not-in-force", AppealState.IN_FORCE: "in-force"}.get(state, "closed")
        assert (error.value.code, places_of(error.value)) == (code, {"reference": "AP9E4100"})


def test_only_an_appeal_in_force_can_be_decided() -> None:
    for step in (AppealStep.UPHOLD, AppealStep.DENY):
        assert {state for state, item in NEXT if item is step} == {AppealState.IN_FORCE}


@given(st.lists(st.sampled_from(AppealStep), max_size=8))
def test_an_ended_appeal_never_changes_again(steps: list[AppealStep]) -> None:
    appeal, taken = make_appeal(), []
    for index, step in enumerate(steps):
        before = appeal
        try:
            appeal = stepped(appeal, step, NOW + index, "because")
        except AppealError:
            assert appeal is before
            continue
        taken.append(step)
        assert before.state in LIVE
        assert (appeal.closed_at is None) == (appeal.state in LIVE)
        assert before.in_force_at in (None, appeal.in_force_at)
    assert appeal.proven == (AppealStep.PROVE in taken)
    decided = appeal.state in (AppealState.UPHELD, AppealState.DENIED)
    assert not decided or appeal.in_force_at is not None
    assert (appeal.reason == "because") == (appeal.state not in LIVE)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"name": "  "}, "nobody", id="no-name"),
        pytest.param({"contact": ""}, "nobody", id="no-contact"),
        pytest.param({"name": "a" * 201}, "bad-text", id="long-name"),
        pytest.param({"contact": "a\nb"}, "bad-text", id="two-lines"),
        pytest.param({"statement": "a" * 4001}, "too-long", id="long-statement"),
    ],
)
def test_a_malformed_appeal_is_refused(fields: dict[str, str], code: str) -> None:
    with pytest.raises(AppealError) as error:
        checked(make_appeal(**fields))
    assert error.value.code == code


def test_texts_of_an_appeal_are_trimmed() -> None:
    filed = checked(make_appeal(name=" Carol ", contact=" c@example.com\n", statement="\n it is\n wrong \n"))
    assert (filed.name, filed.contact, filed.statement) == ("Carol", "c@example.com", "it is\n wrong")


@pytest.mark.parametrize(("reason", "code"), [("  ", "no-reason"), ("a" * 4001, "too-long")])
def test_a_decision_needs_a_reason(reason: str, code: str) -> None:
    with pytest.raises(AppealError) as error:
        checked_reason(reason)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("in_force", "due"),
    [
        pytest.param("2026-01-05T09:00", "2026-01-09T00:00", id="monday-until-the-end-of-thursday"),
        pytest.param("2026-01-06T23:59", "2026-01-10T00:00", id="tuesday-friday"),
        pytest.param("2026-01-07T00:00", "2026-01-13T00:00", id="wednesday-monday"),
        pytest.param("2026-01-09T12:00", "2026-01-15T00:00", id="friday-wednesday"),
        pytest.param("2026-01-10T12:00", "2026-01-15T00:00", id="saturday-wednesday"),
        pytest.param("2026-01-11T12:00", "2026-01-15T00:00", id="sunday-wednesday"),
        pytest.param("2026-03-27T12:00", "2026-04-02T00:00", id="over-the-change-of-clocks"),
    ],
)
def test_a_decision_is_due_in_three_working_days(in_force: str, due: str) -> None:
    appeal = stepped(make_appeal(), AppealStep.ACCEPT, at(in_force))
    assert due_at(appeal, LONDON) == at(due)
    assert not is_overdue(appeal, at(due) - 1, LONDON)
    assert is_overdue(appeal, at(due), LONDON)


@given(st.floats(0, 4e9))
def test_the_default_time_zone_gives_a_due_date(in_force_at: float) -> None:
    due = due_at(make_appeal(state=AppealState.IN_FORCE, in_force_at=in_force_at))
    assert due is not None
    assert 3 * DAY - 3600 <= due - in_force_at <= 6 * DAY + 3600


def test_only_an_appeal_in_force_is_due() -> None:
    for state in set(AppealState) - {AppealState.IN_FORCE}:
        assert due_at(make_appeal(state=state, in_force_at=NOW)) is None
        assert not is_overdue(make_appeal(state=state, in_force_at=NOW), NOW + 90 * DAY)


@pytest.mark.parametrize(
    ("state", "days_ago", "expected"),
    [
        pytest.param(AppealState.OPEN, 400, ("appealed", None), id="one-is-open"),
        pytest.param(AppealState.IN_FORCE, 1, ("appealed", None), id="one-is-in-force"),
        pytest.param(AppealState.DENIED, 0, ("denied-lately", 30), id="just-denied"),
        pytest.param(AppealState.DENIED, COOLING_OFF_DAYS - 0.5, ("denied-lately", 1), id="denied-a-month-ago"),
        pytest.param(AppealState.DENIED, COOLING_OFF_DAYS, None, id="denied-long-ago"),
        pytest.param(AppealState.UPHELD, 0, None, id="upheld"),
        pytest.param(AppealState.WITHDRAWN, 0, None, id="withdrawn"),
    ],
)
def test_the_next_appeal_waits_after_a_denial(
    state: AppealState, days_ago: float, expected: tuple[str, int | None] | None
) -> None:
    closed_at = None if state in LIVE else NOW - days_ago * DAY
    error = refusal([make_appeal(state=state, closed_at=closed_at)], NOW)
    assert (error and (error.code, places_of(error).get("days"))) == expected


def test_a_code_is_valid_for_a_day_and_five_tries() -> None:
    code = Code(digest_of("031 415", "AP9E4100"), NOW)
    assert answer_of(code, "031-415", "AP9E4100", NOW + CODE_SECONDS - 1) is ProofAnswer.RIGHT
    assert answer_of(code, "031416", "AP9E4100", NOW) is ProofAnswer.WRONG
    assert answer_of(code, "", "AP9E4100", NOW) is ProofAnswer.WRONG
    assert answer_of(code, "031415", "AP9E4101", NOW) is ProofAnswer.WRONG
    assert answer_of(code, "031415", "AP9E4100", NOW + CODE_SECONDS) is ProofAnswer.EXPIRED
    assert answer_of(replace(code, tries=CODE_TRIES), "031415", "AP9E4100", NOW) is ProofAnswer.SPENT
    assert answer_of(None, "031415", "AP9E4100", NOW) is ProofAnswer.NONE
    assert b"031415" not in code.digest


def test_codes_are_six_digits() -> None:
    codes = {new_code() for _ in range(100)}
    assert all(len(code) == 6 and code.isdigit() for code in codes)
    assert len(codes) > 90


def test_a_reference_is_parsed_as_people_write_it() -> None:
    made = new_id()
    assert len(made) == 8
    assert set(made) <= set(ALPHABET)
    assert parse_id(f" {made.lower()} ") == made
    assert parse_id("O1IL2345") == "01112345"
    assert parse_id("U1234567") is None
    assert parse_id("1234567") is None
