"""What a warning changes: shares with their intervals, which calls are compared, and whose marks count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callsieve.replay.label_effect import LEAST_CALLS, LabelEffect, Z
from reputation.encoding import plain
from reputation.formulas import difference, wilson
from reputation.model import Direction, Disposition, EndedBy, Verdict
from reputation.outcome import OutcomeRecord
from tests.reputation.store_builders import CALLER, NOW, make_mark, make_outcome


@pytest.mark.parametrize(
    ("share", "low", "high"),
    [
        pytest.param((0, 0), 0.0, 1.0, id="nothing-known"),
        pytest.param((0, 20), 0.0, 0.1611, id="never"),
        pytest.param((20, 20), 0.8389, 1.0, id="always"),
        pytest.param((10, 20), 0.2993, 0.7007, id="half"),
        pytest.param((81, 263), 0.2553, 0.3662, id="published"),  # Newcombe 1998, table I
    ],
)
def test_wilson_interval_of_a_share(share: tuple[int, int], low: float, high: float) -> None:
    assert wilson(*share, Z)[1:] == pytest.approx((low, high), abs=1e-4)


def test_newcombe_interval_of_a_difference() -> None:
    one, other = wilson(56, 70, Z), wilson(48, 80, Z)  # Newcombe 1998, table II (a), method 10
    assert difference(one, other) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    assert difference(other, one) == pytest.approx((-0.2, -0.3339, -0.0524), abs=1e-4)


def call(name: str, *, talk: float | None = 20.0, at: float = NOW, **others: Any) -> OutcomeRecord:
    """An inbound call that was warned of."""
    about = {"action": "warn"} | others
    return make_outcome(name, at, by="201" if talk is not None else None, talk=talk or 0.0, **about)


def effect_of(*calls: tuple[OutcomeRecord, bool]) -> LabelEffect:
    effect = LabelEffect()
    for outcome, sampled in calls:
        effect.add_call(outcome, sampled=sampled)
    return effect


def test_warned_calls_are_compared_with_the_control_sample() -> None:
    effect = effect_of(
        (call("labelled"), False),
        (call("sampled", action="allow"), True),
        (call("tagged", action="tag"), False),
        (call("allowed", action="allow"), False),
        (call("unscreened", action=None), False),
        (call("withheld", caller=None), False),
    )
    assert (effect.labelled.calls, effect.unlabelled.calls) == (1, 1)


def test_reactions_of_callees_are_counted() -> None:
    effect = effect_of(
        (call("hung-up", talk=3.0, ended_by=EndedBy.CALLEE), False),
        (call("talked", talk=61.0), False),
        (call("missed", talk=None, disposition=Disposition.NO_ANSWER), False),
        (call("sampled", talk=61.0, action="allow"), True),
    )
    assert effect.labelled.seen == {"answered": 2, "hung-up-on": 1, "talked-long": 1}
    assert effect.unlabelled.seen == {"answered": 1, "talked-long": 1}


@pytest.mark.parametrize(
    ("marks", "labelled", "unlabelled"),
    [
        pytest.param([{"linkedid": "one"}], 1, 0, id="of-the-call-that-is-named"),
        pytest.param([{}], 0, 1, id="else-of-the-latest"),
        pytest.param([{"linkedid": "one"}, {"linkedid": "one", "reporter": "202"}], 1, 0, id="a-call-once"),
        pytest.param([{"verdict": Verdict.OK}], 0, 0, id="only-spam"),
        pytest.param([{"linkedid": "unknown"}], 0, 0, id="another-call"),
        pytest.param([{"number": "+12015550199"}], 0, 0, id="another-number"),
    ],
)
def test_mark_counts_for_the_call_before_it(marks: list[dict[str, Any]], labelled: int, unlabelled: int) -> None:
    effect = effect_of((call("one"), False), (call("two", action="allow"), True))
    for about in marks:
        effect.add_mark(replace(make_mark(CALLER, at=NOW + 60), **about))
    assert (effect.labelled.seen["marked"], effect.unlabelled.seen["marked"]) == (labelled, unlabelled)


def test_mark_after_a_later_call_does_not_count_for_the_first() -> None:
    effect = effect_of((call("one"), False), (call("two", action="allow"), False))
    effect.add_mark(make_mark(CALLER, reporter="201", at=NOW + 60))
    assert effect.labelled.seen["marked"] == 0


def test_too_few_calls_give_only_their_number() -> None:
    effect = effect_of(*((call(f"c{n}"), False) for n in range(LEAST_CALLS)))
    for n in range(LEAST_CALLS - 1):
        effect.add_call(call(f"s{n}", action="allow"), sampled=True)
    assert plain(effect) == {
        "enough": False,
        "least": LEAST_CALLS,
        "calls": {"labelled": 20, "unlabelled": 19},
        "seen": [],
    }
    effect.add_call(call("last", action="allow"), sampled=True)
    assert effect.enough


def test_outgoing_calls_are_not_compared() -> None:
    outbound = make_outcome("o", NOW, direction=Direction.OUTBOUND, caller="201", dialled=CALLER, action="allow")
    assert effect_of((outbound, False)).labelled.calls == 0


def test_effect_has_both_shares_and_their_difference() -> None:
    effect = effect_of(
        *((call(f"c{n}", talk=20.0 if n % 4 == 0 else None), False) for n in range(40)),
        *((call(f"s{n}", talk=20.0 if n % 2 == 0 else None, action="allow"), True) for n in range(20)),
    )
    answered = effect.seen[0]
    assert answered.what == "answered"
    assert (answered.labelled.value, answered.unlabelled.value, answered.difference.value) == (0.25, 0.5, -0.25)
    assert answered.difference.low < -0.25 < answered.difference.high
