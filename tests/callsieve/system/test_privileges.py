"""Root's commands in the state directory of another user: what that user plants there leads root nowhere.

The state directory belongs to `nobody`, who has put links in it that lead to files and directories of root.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from callsieve.prompts import catalogue
from callsieve.system.files import complete_file
from callsieve.system.privileges import acting_for, owner_on_the_way
from reputation.store.database import open_store
from tests.callsieve.program import Program, Result
from tests.callsieve.sounds import put_quick_voice
from tests.office import NOBODY, ROOT, SETTINGS

pytestmark = [pytest.mark.root, pytest.mark.slow]

HISTORY = '{"at": 1767258007.5, "type": "inbound", "call": "c0", "caller": "+12015550100", "answered": false}\n'
PLAN = 'adds_to = "US"\ncalling_code = 1\nread = 2026-11-27\n[[range]]\nprefix = "+1201742"\npurpose = "service"\n'
POLICY = 'extends = "cautious"\n'
TEXTS = """\
voice = "en-us"
words_per_minute = 175
whisper_words_per_minute = 210
whisper.menu = "Press 1 to answer."
say.ok = "Marked as fine."
say.undone = "Undone."
"""
# A command line, with {folder} for root's own directory and {state} for the service's.
COMMANDS = (
    "db migrate",
    "db check",
    "db backup",
    "db backup {folder}/copy.db",
    "db backup {state}/copy.db",
    "db restore --yes",
    "db restore {folder}/good.db --yes",
    "list show",
    "list add block +12015550100",
    "mark +12015550100 spam --as 201",
    "lookup +12015550100",
    "calls show",
    "calls export --out {folder}/calls.jsonl",
    "calls export --out {state}/calls.jsonl",
    "summary",
    "import numbers {folder}/numbers.csv --source feed",
    "import numbers {folder}/numbers.csv --source feed --dry-run",
    "import people {folder}/people.csv --source staff",
    "import calls {folder}/history.jsonl",
    "feeds",
    "own list",
    "own export --out {folder}/own.csv",
    "own export --out {state}/own.csv",
    "own guidance --out {state}/guidance.html",
    "signing key",
    "appeal list",
    "review list",
    "identity add +12015550100 --name Carol --level 1",
    "reassigned add +12015550100 --reason sold",
    "appeal open +12015550100 --name Carol --contact +12015550199 --statement no",
    "import contacts {folder}/numbers.csv --source crm",
    "import feed {folder}/numbers.csv --source feed",
    "list import {folder}/list.csv",
    "own add +442071838751",
    "undo 1",
    "identity show",
    "audit",
    "housekeeping run",
    "policy show",
    "policy check",
    "policy activate strict",
    "policy explain --caller +12015550100",
    "replay {folder}/history.jsonl --out {folder}/decisions.jsonl --html {folder}/report.html",
    "replay {folder}/history.jsonl --out {state}/decisions.jsonl --html {state}/report.html",
    "guide --out {folder}/guide.html",
    "guide --out {state}/guide.html",
    "prompts list --to {folder}",
    "prompts remove --to {folder}",
    "emergency open",
    "emergency close",
    "emergency status",
    "off",
    "on",
    "doctor",
    "user list",
    "privacy export +12015550100",
    "privacy export +12015550100 --out {folder}/export.json",
    "privacy export +12015550100 --out {state}/export.json",
    "privacy erase +12015550100 --yes",
    "asterisk install --etc {folder}/etc --systemd-dir {folder}/units --no-ami --yes",
    "asterisk uninstall --etc {folder}/etc --systemd-dir {folder}/units --yes",
)


def plant_store_that_is_not_there(state: Path, outside: Path) -> None:
    for name in ("callsieve.db", "copy.db.partial", "callsieve.db.partial", "own.csv", "export.json", "guide.html"):
        (state / name).symlink_to(outside / f"made-{name}")


def plant_store_of_roots(state: Path, outside: Path) -> None:
    (state / "callsieve.db").symlink_to(outside / "roots.db")


def plant_folders(state: Path, outside: Path) -> None:
    with open_store(state / "callsieve.db"):
        """One of the service's own, so that commands come as far as the other links."""
    for name in ("policies", "backups", "recordings", "prompts", "drafts"):
        (state / name).symlink_to(outside / "folder")


