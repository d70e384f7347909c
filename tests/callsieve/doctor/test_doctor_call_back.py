"""The doctor checks the call-back helper."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.call_back.checks import are_placed
from callsieve.doctor.finding import CheckContext
from callsieve.health import CheckStatus
from callsieve.pbx.cli_client import NotRunning
from callsieve.settings import Loaded, parse_settings
from tests.callsieve.call_back.helping import call_files, helper_process, make_spool, settings_text

MODULES = "Module  Description  Use Count  Status  Support Level\npbx_spool.so  Outgoing Spool  0  Running  core\n"


def context(socket: Path | str, modules: str | None = MODULES) -> CheckContext:
    def ask(command: str) -> str:
        if modules is None:
            raise NotRunning("it does not run")
        return {"module show": modules}[command]

    settings = parse_settings(f'[public]\ncall_back = "{socket}"\n', "test")
    return CheckContext(Loaded(settings=settings, file=None, state=Path("/")), ask, 0.0)


def test_disabled_call_back_is_ok() -> None:
    assert are_placed(context("")).status is CheckStatus.OK


def test_stopped_helper_is_reported(tmp_path: Path) -> None:
    found = are_placed(context(tmp_path / "door"))
    assert (found.status, "enabled = true" in str(found.remedy)) == (CheckStatus.WARN, True)


@pytest.mark.parametrize(
    ("modules", "status"),
    [
        pytest.param(MODULES, CheckStatus.OK, id="well"),
        pytest.param(MODULES.replace("pbx_spool", "pbx_config"), CheckStatus.WARN, id="no-spool"),
        pytest.param(None, CheckStatus.OK, id="asterisk-not-asked"),
    ],
)
def test_running_helper_needs_pbx_spool(tmp_path: Path, modules: str | None, status: CheckStatus) -> None:
    spool = make_spool(tmp_path / "spool")
    with helper_process(tmp_path, settings_text(spool)) as door:
        assert are_placed(context(door, modules)).status is status
    assert call_files(spool) == []


def test_helper_without_prompts_is_reported(tmp_path: Path) -> None:
    spool = make_spool(tmp_path / "spool")
    (spool / "sounds" / "en" / "callsieve" / "proof-ask.wav").unlink()
    with helper_process(tmp_path, settings_text(spool)) as door:
        assert are_placed(context(door)).status is CheckStatus.WARN
