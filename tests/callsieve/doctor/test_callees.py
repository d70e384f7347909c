"""A DID's callee that is nobody counts for nothing: the doctor says where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.doctor.callees import are_people
from callsieve.doctor.finding import CheckContext, CheckStatus, Finding
from callsieve.settings import Loaded, parse_settings
from reputation.model import Person
from reputation.store.people import upsert_people
from tests.reputation.store_builders import write

DID = '[[did]]\nnumber = "+442071838750"\ncallee = "201"\n'


def found(tmp_path: Path, settings: str) -> Finding:
    file = tmp_path / "callsieve.toml"
    file.write_text(settings)
    loaded = Loaded(settings=parse_settings(settings, "test"), file=file, state=tmp_path)
    return are_people(CheckContext(loaded, lambda _: "", 0.0))


def test_a_callee_without_a_person(tmp_path: Path) -> None:
    finding = found(tmp_path, DID)
    assert finding.status is CheckStatus.WARN
    assert f'{tmp_path}/callsieve.toml: line 3: did.callee = "201"' in str(finding.detail)
    assert str(finding.way_out) == 'add [[person]] extension = "201"'


def test_the_nearest_person_is_named(tmp_path: Path) -> None:
    finding = found(tmp_path, f'{DID}[[person]]\nextension = "2011"\n')
    assert "2011" in str(finding.way_out)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(f'{DID}[[person]]\nextension = "201"\n', id="a-person"),
        pytest.param('[[did]]\nnumber = "+442071838750"\n', id="no-callee"),
        pytest.param("", id="no-did"),
    ],
)
def test_nothing_to_say(tmp_path: Path, settings: str) -> None:
    assert found(tmp_path, settings).status is CheckStatus.OK


def test_an_imported_person_is_one(tmp_path: Path) -> None:
    write(tmp_path / "callsieve.db", upsert_people, [Person("201", "PJSIP/201", None, None, "Alice")], "staff")
    assert found(tmp_path, DID).status is CheckStatus.OK
