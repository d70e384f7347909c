"""`callsieve serve`: imports, options and missing directories."""

from __future__ import annotations

import re
from pathlib import Path
from socket import SOCK_STREAM

import pytest

from callsieve.main import entry
from lab.daemon import Daemon
from lab.ports import free_port
from reputation.numbers import supported_regions
from tests.callsieve.program import Program, ended, one_line
from tests.waiting import wait_until

IMPORTED = re.compile(r"^import time:.*\| +([\w.]+)$", re.MULTILINE)  # what PYTHONPROFILEIMPORTTIME prints
# typer brings pydantic, and rich for help; structlog is for --log-json, panoramisk for `[ami]`.
NOT_NEEDED = {"typer", "click", "rich", "pydantic", "structlog", "panoramisk", "asterisk"}
# The console is another process.
NOT_NEEDED |= {"starlette", "jinja2", "uvicorn", "argon2", "pyotp", "multipart"}


def test_daemon_imports_no_command_line_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with Daemon(tmp_path) as daemon:
        log = daemon.log
    imported = set(IMPORTED.findall(log.read_text()))
    assert {name.partition(".")[0] for name in imported} & {"asyncio", *NOT_NEEDED} == {"asyncio"}


def test_number_plans_are_imported_before_the_first_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_short_path_parses_options_like_typer(
    arguments: list[str], config: Path | None, log_json: bool, by_typer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from callsieve.main import cli

    served: list[tuple[Path | None, bool]] = []
    monkeypatch.setattr(entry, "serve_calls", lambda config, *, log_json: served.append((config, log_json)))
    if by_typer:
        assert cli.run(arguments) == 0
    else:
        with pytest.raises(SystemExit, match=r"^0$"):
            entry.main(arguments)
    assert served == [(config, log_json)]


def test_invalid_serve_command_prints_one_line(callsieve: Program) -> None:
    assert callsieve.fails("serve", "--no-such").endswith(": --no-such (callsieve serve --help)")
    missing = callsieve.process("serve", "--config", callsieve.folder / "missing.toml")
    assert (missing.code, missing.out) == (2, "")
    assert "missing.toml: " in one_line(missing.err)
    assert "--log-json" in callsieve.ok("serve", "--help")


def serving_elsewhere(callsieve: Program, socket: str = "agi.sock") -> Path:
    """Settings of a machine where neither the state directory nor the store's is there yet."""
    port = free_port("127.0.0.1", SOCK_STREAM)
    store = callsieve.folder / "data" / "calls" / "store.db"
    callsieve.config.write_text(f'[agi]\nlisten = "127.0.0.1:{port}"\nsocket = "{socket}"\n[store]\npath = "{store}"\n')
    return store


@pytest.mark.parametrize("socket", ["agi.sock", "{folder}/run/agi.sock"])
def test_daemon_creates_missing_directories(callsieve: Program, socket: str) -> None:
    store = serving_elsewhere(callsieve, socket.format(folder=callsieve.folder))
    path = callsieve.state / socket.format(folder=callsieve.folder)
    process = callsieve.start("serve")
    try:
        wait_until(lambda: path.exists() or process.poll() is not None)
        assert process.poll() is None, ended(process).err
    finally:
        process.terminate()
        ended(process)
    assert store.exists()
    for directory in (callsieve.state, path.parent, store.parent):
        assert directory.stat().st_mode & 0o777 == 0o750


def test_directory_that_cannot_be_created_is_named(callsieve: Program) -> None:
    serving_elsewhere(callsieve)
    callsieve.state.write_text("a file")
    failed = callsieve.process("serve")
    assert (failed.code, failed.out) == (2, "")
    assert f"callsieve: {callsieve.state}: " in failed.err


def test_socket_that_cannot_be_created_is_named(callsieve: Program) -> None:
    path = callsieve.folder / ("x" * 120)
    serving_elsewhere(callsieve, str(path))
    failed = callsieve.process("serve")
    assert (failed.code, failed.out) == (2, "")
    assert str(path) in failed.err.splitlines()[-1]