def plant_files(state: Path, outside: Path) -> None:
    with open_store(state / "callsieve.db"):
        """As above."""
    names = ("copy.db", "copy.db.partial", "own.csv", "export.json", "guide.html", "guidance.html", "report.html")
    for name in (*names, "decisions.jsonl", "telemetry.json", "agi.sock", "callsieve.db.partial"):
        (state / name).symlink_to(outside / "precious")
    for folder, name in (("policies", "activated"), ("policies", "strict.toml"), ("prompts/en", "whisper-spam.wav")):
        (state / folder).mkdir(parents=True, exist_ok=True)
        (state / folder / name).symlink_to(outside / "precious")


Plant = Callable[[Path, Path], None]
PLANTS: tuple[Plant, ...] = (plant_store_that_is_not_there, plant_store_of_roots, plant_folders, plant_files)


def roots_folder(folder: Path) -> Program:
    """Files that root names in commands, beside the settings."""
    folder.chmod(0o755)
    program = Program(folder, SETTINGS + '\n[asterisk]\ncommand = "/bin/false"\n')
    program.file("numbers.csv", "number\n+12015550101\n").chmod(0o600)
    program.file("list.csv", "list,entry\nblock,+12015550102\n").chmod(0o600)
    program.file("people.csv", "extension,name\n202,Bob\n").chmod(0o600)
    program.file("history.jsonl", HISTORY).chmod(0o600)
    program.file("plan.toml", PLAN).chmod(0o600)
    program.file("office.toml", POLICY).chmod(0o600)
    with open_store(folder / "good.db"):
        """A store without anything in it is a backup, too."""
    (folder / "good.db").chmod(0o600)
    (folder / "etc").mkdir()
    (folder / "units").mkdir()
    (folder / "etc" / "extensions.conf").write_text("[general]\n")
    return program


def as_root(program: Program, command: str) -> Result:
    """Runs the command."""
    return program(*command.format(folder=program.folder, state=program.state).split())


@pytest.fixture
def quick_voice(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three prompts are made, whatever they say: who makes them, and where, is what counts here."""
    monkeypatch.setenv("PATH", f"{put_quick_voice(open_folder / 'voice')}{os.pathsep}{os.environ['PATH']}")
    texts = open_folder / "texts" / "prompts"
    texts.mkdir(parents=True)
    (texts / "en.toml").write_text(TEXTS)
    monkeypatch.setattr(catalogue, "asterisk_conf", lambda: texts.parent)


def warm(command: str) -> None:
    """Imports all that the command needs: our Python may lie where only root looks."""
    with TemporaryDirectory() as elsewhere:
        program = roots_folder(Path(elsewhere))
        as_root(program, "list add block +12015550199")
        assert "--help)" not in as_root(program, command).err, "there is no such command line"


def give_all(folder: Path) -> None:
    os.lchown(folder, NOBODY, NOBODY)
    for path in folder.rglob("*"):
        os.lchown(path, NOBODY, NOBODY)


def picture(folder: Path) -> dict[str, tuple[object, ...]]:
    """Every path below, with its owner, mode and content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path)] = (status.st_uid, status.st_gid, status.st_mode, content)
    return found


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Where anybody comes in: pytest's own directories are root's alone."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def outside(open_folder: Path) -> Path:
    """What is root's, and readable to all, so that nothing but permission to write is missing."""
    folder = open_folder / "outside"
    (folder / "folder").mkdir(parents=True)
    (folder / "precious").write_text("precious")
    with open_store(folder / "roots.db"):
        """Any store, as sqlite makes it."""
    return folder


