"""The doctor's finding for each number is what a real Asterisk does with a call to it.

`python -m tests.integration.test_routes` writes down what Asterisk answers, for the tests without one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.doctor.routes import are_known, are_screened
from lab import Asterisk
from tests.callsieve.route_cases import ANSWERS, CASES, DIALPLAN, SURVEYS, Case, check_context_of, verdict
from tests.integration.bare import bare_office
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def asterisk() -> Iterator[Asterisk]:
    with Asterisk(extensions=DIALPLAN) as asterisk:
        yield asterisk


def calls_processed(asterisk: Asterisk) -> int:
    """Return how many channels have run through the dialplan since Asterisk's start."""
    found = re.search(r"(\d+) calls? processed", asterisk.cli("core show channels count"))
    assert found
    return int(found[1])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_doctor_predicts_what_asterisk_does(asterisk: Asterisk, case: Case) -> None:
    found = verdict(check_context_of(asterisk.cli), case)
    assert (found.screening, found.why) == (case.screening, case.why), found
    if case.asks is None:
        return
    asterisk.cli(f"dialplan set global CASE {case.number}-{case.context}")
    before = calls_processed(asterisk)
    asterisk.cli(f"channel originate Local/{case.number}@{case.context} application Wait 0.2")
    wait_until(lambda: calls_processed(asterisk) > before, "the call")
    asterisk.wait_until_idle()
    said = asterisk.cli(f"database get asked {case.number}-{case.context}")
    assert ("Value: yes" in said) is case.asks


# As installed: the case that began it. A line for all numbers never wins over the explicit ones beside it.
EXPLICIT = """\
[from-carrier]
exten => 2071838750,1,Answer()
 same => n,Dial(PJSIP/201,20)
exten => +442071838751,1,Dial(PJSIP/201,20)
exten => _X.,1,Gosub(callsieve,s,1(${FILTER(0-9A-Za-z+*#,${EXTEN})}))
 same => n,Hangup()

[from-internal]
exten => 112,1,Hangup()
"""


def test_explicit_dids_are_routed_after_install(tmp_path: Path) -> None:
    with bare_office(EXPLICIT, tmp_path / "state") as office:
        office.install("--reload", "--no-ami")
        office.write_dialplan(EXPLICIT)
        trunks = office.doctor(code=1)["trunks"]
        assert trunks["status"] == "fail"
        assert "from-carrier,2071838750,2 Dial(" in trunks["detail"]
        assert "+442071838751" in trunks["detail"]

        assert trunks["remedy"] == (
            "callsieve asterisk install --inbound from-carrier; "
            "then set `context = callsieve-from-carrier` for the trunk"
        )
        office.install("--reload", "--no-ami", "--inbound", "from-carrier")
        pjsip = office.etc / "pjsip.conf"
        pjsip.write_text(pjsip.read_text().replace("context = from-carrier", "context = callsieve-from-carrier"))
        office.asterisk.cli("module reload res_pjsip.so")
        shown = "pjsip show endpoint carrier"
        wait_until(lambda: "callsieve-from-carrier" in office.asterisk.cli(shown), "the reload")
        checks = office.doctor(code=1)
        assert checks["trunks"]["status"] == "ok", checks["trunks"]
        assert checks["DIDs"]["status"] == "ok", checks["DIDs"]


def write_answers() -> None:
    """Ask a real Asterisk about every case, and write its answers."""
    answers: dict[str, str] = {}
    with Asterisk(extensions=DIALPLAN) as asterisk:

        def ask(command: str) -> str:
            answers[command] = asterisk.cli(command)
            return answers[command]

        for case in CASES.values():
            verdict(check_context_of(ask), case)
        for settings in SURVEYS:
            are_screened(check_context_of(ask, settings))
            are_known(check_context_of(ask, settings))
    ANSWERS.write_text(json.dumps(answers, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    write_answers()
