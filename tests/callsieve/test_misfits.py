"""Where a value does not fit its type, whatever words msgspec has for it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pytest

from reputation.encoding import Fault, find_misfit


class Inner(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    from_: Annotated[int, msgspec.Meta(ge=1)]
    word: Literal["a", "b"] = "a"


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    low: int = 0
    high: int = 9

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    listed: tuple[Inner, ...] = ()
    named: dict[str, Inner] = {}
    maybe: Inner | None = None
    two: tuple[int, str] = (0, "")
    pair: Pair | None = None


class Cat(msgspec.Struct, tag="cat", forbid_unknown_fields=True):
    lives: int


class Dog(msgspec.Struct, tag="dog", forbid_unknown_fields=True):
    tricks: int = 0


@pytest.mark.parametrize(
    ("value", "place", "fault"),
    [
        pytest.param({"lisetd": []}, "lisetd", Fault.UNKNOWN_KEY, id="unknown"),
        pytest.param({"listed": [{"from": 1}, {"from": 1, "x": 1}]}, "listed[1].x", Fault.UNKNOWN_KEY, id="in-a-list"),
        pytest.param({"listed": [{}]}, "listed[0].from", Fault.MISSING_KEY, id="missing"),
        pytest.param({"named": {"n": {"from": 0}}}, "named.n.from", Fault.WRONG_VALUE, id="too-small"),
        pytest.param({"maybe": {"from": 1, "word": "c"}}, "maybe.word", Fault.WRONG_VALUE, id="of-a-union"),
        pytest.param({"maybe": 5}, "maybe", Fault.WRONG_VALUE, id="no-table"),
        pytest.param({"two": [1, 2]}, "two[1]", Fault.WRONG_VALUE, id="second-of-two"),
        pytest.param({"two": [1]}, "two", Fault.WRONG_VALUE, id="too-few"),
        pytest.param({"pair": {"low": 10}}, "pair", Fault.WRONG_VALUE, id="the-type-itself-refuses"),
        pytest.param([], "", Fault.WRONG_VALUE, id="all-of-it"),
    ],
)
def test_misfit_has_a_place_and_a_fault(value: object, place: str, fault: Fault) -> None:
    misfit = find_misfit(value, Outer)
    assert misfit is not None
    assert (misfit.place, misfit.fault) == (place, fault)


def test_custom_type_explains_its_misfit() -> None:
    misfit = find_misfit({"pair": {"low": 10}}, Outer)
    assert misfit is not None
    assert misfit.words == "low is above high"


@pytest.mark.parametrize(
    ("value", "place"),
    [
        pytest.param({"type": "cat"}, "lives", id="the-first"),
        pytest.param({"type": "dog", "lives": 9}, "lives", id="the-second"),
        pytest.param({"type": "cow"}, "", id="neither"),
    ],
)
def test_tag_chooses_the_type(value: object, place: str) -> None:
    misfit = find_misfit(value, Cat | Dog)
    assert misfit is not None
    assert misfit.place == place


def test_fitting_value_has_no_misfit() -> None:
    assert find_misfit({"listed": [{"from": 1}], "two": [1, "x"], "pair": {"low": 1}}, Outer) is None
    assert find_misfit({"from": "1"}, Inner, strict=False) is None
