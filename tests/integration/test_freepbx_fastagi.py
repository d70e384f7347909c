"""FreePBX's own FastAGI server, which ring groups ask whom to dial, gets no request of ours.

It dies of a script that it does not have, as an earlier version of our dialplan asked it for. Whatever is done with
CallSieve, the stand-in is asked by ring groups alone, and each of their calls rings.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import CallResult, CallSpec, Carrier, Phone
from tests.integration.bare import Office
from tests.integration.freepbx import GROUP, PORT, FastAgiServer, freepbx, port_alone
from tests.integration.office import journal
from tests.integration.test_upgrade import OLD_DIALPLAN
from tests.waiting import wait_until

CALLERS = iter(f"+1201555{n:04d}" for n in range(200, 300))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with port_alone(), freepbx(tmp_path / "state") as office:
        office.install("--freepbx", "--reload")
        yield office


def call_the_group(office: Office, times: int) -> list[CallResult]:
    """Call the ring group so many times, each time from another number."""
    carrier = Carrier(office.asterisk)
    return [carrier.call(CallSpec(caller=next(CALLERS), did=GROUP)) for _ in range(times)]


def test_every_call_of_a_ring_group_rings(office: Office) -> None:
    with FastAgiServer() as server, Phone(office.asterisk, "201") as phone:
        calls = call_the_group(office, 3)  # our daemon does not run yet
        office.daemon.start()
        office.daemon.wait_for_log("listening to Asterisk")
        calls += call_the_group(office, 5)
        office.daemon.callsieve("doctor")
        calls += call_the_group(office, 3)
        office.install("--freepbx", "--reload")
        calls += call_the_group(office, 3)
        office.daemon.freeze()
        calls += call_the_group(office, 2)
        office.daemon.thaw()
        office.daemon.stop()
        calls += call_the_group(office, 2)
        office.daemon.start()
        calls += call_the_group(office, 2)
        wait_until(lambda: len(journal(office.daemon.store)) >= 13, "the decisions")
        assert [call.code for call in calls] == [200] * 20
        assert len(phone.invites()) == 20, "each of them rings"
        assert (server.served, server.deaths) == (20, 0)


def test_after_an_upgrade_freepbxs_server_gets_no_request(office: Office) -> None:
    """Only the old dialplan would send one, until the new files are installed."""
    (office.etc / "callsieve.d" / "callsieve.conf").write_text(OLD_DIALPLAN)
    office.asterisk.cli("dialplan reload")
    with FastAgiServer() as server, Phone(office.asterisk, "201") as phone:
        office.daemon.start()
        office.daemon.wait_for_log("CRITICAL")
        assert office.doctor(code=1)["asks at"]["status"] == "fail"
        office.install("--freepbx", "--reload")
        calls = call_the_group(office, 5)
        office.daemon.callsieve("doctor")
        assert ([call.code for call in calls], len(phone.invites())) == ([200] * 5, 5)
        assert (server.served, server.deaths) == (5, 0)


def test_the_old_dialplan_kills_freepbxs_server(office: Office) -> None:
    """This shows that the stand-in can crash, and that a ring group needs it."""
    (office.etc / "callsieve.d" / "callsieve.conf").write_text(OLD_DIALPLAN)
    office.asterisk.cli("dialplan reload")
    assert str(PORT) in office.asterisk.cli("dialplan show callsieve")
    with FastAgiServer() as server, Phone(office.asterisk, "201") as phone:
        assert call_the_group(office, 1)[0].code != 200
        assert server.has_died.wait(20)
        assert phone.invites() == []
        wait_until(lambda: server.is_listening, "what watches over it starting it again")
        office.install("--freepbx", "--reload")
        assert call_the_group(office, 1)[0].code == 200
        assert server.deaths == 1