# Makes many files, and meets the links of folders only.
BUILD = "prompts build --language en --to {state}/prompts"
CASES = [(command, PLANTS) for command in COMMANDS] + [(BUILD, (plant_folders,))]


@pytest.mark.usefixtures("quick_voice")
@pytest.mark.parametrize(("command", "plants"), CASES, ids=[command for command, _ in CASES])
def test_no_planted_link_makes_root_write_elsewhere(
    command: str, plants: tuple[Plant, ...], open_folder: Path, outside: Path
) -> None:
    warm(command)
    for plant in plants:
        folder = open_folder / plant.__name__
        folder.mkdir()
        program = roots_folder(folder)
        program.state.mkdir(0o750)
        plant(program.state, outside)
        give_all(program.state)
        before = picture(outside)
        result = as_root(program, command)
        assert picture(outside) == before, plant.__name__
        assert "Traceback" not in result.err
        owners = {path.lstat().st_uid for path in program.state.rglob("*")}
        assert owners == {NOBODY}, plant.__name__


WORKING = (
    pytest.param("db backup", lambda p: p.state / "backups", NOBODY, id="backup-beside"),
    pytest.param("db backup {folder}/copy.db", lambda p: p.folder / "copy.db", 0, id="backup"),
    pytest.param("db backup {state}/copy.db", lambda p: p.state / "copy.db", NOBODY, id="backup-in-state"),
    pytest.param("db restore {folder}/good.db --yes", lambda p: p.store, NOBODY, id="restore"),
    pytest.param("own export --out {folder}/own.csv", lambda p: p.folder / "own.csv", 0, id="own-export"),
    pytest.param("calls export --out {folder}/c.jsonl", lambda p: p.folder / "c.jsonl", 0, id="calls-export"),
    pytest.param("guide --out {folder}/guide.html", lambda p: p.folder / "guide.html", 0, id="guide"),
    pytest.param("guide --out {state}/guide.html", lambda p: p.state / "guide.html", NOBODY, id="guide-in-state"),
    pytest.param(
        "privacy export +12015550100 --out {folder}/x.json", lambda p: p.folder / "x.json", 0, id="privacy-export"
    ),
    pytest.param(
        "replay {folder}/history.jsonl --out {folder}/d.jsonl", lambda p: p.folder / "d.jsonl", 0, id="replay"
    ),
    pytest.param("policy activate strict", lambda p: p.state / "policies" / "activated", NOBODY, id="activate"),
    pytest.param("import numbers {folder}/numbers.csv --source feed", lambda p: p.store, NOBODY, id="import"),
    pytest.param("import calls {folder}/history.jsonl", lambda p: p.store, NOBODY, id="import-calls"),
)


@pytest.mark.parametrize(("command", "made", "owner"), WORKING)
def test_root_may_name_files_anywhere(
    command: str, made: Callable[[Program], Path], owner: int, open_folder: Path
) -> None:
    warm(command)
    program = roots_folder(open_folder)
    with open_store(program.store):
        """The service's."""
    give_all(program.state)
    result = as_root(program, command)
    assert result.code == 0, result.err
    assert made(program).stat().st_uid == owner
    assert {path.stat().st_uid for path in program.state.rglob("*")} == {NOBODY}


# What is read and written in /root, say, into which the owner of the state directory may not even look.
PRIVATE = (
    "import numbers {private}/numbers.csv --source feed",
    "import contacts {private}/numbers.csv --source crm",
    "import people {private}/people.csv --source staff",
    "import feed {private}/numbers.csv --source feed",
    "import calls {private}/history.jsonl",
    "list import {private}/list.csv",
    "plan check {private}/plan.toml",
    "plan update {private}/plan.toml",
    "policy check {private}/office.toml",
    "replay {private}/history.jsonl",
    "replay {private}/history.jsonl --policy {private}/office.toml --out {private}/d.jsonl --html {private}/r.html",
    "calls export --out {private}/calls.jsonl",
    "own export --out {private}/own.csv",
    "own guidance --out {private}/guidance.html",
    "guide --out {private}/guide.html",
    "privacy export +12015550100 --out {private}/export.json",
    "db backup {private}/copy.db",
    "db restore {private}/good.db --yes",
)


