"""The doctor checks callees of DIDs: they exist, and their phones ring."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.doctor.finding import CheckContext, Finding
from callsieve.health import CheckStatus
from callsieve.people.checks import are_people, are_rung
from callsieve.settings import Loaded, parse_settings
from reputation.model import Did, Direction, Disposition, Person
from reputation.outcome import OutcomeRecord
from reputation.store.outcomes import record_outcome
from reputation.store.people import upsert_dids, upsert_people
from tests.reputation.store_builders import write

DID = '[[did]]\nnumber = "+442071838750"\ncallee = "201"\n'


def finding_for(tmp_path: Path, settings: str) -> Finding:
    file = tmp_path / "callsieve.toml"
    file.write_text(settings)
    loaded = Loaded(settings=parse_settings(settings, "test"), file=file, state=tmp_path)
    return are_people(CheckContext(loaded, lambda _: "", 0.0))


def test_callee_without_a_person_is_a_warning(tmp_path: Path) -> None:
    finding = finding_for(tmp_path, DID)
    assert finding.status is CheckStatus.WARN
    assert f'{tmp_path}/callsieve.toml: line 3: did.callee = "201"' in str(finding.detail)
    assert 'add a [[person]] with extension = "201" to the settings, or run: callsieve import people' in str(
        finding.remedy
    )


def test_nearest_person_is_suggested(tmp_path: Path) -> None:
    finding = finding_for(tmp_path, f'{DID}[[person]]\nextension = "2011"\n')
    assert "2011" in str(finding.remedy)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(f'{DID}[[person]]\nextension = "201"\n', id="a-person"),
        pytest.param('[[did]]\nnumber = "+442071838750"\n', id="no-callee"),
        pytest.param("", id="no-did"),
    ],
)
def test_valid_callee_is_ok(tmp_path: Path, settings: str) -> None:
    assert finding_for(tmp_path, settings).status is CheckStatus.OK


def test_imported_person_is_accepted_as_callee(tmp_path: Path) -> None:
    write(tmp_path / "callsieve.db", upsert_people, [Person("201", "PJSIP/201", None, None, "Alice")], "staff")
    assert finding_for(tmp_path, DID).status is CheckStatus.OK


# Phones that ring

NOW = 1_800_000_000.0
NUMBER = "+442071838750"
TEAM = "".join(
    f'[[person]]\nextension = "{who}"\ngroup = "{group}"\n'
    for who, group in (("201", "sales"), ("202", "sales"), ("203", "support"))
)


def finding_after_calls(
    tmp_path: Path,
    settings: str,
    calls: list[tuple[str, ...]],
    *,
    complete: bool = True,
    transferred: bool = False,
) -> Finding:
    """Return the finding after calls that rang these phones."""
    for index, rung in enumerate(calls):
        outcome = OutcomeRecord(
            linkedid=f"{index}",
            at=NOW - 3600 + index,
            direction=Direction.INBOUND,
            disposition=Disposition.ANSWERED,
            did=NUMBER,
            rung=rung,
            complete=complete,
            transferred=transferred,
        )
        write(tmp_path / "callsieve.db", record_outcome, outcome, NOW)
    loaded = Loaded(settings=parse_settings(settings, "test"), file=tmp_path / "callsieve.toml", state=tmp_path)
    return are_rung(CheckContext(loaded, lambda _: "", NOW))


def did_for(line: str) -> str:
    return f'[[did]]\nnumber = "{NUMBER}"\n{line}\n{TEAM}'


@pytest.mark.parametrize(
    ("line", "calls", "others"),
    [
        pytest.param('callee = "201"', [("203", "204")] * 3, "203, 204", id="the-callee-never-rings"),
        pytest.param('callee = "201"', [("201", "202")] * 3, "201, 202", id="others-ring-too"),
        pytest.param('callee = "201"', [("201",)] * 3, None, id="the-callee-rings"),
        pytest.param('callee = "201"', [("201",)] * 17 + [("202",)] * 3, None, id="another-phone-rarely-rings"),
        pytest.param('callee = "201"', [("202",)] * 2, None, id="two-calls"),
        pytest.param('groups = ["sales"]', [("201", "202")] * 3, None, id="the-group-rings"),
        pytest.param('groups = ["sales"]', [("201", "203")] * 3, "201, 203", id="another-group-rings"),
        pytest.param('groups = ["sales", "support"]', [("201", "203")] * 3, None, id="both-groups-ring"),
        pytest.param('groups = ["sales"]', [("PJSIP/lobby",)] * 3, "PJSIP/lobby", id="nobodys-phone"),
        pytest.param("", [("203",)] * 3, None, id="no-callee"),
        pytest.param('callee = "201"', [], None, id="no-calls"),
    ],
)
def test_callee_must_match_the_phones_that_ring(
    tmp_path: Path, line: str, calls: list[tuple[str, ...]], others: str | None
) -> None:
    finding = finding_after_calls(tmp_path, did_for(line), calls)
    assert finding.status is (CheckStatus.WARN if others else CheckStatus.OK)
    assert others is None or f"calls to {NUMBER} ring {others}, but" in str(finding.detail)
    assert others is None or "callsieve.toml" in str(finding.remedy)


@pytest.mark.parametrize("changed", [{"transferred": True}, {"complete": False}])
def test_incomplete_and_transferred_calls_are_not_counted(tmp_path: Path, changed: dict[str, bool]) -> None:
    assert finding_after_calls(tmp_path, did_for('callee = "201"'), [("203",)] * 3, **changed).status is CheckStatus.OK


def test_imported_did_has_the_import_as_remedy(tmp_path: Path) -> None:
    write(tmp_path / "callsieve.db", upsert_dids, [Did(NUMBER, callee="201")], "asterisk")
    finding = finding_after_calls(tmp_path, TEAM, [("203",)] * 3)
    assert finding.status is CheckStatus.WARN
    assert str(finding.remedy) == "callsieve import people --from asterisk"
