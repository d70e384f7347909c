"""A new daemon beside an older dialplan, which asks port 4573: seen, said, and mended by `callsieve asterisk install`.

On FreePBX another server listens there. Its stand-in here dies, as that one does, of a script that it does not have.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import CallResult, CallSpec, Carrier, Phone
from tests.integration.bare import Office, bare_office
from tests.integration.office import journal
from tests.waiting import wait_until

# asterisk-conf/callsieve.conf as it was released before the port changed.
OLD_DIALPLAN = (Path(__file__).parent / "upgrade" / "callsieve.conf").read_text()
FREEPBX_PORT = 4573
DIDS = ("+442071838750", "02071838751", "2071838752")
SCREENED = "[from-carrier]\n" + "".join(
    f"exten => {did},1,Gosub(callsieve,s,1({did}))\n same => n,Dial(PJSIP/201,20)\n" for did in DIDS
)
INTERNAL = "[from-internal]\nexten => 112,1,Hangup()\n"


class FreepbxServer:
    """FreePBX's FastAGI server: it dies of the first complete header block that names a script it does not have."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", FREEPBX_PORT))
        self._server.settimeout(0.1)
        self._stop = threading.Event()
        self.has_died = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> FreepbxServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(10)
                if self._is_asked(connection):
                    self.has_died.set()
                    self._server.close()
                    return

    @staticmethod
    def _is_asked(connection: socket.socket) -> bool:
        heard = b""
        try:
            while data := connection.recv(4096):
                heard += data
                if b"\n\n" in heard:
                    return True
        except OSError:
            pass
        return False


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Installed by an older version, with a daemon of this one."""
    with bare_office(SCREENED + INTERNAL, tmp_path / "state") as office:
        office.install("--reload", "--no-ami")
        (office.etc / "callsieve.d" / "callsieve.conf").write_text(OLD_DIALPLAN)
        wait_until(lambda: is_read(office), "the old dialplan")
        office.daemon.start()
        yield office


def is_read(office: Office) -> bool:
    """Whether Asterisk has the old dialplan, once it is told to read it."""
    office.asterisk.cli("dialplan reload")
    return str(FREEPBX_PORT) in office.asterisk.cli("dialplan show callsieve-ask")


def call_each_did(office: Office) -> list[CallResult]:
    with Phone(office.asterisk, "201"):
        return [Carrier(office.asterisk).call(CallSpec(caller="+12015550100", did=did)) for did in DIDS]


def test_an_old_dialplan_is_said_and_mended(office: Office) -> None:
    assert [call.code for call in call_each_did(office)] == [200, 200, 200], "calls ring, whatever is wrong"
    assert journal(office.daemon.store) == [], "and none is screened"
    line = office.daemon.wait_for_log("CRITICAL")
    assert "callsieve asterisk install" in line
    check = office.doctor(code=1)["asks at"]
    assert check["status"] == "fail"
    assert "callsieve asterisk install" in check["way_out"]

    office.install("--reload", "--no-ami")
    assert [call.code for call in call_each_did(office)] == [200, 200, 200]
    office.daemon.wait_for_log("the dialplan asks this daemon again", seconds=30)
    assert len(journal(office.daemon.store)) == 3, "now each is"
    assert office.doctor(code=0)["asks at"]["status"] == "ok"


def test_freepbxs_own_server_is_left_alone(office: Office) -> None:
    with FreepbxServer() as freepbx:
        office.doctor(code=1)
        office.install("--reload", "--no-ami")
        call_each_did(office)
        office.doctor(code=0)
        assert not freepbx.has_died.is_set()


def test_the_old_dialplan_did_harm_there(office: Office) -> None:
    """What the change of the port is for: the stand-in above can die."""
    with FreepbxServer() as freepbx:
        call_each_did(office)
        assert freepbx.has_died.wait(20)
