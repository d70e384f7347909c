"""Whether calls are screened, through the API."""

from __future__ import annotations

import json
from pathlib import Path

from reputation.users import Role
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import NOW
from tests.callsieve.console_calls import CALLER, add_calls, make_decision


def test_an_operator_sees_the_last_call_and_a_viewer_no_number(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    add_calls(office, make_decision(at=NOW - 60))
    with office.api() as api:
        seen = api.program(Role.OPERATOR).get("/status")
        assert seen["last_call"]["caller"] == CALLER
        assert (seen["last_hour"]["calls"], seen["screened"], seen["well"]) == (1, False, False)
        shown = api.program(Role.VIEWER).get("/status")
        assert shown["last_call"] is None
        assert CALLER[2:] not in json.dumps(shown)
        assert shown["last_hour"] == seen["last_hour"]
