"""A failing command prints one line on standard error, exits with 2 and changes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from callsieve import settings
from callsieve.numbers.cli import lookup
from callsieve.policy_selection import activate
from callsieve.settings import load_settings
from callsieve.version import program_version
from lab.programs import COMMAND_LINE
from tests.callsieve.program import Program, all_commands, make_record, one_line
from tests.office import CALLER, NOBODY, ROOT

HISTORY = (
    '{"at": 1767258007.5, "type": "inbound", "call": "c0", "caller": "+12017421834", "did": "+442071838750",'
    ' "callee": "201", "answered": true, "talk_seconds": 3.0, "ended_by": "callee"}\n'
)
OWN = "+12025550107"
READING = [
    pytest.param(("lookup", CALLER), id="lookup"),
    pytest.param(("list", "show"), id="list-show"),
    pytest.param(("list", "remove", "block", CALLER), id="list-remove"),
    pytest.param(("list", "show", "--person", "201"), id="list-show-person"),
    pytest.param(("identity", "show"), id="identity-show"),
    pytest.param(("identity", "remove", CALLER), id="identity-remove"),
    pytest.param(("import", "list"), id="import-list"),
    pytest.param(("feeds",), id="feeds"),
    pytest.param(("import", "remove", "ftc"), id="import-remove"),
    pytest.param(("calls", "show"), id="calls-show"),
    pytest.param(("db", "check"), id="db-check"),
    pytest.param(("db", "backup"), id="db-backup"),
    pytest.param(("privacy", "export", CALLER), id="privacy-export"),
    pytest.param(("privacy", "erase", CALLER, "--yes"), id="privacy-erase"),
    pytest.param(("emergency", "status"), id="emergency-status"),
    pytest.param(("calls", "search"), id="calls-search"),
    pytest.param(("calls", "tail", "--seconds", "0.1"), id="calls-tail"),
    pytest.param(("summary",), id="summary"),
    pytest.param(("audit",), id="audit"),
    pytest.param(("own", "show", OWN), id="own-show"),
    pytest.param(("own", "list"), id="own-list"),
    pytest.param(("own", "due"), id="own-due"),
    pytest.param(("own", "check", OWN), id="own-check"),
    pytest.param(("own", "rest", OWN), id="own-rest"),
    pytest.param(("own", "use", OWN), id="own-use"),
    pytest.param(("own", "retire", OWN), id="own-retire"),
    pytest.param(("own", "remove", OWN), id="own-remove"),
    pytest.param(("undo", "1"), id="undo"),
    pytest.param(("own", "export"), id="own-export"),
    pytest.param(("own", "guidance", "--out", "{numbers}.html"), id="own-guidance"),
    pytest.param(("own", "dnc", "remove", CALLER), id="own-dnc-remove"),
    pytest.param(("own", "dnc", "list"), id="own-dnc-list"),
    pytest.param(("appeal", "list"), id="appeal-list"),
    pytest.param(("appeal", "show", "A1"), id="appeal-show"),
    pytest.param(("user", "list"), id="user-list"),
    pytest.param(("digest",), id="digest"),
    pytest.param(("events", "list"), id="events-list"),
    pytest.param(("events", "dead"), id="events-dead"),
    pytest.param(("events", "replay", "--all"), id="events-replay"),
    pytest.param(("explain", "marks"), id="explain-marks"),
    pytest.param(("explain", "number", CALLER), id="explain-number"),
    pytest.param(("lookups", "show"), id="lookups-show"),
    pytest.param(("exchange", "publish", "{numbers}.d"), id="exchange-publish"),
    pytest.param(("exchange", "status"), id="exchange-status"),
    pytest.param(("exchange", "show", "partner"), id="exchange-show"),
    pytest.param(("own", "comply", "2026-11-25"), id="own-comply"),
    pytest.param(("own", "consent", "list"), id="own-consent-list"),
    pytest.param(("own", "consent", "remove", CALLER), id="own-consent-remove"),
    pytest.param(("own", "pack", OWN, "--for", "hiya", "--out", "{numbers}.zip"), id="own-pack"),
    pytest.param(("own", "registers", "list"), id="own-registers-list"),
    pytest.param(("own", "registers", "remove", "us-dnc"), id="own-registers-remove"),
    pytest.param(("own", "watch", "ask"), id="own-watch-ask"),
    pytest.param(("own", "watch", "due"), id="own-watch-due"),
    pytest.param(("own", "watch", "show"), id="own-watch-show"),
    pytest.param(("own", "watch", "suspect"), id="own-watch-suspect"),
    pytest.param(("report", "list"), id="report-list"),
    pytest.param(("report", "show", CALLER, "--to", "ftc"), id="report-show"),
    pytest.param(("token", "list"), id="token-list"),
    pytest.param(("token", "revoke", "crm"), id="token-revoke"),
]
WRITING = [
    pytest.param(("list", "add", "block", CALLER), id="list-add"),
    pytest.param(("list", "add", "block", CALLER, "--person", "201"), id="list-add-person"),
    pytest.param(("list", "import", "{entries}"), id="list-import"),
    pytest.param(("identity", "add", CALLER, "--name", "Acme", "--level", "1"), id="identity-add"),
    pytest.param(("import", "numbers", "{numbers}", "--source", "ftc"), id="import-numbers"),
    pytest.param(("import", "feed", "{numbers}", "--source", "ours"), id="import-feed"),
    pytest.param(("import", "contacts", "{numbers}", "--source", "crm"), id="import-contacts"),
    pytest.param(("import", "people", "{people}", "--source", "hr"), id="import-people"),
    pytest.param(("emergency", "open"), id="emergency-open"),
    pytest.param(("emergency", "close"), id="emergency-close"),
    pytest.param(("mark", CALLER, "spam", "--as", "201"), id="mark"),
    pytest.param(("import", "calls", "{history}"), id="import-calls"),
    pytest.param(("own", "add", OWN), id="own-add"),
    pytest.param(("own", "import", "{numbers}"), id="own-import"),
    pytest.param(("own", "dnc", "add", CALLER), id="own-dnc-add"),
    pytest.param(("appeal", "open", CALLER, "--name", "Acme", "--contact", "a@b.example"), id="appeal-open"),
    pytest.param(("own", "consent", "add", CALLER, "--proof", "form 12"), id="own-consent-add"),
    pytest.param(("own", "consent", "import", "{consents}"), id="own-consent-import"),
    pytest.param(("own", "registers", "import", "{numbers}", "--register", "gb-tps"), id="own-registers-import"),
    pytest.param(("own", "watch", "add", OWN, "Hiya"), id="own-watch-add"),
    pytest.param(("token", "add", "crm", "--scope", "read"), id="token-add"),
]
# These work without a store, or as with an empty one.
CONTENT = [
    pytest.param(("unmark", CALLER, "--as", "201"), id="unmark"),
    pytest.param(("policy", "explain", "--caller", CALLER), id="policy-explain"),
    pytest.param(("own", "complaint", OWN), id="own-complaint"),
]


@pytest.fixture
def open_to_all() -> Iterator[Program]:
    """Settings and a store in a directory that is open to all users."""
    folder = Path(tempfile.mkdtemp(prefix="callsieve-test-"))
    folder.chmod(0o755)
    program = Program(folder)
    program.ok("list", "add", "block", CALLER)
    program.state.chmod(0o755)
    yield program
    shutil.rmtree(folder)


def filled_in(callsieve: Program, arguments: tuple[str, ...]) -> list[str]:
    places = {
        "numbers": callsieve.file("numbers.csv", f"number\n{CALLER}\n"),
        "entries": callsieve.file("entries.csv", f"entry,list\n{CALLER},block\n"),
        "consents": callsieve.file("consents.csv", f"number,proof\n{CALLER},form 12\n"),
        "people": callsieve.file("people.csv", "extension\n202\n"),
        "history": callsieve.file("history.jsonl", HISTORY),
    }
    return [argument.format(**places) for argument in arguments]


@pytest.mark.parametrize("arguments", READING)
def test_read_only_commands_never_create_the_store(callsieve: Program, arguments: tuple[str, ...]) -> None:
    line = callsieve.fails(*arguments)
    assert "there is no store" in line
    assert not callsieve.state.exists()


@pytest.mark.parametrize("arguments", [*READING, *WRITING, *CONTENT])
def test_directory_in_place_of_the_store_prints_one_line(callsieve: Program, arguments: tuple[str, ...]) -> None:
    callsieve.store.mkdir(parents=True)
    assert "callsieve.db" in callsieve.fails(*filled_in(callsieve, arguments))


@pytest.mark.parametrize("arguments", [*READING, *WRITING, *CONTENT])
def test_damaged_store_prints_one_line(callsieve: Program, arguments: tuple[str, ...]) -> None:
    callsieve.ok("list", "add", "block", CALLER)
    with callsieve.store.open("r+b") as file:
        file.write(b"\0" * callsieve.store.stat().st_size)
    assert "callsieve db restore" in callsieve.fails(*filled_in(callsieve, arguments))


# `emergency` works with broken settings: test_cli_broken_settings.py.
NEEDS_SETTINGS = [item for item in (*READING, *WRITING, *CONTENT) if "emergency" not in str(item.values)]


@pytest.mark.parametrize("arguments", NEEDS_SETTINGS)
def test_unreadable_settings_print_one_line(callsieve: Program, arguments: tuple[str, ...]) -> None:
    filled = filled_in(callsieve, arguments)
    assert "cannot be read" in callsieve.fails(*filled, "--config", callsieve.folder / "missing.toml")
    assert "cannot be read" in callsieve.fails(*filled, "--config", callsieve.folder)
    wrong = callsieve.file("wrong.toml", b"\xff\xfe")
    assert "not UTF-8" in callsieve.fails(*filled, "--config", wrong)
    assert not callsieve.state.exists()


def test_services_with_unreadable_settings_print_one_line(callsieve: Program) -> None:
    assert "cannot be read" in callsieve.fails("web", "--config", callsieve.folder / "missing.toml")
    assert "cannot be read" in callsieve.fails("public", "backend", "--config", callsieve.folder / "missing.toml")
    assert "callsieve-public-backend" in callsieve.fails("public", "page")
    assert "[speech]" in callsieve.fails("hearing", "--socket", callsieve.folder / "missing.sock")
    assert "cannot be read" in callsieve.fails("api", "--config", callsieve.folder / "missing.toml")


@pytest.mark.parametrize("arguments", WRITING)
def test_missing_write_permission_prints_one_line_and_changes_nothing(
    open_to_all: Program, arguments: tuple[str, ...]
) -> None:
    filled = filled_in(open_to_all, arguments)
    open_to_all.store.chmod(0o444)
    open_to_all.state.chmod(0o555)
    result = open_to_all.as_nobody(*filled)
    open_to_all.state.chmod(0o755)
    open_to_all.store.chmod(0o644)
    assert (result.code, result.out) == (2, "")
    assert "no permission" in one_line(result.err)
    assert [item["text"] for item in open_to_all("list", "show", "--json").json] == [CALLER]


@pytest.mark.root
def test_service_user_activates_a_policy_in_a_foreign_group_folder(open_to_all: Program) -> None:
    """Calls the function, because the checkout may be readable by root only."""
    open_to_all.ok("policy", "activate")  # as root, with all that it imports
    policies = open_to_all.state / "policies"
    for path in (open_to_all.state, open_to_all.store, policies):
        os.chown(path, NOBODY, 4712)
    loaded = load_settings(open_to_all.config, open_to_all.environment)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        activate(loaded, "strict")
    finally:
        os.setresuid(0, 0, 0)
    assert open_to_all.ok("policy", "show").startswith("strict")
    assert (policies / "activated").stat().st_uid == NOBODY


@pytest.mark.root
def test_missing_write_permission_creates_no_second_store(
    open_to_all: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = open_to_all.folder / "home"
    home.mkdir()
    home.chmod(0o777)
    monkeypatch.setattr(settings, "SERVICE_STATE", open_to_all.state)
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    monkeypatch.setattr(Program, "environment", {**open_to_all.environment, "CALLSIEVE_STATE": ""})
    open_to_all.store.chmod(0o640)
    open_to_all.state.chmod(0o750)
    result = open_to_all.as_nobody("list", "add", "block", "+12017421835")
    assert (result.code, result.out) == (2, "")
    assert "no permission" in one_line(result.err)
    assert not any(home.iterdir())


@pytest.mark.parametrize("arguments", [*READING, *WRITING])
def test_missing_read_permission_prints_one_line(open_to_all: Program, arguments: tuple[str, ...]) -> None:
    open_to_all.store.chmod(0o000)
    result = open_to_all.as_nobody(*filled_in(open_to_all, arguments))
    assert (result.code, result.out) == (2, "")
    assert "no permission" in one_line(result.err)


def test_closed_directory_prints_one_line(open_to_all: Program) -> None:
    open_to_all.state.chmod(0o000)
    result = open_to_all.as_nobody("lookup", CALLER)
    open_to_all.state.chmod(0o755)
    assert result.code == 2
    assert "no permission" in one_line(result.err)


def test_unreadable_file_prints_one_line(open_to_all: Program) -> None:
    file = open_to_all.file("secret.csv", "number\n1\n")
    file.chmod(0o000)
    result = open_to_all.as_nobody("import", "numbers", str(file), "--source", "x")
    assert result.code == 2
    assert "secret.csv" in one_line(result.err)


def test_locked_store_prints_one_line_after_5_seconds(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    holder = sqlite3.connect(callsieve.store, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert "locked the file for 5 s" in callsieve.fails("list", "add", "block", CALLER)
        assert callsieve.ok("list", "show") == "No entries.\n"  # reading goes on
    finally:
        holder.close()


@pytest.mark.parametrize("arguments", WRITING)
def test_full_disk_prints_one_line_and_changes_nothing(callsieve: Program, arguments: tuple[str, ...]) -> None:
    callsieve.ok("db", "migrate")
    result = callsieve(*filled_in(callsieve, arguments), most_bytes=4096)
    assert (result.code, result.out) == (2, "")
    line = one_line(result.err)
    assert "full" in line
    for shown in (("list", "show", "--json"), ("identity", "show", "--json"), ("import", "list", "--json")):
        assert callsieve(*shown).json == []


@pytest.mark.parametrize("arguments", [("lookup", CALLER), ("lookup", CALLER, "--json"), ("list", "show"), ("--help",)])
def test_full_disk_behind_stdout_prints_one_line(callsieve: Program, arguments: tuple[str, ...]) -> None:
    callsieve.ok("list", "add", "block", CALLER)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            (sys.executable, "-m", COMMAND_LINE, *arguments),
            stdout=full,
            stderr=subprocess.PIPE,
            env=callsieve.environment,
            cwd=ROOT,
            check=False,
        )
    assert done.returncode == 2
    assert one_line(done.stderr.decode()).startswith("standard output: No space left")


@pytest.mark.parametrize("words", ["own export", "guide"])
def test_a_file_that_does_not_fit_on_the_disk_is_named(callsieve: Program, words: str) -> None:
    numbers = "".join(f"+1202555{index:04d}\n" for index in range(2000))
    callsieve.ok("own", "import", callsieve.file("own.csv", f"number\n{numbers}"))
    out = callsieve.folder / "out.html"
    result = callsieve(*words.split(), "--out", out, most_bytes=40_000 if words == "own export" else 4)
    assert (result.code, one_line(result.err).startswith(f"{out}: ")) == (2, True), result.err


@pytest.mark.parametrize("arguments", [("import", "numbers", "--source", "x"), ("replay",)])
def test_file_with_a_read_error_is_named(callsieve: Program, arguments: tuple[str, ...]) -> None:
    callsieve.ok("db", "migrate")
    assert callsieve.fails(*arguments, "/proc/self/mem").startswith("/proc/self/mem: Input/output error")


def test_closed_pipe_is_no_error(callsieve: Program) -> None:
    callsieve.add_decisions(*(make_record(f"D{index:07d}") for index in range(500)))
    command = f"{sys.executable} -m {COMMAND_LINE} calls show --last 500 --json | head -1"
    done = subprocess.run(("bash", "-c", command), capture_output=True, env=callsieve.environment, cwd=ROOT, check=True)
    assert done.stdout == b"[\n"
    assert done.stderr == b""


@pytest.mark.parametrize("words", ["own list", "own decisions", "calls show"])
def test_pipe_closed_before_output_is_no_error(callsieve: Program, words: str) -> None:
    callsieve.ok("db", "migrate")
    command = f"{sys.executable} -m {COMMAND_LINE} {words} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ("bash", "-c", command), capture_output=True, env=callsieve.environment, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["nonsense"], "'nonsense' (callsieve --help)", id="command"),
        pytest.param(["list", "nonsense"], "'nonsense' (callsieve list --help)", id="subcommand"),
        pytest.param(["lookup"], "lookup: missing argument", id="argument"),
        pytest.param(["lookup", "1", "2"], "unexpected extra argument", id="extra-argument"),
        pytest.param(["off", "2h"], "--for 2h", id="argument-for-an-option"),
        pytest.param(["calls", "search", CALLER], f"--number {CALLER}", id="number-for-an-option"),
        pytest.param(["lookup", CALLER, "--colour"], "--colour", id="option"),
        pytest.param(["list", "add", "grey", CALLER], "'grey' is not one of 'allow', 'block'", id="choice"),
        pytest.param(["lookup", CALLER, "--config"], "'--config'", id="option-value"),
    ],
)
def test_invalid_command_line_prints_one_line(callsieve: Program, arguments: list[str], says: str) -> None:
    line = callsieve.fails(*arguments)
    assert says in line
    assert line.endswith("--help)")


# Every option that takes a number; those of `policy explain` take whatever a network may show.
NUMBER_OPTIONS = {
    ("own", "decisions"): ([], "--from"),
    ("own", "explain"): ([CALLER], "--from"),
    ("own", "dnc", "add"): ([CALLER], "--after"),
    ("own", "complaint"): ([OWN], "--from"),
    ("calls", "search"): ([], "--number"),
}


@pytest.mark.parametrize("command", NUMBER_OPTIONS, ids=" ".join)
@pytest.mark.parametrize("text", ["12", "", "nonsense"])
def test_invalid_number_names_its_option(callsieve: Program, command: tuple[str, ...], text: str) -> None:
    more, option = NUMBER_OPTIONS[command]
    line = callsieve.fails(*command, *more, option, text)
    assert line.startswith(f"{option}: '{text}' is "), line
    if more and command != ("own", "explain"):  # which answers whatever is dialled, as the guard does
        assert callsieve.fails(*command, "12", option, CALLER).startswith("'12' is too short")


def test_every_number_option_is_tested() -> None:
    found = {
        (tuple(leaf.split()), option)
        for leaf, command in commands_of(all_commands())
        for parameter in command.params
        for option in parameter.opts
        if parameter.metavar == "NUMBER" and option.startswith("--") and leaf != "policy explain"
    }
    assert found == {(command, option) for command, (_, option) in NUMBER_OPTIONS.items()}


@pytest.mark.parametrize("arguments", [[], ["list"], ["policy"], ["calls"], ["import"], ["db"]])
def test_group_without_command_shows_its_help(callsieve: Program, arguments: list[str]) -> None:
    result = callsieve(*arguments)
    assert result.err == ""
    assert "Usage: callsieve" in result.out
    assert result.code in (0, 2)  # as the version of click has it


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["list", "add", "-h"], ["--version"]])
def test_help_and_version_exit_with_0(callsieve: Program, arguments: list[str]) -> None:
    assert callsieve.ok(*arguments)


def test_version_names_the_build(callsieve: Program) -> None:
    assert callsieve.ok("--version").split() == ["callsieve", program_version()]


def test_help_shows_no_type_beside_a_flag(callsieve: Program) -> None:
    groups = {leaf.rpartition(" ")[0] for leaf, _ in commands_of(all_commands())}
    shown = {leaf: callsieve.ok(*leaf.split(), "--help") for leaf in (*groups, *dict(commands_of(all_commands())))}
    assert {leaf for leaf, text in shown.items() if "bool" in text.lower()} == set()


def test_a_bug_shows_its_traceback(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(lookup, "profile_of", broken)
    callsieve.ok("db", "migrate")
    with pytest.raises(ZeroDivisionError):
        callsieve("lookup", CALLER)


# Commands whose failures are tested in another file.
ELSEWHERE = {
    "test_cli_appeal.py": (
        *("appeal evidence", "appeal clear", "appeal code", "appeal prove", "appeal accept"),
        *("appeal decide", "appeal withdraw"),
    ),
    "test_cli_alerts.py": ("alerts list", "alerts test"),
    "test_cli_events.py": ("events send", "events test"),
    "test_cli_feed_fetch.py": ("feeds fetch",),
    "test_cli_call_back.py": ("call-back serve", "call-back show"),
    "test_cli_hub.py": (
        *("hub init", "hub join", "hub run", "hub status", "hub sites", "hub quota", "hub expel", "hub leave"),
    ),
    "test_cli_exchange.py": (
        *("exchange add", "exchange remove", "exchange pause", "exchange resume"),
        *("exchange fetch", "exchange run"),
    ),
    "test_cli_hub_evidence.py": (
        *("hub evidence", "hub ignore", "hub resume", "hub people list", "hub people same", "hub people apart"),
        *("hub erasures", "hub keep"),
    ),
    "test_cli_lookups.py": ("lookups disable", "lookups enable", "lookups serve"),
    "test_cli_report.py": ("report send",),
    "test_statements.py": ("signing key", "signing verify"),
    "test_handover.py": ("signing rotate",),
    "test_cli_hygiene.py": ("own hygiene",),
    "test_cli_own_guard.py": ("own decisions", "own explain"),
    "test_cli_reviews.py": (
        *("identity code", "identity due", "identity prove", "reassigned add", "reassigned remove", "reassigned show"),
        *("review done", "review list", "review undo", "review wrong"),
    ),
    "test_guide.py": ("guide",),
    "test_housekeeping.py": ("housekeeping run", "housekeeping show"),
    "test_cli_policy.py": ("policy list", "policy check", "policy show"),
    "test_activation.py": ("policy activate",),
    "test_policies.py": ("policy accept", "policy publish", "policy withdraw"),
    "test_cli_plan.py": ("plan show", "plan check", "plan update", "plan remove"),
    "test_cli_policy_cases.py": ("policy test",),
    "test_cli_prompts.py": ("prompts build", "prompts list", "prompts play", "prompts remove"),
    "test_cli_replay.py": ("replay",),
    "test_cli_try.py": ("policy try",),
    "test_store_replay.py": ("calls export",),
    "test_cli_errors.py": ("api", "public page", "public backend", "web", "hearing"),
    "test_cli_serve.py": ("serve",),
    "test_cli_store.py": ("db migrate", "db restore"),
    "test_cli_users.py": ("user add", "user password", "user role", "user reset-totp", "user remove"),
    "test_doctor.py": ("off", "on"),
    "test_status.py": ("status",),
    "test_completion.py": ("completion",),
    "test_commands.py": ("help",),
    "test_manual_page.py": ("man",),
    "bare.py": ("doctor", "asterisk install", "asterisk uninstall"),
    "test_setup.py": ("setup",),
    "test_cli_people.py": ("people link", "people devices", "people sign-out", "people settings"),
    "test_cli_confirm.py": ("calls confirm",),
    "test_cli_lists.py": ("block", "allow"),
}


def commands_of(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The commands of a group and of the groups in it: as they are typed, and themselves."""
    commands = getattr(command, "commands", None)
    if commands is None:
        yield " ".join(words), command
    for name, below in (commands or {}).items():
        yield from commands_of(below, (*words, name))


