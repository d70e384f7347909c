"""Importing people and DIDs of a running PBX: once, undone by one row, and never over what was typed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab import Asterisk
from reputation.model import Did, Person
from reputation.store.database import open_store
from reputation.store.people import all_dids, all_people
from tests.integration.bare import Office

# An office as somebody writes it by hand: names and numbers of phones differ, day and night, a queue, a menu.
STOCK = r"""
[globals]
SALES=PJSIP/201&PJSIP/202

[from-carrier]
exten => 2071838750,1,Answer()
 same => n,Dial(${SALES},20)
exten => 2071838751,1,Goto(office,201,1)
exten => +442071838752,1,Queue(support,t)
exten => 2071838753,1,GotoIfTime(9:00-17:00,mon-fri,*,*?day:night)
 same => n(day),Goto(office,600,1)
 same => n(night),VoiceMail(207@default)
exten => 2071838754,1,Goto(menu,s,1)
exten => 2071838755,1,Gosub(ring,s,1(PJSIP/alice))
exten => 2071838756,1,AGI(who-is-there)
 same => n,Dial(PJSIP/201,20)
exten => _20718388XX,1,Dial(PJSIP/${EXTEN:-3},20)

[ring]
exten => s,1,Dial(${ARG1},20)
 same => n,Return()

[menu]
exten => s,1,Background(hello)
 same => n,WaitExten(5)
exten => 1,1,Queue(support)
exten => 2,1,Goto(office,600,1)

[office]
exten => 201,hint,PJSIP/201
exten => 201,1,Dial(PJSIP/201,20)
exten => 1000,hint,SIP/1000
exten => 800,hint,PJSIP/other
exten => 207,hint,PJSIP/alice&Custom:DND207
exten => 207,1,Dial(PJSIP/alice,20)
exten => 600,1,Dial(PJSIP/202&PJSIP/203,20)
exten => 700,1,Queue(support)

[from-other]
exten => 2071838757,1,Goto(office,700,1)
exten => 100,1,Echo()

[from-internal]
exten => 112,1,Hangup()
"""
PJSIP = r"""
[alice]
type = endpoint
context = from-internal
callerid = "<b>Ann [red]O'Hara</b>\; $(reboot)" <207>
language = en
named_call_group = board

[other]
type = endpoint
context = from-other

[other]
type = identify
endpoint = other
match = 192.0.2.7

[1001]
type = endpoint
context = from-internal

[1001]
type = identify
endpoint = 1001
match = 192.0.2.8

[1002]
type = endpoint
context = callsieve-from-other

[lobby]
type = endpoint
context = from-internal

[a-name-that-is-so-long-that-the-console-of-asterisk-cuts-it-in-its-list]
type = endpoint
context = from-internal
"""
QUEUES = """
[support]
member => PJSIP/201,0,"(PJSIP/206) ("
member => Local/207@office/n,0,Ann,PJSIP/alice
"""
SETTINGS = """\
[numbers]
region = "GB"

[asterisk]
command = {command}

[[trunk]]
name = "carrier"
channels = "PJSIP/carrier-*"

