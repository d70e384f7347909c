"""`callsieve serve` starts with what it needs: the command line's libraries are not for a daemon."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callsieve.cli import main as program
from lab.daemon import Daemon
from reputation.numbers import supported_regions
from tests.callsieve.program import Program, one_line, wait_until

IMPORTED = re.compile(r"^import time:.*\| +([\w.]+)$", re.MULTILINE)  # what PYTHONPROFILEIMPORTTIME prints
# typer brings pydantic, and rich for help; structlog is for --log-json, panoramisk for `[ami]`.
NOT_NEEDED = {"typer", "click", "rich", "pydantic", "structlog", "panoramisk", "asterisk"}
# The console is another process.
NOT_NEEDED |= {"starlette", "jinja2", "uvicorn", "argon2", "multipart"}


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_a_daemon_imports_nothing_that_it_does_not_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with Daemon(tmp_path) as daemon:
        log = daemon.log
    imported = set(IMPORTED.findall(log.read_text()))
    assert "callsieve.daemon" in imported
    assert {name.partition(".")[0] for name in imported} & NOT_NEEDED == set()
    assert {name for name in imported if name.startswith("callsieve.cli.")} == {
        "callsieve.cli.errors",
        "callsieve.cli.serving",
    }


def test_no_call_waits_for_a_number_plan_to_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    plans = {f"phonenumbers.data.region_{region}" for region in supported_regions()}
    with Daemon(
        tmp_path, '[numbers]\nregion = "CA"\n[[trunk]]\nname = "carrier"\nchannels = "PJSIP/c-*"\nregion = "CH"\n'
    ) as daemon:
        wait_until(lambda: plans <= set(IMPORTED.findall(daemon.log.read_text())))
        before, _, _ = daemon.log.read_text().partition("answering on")
    ours = {f"phonenumbers.{kind}data.region_{region}" for kind in ("", "short") for region in ("CA", "CH")}
    assert ours <= set(IMPORTED.findall(before))


@pytest.mark.parametrize(
    ("arguments", "config", "log_json"),
    [
        pytest.param(["serve"], None, False, id="plain"),
        pytest.param(["serve", "--log-json"], None, True, id="json"),
        pytest.param(["serve", "--config", "a.toml"], Path("a.toml"), False, id="as-systemd"),
        pytest.param(["serve", "--config", "a.toml", "--log-json"], Path("a.toml"), True, id="both"),
        pytest.param(["serve", "--config", "--log-json"], Path("--log-json"), False, id="any-word-is-a-file"),
        pytest.param(["serve", "--log-json", "--config", "a.toml"], Path("a.toml"), True, id="by-typer"),
        pytest.param(["serve", "--config=a.toml"], Path("a.toml"), False, id="by-typer-joined"),
    ],
)
@pytest.mark.parametrize("by_typer", [False, True], ids=["as-it-is", "all-by-typer"])
def test_the_short_way_reads_options_as_typer_does(
    arguments: list[str], config: Path | None, log_json: bool, by_typer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from callsieve.cli import app

    served: list[tuple[Path | None, bool]] = []
    monkeypatch.setattr(
        "callsieve.cli.serving.serve_calls", lambda config, *, log_json: served.append((config, log_json))
    )
    if by_typer:
        assert app.run(arguments) == 0
    else:
        with pytest.raises(SystemExit, match=r"^0$"):
            program.main(arguments)
    assert served == [(config, log_json)]


def test_what_is_wrong_with_serve_is_one_line(callsieve: Program) -> None:
    assert callsieve.fails("serve", "--no-such") == "serve: no such option: --no-such (callsieve serve --help)"
    missing = callsieve.process("serve", "--config", callsieve.folder / "missing.toml")
    assert (missing.code, missing.out) == (2, "")
    assert "missing.toml: cannot be read" in one_line(missing.err)
    assert "--log-json" in callsieve.ok("serve", "--help")
