"""CDR and CEL of a real Asterisk, imported from a real MariaDB: who answered, and who hung up."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab import Answering, Asterisk, CallSpec, Carrier, Phone
from lab.mariadb import DATABASE, PASSWORD, USER, MariaDb
from lab.private_server import ADDRESS
from reputation.model import Disposition, EndedBy
from reputation.store.database import open_store
from reputation.store.outcomes import outcomes
from tests.callsieve.program import Program
from tests.waiting import wait_until

CDR_FIELDS = (
    *("clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start", "duration", "billsec"),
    *("disposition", "uniqueid", "linkedid"),
)
CEL_FIELDS = ("eventtype", "CHANNEL", "CHANNEL(uniqueid)", "CHANNEL(linkedid)", "eventextra", "eventtime")


def mapping(names: Iterable[str]) -> str:
    """Return a back end's line for these expressions, as CSV."""
    return f"[mappings]\ncalls.csv => {','.join(f'${{CSV_QUOTE(${{{name}}})}}' for name in names)}\n"


CONFIG = {
    "cel.conf": "[general]\nenable = yes\nevents = ANSWER,HANGUP,LINKEDID_END\n",
    "cel_custom.conf": mapping(CEL_FIELDS),
    "cdr_custom.conf": mapping(f"CDR({name})" for name in CDR_FIELDS),
}
EXTENSIONS = """\
[from-carrier]
exten => _+X.,1,Dial(PJSIP/201,20)
 same => n,Hangup()
exten => short,1,Dial(PJSIP/201,2)
 same => n,Hangup()
exten => local,1,Dial(Local/201@from-queue/n,20)
 same => n,Hangup()
exten => menu,1,Answer()
 same => n,Wait(2)
 same => n,Dial(PJSIP/201,20)
 same => n,Hangup()
exten => queue,1,Queue(sales)
 same => n,Hangup()

[from-queue]
exten => 201,1,Dial(PJSIP/201,20)
"""
DIRECT = "+442071838750"
LATER = Answering(hang_up_after=1)
# The call and the phone's behaviour -> how the call ended, and who ended it.
CALLS = {
    "caller": (CallSpec(did=DIRECT, hang_up_after=1), Answering(), Disposition.ANSWERED, EndedBy.CALLER),
    "callee": (CallSpec(did=DIRECT, hang_up_after=9), LATER, Disposition.ANSWERED, EndedBy.CALLEE),
    "cancelled": (CallSpec(did=DIRECT, cancel_after=1), Answering.never(), Disposition.NO_ANSWER, EndedBy.CALLER),
    "timed-out": (CallSpec(did="short"), Answering.never(), Disposition.NO_ANSWER, EndedBy.SYSTEM),
    "local-callee": (CallSpec(did="local", hang_up_after=9), LATER, Disposition.ANSWERED, EndedBy.CALLEE),
    "local-caller": (CallSpec(did="local", hang_up_after=1), Answering(), Disposition.ANSWERED, EndedBy.CALLER),
    "menu-caller": (CallSpec(did="menu", hang_up_after=3), Answering.never(), Disposition.NO_ANSWER, EndedBy.CALLER),
    "menu-callee": (CallSpec(did="menu", hang_up_after=9), LATER, Disposition.ANSWERED, EndedBy.CALLEE),
    "queue-callee": (CallSpec(did="queue", hang_up_after=9), LATER, Disposition.ANSWERED, EndedBy.CALLEE),
}


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDb]:
    with MariaDb() as server:
        yield server


@pytest.fixture(scope="module")
def written() -> dict[str, tuple[list[list[str]], list[list[str]]]]:
    """The CDRs and the channel events of each call."""
    found = {}
    with Asterisk(extensions=EXTENSIONS, config=CONFIG) as asterisk:
        logs = asterisk.directories.log.parent
        folders = [logs / name for name in ("cdr-custom", "cel-custom")]
        for folder in folders:
            folder.mkdir(exist_ok=True)
        for module in ("res_cdrel_custom", "cdr_custom", "cel_custom"):
            asterisk.cli(f"module load {module}.so")
        for name, (call, answering, _, _) in CALLS.items():
            before = [len(rows_of(folder)) for folder in folders]
            with Phone(asterisk, "201", answering):
                Carrier(asterisk).call(call)
            asterisk.wait_until_idle()
            wait_until(lambda after=before: is_written(folders, after))  # type: ignore[misc]
            cdrs, events = (rows_of(folder)[count:] for folder, count in zip(folders, before, strict=True))
            found[name] = cdrs, events
    return found


def rows_of(folder: Path) -> list[list[str]]:
    path = folder / "calls.csv"
    return list(csv.reader(path.read_text().splitlines())) if path.exists() else []


def is_written(folders: list[Path], before: list[int]) -> bool:
    cdrs, events = (rows_of(folder)[count:] for folder, count in zip(folders, before, strict=True))
    return bool(cdrs) and any(event[0] == "LINKEDID_END" for event in events)


@pytest.mark.parametrize("name", CALLS)
def test_imported_cdrs_show_who_answered_and_who_hung_up(
    name: str, written: dict[str, tuple[list[list[str]], list[list[str]]]], server: MariaDb, tmp_path: Path
) -> None:
    cdrs, events = written[name]
    server.make_tables()
    columns = ", ".join(field if field != "start" else "calldate" for field in CDR_FIELDS)
    server.run(f"INSERT INTO cdr ({columns}) VALUES ({', '.join(['%s'] * len(CDR_FIELDS))})", cdrs)
    server.run(
        "INSERT INTO cel (eventtype, channame, uniqueid, linkedid, extra, eventtime) VALUES (%s, %s, %s, %s, %s, %s)",
        [(*event[:5], datetime.fromtimestamp(float(event[5]), UTC)) for event in events],
    )
    callsieve = Program(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYSQL_PWD", PASSWORD)
        source = f"mysql://{USER}@{ADDRESS}:{server.port}/{DATABASE}"
        assert callsieve.ok("import", "calls", "--from", source).startswith("Learnt from 1 call")
    with open_store(callsieve.store) as db:
        [outcome] = outcomes(db)
    _, _, disposition, ended_by = CALLS[name]
    assert (outcome.disposition, outcome.ended_by) == (disposition, ended_by), json.dumps(written[name], indent=1)
    assert outcome.answered_by in ({"PJSIP/201", "201"} if disposition is Disposition.ANSWERED else {None})
    assert outcome.answered_by_pbx is (name == "menu-caller")
    if ended_by is EndedBy.CALLEE:
        assert outcome.talk_seconds <= 2  # CEL's instants are of whole seconds here; the menu's two do not count
