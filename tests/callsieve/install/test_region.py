"""The country of the PBX: from the option, the server, or a question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from callsieve.install.install import plan_install
from callsieve.install.plan import InstallError
from callsieve.install.region import derived_region, region_of, time_zone_of
from callsieve.settings import Loaded, parse_settings
from tests.callsieve.install.test_install import FREEPBX, PLAIN, make_place, make_request

ZONES = "#codes\nGB\t+513030-0000731\tEurope/London\nUS\t+404251-0740023\tAmerica/New_York\tEastern\n"


@pytest.mark.parametrize(
    ("country", "zone", "region"),
    [
        pytest.param("us", "Europe/London", "GB", id="default-country-of-asterisk"),
        pytest.param("uk", "Etc/UTC", "GB", id="tone-zone"),
        pytest.param("uk", "Europe/London", "GB", id="both"),
        pytest.param("us", "America/New_York", "US", id="american"),
        pytest.param("fr", "Europe/London", None, id="they-differ"),
        pytest.param("us", "Etc/UTC", None, id="no-country-and-no-zone"),
        pytest.param("zz", "", None, id="no-country"),
    ],
)
def test_region_is_derived_from_country_and_time_zone(
    tmp_path: Path, country: str, zone: str, region: str | None
) -> None:
    included = {
        "indications.conf": "#include indications_general.conf\n",
        "indications_general.conf": f"country={country}\n",
    }
    place = make_place(tmp_path, {**FREEPBX, **included})
    (tmp_path / "zone.tab").write_text(ZONES)
    assert derived_region(place.etc, zone, [str(tmp_path)]) == region


def test_time_zone_is_the_target_of_its_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "zoneinfo" / "Europe" / "London")
    (tmp_path / "copied").touch()
    assert (time_zone_of(tmp_path / "link"), time_zone_of(tmp_path / "copied")) == ("Europe/London", "")


def make_empty_request(file: Path | None = None) -> Loaded:
    return Loaded(settings=parse_settings("", "test"), file=file, state=Path("/nowhere"))


def test_region_option_wins() -> None:
    assert region_of(make_empty_request(), "fr", "GB", lambda _: "US") == "FR"


def test_region_is_asked_at_a_terminal() -> None:
    assert region_of(make_empty_request(), None, "GB", lambda derived: "ie" if derived == "GB" else "") == "IE"


def test_region_is_required_without_a_terminal() -> None:
    assert region_of(make_empty_request(), None, "GB") == "GB"
    with pytest.raises(InstallError, match="--region GB"):
        region_of(make_empty_request(), None, None)
    with pytest.raises(InstallError, match="ZZ"):
        region_of(make_empty_request(), "ZZ", None)


def test_region_of_existing_settings_is_kept() -> None:
    there = make_empty_request(Path("/settings"))
    assert (region_of(there, None, "GB"), region_of(there, "us", "GB")) == ("US", "US")
    with pytest.raises(InstallError, match="/settings"):
        region_of(there, "GB", None)


def test_new_settings_have_the_region(tmp_path: Path) -> None:
    plan = plan_install(make_place(tmp_path, PLAIN), replace(make_request(tmp_path), region="GB"))
    (change,) = (change for change in plan.changes if change.path.name == "callsieve.toml")
    assert parse_settings(change.after or "", "test").numbers.region == "GB"
