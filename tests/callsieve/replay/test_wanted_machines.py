"""Machines that were probably wanted: what speaks for them, what against, in which order, and the ways out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callsieve.replay.cli.terminal import show_mistakes
from callsieve.replay.false_positives import DecidedCall, FalsePositive, KnownCallers, Stops
from reputation.model import Answered, AuthClass, Challenged, ChallengeResult, Mark, SignalCategory
from reputation.outcome import Signal
from reputation.standing import Rows
from tests.reputation.store_builders import CALLER, DAY, DID, NOW, make_mark

HOUR = 3600.0
OTHERS = [f"+1201555014{digit}" for digit in range(4)]
SILENT, MESSAGE, PASSED = ChallengeResult.SILENT, ChallengeResult.MESSAGE, ChallengeResult.PASSED


def signal(category: SignalCategory, callee: str = "201") -> Signal:
    return Signal(CALLER, AuthClass.UNKNOWN, callee, category, NOW - DAY, f"{category}{callee}")


def answered(*callees: str) -> list[Answered]:
    return [Answered(CALLER, AuthClass.UNKNOWN, callee, NOW - DAY) for callee in callees]


def challenged(*results: ChallengeResult) -> list[Challenged]:
    return [Challenged(CALLER, AuthClass.UNKNOWN, DID, item, NOW + n, f"c{n}") for n, item in enumerate(results)]


def marks(*reporters: str) -> list[Mark]:
    return [make_mark(CALLER, reporter=reporter, at=NOW) for reporter in reporters]


VOICEMAIL = signal(SignalCategory.VOICEMAIL)


def wanted(
    rows: Rows,
    *,
    rule: str = "level-challenge",
    level: str = "challenge",
    times: tuple[float, ...] = (0.0,),
    dids: tuple[str, ...] = (DID,),
    known: KnownCallers | None = None,
) -> FalsePositive | None:
    """What is said of CALLER, whose calls were stopped at these hours after NOW."""
    stops = Stops()
    for n, hours in enumerate(times):
        did = dids[n % len(dids)]
        stops.add_call(DecidedCall(CALLER, NOW + hours * HOUR, "challenge", rule, did, level))
    found = stops.mistakes(lambda _: 0, lambda _: known or KnownCallers(), lambda _: rows)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        pytest.param(Rows(), None, id="nothing"),
        pytest.param(Rows(challenges=challenged(SILENT)), None, id="silence-alone"),
        pytest.param(Rows(answered=answered("201")), None, id="answered-alone"),
        pytest.param(Rows(signals=[VOICEMAIL]), None, id="message-alone"),
        pytest.param(
            Rows(signals=[VOICEMAIL], answered=answered("201", "202")),
            ["the caller left a message", "2 of our people answered a call and did not mark the number"],
            id="message-and-answered",
        ),
        pytest.param(
            Rows(answered=answered("201"), challenges=challenged(MESSAGE, MESSAGE)),
            [
                "the caller left 2 messages",
                "one of us",
                "the caller pressed nothing when challenged, as an automated caller does",
            ],
            id="message-kept-after-a-challenge",
        ),
        pytest.param(
            Rows(signals=[signal(SignalCategory.SECOND_TALK)], answered=answered("201")),
            ["one person talked with the caller again on another day", "one of us"],
            id="talked-with-again",
        ),
        pytest.param(
            Rows(signals=[signal(SignalCategory.NOT_SPAM)]),
            ["a colleague marked the number as not spam"],
            id="said-to-be-fine",
        ),
        pytest.param(Rows(marks("203"), [VOICEMAIL], answered("201")), None, id="but-a-third-marked-it"),
        pytest.param(
            Rows((), [VOICEMAIL, signal(SignalCategory.HUNG_UP_ON, "203")], answered("201", "203")),
            None,
            id="but-a-third-hung-up-on-it",
        ),
    ],
)
def test_evidence_for_a_wanted_number(rows: Rows, why: list[str] | None) -> None:
    found = wanted(rows)
    said = None if found is None else [str(item) for item in found.why]
    if why is None:
        assert said is None
    else:
        one_of_us = "one of our people answered a call and did not mark the number"
        assert said == [one_of_us if item == "one of us" else item for item in why]


@pytest.mark.parametrize(
    ("results", "is_machine"),
    [
        pytest.param([SILENT], True, id="silent"),
        pytest.param([MESSAGE], True, id="left-a-message"),
        pytest.param([SILENT, PASSED], False, id="but-passed-once"),
        pytest.param([ChallengeResult.WRONG], False, id="pressed-something"),
        pytest.param([ChallengeResult.ABANDONED], False, id="hung-up"),
    ],
)
def test_automated_callers_are_recognised(results: list[ChallengeResult], is_machine: bool) -> None:
    found = wanted(Rows(signals=[VOICEMAIL], answered=answered("201"), challenges=challenged(*results)))
    assert found is not None
    assert found.is_machine is is_machine


@pytest.mark.parametrize(
    ("about", "is_regular"),
    [
        pytest.param({"times": (0, 24, 48.2)}, True, id="every-day"),
        pytest.param({"times": (0, 24.4, 24 * 7)}, True, id="some-days"),
        pytest.param({"times": (0, 24, 48.8)}, False, id="at-another-time"),
        pytest.param({"times": (0, 24, 24.1)}, False, id="two-days"),
        pytest.param({"times": (0, 24, 48), "dids": (DID, "+442071838751")}, True, id="two-lines"),
        pytest.param({"times": (0, 24, 48), "dids": (DID, "+442071838751", "")}, False, id="many-lines"),
        pytest.param({"times": (0, 24, 48), "rule": "blocklist"}, False, id="on-a-list"),
    ],
)
def test_regular_calls_suggest_an_automated_caller(about: dict[str, Any], is_regular: bool) -> None:
    found = wanted(Rows(), **about)
    assert (found is not None and found.is_machine) is is_regular


@pytest.mark.parametrize("before_midnight", [0.0, 0.2, 0.4])
def test_calls_around_midnight_count_as_the_same_time(before_midnight: float) -> None:
    to_midnight = (DAY - NOW % DAY) / HOUR
    start = to_midnight - before_midnight
    found = wanted(Rows(), times=(start, start + 24.4, start + 48.2))
    assert found is not None


def test_own_number_is_wanted() -> None:
    found = wanted(Rows(), known=KnownCallers(is_own=True))
    assert found is not None
    assert [str(item) for item in found.why] == ["the number is one of our own numbers"]


def test_likeliest_automated_caller_comes_first() -> None:
    rows = {
        OTHERS[0]: Rows(signals=[VOICEMAIL], answered=answered("201"), challenges=challenged(SILENT)),
        OTHERS[1]: Rows(signals=[signal(SignalCategory.NOT_SPAM)], challenges=challenged(SILENT)),
        OTHERS[2]: Rows(),
    }
    stops = Stops()
    for calls, number in ((3, OTHERS[0]), (1, OTHERS[1]), (9, OTHERS[2])):
        for n in range(calls):
            stops.add_call(DecidedCall(number, NOW + n, "challenge", "level-challenge", DID, "challenge"))
    contact = KnownCallers(is_contact=True)
    found = stops.mistakes(lambda _: 0, lambda n: contact if n == OTHERS[2] else KnownCallers(), rows.__getitem__)
    assert [(item.number, item.is_machine) for item in found] == [
        (OTHERS[1], True),
        (OTHERS[0], True),
        (OTHERS[2], False),
    ]


@pytest.mark.parametrize(
    ("rows", "is_listed"),
    [
        pytest.param(Rows(challenges=challenged(MESSAGE)), True, id="left-a-message"),
        pytest.param(Rows(signals=[signal(SignalCategory.SECOND_TALK)]), True, id="talked-with-before"),
        pytest.param(Rows(challenges=challenged(SILENT)), False, id="silence-alone"),
        pytest.param(Rows(answered=answered("201"), challenges=challenged(SILENT)), False, id="answered-once"),
        pytest.param(Rows(marks("203"), challenges=challenged(MESSAGE)), False, id="but-marked"),
        pytest.param(
            Rows(signals=[signal(SignalCategory.SECOND_TALK)], challenges=challenged(SILENT, PASSED)),
            False,
            id="but-passed",
        ),
    ],
)
def test_failed_challenge_lowers_the_evidence_needed(rows: Rows, is_listed: bool) -> None:
    """Preset `strangers` asks on no evidence."""
    found = wanted(rows, rule="stranger", level="none")
    assert (found is not None) is is_listed
    assert found is None or found.is_machine is bool(rows.challenges)


@pytest.mark.parametrize(
    ("result", "is_listed"), [pytest.param(PASSED, False, id="passed"), pytest.param(SILENT, True, id="failed")]
)
def test_passed_challenge_is_no_mistake_despite_a_call_back(result: ChallengeResult, is_listed: bool) -> None:
    rows = Rows(challenges=challenged(result))
    stops = Stops()
    stops.add_call(DecidedCall(CALLER, NOW, "challenge", "stranger", DID, "none"))
    stops.call_back(CALLER)
    found = stops.mistakes(lambda _: 0, lambda _: KnownCallers(), lambda _: rows)
    assert bool(found) is is_listed


def at_hours(*hours: float, did: str = DID) -> list[Challenged]:
    return [
        Challenged(CALLER, AuthClass.UNKNOWN, did, SILENT, NOW + hour * HOUR - 1.0, f"c{hour}")
        for hour in sorted(hours)
    ]


@pytest.mark.parametrize(
    ("challenges", "is_regular"),
    [
        pytest.param(at_hours(0, -24, -48), True, id="three-days"),
        pytest.param(at_hours(0, -24, -47), False, id="at-another-time"),
        pytest.param(at_hours(0, -24, -24 * 31), False, id="too-long-ago"),
        pytest.param(at_hours(-24, did="a") + at_hours(-48, did="b"), False, id="many-lines"),
    ],
)
def test_earlier_challenges_reveal_a_regular_automated_caller(challenges: list[Challenged], is_regular: bool) -> None:
    """So that the digest of one day can tell it too."""
    assert (wanted(Rows(challenges=challenges)) is not None) is is_regular


def test_each_automated_caller_has_remedies() -> None:
    assert FalsePositive(CALLER, {}, {}, 0.0, (), is_machine=True).remedies == {
        "not-spam": "*38",
        "allow": f'callsieve list add allow {CALLER} --note "machine, wanted"',
        "prove": f"callsieve identity code {CALLER}",
    }


def test_summary_prints_the_remedies_for_automated_callers(capsys: pytest.CaptureFixture[str]) -> None:
    remedy = f'callsieve list add allow {CALLER} --note "machine, wanted"'
    machine = wanted(Rows(signals=[VOICEMAIL], answered=answered("201"), challenges=challenged(SILENT)))
    assert machine is not None
    show_mistakes([machine], 1, "stopped")
    assert remedy in capsys.readouterr().out
    show_mistakes([replace(machine, is_machine=False)], 1, "stopped")
    assert remedy not in capsys.readouterr().out


def test_manual_block_is_no_mistake_despite_a_message() -> None:
    rows = Rows(signals=[VOICEMAIL], answered=answered("201"))
    assert wanted(rows, rule="callee-blocklist") is None
    assert wanted(rows._replace(challenges=challenged(SILENT)), rule="blocklist") is None
