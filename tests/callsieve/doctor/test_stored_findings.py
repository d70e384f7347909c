"""Stored findings of root's doctor, as other users and the console see them."""

from __future__ import annotations

import grp
import json
import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from callsieve.doctor.finding import CheckContext
from callsieve.doctor.privacy import is_closed
from callsieve.doctor.stored_findings import MOST_BYTES, Findings, completed, findings_of, read_findings, store_findings
from callsieve.health import Check, CheckStatus
from callsieve.install.plan import OUR_UNIT, InstallPaths
from callsieve.pbx.cli_client import ConsoleError, NotAllowed, console
from callsieve.settings import Loaded, Settings, parse_settings
from callsieve.web.i18n import translations_of
from reputation.wording import Wording, listed
from tests.callsieve.program import Program
from tests.office import NOBODY

NOW = 1_790_000_000.0
PARTS = listed([Wording("{n} trunks", {"n": 2}), "as written by an administrator"], "{some}; {more}")
CHECKS = (
    Check("trunks", CheckStatus.FAIL, PARTS, Wording("run the command as root"), NOW),
    Check("off switch", CheckStatus.OK, Wording("screening is on"), at=NOW),
    Check("store", CheckStatus.UNKNOWN, "no", at=NOW),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the findings, in an own directory."""
    folder = tmp_path / "state-doctor"
    folder.mkdir(0o755)
    return folder / "findings.json"


def test_findings_round_trip(path: Path) -> None:
    findings = findings_of(CHECKS, NOW, NOW)
    store_findings(path, findings)
    assert read_findings(path) == findings
    (chinese, *_) = (check.detail for check in findings.checks)
    assert isinstance(chinese, Wording)
    read = read_findings(path)
    assert isinstance(read, Findings)
    assert isinstance(read.checks[0].detail, Wording)
    assert read.checks[0].detail.in_language(translations_of("zh").gettext) == chinese.in_language(
        translations_of("zh").gettext
    )


def test_findings_are_readable_by_all_and_writable_by_owner(path: Path) -> None:
    umask = os.umask(0o077)
    try:
        path.parent.chmod(0o700)
        store_findings(path, findings_of(CHECKS, NOW, NOW))
    finally:
        os.umask(umask)
    assert [stat.S_IMODE(item.stat().st_mode) for item in (path.parent, path)] == [0o755, 0o644]
    assert [path_.name for path_ in path.parent.iterdir()] == [path.name]


# Damaged files


def stored_with(detail: object) -> bytes:
    check = {"name": "trunks", "status": "ok", "detail": detail}
    return json.dumps({"at": NOW, "version": "1", "checks": [check], "loaded_at": NOW}).encode()


def nested(depth: int) -> bytes:
    return b'{"template":"{x}","places":{"x":' * depth + b"1" + b"}}" * depth


def test_damaged_file_builder_also_makes_a_valid_file(path: Path) -> None:
    path.write_bytes(stored_with({"template": "{n:,} and {x:.1f}", "places": {"n": 1000, "x": 0.5}}))
    read = read_findings(path)
    assert isinstance(read, Findings)
    assert str(read.checks[0].detail) == "1,000 and 0.5"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(stored_with("ok")[:-9], id="half"),
        pytest.param(b"\xff\xfe", id="no-utf-8"),
        pytest.param(b"[" * 100_000, id="nested"),
        pytest.param(b'{"at": 1e999, "version": "1", "checks": []}', id="no-time"),
        pytest.param(b'{"at": 1, "version": "1", "checks": []}' + b" " * MOST_BYTES, id="too-large"),
        pytest.param(stored_with(7), id="another-type"),
        pytest.param(stored_with("ok").replace(b'"ok"', b'"fine"', 1), id="unknown-status"),
        pytest.param(stored_with({"template": "{y}", "places": {"x": 1}}), id="unknown-placeholder"),
        pytest.param(stored_with({"template": "{x.__class__}", "places": {"x": "1"}}), id="attribute"),
        pytest.param(stored_with({"template": "{x:999999999}", "places": {"x": 1}}), id="wide"),
        pytest.param(stored_with({"template": "{x", "places": {"x": 1}}), id="open-brace"),
        pytest.param(stored_with({"template": "{x:.1f}", "places": {"x": "a"}}), id="no-figure"),
        pytest.param(stored_with("MARK").replace(b'"MARK"', nested(5000)), id="deep-wording"),
    ],
)
def test_damaged_file_is_ignored_with_a_warning(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    found = read_findings(path)
    assert found == Wording("{file} is ignored, because the file is damaged", {"file": str(path)})
    (unseen, warning) = completed([Check("trunks", CheckStatus.UNKNOWN, "?", at=NOW)], found, NOW, 0.0)
    assert (unseen.stored, warning.status, warning.detail) == (False, CheckStatus.WARN, found)


def make_link(path: Path) -> None:
    target = path.with_name("elsewhere")
    target.write_bytes(stored_with("ok"))
    path.symlink_to(target)


def make_writable(path: Path) -> None:
    path.write_bytes(stored_with("ok"))
    path.chmod(0o666)


MAKERS = [Path.mkdir, os.mkfifo, make_link, make_writable]


@pytest.mark.parametrize("make", MAKERS)
def test_file_that_others_could_write_is_ignored(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    assert isinstance(read_findings(path), Wording)


@pytest.mark.root
def test_file_of_another_user_is_ignored(path: Path) -> None:
    path.write_bytes(stored_with("ok"))
    os.chown(path, NOBODY, NOBODY)
    assert isinstance(read_findings(path), Wording)


# Shown findings


def test_own_findings_outrank_those_of_root(path: Path) -> None:
    seen = [
        Check(name, status, "here", at=NOW + 60)
        for name, status in (("trunks", CheckStatus.UNKNOWN), ("x", CheckStatus.OK))
    ]
    shown = completed(
        [*seen, Check("store", CheckStatus.UNKNOWN, "here", at=NOW + 60)], findings_of(CHECKS, NOW, NOW), NOW + 60, NOW
    )
    assert [(item.name, item.status, item.at, item.stored) for item in shown] == [
        ("trunks", CheckStatus.FAIL, NOW, True),
        ("x", CheckStatus.OK, NOW + 60, False),
        ("store", CheckStatus.UNKNOWN, NOW, True),
    ]


@pytest.mark.parametrize(
    ("age", "is_old"),
    [
        pytest.param(0.0, False, id="now"),
        pytest.param(3599.0, False, id="within-the-hour"),
        pytest.param(3601.0, True, id="after-an-hour"),
        pytest.param(-3600.0, True, id="from-the-future"),
    ],
)
def test_old_findings_are_shown_with_a_warning(age: float, is_old: bool) -> None:
    unseen = Check("trunks", CheckStatus.UNKNOWN, "?", at=NOW + age)
    first, *rest = completed([unseen], findings_of(CHECKS, NOW, NOW), NOW + age, NOW)
    assert first.stored
    assert [check.status for check in rest] == [CheckStatus.WARN] * is_old


def test_trunk_findings_expire_when_their_files_change() -> None:
    unseen = [Check(name, CheckStatus.UNKNOWN, "?", at=NOW + 60) for name in ("trunks", "store")]
    checks = [Check(name, CheckStatus.OK, "well", at=NOW) for name in ("trunks", "store")]
    shown = completed(unseen, findings_of(checks, NOW, NOW - 60), NOW + 60, NOW - 30)
    assert [check.status for check in shown] == [CheckStatus.UNKNOWN, CheckStatus.OK]


def test_complete_findings_need_no_root() -> None:
    seen = [Check("trunks", CheckStatus.OK, "here", at=NOW)]
    assert completed(seen, Wording("nothing"), NOW, 0.0) == seen


# The command


# `asterisk -rx COMMAND`, with a database, for whoever may use its socket. In shell, because nobody may look into our
# venv; its option -p keeps it from becoming root again.
ASTERISK = """\
cd "${0%/*}" || exit
if ! [ -w asterisk.ctl ]; then
    echo "Unable to connect to remote asterisk (does $PWD/asterisk.ctl exist?)"
    exit 1
fi
set -- $2
case "$1 $2" in
    "core show") echo "Asterisk 22.10.1 built by nobody" ;;
    "database put") echo "$5" > db; echo "Updated database successfully" ;;
    "database get") if [ -e db ]; then echo "Value: $(cat db)"; else echo "Database entry not found."; fi ;;
    "database del") rm db; echo "Database entry removed." ;;