[[person]]
extension = "203"
name = "Carol"
"""
ANN = "<b>Ann [red]O'Hara</b>; $(reboot)"


class Pbx:
    """An Asterisk, and a store without people."""

    def __init__(self, asterisk: Asterisk, state: Path) -> None:
        self.office = Office(asterisk, state)
        command = shlex.join([*asterisk.paths.asterisk, "-C", str(self.office.etc / "asterisk.conf")])
        self.office.daemon.config.write_text(SETTINGS.format(command=json.dumps(command)))

    def take_over(self, *options: str, code: int = 0) -> str:
        return self.office.run("import", "people", *options, code=code)

    def rows(self, *options: str) -> dict[str, str]:
        """Return what would become of each row, by its extension or number."""
        found: dict[str, Any] = json.loads(self.take_over(*options, "--dry-run", "--json"))
        return {row["key"]: row["state"] for row in found["rows"]}

    def people(self) -> dict[str, Person]:
        with open_store(self.office.daemon.store) as db:
            return {person.extension: person for person in all_people(db)}

    def dids(self) -> dict[str, Did]:
        with open_store(self.office.daemon.store) as db:
            return {did.number[-1]: did for did in all_dids(db)}

    def changes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.office.run("audit", "--json"))
        return found


@pytest.fixture(scope="module")
def stock() -> Iterator[Asterisk]:
    with Asterisk(extensions=STOCK, config={"pjsip.conf": PJSIP, "queues.conf": QUEUES}) as asterisk:
        yield asterisk


def test_people_and_dids_of_a_stock_asterisk_are_imported(stock: Asterisk, tmp_path: Path) -> None:
    pbx = Pbx(stock, tmp_path / "state")
    said = pbx.take_over("--from", "asterisk", "--yes")
    people = pbx.people()
    assert set(people) == {"201", "202", "204", "205", "206", "207"}
    assert people["201"] == Person("201", "PJSIP/201", "support", None, "Phone 201")
    assert people["207"] == Person("207", "PJSIP/alice", "board", "en", ANN)
    assert (people["202"].group, people["204"].group) == ("600", None)
    assert "PJSIP/lobby " in said
    assert "_20718388XX matches many numbers" in said
    groups = {key: did.groups for key, did in pbx.dids().items()}
    # 203 is the administrator's, but the PBX knows the group; 7 comes in on a trunk that the settings do not have.
    assert groups == {
        "0": ("600", "support"),
        "1": (),
        "2": ("board", "support"),
        "3": ("600",),
        "4": ("600", "board", "support"),
        "5": (),
        "6": (),
        "7": ("board", "support"),
    }
    assert {key: did.callee for key, did in pbx.dids().items() if did.callee} == {"1": "201", "5": "207"}


def test_a_trunk_is_not_imported_as_a_person(stock: Asterisk, tmp_path: Path) -> None:
    """Calls of people are not screened, so a trunk named like a phone must not be one."""
    pbx = Pbx(stock, tmp_path / "state")
    found: Mapping[str, Any] = json.loads(pbx.take_over("--from", "asterisk", "--dry-run", "--json"))
    trunks = {trunk["channels"] for trunk in found["trunks"]}
    assert trunks == {f"PJSIP/{name}-*" for name in ("1001", "1002", "carrier", "carrier2", "other")}
    assert not {"1001", "1002", "800"} & {row["key"] for row in found["rows"]}, "a key of phones may watch a trunk"


def test_a_second_import_changes_nothing(stock: Asterisk, tmp_path: Path) -> None:
    pbx = Pbx(stock, tmp_path / "state")
    assert "Imported from asterisk: 6 people and 8 DIDs" in pbx.take_over("--from", "asterisk", "--yes", "--quiet")
    changes = pbx.changes()
    assert pbx.take_over("--from", "asterisk", "--yes", "--quiet") == ""
    assert "Nothing to import." in pbx.take_over("--from", "asterisk")
    assert set(pbx.rows("--from", "asterisk").values()) == {"same", "yours"}
    assert pbx.changes() == changes


def test_one_undo_reverts_the_import(stock: Asterisk, tmp_path: Path) -> None:
    pbx = Pbx(stock, tmp_path / "state")
    pbx.take_over("--from", "asterisk", "--yes")
    pbx.office.run("undo", str(pbx.changes()[0]["id"]))
    assert (pbx.people(), pbx.dids()) == ({}, {})
    assert pbx.rows("--from", "asterisk")["201"] == "new"


def test_people_of_the_settings_and_files_win(stock: Asterisk, tmp_path: Path) -> None:
    pbx = Pbx(stock, tmp_path / "state")
    mine = tmp_path / "mine.csv"
    mine.write_text("extension,group,name\n201,board,Al\n")
    pbx.office.run("import", "people", str(mine), "--source", "hr")
    with pbx.office.daemon.config.open("a") as file:
        file.write('[[did]]\nnumber = "+442071838750"\nscreen = false\n')
    rows = pbx.rows("--from", "asterisk")
    assert [rows[key] for key in ("201", "203", "+442071838750", "+442071838751")] == ["yours", "yours", "yours", "new"]
    pbx.take_over("--from", "asterisk", "--yes")
    assert pbx.people()["201"] == Person("201", "PJSIP/201", "board", None, "Al")
    assert "0" not in pbx.dids()  # the daemon writes what the settings say


def test_removed_people_stay_until_removal_is_requested(stock: Asterisk, tmp_path: Path) -> None:
    pbx = Pbx(stock, tmp_path / "state")
    pbx.take_over("--from", "asterisk", "--yes")
    before = pbx.dids()
    try:
        stock.reload_dialplan(STOCK.replace("exten => 2071838751,", "exten => 2071838759,"))
        assert "--remove-gone" in pbx.take_over("--from", "asterisk", "--yes")
        assert set(pbx.dids()) == {*before, "9"}
        pbx.take_over("--from", "asterisk", "--yes", "--remove-gone")
        assert set(pbx.dids()) == {*before, "9"} - {"1"}
        pbx.office.run("undo", str(pbx.changes()[0]["id"]))
        assert set(pbx.dids()) == {*before, "9"}
    finally:
        stock.reload_dialplan(STOCK)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(("--from", "freepbx", "--yes"), "use --from asterisk", id="no-freepbx"),
        pytest.param(("--from", "asterisk"), "add --yes", id="no-terminal"),
        pytest.param((), "either FILE or --from", id="no-option"),
        pytest.param(("people.csv", "--quiet", "--source", "x"), "--quiet need --from", id="quiet-file"),
        pytest.param(("people.csv", "--source", "asterisk"), "people.csv", id="no-file"),
        pytest.param(("--from", "asterisk", "--source", "x"), "--source is only for files", id="source"),
    ],
)
def test_an_impossible_import_is_refused(stock: Asterisk, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    pbx = Pbx(stock, tmp_path / "state")
    assert said in pbx.take_over(*options, code=2)
    assert not pbx.office.daemon.store.exists()


# FreePBX 17's dialplan in our own words: which phones ring is in the arguments of its macros.
FREEPBX = r"""
[from-carrier]
exten => _[+0-9A-Za-z].,1,Goto(from-trunk,${EXTEN},1)

