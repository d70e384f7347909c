"""Spans and instants as people type them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.text.times import TimeError, ago, expiry_of, instant_of, iso, span_words, when, when_exactly

NOW = 1_767_258_007.0  # 2026-01-01 09:00:07 UTC
HOUR, DAY = 3600.0, 86400.0


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's zone: an hour ahead in winter, two in summer."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        pytest.param("90s", NOW + 90, id="seconds"),
        pytest.param("2h", NOW + 2 * HOUR, id="hours"),
        pytest.param(" 30 D ", NOW + 30 * DAY, id="days-with-spaces"),
        pytest.param("1w", NOW + 7 * DAY, id="week"),
        pytest.param("1y", NOW + 365 * DAY, id="year"),
        pytest.param("2026-01-01", 1_767_308_400.0, id="today-until-it-ends"),
        pytest.param("2026-07-01", 1_782_943_200.0, id="a-summer-day-until-it-ends"),
        pytest.param("2026-01-01T18:00", 1_767_286_800.0, id="local-time"),
        pytest.param("2026-01-01T18:00:00Z", 1_767_290_400.0, id="time-with-a-zone"),
        pytest.param("2026-01-01 18:00", 1_767_286_800.0, id="with-a-space"),
    ],
)
def test_expiry_is_a_duration_a_day_or_an_instant(text: str, at: float) -> None:
    assert expiry_of(text, NOW) == at


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "write it as", id="nothing"),
        pytest.param("soon", "write it as 2h, 30d", id="word"),
        pytest.param("2", "write it as", id="no-unit"),
        pytest.param("-2h", "write it as", id="negative"),
        pytest.param("0h", "in the past", id="no-time-at-all"),
        pytest.param("2025-12-31", "in the past", id="yesterday"),
        pytest.param("2026-02-30", "not a day of the calendar", id="no-such-day"),
        pytest.param("999999999y", "hundred years", id="for-ever"),
        pytest.param("9999-12-31", "not a day of the calendar", id="the-end-of-time"),
        pytest.param("2999-12-31", "hundred years", id="a-thousand-years"),
        pytest.param("0001-01-01T00:00", "write it as|in the past", id="the-beginning-of-time"),
        pytest.param("٣٠d", "write it as", id="other-digits"),
    ],
)
def test_bad_expiry_names_the_allowed_forms(text: str, says: str) -> None:
    with pytest.raises(TimeError, match=says):
        expiry_of(text, NOW)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_an_error(text: str) -> None:
    for parse in (expiry_of, instant_of):
        with suppress(TimeError):
            assert parse(text, NOW) < 1e13


@pytest.mark.parametrize(
    ("text", "at"),
    [
        pytest.param("18:00", 1_767_286_800.0, id="today"),
        pytest.param("8:05", 1_767_251_100.0, id="this-morning"),
        pytest.param("2026-01-01T18:00", 1_767_286_800.0, id="local"),
    ],
)
def test_instant_is_read_in_the_local_time_zone(text: str, at: float) -> None:
    assert instant_of(text, NOW) == at


def test_bad_instant_names_the_allowed_forms() -> None:
    with pytest.raises(TimeError, match="18:00"):
        instant_of("25:00", NOW)


def test_times_are_shown_in_the_local_time_zone() -> None:
    assert when(NOW) == "2026-01-01 10:00"
    assert when_exactly(NOW) == "2026-01-01 10:00:07 CET"


def test_printed_instant_is_read_back_unchanged() -> None:
    assert expiry_of(iso(NOW + DAY), NOW) == NOW + DAY


def test_instant_outside_the_calendar_is_shown_in_seconds() -> None:
    assert when(1e300).startswith("@")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3 * DAY + 5, "3 d"), (800 * DAY, "2 y")],
)
def test_duration_is_written_in_its_largest_unit(seconds: float, words: str) -> None:
    assert str(span_words(seconds)) == words


@pytest.mark.parametrize(("at", "words"), [(NOW - 3 * DAY, "3 d ago"), (NOW + 2 * HOUR, "in 2 h"), (NOW, "just now")])
def test_relative_times_in_words(at: float, words: str) -> None:
    assert str(ago(at, NOW)) == words


def test_errors_are_translatable() -> None:
    with pytest.raises(TimeError) as caught:
        expiry_of("soon", NOW)
    assert caught.value.words.in_language(lambda _: "<{text}>") == "<'soon'>"