esac
"""


@pytest.fixture
def office() -> Iterator[Program]:
    """A program whose Asterisk answers only root, as Debian's does. Not below tmp_path, which is closed to others."""
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as control:
        folder = Path(name)
        (folder / "run").mkdir()
        (folder / "state-doctor").mkdir()
        for path_ in (folder, *folder.iterdir()):
            path_.chmod(0o755)
        control.bind(str(folder / "run" / "asterisk.ctl"))
        (folder / "run" / "asterisk.ctl").chmod(0o755)
        script = folder / "run" / "asterisk"
        script.write_text(ASTERISK)
        yield Program(folder, f"[asterisk]\ncommand = {json.dumps(f'sh -p {script}')}\n")


def findings_shown_to(office: Program, *, nobody: bool = False) -> dict[str, dict[str, object]]:
    result = office.as_nobody("doctor", "--json") if nobody else office("doctor", "--json")
    return {check["name"]: check for check in result.json}


@pytest.mark.root
def test_findings_of_root_are_shown_to_others(office: Program) -> None:
    alone = findings_shown_to(office, nobody=True)
    assert alone["off switch"]["status"] == "unknown"
    assert alone["seen by root"]["status"] == "warn"

    root = findings_shown_to(office)
    assert (root["Asterisk"]["status"], root["off switch"]["stored"]) == ("ok", False)
    shown = findings_shown_to(office, nobody=True)
    for name in ("Asterisk", "off switch"):
        assert shown[name] == {**root[name], "stored": True}
    assert not shown["store"]["stored"], "what we can see ourselves we look at"
    assert "seen by root" not in shown


