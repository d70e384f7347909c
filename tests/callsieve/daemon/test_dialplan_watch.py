"""The daemon reads Asterisk's files and reports if calls go to another port."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from callsieve.daemon.background import dialplan_problem
from callsieve.doctor.daemon import ask_status
from callsieve.install.install import dialplan_text
from callsieve.settings import Loaded, parse_settings
from lab.daemon import Daemon
from tests.waiting import wait_until

OLD = "agi://127.0.0.1:4573"
INCLUDE = '#include "callsieve.d/*.conf"\n'


def make_etc(folder: Path, agi: str | None, extensions: str = INCLUDE) -> Path:
    (folder / "callsieve.d").mkdir(parents=True)
    (folder / "extensions.conf").write_text(extensions)
    if agi is not None:
        (folder / "callsieve.d" / "callsieve.conf").write_text(dialplan_text("callsieve.conf", agi))
    return folder


@pytest.mark.parametrize(
    ("agi", "extensions", "settings", "is_wrong"),
    [
        pytest.param(OLD, INCLUDE, "", True, id="previous-port"),
        pytest.param("agi://127.0.0.1", INCLUDE, "", True, id="no-port-is-4573"),
        pytest.param("agi://127.0.0.1:4578", INCLUDE, "", False, id="as-installed"),
        pytest.param("agi://127.0.0.1:4578", INCLUDE, '[agi]\nlisten = "127.0.0.1:4600"\n', True, id="settings-moved"),
        pytest.param("callsieve-agi", INCLUDE, "", False, id="the-classic-script"),
        pytest.param(None, INCLUDE, "", False, id="not-installed"),
        pytest.param(OLD, f"[globals]\nCALLSIEVE_AGI=agi://127.0.0.1:4578\n{INCLUDE}", "", False, id="a-global-wins"),
        pytest.param(
            OLD, f"[globals]\n;CALLSIEVE_AGI=agi://127.0.0.1:4578\n{INCLUDE}", "", True, id="a-comment-does-not"
        ),
    ],
)
def test_wrong_agi_address_in_the_dialplan_is_reported(
    tmp_path: Path, agi: str | None, extensions: str, settings: str, is_wrong: bool
) -> None:
    etc = make_etc(tmp_path / "etc", agi, extensions)
    parsed = parse_settings(f'{settings}[asterisk]\netc = "{etc}"\n', "test")
    loaded = Loaded(settings=parsed, file=None, state=tmp_path)
    assert ("callsieve asterisk install" in dialplan_problem(loaded)) == is_wrong


def trouble_of(daemon: Daemon) -> str:
    """Return the trouble that the daemon reports in its status."""
    answer = ask_status(lambda seconds: socket.create_connection(("127.0.0.1", daemon.port), seconds))
    return answer.variables.get("CALLSIEVE_REASON", "")


def test_daemon_reports_a_wrong_agi_address_in_log_and_status(tmp_path: Path) -> None:
    etc = make_etc(tmp_path / "etc", OLD)
    with Daemon(tmp_path / "state", f'[asterisk]\netc = "{etc}"\n') as daemon:
        line = daemon.wait_for_log("no call is screened")
        assert "CRITICAL" in line
        assert OLD in line
        assert "callsieve asterisk install" in trouble_of(daemon)
        (etc / "callsieve.d" / "callsieve.conf").write_text(
            dialplan_text("callsieve.conf", f"agi://127.0.0.1:{daemon.port}")
        )
        wait_until(lambda: not trouble_of(daemon), seconds=30)