[from-trunk]
include => ext-did

[ext-did]
include => ext-did-0001
include => ext-did-0002

[ext-did-0001]
exten => 2071838757/12015550123,1,Goto(from-did-direct,203,1)

[ext-did-0002]
exten => fax,1,Goto(ext-fax,s,1)
exten => s,1,NoOp(no DID was sent)
 same => n,Goto(ext-group,600,1)
exten => _.,1,Goto(${EXTEN},1)
exten => 2071838750,1,Set(__FROM_DID=${EXTEN})
 same => n,Gosub(app-lookup,s,1())
 same => n(callerid),ExecIf($["${CALLERID(name)}" = ""]?Set(CALLERID(name)=${CALLERID(num)}))
 same => n(dest-ext),Goto(from-did-direct,201,1)
exten => 2071838751,1,Goto(ext-group,600,1)
exten => 2071838752,1,Goto(ext-queues,400,1)
exten => 2071838753,1,Goto(timeconditions,1,1)
exten => 2071838754,1,Goto(ivr-1,s,1)
exten => 2071838755,1,Goto(ext-local,vmu201,1)
exten => 2071838756,1,Goto(ivr-2,s,1)
exten => 2071838757,1,Goto(from-did-direct,201,1)

[app-lookup]
exten => s,1,AGI(lookup.php)
 same => n,Return()

[from-did-direct]
include => ext-local

[ext-local]
exten => 201,hint,PJSIP/201&Custom:DND201
exten => 201,1,Gosub(macro-exten-vm,s,1(novm,201,0,0,0))
exten => vmu201,1,Gosub(macro-vm,s,1(201,BUSY,0))

