"""In which country the PBX is: said, or what the machine says, or nobody knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from callsieve.install.install import plan_install
from callsieve.install.plan import InstallError
from callsieve.install.region import derived_region, region_of, time_zone_of
from callsieve.settings import Loaded, parse_settings
from tests.callsieve.install.test_install import FREEPBX, PLAIN, make_place, make_wanted

ZONES = "#codes\nGB\t+513030-0000731\tEurope/London\nUS\t+404251-0740023\tAmerica/New_York\tEastern\n"


@pytest.mark.parametrize(
    ("country", "zone", "region"),
    [
        pytest.param("us", "Europe/London", "GB", id="what-every-asterisk-begins-with"),
        pytest.param("uk", "Etc/UTC", "GB", id="tone-zone"),
        pytest.param("uk", "Europe/London", "GB", id="both"),
        pytest.param("us", "America/New_York", "US", id="american"),
        pytest.param("fr", "Europe/London", None, id="they-differ"),
        pytest.param("us", "Etc/UTC", None, id="nobody-says"),
        pytest.param("zz", "", None, id="no-country"),
    ],
)
def test_what_the_machine_says(tmp_path: Path, country: str, zone: str, region: str | None) -> None:
    included = {
        "indications.conf": "#include indications_general.conf\n",
        "indications_general.conf": f"country={country}\n",
    }
    place = make_place(tmp_path, {**FREEPBX, **included})
    (tmp_path / "zone.tab").write_text(ZONES)
    assert derived_region(place.etc, zone, [str(tmp_path)]) == region


def test_the_time_zone_is_where_its_link_goes(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "zoneinfo" / "Europe" / "London")
    (tmp_path / "copied").touch()
    assert (time_zone_of(tmp_path / "link"), time_zone_of(tmp_path / "copied")) == ("Europe/London", "")


def nowhere(file: Path | None = None) -> Loaded:
    return Loaded(settings=parse_settings("", "test"), file=file, state=Path("/nowhere"))


def test_what_is_said_wins() -> None:
    assert region_of(nowhere(), "fr", "GB", lambda _: "US") == "FR"


def test_somebody_at_a_terminal_is_asked() -> None:
    assert region_of(nowhere(), None, "GB", lambda derived: "ie" if derived == "GB" else "") == "IE"


def test_without_a_terminal_the_machine_must_say() -> None:
    assert region_of(nowhere(), None, "GB") == "GB"
    with pytest.raises(InstallError, match="--region GB"):
        region_of(nowhere(), None, None)
    with pytest.raises(InstallError, match="ZZ"):
        region_of(nowhere(), "ZZ", None)


def test_settings_that_are_there_are_the_administrators() -> None:
    there = nowhere(Path("/settings"))
    assert (region_of(there, None, "GB"), region_of(there, "us", "GB")) == ("US", "US")
    with pytest.raises(InstallError, match="/settings"):
        region_of(there, "GB", None)


def test_new_settings_have_the_region(tmp_path: Path) -> None:
    plan = plan_install(make_place(tmp_path, PLAIN), replace(make_wanted(tmp_path), region="GB"))
    (change,) = (change for change in plan.changes if change.path.name == "callsieve.toml")
    assert parse_settings(change.after or "", "test").numbers.region == "GB"