@pytest.mark.root
def test_only_the_owner_of_the_directory_stores_findings(office: Program) -> None:
    path = office.folder / "state-doctor" / "findings.json"
    office.as_nobody("doctor")
    assert not path.exists()
    office("doctor")
    before = path.read_bytes()
    office.as_nobody("doctor")
    assert path.read_bytes() == before


def test_off_and_on_update_the_stored_finding(office: Program) -> None:
    office("doctor")
    stored = msgspec.json.decode((office.folder / "state-doctor" / "findings.json").read_bytes(), type=Findings)
    for command, status in (("off", CheckStatus.WARN), ("on", CheckStatus.OK)):
        office.ok(command)
        now = read_findings(office.folder / "state-doctor" / "findings.json")
        assert isinstance(now, Findings)
        assert {check.name: check.status for check in now.checks}["off switch"] is status
        assert now.at == stored.at
        assert [check for check in now.checks if check.name != "off switch"] == [
            check for check in stored.checks if check.name != "off switch"
        ]


def test_off_creates_no_findings_file(office: Program) -> None:
    office.ok("off")
    assert list((office.folder / "state-doctor").iterdir()) == []


# Planted links


def plant_directory(folder: Path, target: Path) -> None:
    folder.rmdir()
    folder.symlink_to(target.parent)


def plant_in_their_own(folder: Path, target: Path) -> None:
    (folder / "findings.json").symlink_to(target)
    os.chown(folder, NOBODY, NOBODY)


def plant_where_all_may(folder: Path, target: Path) -> None:
    folder.chmod(0o777)
    (folder / "findings.json").symlink_to(target)


@pytest.mark.root
@pytest.mark.parametrize("plant", [plant_directory, plant_in_their_own, plant_where_all_may])
def test_root_follows_no_planted_link(office: Program, plant: Callable[[Path, Path], None]) -> None:
    victim = office.folder / "victim" / "findings.json"
    victim.parent.mkdir()
    victim.write_text("precious")
    plant(office.folder / "state-doctor", victim)
    result = office.process("doctor", "--json")
    assert {check["name"] for check in result.json} >= {"Asterisk", "store"}, "it is shown all the same"
    assert "not stored" in result.err
    assert victim.read_text() == "precious"
    assert [path_.name for path_ in victim.parent.iterdir()] == ["findings.json"]


def test_link_in_the_own_directory_is_replaced(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.symlink_to(victim)
    path.with_name(f".{path.name}.{os.getpid()}").symlink_to(victim)
    store_findings(path, findings_of(CHECKS, NOW, NOW))
    assert victim.read_text() == "precious"
    assert not path.is_symlink()
    assert isinstance(read_findings(path), Findings)


# Asterisk's console prints the same if access is forbidden and if Asterisk is down


@pytest.mark.root
def test_forbidden_socket_raises_not_allowed(office: Program, as_nobody: None) -> None:
    settings = parse_settings(office.config.read_text(), "test")
    with pytest.raises(NotAllowed):
        console(settings, "core show version")


def test_stopped_asterisk_is_not_reported_as_not_allowed(office: Program) -> None:
    (office.folder / "run" / "asterisk.ctl").unlink()
    settings = parse_settings(office.config.read_text(), "test")
    with pytest.raises(ConsoleError) as caught:
        console(settings, "core show version")
    assert not isinstance(caught.value, NotAllowed)


@pytest.mark.parametrize(
    ("mode", "group", "closed", "status"),
    [
        pytest.param(0o755, "", "", CheckStatus.OK, id="as-debian-has-it"),
        pytest.param(0o775, "", "", CheckStatus.WARN, id="open-to-the-services-group"),
        pytest.param(0o775, "", "TemporaryFileSystem={run}:ro\n", CheckStatus.OK, id="closed-by-the-unit"),
        pytest.param(0o775, "", "InaccessiblePaths=-{run}/run\n", CheckStatus.WARN, id="until-asterisk-restarts"),
        pytest.param(
            0o775, "", "TemporaryFileSystem=/elsewhere\n", CheckStatus.WARN, id="unit-closes-another-directory"
        ),
        pytest.param(0o775, "another", "", CheckStatus.OK, id="open-to-another-group"),
        pytest.param(0o777, "another", "TemporaryFileSystem={run}:ro\n", CheckStatus.WARN, id="open-to-everybody"),
    ],
)
def test_control_socket_must_be_closed_to_the_service(
    office: Program, mode: int, group: str, closed: str, status: CheckStatus
) -> None:
    run, units = office.folder / "run", office.folder
    (run / "asterisk.ctl").chmod(mode)
    mine = grp.getgrgid((run / "asterisk.ctl").stat().st_gid).gr_name
    closing = closed.format(run=run.resolve().parent)
    (units / OUR_UNIT).write_text(f"[Service]\nGroup={group or mine}\n{closing}")
    loaded = Loaded(settings=Settings(), file=None, state=office.state)
    context = CheckContext(loaded, lambda _command: f"  Run/Sockets directory:       {run}\n", NOW)
    context.place = InstallPaths(office.folder, 0, units=units)
    assert is_closed(context).status is status