[ext-group]
exten => 600,1,Gosub(macro-user-callerid,s,1())
 same => n(DIALGRP),Gosub(macro-dial,s,1(20,${DIAL_OPTIONS}b(func-apply-sipheaders^s^1),201-202-07700900123#))

[ext-queues]
exten => 400,1,Gosub(macro-user-callerid,s,1())
 same => n(qcall),Queue(400,t,,,30,,,,,)

[timeconditions]
exten => 1,1,GotoIfTime(09:00-17:00,mon-fri,*,*?truestate)
 same => n(falsestate),GotoIf($["${DB(TC/1):0:4}" = "true"]?truegoto)
 same => n(falsegoto),GotoIf($["${TCRETURN}"!="RETURN"]?ext-queues,400,1)
 same => n,Return()
 same => n(truestate),NoOp()
 same => n(truegoto),GotoIf($["${TCRETURN}"!="RETURN"]?from-did-direct,204,1)
 same => n,Return()

[ivr-1]
exten => s,1,Background(hello)
 same => n,WaitExten(10)
exten => 1,1,Goto(from-did-direct,203,1)
exten => 2,1,Goto(ext-group,600,1)

[ivr-2]
include => from-did-direct
exten => s,1,Background(hello)
 same => n,WaitExten(10)
exten => 1,1,Goto(from-did-direct,203,1)

[from-internal]
exten => 112,1,Hangup()
"""
FREEPBX_QUEUES = """
[400]
member => Local/204@from-queue/n,0,Dan,hint:204@ext-local
"""
ASTDB = {
    "AMPUSER/201/cidname": "Al : PJSIP/666",
    "AMPUSER/201/device": "201",
    "AMPUSER/201/followme/grplist": "201-203",
    "AMPUSER/201/language": "en",
    "AMPUSER/202/cidname": "[bold]Bob",
    "AMPUSER/202/device": "202&2021",
    "AMPUSER/203/cidname": "Carol",
    "AMPUSER/203/device": "203",
    "AMPUSER/204/cidname": "Dan",
    "AMPUSER/204/device": "204",
    "AMPUSER/205/cidname": "Nobody",
    "AMPUSER/205/device": "",
    "AMPUSER/206/device": "206",
    "DEVICE/206/dial": "PJSIP/carrier",
    "DEVICE/205/dial": "PJSIP/205",
    "DEVICE/201/dial": "PJSIP/201",
    "DEVICE/202/dial": "PJSIP/202",
    "DEVICE/2021/dial": "PJSIP/206",
    "DEVICE/203/dial": "PJSIP/203",
    "DEVICE/204/dial": "PJSIP/204",
    "QPENALTY/400/agents/203": "0",
    "QPENALTY/400/dynmemberonly": "no",
}


@pytest.fixture(scope="module")
def freepbx() -> Iterator[Asterisk]:
    with Asterisk(extensions=FREEPBX, config={"queues.conf": FREEPBX_QUEUES}) as asterisk:
        for key, value in ASTDB.items():
            family, _, rest = key.partition("/")
            asterisk.cli(f'database put {family} {rest} "{value}"')
        yield asterisk


def test_people_and_dids_of_freepbx_are_imported(freepbx: Asterisk, tmp_path: Path) -> None:
    pbx = Pbx(freepbx, tmp_path / "state")
    said = pbx.take_over("--from", "freepbx", "--yes")
    assert pbx.people() == {
        "201": Person("201", "PJSIP/201", "600", "en", "Al : PJSIP/666"),
        "202": Person("202", "PJSIP/202", "600", None, "[bold]Bob"),
        "204": Person("204", "PJSIP/204", "400", None, "Dan"),
    }
    assert "202 has several phones: PJSIP/206" in said
    assert "205 has no phone" in said
    assert "206 is not imported: its phone is a trunk" in said
    assert pbx.dids() == {
        "0": Did("+442071838750", callee="201"),
        "1": Did("+442071838751", ("600",)),
        "2": Did("+442071838752", ("400",)),
        "3": Did("+442071838753", ("400",)),
        "4": Did("+442071838754", ("400", "600")),
        "5": Did("+442071838755"),
        "6": Did("+442071838756"),
        "7": Did("+442071838757", ("400", "600")),
    }
    assert pbx.take_over("--from", "freepbx", "--yes", "--quiet") == ""
    assert "this is FreePBX" in pbx.take_over("--from", "asterisk", "--yes", code=2)


def test_a_dry_run_names_trunks_and_writes_nothing(freepbx: Asterisk, tmp_path: Path) -> None:
    pbx = Pbx(freepbx, tmp_path / "state")
    found: Mapping[str, Any] = json.loads(pbx.take_over("--from", "freepbx", "--dry-run", "--json"))
    described = {trunk["channels"]: trunk["described"] for trunk in found["trunks"]}
    assert described == {"PJSIP/carrier-*": "carrier", "PJSIP/carrier2-*": None}
    assert not pbx.office.daemon.store.exists()


def test_the_settings_lines_for_a_new_trunk_are_printed(freepbx: Asterisk, tmp_path: Path) -> None:
    said = Pbx(freepbx, tmp_path / "state").take_over("--from", "freepbx", "--dry-run")
    lines = "\n".join(line.strip() for line in said.splitlines())
    assert '[[trunk]]\nname = "carrier2"\nchannels = "PJSIP/carrier2-*"\n' in lines
    assert 'name = "carrier"\n' not in lines
