"""Whether those who ask on the public page to be called back are."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.call_back.checks import are_placed
from callsieve.doctor.finding import CheckContext
from callsieve.health import CheckStatus
from callsieve.pbx.cli_client import NotRunning
from callsieve.settings import Loaded, parse_settings
from tests.callsieve.call_back.helping import call_files, helper_process, make_parts, settings_text

MODULES = "Module  Description  Use Count  Status  Support Level\npbx_spool.so  Outgoing Spool  0  Running  core\n"


def context(socket: Path | str, modules: str | None = MODULES) -> CheckContext:
    def ask(command: str) -> str:
        if modules is None:
            raise NotRunning("it does not run")
        return {"module show": modules}[command]

    settings = parse_settings(f'[public]\ncall_back = "{socket}"\n', "test")
    return CheckContext(Loaded(settings=settings, file=None, state=Path("/")), ask, 0.0)


def test_nobody_is_where_nobody_is_to_be() -> None:
    assert are_placed(context("")).status is CheckStatus.OK


def test_a_helper_that_does_not_run_is_said(tmp_path: Path) -> None:
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
def test_a_helper_that_answers(tmp_path: Path, modules: str | None, status: CheckStatus) -> None:
    spool = make_parts(tmp_path / "spool")
    with helper_process(tmp_path, settings_text(spool)) as door:
        assert are_placed(context(door, modules)).status is status
    assert call_files(spool) == []


def test_a_helper_without_its_prompts_is_said(tmp_path: Path) -> None:
    spool = make_parts(tmp_path / "spool")
    (spool / "sounds" / "en" / "callsieve" / "proof-ask.wav").unlink()
    with helper_process(tmp_path, settings_text(spool)) as door:
        assert are_placed(context(door)).status is CheckStatus.WARN