@pytest.mark.parametrize("command", PRIVATE)
def test_root_may_name_files_in_private_directories(command: str, open_folder: Path) -> None:
    warm(command.replace("{private}", "{folder}"))
    program = roots_folder(open_folder)
    with open_store(program.store):
        """The service's."""
    give_all(program.state)
    private = open_folder / "private"
    private.mkdir(0o700)
    for file in [path for path in open_folder.iterdir() if path.is_file()]:
        shutil.copy2(file, private)
    result = program(*command.format(private=private).split())
    assert result.code == 0, result.err


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("policy check {private}/slip.toml", "line 1: unknown key defualt"),
        ("policy test balanced", "this is a policy, not a file of cases"),
    ],
)
def test_errors_about_root_files_are_readable(
    command: str, expected: str, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm(command.replace("{private}", "{folder}"))
    program = roots_folder(open_folder)
    program.state.mkdir()
    give_all(program.state)
    private = open_folder / "private"
    private.mkdir(0o700)
    (private / "slip.toml").write_text('defualt = "allow"\n')
    monkeypatch.chdir(private)
    assert expected in program.fails(*command.format(private=private).split())


def test_root_acts_as_the_owner_of_the_first_foreign_directory(open_folder: Path) -> None:
    (open_folder / "a" / "b" / "c").mkdir(parents=True)
    assert owner_on_the_way(open_folder / "a" / "b" / "c" / "new") is None
    os.chown(open_folder / "a" / "b", NOBODY, 4712)  # what is below is root's, but may be replaced
    assert owner_on_the_way(open_folder / "a" / "b" / "c" / "new") == (NOBODY, 4712)
    assert owner_on_the_way(open_folder / "a" / "new") is None
    (open_folder / "link").symlink_to(open_folder / "a" / "b" / "c")
    (open_folder / "a" / "b" / "c" / "out").symlink_to("/")
    assert owner_on_the_way(open_folder / "link" / "out" / "etc") == (NOBODY, 4712)
    (open_folder / "planted").symlink_to(open_folder / "precious")
    os.lchown(open_folder / "planted", NOBODY, 4712)
    assert owner_on_the_way(open_folder / "planted") == (NOBODY, 4712)
    (open_folder / "round").symlink_to(open_folder / "round")
    assert owner_on_the_way(open_folder / "round") is None


def test_root_privileges_return_even_after_an_error(open_folder: Path) -> None:
    os.chown(open_folder, NOBODY, NOBODY)
    groups = os.getgroups()
    seen = []

    def fail() -> None:
        with acting_for(open_folder / "new"):
            seen.append((os.geteuid(), os.getegid(), os.getgroups()))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert seen == [(NOBODY, NOBODY, [NOBODY])]
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, os.getgid(), groups)


READERS = [
    pytest.param("prompts play say-ok --to {state}/prompts", "aplay", id="a-player"),
    pytest.param(BUILD, "sox", id="a-converter"),
]


