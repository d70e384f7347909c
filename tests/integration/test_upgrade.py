"""A new daemon beside an older dialplan, which asks port 4573: reported, and repaired by `callsieve asterisk install`.

On FreePBX another server listens there: tests/integration/test_freepbx_fastagi.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import CallResult, CallSpec, Carrier, Phone
from tests.integration.bare import Office, bare_office
from tests.integration.freepbx import PORT, port_alone
from tests.integration.office import journal
from tests.waiting import wait_until

# asterisk-conf/callsieve.conf as it was released before the port changed.
OLD_DIALPLAN = (Path(__file__).parent / "upgrade" / "callsieve.conf").read_text()
DIDS = ("+442071838750", "02071838751", "2071838752")
SCREENED = "[from-carrier]\n" + "".join(
    f"exten => {did},1,Gosub(callsieve,s,1({did}))\n same => n,Dial(PJSIP/201,20)\n" for did in DIDS
)
INTERNAL = "[from-internal]\nexten => 112,1,Hangup()\n"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office installed by an older version, with a daemon of this one."""
    with port_alone(), bare_office(SCREENED + INTERNAL, tmp_path / "state") as office:
        office.install("--reload", "--no-ami")
        (office.etc / "callsieve.d" / "callsieve.conf").write_text(OLD_DIALPLAN)
        wait_until(lambda: reload_dialplan(office), "the old dialplan")
        office.daemon.start()
        yield office


def reload_dialplan(office: Office) -> bool:
    """Reload the dialplan, and return whether Asterisk has the old one."""
    office.asterisk.cli("dialplan reload")
    return str(PORT) in office.asterisk.cli("dialplan show callsieve-ask")


def call_each_did(office: Office) -> list[CallResult]:
    with Phone(office.asterisk, "201"):
        return [Carrier(office.asterisk).call(CallSpec(caller="+12015550100", did=did)) for did in DIDS]


def test_an_old_dialplan_is_reported_and_repaired(office: Office) -> None:
    assert [call.code for call in call_each_did(office)] == [200, 200, 200], "calls ring, whatever is wrong"
    assert journal(office.daemon.store) == [], "and none is screened"
    line = office.daemon.wait_for_log("CRITICAL")
    assert "callsieve asterisk install" in line
    check = office.doctor(code=1)["asks at"]
    assert check["status"] == "fail"
    assert "callsieve asterisk install" in check["remedy"]

    office.install("--reload", "--no-ami")
    assert [call.code for call in call_each_did(office)] == [200, 200, 200]
    office.daemon.wait_for_log("the dialplan queries this daemon now", seconds=30)
    assert len(journal(office.daemon.store)) == 3, "now each is"
    assert office.doctor(code=0)["asks at"]["status"] == "ok"
