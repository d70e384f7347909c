"""`callsieve calls confirm`: a person confirms that the calls of a number were decided right."""

from __future__ import annotations

from tests.callsieve.program import Program, make_record
from tests.office import CALLER


def test_confirmation_is_audited_and_can_be_undone(callsieve: Program) -> None:
    callsieve.add_decisions(make_record("A", caller=CALLER))
    callsieve.ok("calls", "confirm", CALLER)
    [row] = callsieve("audit", "--json").json
    assert (row["what"], row["number"]) == ("calls confirm", CALLER)
    callsieve.ok("undo", str(row["id"]))


def test_invalid_number_is_refused(callsieve: Program) -> None:
    callsieve.add_decisions(make_record("A", caller=CALLER))
    assert callsieve("calls", "confirm", "abc").code == 2
    assert callsieve("audit", "--json").json == []