def test_failures_of_every_command_are_tested() -> None:
    cases = [" ".join(cast("tuple[str, ...]", case.values[0])) for case in (*READING, *WRITING, *CONTENT)]
    elsewhere = {command for commands in ELSEWHERE.values() for command in commands}
    missing = {
        leaf for leaf, _ in commands_of(all_commands()) if not any(f"{case} ".startswith(f"{leaf} ") for case in cases)
    }
    assert missing == elsewhere
    for file, commands in ELSEWHERE.items():
        [path] = Path(__file__).parents[2].rglob(file)
        text = path.read_text()
        unnamed = [command for command in commands if '"{}"'.format('", "'.join(command.split())) not in text]
        assert unnamed == [], file


@pytest.mark.parametrize("words", [["guide"], ["own", "guidance", "--leaflet", "--force"]], ids=["guide", "guidance"])
def test_output_never_replaces_a_special_file(callsieve: Program, words: list[str]) -> None:
    folder = callsieve.folder / "out"
    folder.mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "link.html").symlink_to("page.html")
    assert "not a regular file" in callsieve.fails(*words, "--out", folder / "fifo")
    assert "this is a directory" in callsieve.fails(*words, "--out", folder)
    assert "this is a directory" in callsieve.fails(*words, "--out", ".")
    nowhere = folder / "nowhere"
    assert callsieve.fails(*words, "--out", nowhere / "x").startswith(f"{nowhere}: no such file or directory")
    callsieve.ok(*words, "--out", folder / "link.html")
    assert sorted(path.name for path in folder.iterdir()) == ["fifo", "link.html", "page.html"]
    assert (folder / "fifo").is_fifo()
    assert (folder / "link.html").is_symlink()


def test_guide_does_not_overwrite_another_file(callsieve: Program) -> None:
    numbers = callsieve.file("numbers.csv", "number\n")
    assert str(numbers) in callsieve.fails("guide", "--out", numbers)
    assert numbers.read_text() == "number\n"
