"""The register of own numbers: states, due work, and unregistered numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from reputation.model import Direction
from reputation.own.grades import due_of
from reputation.own.register import (
    REST_SECONDS,
    NumberState,
    OwnNumber,
    RegisterError,
    checked,
    rested,
    retired,
    used_again,
)
from reputation.store.outcomes import record_outcomes
from reputation.store.own_register import Seen, own_of, put_own, register_of, remove_own, unregistered
from reputation.store.people import own_numbers, replace_settings_own_numbers
from tests.reputation.store_builders import DAY, NOW, make_outcome, read, write

OWN = "+442071838750"


def make_own(number: str = OWN, **others: object) -> OwnNumber:
    return OwnNumber(number=number, since=NOW, added_at=NOW, **others)  # type: ignore[arg-type]


def test_a_number_can_be_used_again_after_45_days() -> None:
    resting = rested(make_own(), NOW)
    assert (resting.state, resting.rests_until) == (NumberState.RESTING, NOW + 45 * DAY)
    with pytest.raises(RegisterError, match="1 more days") as refused:
        used_again(resting, NOW + 44 * DAY)
    assert refused.value.code == "rests-still"
    assert used_again(resting, NOW + 44 * DAY, early=True).state is NumberState.ACTIVE
    again = used_again(resting, NOW + REST_SECONDS)
    assert (again.state, again.since, again.rests_until) == (NumberState.ACTIVE, NOW + REST_SECONDS, None)


@pytest.mark.parametrize(
    ("own", "step"),
    [
        pytest.param(make_own(state=NumberState.RETIRED), rested, id="a-retired-one-cannot-rest"),
        pytest.param(make_own(state=NumberState.RESTING), rested, id="a-resting-one-cannot-rest"),
        pytest.param(make_own(), used_again, id="an-active-one-is-in-use"),
        pytest.param(make_own(state=NumberState.RETIRED), retired, id="retired-once"),
    ],
)
def test_an_impossible_step_is_refused(own: OwnNumber, step: object) -> None:
    with pytest.raises(RegisterError, match=OWN.replace("+", r"\+")):
        step(own, NOW)  # type: ignore[operator]


def test_due_work_is_listed_in_order() -> None:
    register = [
        checked(make_own("+442071838751", registered=("Ofcom",)), NOW, NOW + DAY),
        checked(make_own("+442071838752"), NOW, NOW + 20 * DAY),
        checked(make_own("+442071838753"), NOW, None),
        make_own("+442071838754", state=NumberState.RETIRED, next_check_at=NOW),
        rested(make_own("+442071838755"), NOW - 40 * DAY),
    ]
    strangers = [Seen("+442071838759", 3, NOW, NOW), Seen("+442071838754", 2, NOW, NOW)]
    due = due_of(register, strangers, NOW + 14 * DAY)
    assert [(item.number[-1], item.at) for item in due] == [
        ("4", 0.0),
        ("9", 0.0),
        ("1", NOW + DAY),
        ("5", NOW + 5 * DAY),
    ]
    assert [item.what.places for item in due] == [{"calls": 2}, {"calls": 3}, {"where": "Ofcom"}, {}]
    given_back, not_registered, *_ = due
    assert given_back.what.template != not_registered.what.template


def test_the_register_round_trips(tmp_path: Path) -> None:
    path = tmp_path / "callsieve.db"
    own = make_own(name="Café", trunks=("carrier", "other"), documents=("LOA 7",), next_check_at=NOW + DAY)
    write(path, put_own, own)
    assert read(path, register_of) == [own]
    assert write(path, remove_own, OWN) == own
    assert read(path, own_of, OWN) is None


def test_a_registered_number_is_an_own_number(tmp_path: Path) -> None:
    path = tmp_path / "callsieve.db"
    write(path, replace_settings_own_numbers, [OWN])
    write(path, put_own, make_own())
    write(path, replace_settings_own_numbers, [])
    assert read(path, own_numbers) == [OWN]
    write(path, put_own, retired(make_own(), NOW))
    assert read(path, own_numbers) == []
    write(path, put_own, make_own())
    write(path, remove_own, OWN)
    assert read(path, own_numbers) == []


def test_unregistered_outgoing_numbers_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "callsieve.db"
    calls = [
        make_outcome(f"c{n}", NOW + n, by="201", direction=Direction.OUTBOUND, own_number=number)
        for n, number in enumerate([OWN, OWN, "+442071838751", "+442071838752", "201", None])
    ]
    write(path, record_outcomes, [*calls, make_outcome("in", NOW)], NOW + 60)
    write(path, put_own, make_own("+442071838751"))
    write(path, put_own, make_own("+442071838752", state=NumberState.RETIRED))
    assert read(path, unregistered, NOW) == [Seen(OWN, 2, NOW, NOW + 1), Seen("+442071838752", 1, NOW + 3, NOW + 3)]
