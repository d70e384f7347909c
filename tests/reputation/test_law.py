"""The law files: their answers for known numbers and times, and the errors of a faulty file."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reputation.law.loader import (
    LawError,
    binding,
    hours_by_law,
    law_of,
    law_of_number,
    parse_law,
    register_named,
    register_names,
    row_for,
    shipped_laws,
    source_cited,
)
from reputation.numbers import stored_number
from reputation.own.hours import CallingHours, holidays_of, is_good_time, is_holiday, next_good_time
from tests.policies.world_clock import utc
from tests.reputation.store_builders import run_python

ONE_COUNTRY = """
import sys
from reputation.own.hours import holidays_of
print(len(holidays_of("DE-BE", 2026)))
print(*(name for name in sys.modules if name.startswith("holidays.countries.")))
"""
READ_APART = """
import sys
from reputation.law.loader import read_holidays
from reputation.own.hours import holidays_of
read_holidays(float(sys.argv[1]))
thanksgiving = 739946
print(thanksgiving in holidays_of("US-LA", 2026), bool(holidays_of("US-LA", 2027)), "holidays" in sys.modules)
"""
LOUISIANA_2026 = utc("2026-06-11 00:30")
LOCAL, ADVISED = hours_by_law()
HOURS = CallingHours(local=LOCAL, advised=ADVISED)
MIAMI, NEW_YORK, BATON_ROUGE, SHANGHAI, PARIS = (
    "+13055550123",
    "+12125550123",
    "+12255550123",
    "+8613800138000",
    "+33140205050",
)


@pytest.mark.parametrize(
    ("number", "at", "good"),
    [
        pytest.param(MIAMI, "2026-06-11 00:30", False, id="florida-ends-at-eight"),
        pytest.param(NEW_YORK, "2026-06-11 00:30", True, id="new-york-at-nine"),
        pytest.param(BATON_ROUGE, "2026-06-14 18:00", False, id="louisiana-rests-on-sunday"),
        pytest.param(BATON_ROUGE, "2026-11-26 18:00", False, id="louisiana-rests-on-thanksgiving"),
        pytest.param(BATON_ROUGE, "2026-11-25 18:00", True, id="louisiana-on-the-day-before"),
        pytest.param(PARIS, "2026-07-14 09:00", False, id="the-fourteenth-of-july"),
        pytest.param(PARIS, "2026-07-15 09:00", True, id="the-day-after"),
        pytest.param(PARIS, "2022-07-14 18:30", True, id="before-the-decree"),
        pytest.param(SHANGHAI, "2026-06-10 04:30", True, id="noon-in-china-is-advice"),
        pytest.param("+442071838799", "2026-06-14 11:00", True, id="sunday-in-britain-is-advice"),
    ],
)
def test_calling_hours_follow_the_law(number: str, at: str, good: bool) -> None:
    place = HOURS.place_of(stored_number(number), utc(at))
    assert place.zones
    assert is_good_time(place, utc(at)) is good


def test_the_noon_rest_applies_if_advice_is_followed() -> None:
    place = CallingHours(local={**LOCAL, **ADVISED}).place_of(stored_number(SHANGHAI), utc("2026-06-10 04:30"))
    assert not is_good_time(place, utc("2026-06-10 04:30"))  # 12:30
    assert next_good_time(place, utc("2026-06-10 04:30")) == utc("2026-06-10 06:00")
    assert is_good_time(place, utc("2026-06-10 03:59"))


def test_a_holiday_differs_from_a_bad_hour() -> None:
    day, night = utc("2026-07-14 10:00"), utc("2026-07-15 21:00")
    assert is_holiday(HOURS.place_of(stored_number(PARIS), day), day)
    assert not is_holiday(HOURS.place_of(stored_number(PARIS), night), night)


def test_an_unknown_place_has_no_holidays() -> None:
    assert holidays_of("XX", 2026) == frozenset()
    assert datetime(2026, 12, 25, tzinfo=UTC).date().toordinal() in holidays_of("US-LA", 2026)


def test_holidays_import_one_country_only() -> None:
    with run_python(ONE_COUNTRY) as process:
        assert process.communicate(timeout=60)[0].split() == ["10", "holidays.countries.germany"]


def test_the_daemon_reads_holidays_without_importing_the_package() -> None:
    with run_python(READ_APART, LOUISIANA_2026) as process:
        assert process.communicate(timeout=60)[0].split() == ["True", "True", "False"]


def test_limits_and_consent_apply_from_their_dates() -> None:
    france, us = law_of("FR"), law_of("US")
    assert france is not None
    assert us is not None
    assert binding(france.consent, PARIS, utc("2026-08-10 12:00")) is None
    assert binding(france.consent, PARIS, utc("2026-08-11 12:00")) is not None
    florida = binding(us.limit, MIAMI, utc("2026-06-10 12:00"))
    assert florida is not None
    assert (florida.calls, florida.days) == (3, 1)
    assert binding(us.limit, NEW_YORK, utc("2026-06-10 12:00")) is None
    assert row_for(us.hours, MIAMI, utc("2020-06-10 12:00")) == us.hours[0]


def test_registers_have_a_maximum_age() -> None:
    assert {"us-dnc", "gb-tps", "gb-ctps"} <= set(register_names())
    ages = {name: found[1].max_days for name in register_names() if (found := register_named(name))}
    assert (ages["us-dnc"], ages["gb-tps"], ages["gb-ctps"]) == (31, 28, 28)


def test_each_binding_row_has_a_source() -> None:
    for law in shipped_laws():
        for row in law.rows:
            if row.is_binding:
                assert source_cited(law.cite(row)) is not None, (law.country, row)
            else:
                assert law.cite(row).endswith(" (advice)")
    assert law_of_number(MIAMI) is law_of("US")
    assert law_of_number("+819012345678") is None


HEAD = 'country = "FR"\nread = 2026-01-01\n'
HOURS_ROW = '[[hours]]\narea = "FR"\nweekdays = ""\nsaturday = ""\nsunday = ""\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("country =", "fr.toml: ", id="not-toml"),
        pytest.param(HEAD + "hour = 1\n", "hour", id="unknown-key"),
        pytest.param(HEAD + HOURS_ROW + 'source = "x"\n', "no [[source]] named 'x'", id="unknown-source"),
        pytest.param(HEAD + HOURS_ROW.replace('"FR"', '"DE"'), "'DE' is not in FR", id="another-country"),
        pytest.param(
            HEAD + HOURS_ROW + "valid_from = 2026-02-01\nvalid_until = 2026-01-01\n", "valid_until", id="backwards"
        ),
    ],
)
def test_a_faulty_law_file_is_named(text: str, says: str) -> None:
    with pytest.raises(LawError) as caught:
        parse_law(text.encode(), "fr.toml")
    assert str(caught.value).startswith("fr.toml: ")
    assert says in str(caught.value)