@pytest.mark.usefixtures("quick_voice")
@pytest.mark.parametrize(("command", "reader"), READERS)
def test_programs_that_read_files_of_the_owner_are_not_root(
    command: str, reader: str, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted sound may take over whatever plays or converts it."""
    warm(command)
    program = roots_folder(open_folder)
    sounds = program.state / "prompts" / "en"
    (sounds / "callsieve").mkdir(parents=True)
    (sounds / "say-ok.wav").write_bytes(b"planted")
    (sounds / "callsieve" / "say-ok.wav").write_bytes(b"planted")
    give_all(program.state)
    script = f"#!/bin/sh\ngrep -E '^(Uid|Gid|CapPrm):' /proc/self/status > {program.state}/seen\nexit 1\n"
    program.file(reader, script).chmod(0o755)
    monkeypatch.setenv("PATH", f"{open_folder}{os.pathsep}{os.environ['PATH']}")
    as_root(program, command)
    uid, gid, capabilities = (line.split()[1:] for line in (program.state / "seen").read_text().splitlines())
    assert (uid, gid, capabilities) == ([str(NOBODY)] * 4, [str(NOBODY)] * 4, ["0" * 16])


def test_server_started_by_root_drops_privileges_for_good(open_folder: Path) -> None:
    program = Program(open_folder)
    program.state.mkdir()
    os.chown(program.state, NOBODY, 4712)
    code = "import os; from callsieve.system.privileges import served_settings as s; s(None); s(None)"
    show = "print(*os.getresuid(), *os.getresgid(), *os.getgroups())"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {show}"],
        env=program.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == 3 * [str(NOBODY)] + 4 * ["4712"]


def test_unreadable_file_does_not_stop_an_erasure(open_folder: Path) -> None:
    command = "privacy erase +12015550100 --yes"
    warm("list add block +12015550100")
    with TemporaryDirectory() as elsewhere:
        warmed = roots_folder(Path(elsewhere))
        as_root(warmed, "list add block +12015550100")
        as_root(warmed, command)
    program = roots_folder(open_folder)
    as_root(program, "list add block +12015550100")
    give_all(program.state)
    closed = program.state / "closed"
    closed.write_text("closed")
    closed.chmod(0o600)
    result = as_root(program, command)
    assert result.code == 0, result.err
    assert f"{closed} could not be searched" in result.out
    assert as_root(program, "list show --json").json == []


def plant_again_and_again(folder: Path, target: Path) -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    while True:
        with suppress(OSError):
            (folder / "swap").symlink_to(target)
            (folder / "swap").rename(folder / "report.html")
            (folder / "report.html").unlink()


def test_link_planted_meanwhile_does_not_redirect_root(open_folder: Path, outside: Path) -> None:
    """In a directory that all may write, another user puts a link in the place of the report again and again."""
    shared = open_folder / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    before = picture(outside)
    planter = get_context("fork").Process(target=plant_again_and_again, args=(shared, outside / "precious"))
    planter.start()
    until = time.monotonic() + 3
    try:
        while time.monotonic() < until and picture(outside) == before:
            with suppress(OSError), complete_file(shared / "report.html", 0o600) as file:
                file.write(b"report")
            with suppress(OSError):
                (shared / "report.html").unlink()
        assert planter.is_alive()
    finally:
        planter.kill()
        planter.join()
    assert picture(outside) == before


def test_directory_replaced_meanwhile_is_not_followed(open_folder: Path, outside: Path) -> None:
    """Where everybody may rename it, the directory of a report is replaced by a link while the report is written."""
    folder = open_folder / "reports"
    folder.mkdir()
    before = picture(outside)
    with complete_file(folder / "report.html", 0o600) as file:
        file.write(b"report")
        folder.rename(open_folder / "moved")
        folder.symlink_to(outside / "folder")
    assert (open_folder / "moved" / "report.html").read_bytes() == b"report"
    assert [path.name for path in (open_folder / "moved").iterdir()] == ["report.html"]
    assert picture(outside) == before


def test_a_link_of_another_user_in_a_shared_directory_is_refused(open_folder: Path) -> None:
    """The report would become that user's."""
    shared, theirs = open_folder / "shared", open_folder / "theirs"
    shared.mkdir()
    shared.chmod(0o1777)
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    (shared / "report.html").symlink_to(theirs / "report.html")
    os.lchown(shared / "report.html", NOBODY, NOBODY)
    with pytest.raises(PermissionError), complete_file(shared / "report.html", 0o600):
        pytest.fail("it is opened")
    assert not list(theirs.iterdir())
