"""`callsieve import calls --from`: FreePBX's tables on a real MariaDB, with interruptions."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import pytest

from agi.site import Site
from callsieve.imports.call_history import open_tables, write_calls
from callsieve.pbx import mysql
from callsieve.pbx.freepbx_database import CallTables
from callsieve.pbx.mysql import Address
from callsieve.replay.cdr import Sides
from lab.mariadb import DATABASE, PASSWORD, USER, MariaDb
from lab.private_server import ADDRESS
from reputation.model import Disposition, EndedBy
from reputation.store.database import open_store
from reputation.store.outcomes import outcome_of, outcomes
from tests.callsieve.program import Program, ended
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CALLER = "2017421834"
TRUNK, ANN, BOB = "PJSIP/carrier-0000000a", "PJSIP/201-0000000b", "PJSIP/202-0000000c"
INSERT_CDR = (
    "INSERT INTO cdr (calldate, clid, src, dst, channel, dstchannel, lastapp, duration, billsec, disposition, uniqueid,"
    " linkedid, did, sequence) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
INSERT_CEL = (
    "INSERT INTO cel (eventtype, eventtime, channame, uniqueid, linkedid, extra) VALUES (%s, %s, %s, %s, %s, %s)"
)
EVIDENCE = ("signal", "answered", "talk", "inbound_talk", "one_ring", "outcome", "reached", "own_day")
SIDES = Sides(lambda _: None, Site("US"))
TWO_DAYS_AGO = float(int(time.time()) - 2 * 86_400)
Row = tuple[object, ...]


def cdr(at: float, call: str, **others: object) -> Row:
    """A call over the trunk that 201 answered after 5 s and that was over after 9 s."""
    fields = {
        "calldate": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "clid": f'"A caller" <{CALLER}>',
        "src": CALLER,
        "dst": "201",
        "channel": TRUNK,
        "dstchannel": ANN,
        "lastapp": "Dial",
        "duration": 9,
        "billsec": 4,
        "disposition": "ANSWERED",
        "uniqueid": call,
        "linkedid": call,
        "did": "442071838750",
        "sequence": 1,
    }
    return tuple((fields | others).values())


def hang_up(at: float, call: str, channel: str, source: str) -> Row:
    extra = json.dumps({"hangupcause": 16, "hangupsource": source, "dialstatus": ""})
    return "HANGUP", datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S"), channel, call, call, extra


def end(at: float, call: str) -> Row:
    return "LINKEDID_END", datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S"), TRUNK, call, call, ""


def address(server: MariaDb, password: str | None = PASSWORD, database: str = DATABASE, user: str = USER) -> str:
    secret = "" if password is None else f":{quote(password, safe='')}"
    return f"mysql://{user}{secret}@{ADDRESS}:{server.port}/{database}"


def tables(server: MariaDb) -> CallTables:
    return CallTables(Address(USER, ADDRESS, server.port, DATABASE, PASSWORD))


def import_from(callsieve: Program, server: MariaDb, *options: str) -> str:
    result = callsieve("import", "calls", "--from", address(server), *options)
    assert result.code == 0, result.err
    return result.out


class TestEndedBy:
    def test_ended_by_comes_from_cel(self, callsieve: Program, pbx: MariaDb) -> None:
        at, calls = (
            TWO_DAYS_AGO,
            {name: f"{TWO_DAYS_AGO:.0f}.{number}" for number, name in enumerate(("us", "they", "nobody"))},
        )
        pbx.run(INSERT_CDR, [cdr(at, call) for call in calls.values()])
        pbx.run(INSERT_CEL, [hang_up(at + 9, calls["us"], TRUNK, ANN), hang_up(at + 9, calls["us"], ANN, ANN)])
        pbx.run(INSERT_CEL, [hang_up(at + 9, calls["they"], TRUNK, TRUNK), hang_up(at + 9, calls["they"], ANN, TRUNK)])
        out = import_from(callsieve, pbx)
        assert out.startswith("Learnt from 3 calls: 3 rows read, 0 calls known before, 1 signal,")
        with open_store(callsieve.store) as db:
            found = {name: outcome_of(db, call) for name, call in calls.items()}
        assert {name: item and item.ended_by for name, item in found.items()} == {
            "us": EndedBy.CALLEE,
            "they": EndedBy.CALLER,
            "nobody": None,
        }
        assert found["us"] is not None
        assert (found["us"].answered_by, found["us"].did) == ("PJSIP/201", "+442071838750")

    def test_missing_cel_is_reported(self, callsieve: Program, pbx: MariaDb) -> None:
        pbx.run(INSERT_CDR, [cdr(TWO_DAYS_AGO, f"{TWO_DAYS_AGO:.0f}.1")])
        pbx.run("ALTER TABLE cel DROP INDEX linkedid_index")
        result = callsieve("import", "calls", "--from", address(pbx))
        assert (result.code, "CREATE INDEX" in result.err) == (0, True)
        pbx.run("DROP TABLE cel")
        result = callsieve("import", "calls", "--from", address(pbx), "--all", "--json")
        assert (result.code, result.json["known"], len(result.json["remarks"])) == (0, 1, 1)

    def test_older_column_name_of_cel_is_read(self, callsieve: Program, pbx: MariaDb) -> None:
        call = f"{TWO_DAYS_AGO:.0f}.1"
        pbx.run("ALTER TABLE cel CHANGE extra eventextra VARCHAR(255) NOT NULL")
        pbx.run(INSERT_CDR, [cdr(TWO_DAYS_AGO, call)])
        pbx.run(INSERT_CEL.replace("extra", "eventextra"), [hang_up(TWO_DAYS_AGO, call, TRUNK, TRUNK)])
        import_from(callsieve, pbx)
        with open_store(callsieve.store) as db:
            found = outcome_of(db, call)
        assert found is not None
        assert found.ended_by is EndedBy.CALLER


def test_csv_export_and_table_give_the_same_evidence(callsieve: Program, tmp_path: Path, pbx: MariaDb) -> None:
    """The CSV file is as FreePBX's CDR report exports it."""
    rows = history(300)
    pbx.run(INSERT_CDR, rows)
    import_from(callsieve, pbx)
    columns = INSERT_CDR.partition("(")[2].partition(")")[0].replace(" ", "")
    lines = [columns, *(",".join('"' + str(field).replace('"', '""') + '"' for field in row) for row in rows)]
    (tmp_path / "csv").mkdir()
    other = Program(tmp_path / "csv")
    other.ok("import", "calls", other.file("export.csv", "\n".join(lines) + "\n"))
    assert evidence(callsieve.store) == evidence(other.store)


class TestRepeatedImport:
    def test_second_import_reads_only_new_calls(self, callsieve: Program, pbx: MariaDb) -> None:
        long_ago = TWO_DAYS_AGO - 400 * 86_400
        pbx.run(INSERT_CDR, [cdr(at, f"{at:.0f}.1") for at in (long_ago, TWO_DAYS_AGO)])
        assert import_from(callsieve, pbx).startswith("Learnt from 2 calls: 2 rows read")
        assert import_from(callsieve, pbx).startswith("Learnt from 0 calls: 1 row read, 0 calls known before")
        at = TWO_DAYS_AGO + 100_000
        pbx.run(INSERT_CDR, [cdr(at, f"{at:.0f}.7")])
        pbx.run(INSERT_CEL, [hang_up(at, f"{at:.0f}.7", TRUNK, ANN), end(at, f"{at:.0f}.7")])
        assert import_from(callsieve, pbx, "--dry-run").startswith("Would learn from 1 call")
        assert import_from(callsieve, pbx).startswith("Learnt from 1 call: 2 rows read, 0 calls known before")
        before = evidence(callsieve.store)
        assert import_from(callsieve, pbx, "--all").startswith("Learnt from 1 call: 3 rows read, 2 calls known before")
        assert evidence(callsieve.store) == before

    @pytest.mark.parametrize("is_kept", [True, False], ids=["with-cel", "without"])
    def test_call_in_progress_is_left_for_the_next_import(
        self, callsieve: Program, pbx: MariaDb, is_kept: bool
    ) -> None:
        """A queue's attempts are written while the caller talks already, or waits."""
        at = float(int(time.time()) - 900)
        call = f"{at:.0f}.1"
        attempt = {"channel": "Local/201@from-queue-1;2", "disposition": "NO ANSWER", "billsec": 0}
        pbx.run(INSERT_CDR, [cdr(at, call, **attempt, uniqueid=f"{at:.0f}.2")])
        if is_kept:
            pbx.run(INSERT_CEL, [hang_up(at + 9, call, "Local/201@from-queue-1;2", "")])
        out = import_from(callsieve, pbx)
        assert out.startswith("Learnt from 0 calls: 1 row read")
        assert "1 call may not be over" in out
        pbx.run(INSERT_CDR, [cdr(at, call, duration=580, billsec=570, dstchannel=BOB)])
        if is_kept:
            pbx.run(INSERT_CEL, [hang_up(at + 580, call, TRUNK, TRUNK), end(at + 580, call)])
        assert import_from(callsieve, pbx).startswith("Learnt from 1 call: 2 rows read")
        with open_store(callsieve.store) as db:
            found = outcome_of(db, call)
        assert found is not None
        assert (found.talk_seconds, found.ended_by) == (570.0, EndedBy.CALLER if is_kept else None)


def history(calls: int, days: float = 60.0, seed: int = 1) -> list[Row]:
    """Calls of forty numbers, one or three rows each, rows of a call up to an hour apart."""
    chance = random.Random(seed)
    now = time.time() - 2 * 86_400
    rows: list[Row] = []
    for number in range(calls):
        at = float(int(now - days * 86_400 * (calls - number) / calls))
        call, who = f"{at:.0f}.{number}", chance.choice((ANN, BOB))
        src = f"201742{1000 + chance.randrange(40)}"
        if chance.random() < 0.6:
            rows.append(cdr(at, call, src=src, dstchannel=who, billsec=chance.choice((4, 9))))
        else:
            missed = {"disposition": "NO ANSWER", "billsec": 0, "src": src}
            rows.append(cdr(at, call, **missed, channel="Local/202@from-queue-1;2", uniqueid=f"{at:.0f}.{number}1"))
            rows.append(
                cdr(at + 3, call, **missed, channel="Local/201@from-queue-2;2", uniqueid=f"{at + 3:.0f}.{number}2")
            )
            rows.append(cdr(at + 4000, call, src=src, dstchannel=who, duration=90, billsec=80))
    return sorted(rows, key=lambda row: str(row[0]))


def channel_events(rows: Sequence[Row]) -> list[Row]:
    """Return the CEL rows of hang-ups for every third call."""
    calls = {str(row[11]): float(str(row[11]).split(".")[0]) for row in rows}
    return [hang_up(at, call, TRUNK, TRUNK) for number, (call, at) in enumerate(calls.items()) if number % 3 == 0]


def evidence(store: Path) -> str:
    """Return a checksum of all evidence."""
    with open_store(store) as db:
        rows = [(table, sorted(db.execute(f"SELECT * FROM {table}"), key=repr)) for table in EVIDENCE]
    assert rows[0][1]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


class TestInterruptedImport:
    def test_interrupted_imports_give_the_same_evidence(
        self, tmp_path: Path, pbx: MariaDb, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Interrupted at 30 random places, also in the middle of a call."""
        monkeypatch.setattr("callsieve.replay.cdr.OPEN_CALLS", 20)
        monkeypatch.setattr("callsieve.imports.call_history.CALLS_AT_ONCE", 10)
        rows = history(600)
        pbx.run(INSERT_CDR, rows)
        pbx.run(INSERT_CEL, channel_events(rows))
        whole = self.imported(tmp_path / "whole.db", pbx, [])
        chance = random.Random(2)
        for number in range(30):
            stops = [chance.randrange(1, 650) for _ in range(chance.randrange(1, 4))]
            assert self.imported(tmp_path / f"{number}.db", pbx, stops) == whole, stops

    def imported(self, path: Path, pbx: MariaDb, stops: Sequence[int]) -> str:
        """Return the evidence after imports that were interrupted after `stops` items, and a complete one."""
        for stop in (*stops, None):
            with open_store(path) as db:
                row = db.execute("SELECT done_to FROM call_import").fetchone()
                done_to = row[0] if row else None
                with open_tables(tables(pbx), SIDES, UTC, done_to, time.time()) as (_, items):
                    write_calls(db, islice(items, stop), time.time)
        return evidence(path)

    def test_killed_import_is_completed_by_the_next(self, callsieve: Program, tmp_path: Path, pbx: MariaDb) -> None:
        rows = history(12_000, days=25)
        pbx.run(INSERT_CDR, rows)
        pbx.run(INSERT_CEL, channel_events(rows))
        callsieve.ok("db", "migrate")
        process = callsieve.start("import", "calls", "--from", address(pbx))
        wait_until(lambda: calls_in(callsieve) > 500)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        assert 0 < calls_in(callsieve) < 12_000
        again = ended(callsieve.start("import", "calls", "--from", address(pbx)))
        assert (again.code, 0 < again.peak_kilobytes < 130_000) == (0, True)
        (tmp_path / "whole").mkdir()
        whole = Program(tmp_path / "whole")
        import_from(whole, pbx)
        assert evidence(callsieve.store) == evidence(whole.store)

    def test_lost_server_is_reported_and_import_continues_later(self, callsieve: Program, server: MariaDb) -> None:
        server.make_tables()
        server.run(INSERT_CDR, history(400))
        server.stop()
        try:
            problem = callsieve.fails("import", "calls", "--from", address(server, password=None))
            assert f"{ADDRESS}:{server.port}" in problem
            assert "systemctl status mariadb" in problem
        finally:
            server.start()
        assert import_from(callsieve, server).startswith("Learnt from 400 calls")


def calls_in(callsieve: Program) -> int:
    with open_store(callsieve.store) as db:
        (count,) = db.execute("SELECT count(*) FROM outcome").fetchone()
    return int(count)


class TestHostileRows:
    def test_hostile_row_alone_is_skipped(self, callsieve: Program, pbx: MariaDb) -> None:
        """Any bytes, NULL, huge fields and invalid dates, as in a table that was altered by hand."""
        pbx.run("ALTER TABLE cdr CONVERT TO CHARACTER SET latin1")
        pbx.run("ALTER TABLE cdr MODIFY clid LONGBLOB, MODIFY lastapp VARCHAR(80) NULL, MODIFY linkedid TEXT NULL")
        pbx.run(
            "ALTER TABLE cdr MODIFY calldate DATETIME NULL, MODIFY duration VARCHAR(300) NULL, MODIFY src VARBINARY(80)"
        )
        pbx.run("ALTER TABLE cel MODIFY extra LONGTEXT")
        at = TWO_DAYS_AGO
        good = [f"{at:.0f}.{number}" for number in range(6)]
        pbx.run(
            INSERT_CDR,
            [
                cdr(at, good[0], clid=b"\xff\xfe\x00\x1b[2J" + b"x" * (1 << 20)),
                cdr(at, good[1], clid=None, lastapp=None),
                cdr(at, good[2], linkedid=None),
                cdr(at, good[3], src=b"\xc3\x28\x00\xf0\x9f"),
                cdr(at, good[4], calldate="2026-00-00 00:00:00"),
                cdr(at, good[5], linkedid="x" * 100_000),
                cdr(at, "bad.1", calldate="0000-00-00 00:00:00"),
                cdr(at, "bad.2", calldate=None),
                cdr(at, f"{at:.0f}.91", duration="-9"),
                cdr(at, f"{at:.0f}.92", duration=None, billsec=-1),
                cdr(at, f"{at:.0f}.93", duration="9" * 300),
                cdr(at, f"{at:.0f}.94", disposition="'; DROP TABLE cdr"),
                cdr(at, "bad.3", calldate="9999-12-31 23:59:59"),
            ],
        )
        extras = ("{", "[" * 500, "[]", '{"hangupsource": 1}', '{"hangupsource": "' + "x" * 100_000)
        pbx.run(INSERT_CEL, [("HANGUP", "2026-01-01", TRUNK, good[0], good[0], extra) for extra in extras])
        result = callsieve("import", "calls", "--from", address(pbx), "--json")
        assert result.code == 0, result.err
        assert (result.json["new"], result.json["skipped"]) == (5, 7)
        with open_store(callsieve.store) as db:
            assert [outcome.disposition for outcome in outcomes(db)].count(Disposition.ANSWERED) == 4

    def test_import_without_a_usable_row_changes_nothing(self, callsieve: Program, pbx: MariaDb) -> None:
        pbx.run(INSERT_CDR, [cdr(TWO_DAYS_AGO, "x", disposition="")])
        assert "no call can be used" in callsieve.fails("import", "calls", "--from", address(pbx, None))

    @pytest.fixture(autouse=True)
    def password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MYSQL_PWD", PASSWORD)


class TestLogin:
    def test_freepbx_provides_address_and_table(
        self, callsieve: Program, pbx: MariaDb, freepbx_conf: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pbx.run(INSERT_CDR, [cdr(TWO_DAYS_AGO, f"{TWO_DAYS_AGO:.0f}.1")])
        settings = "asterisk.freepbx_settings"
        pbx.run(f"CREATE OR REPLACE TABLE {settings} (keyword VARCHAR(50) PRIMARY KEY, value VARCHAR(255))")
        pbx.run(f"INSERT INTO {settings} VALUES ('CDRDBNAME', ''), ('CDRDBTABLENAME', ''), ('AMPVMUMASK', '007')")
        conf = callsieve.file("freepbx.conf", freepbx_conf)
        monkeypatch.setenv("FREEPBX_CONF", str(conf))
        assert callsieve.ok("import", "calls", "--from", "freepbx").startswith("Learnt from 1 call")
        # Another database and table, as in FreePBX's Advanced Settings.
        pbx.run("CREATE TABLE IF NOT EXISTS asterisk.calls LIKE cdr")
        pbx.run(
            INSERT_CDR.replace("cdr", "asterisk.calls", 1),
            [cdr(TWO_DAYS_AGO, f"{TWO_DAYS_AGO:.0f}.{n}") for n in (2, 3)],
        )
        pbx.run(f"UPDATE {settings} SET value = 'asterisk' WHERE keyword = 'CDRDBNAME'")
        pbx.run(f"UPDATE {settings} SET value = 'calls' WHERE keyword = 'CDRDBTABLENAME'")
        assert callsieve.ok("import", "calls", "--from", "freepbx").startswith("Learnt from 2 calls")

    def test_missing_freepbx_has_a_remedy(self, callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FREEPBX_CONF", str(callsieve.folder / "nowhere.conf"))
        assert "FREEPBX_CONF" in callsieve.fails("import", "calls", "--from", "freepbx")
        monkeypatch.setenv("FREEPBX_CONF", str(callsieve.file("other.php", "<?php $x = 1;")))
        assert "AMPDBUSER" in callsieve.fails("import", "calls", "--from", "freepbx")

    def test_missing_password_is_prompted(self, callsieve: Program, pbx: MariaDb) -> None:
        pbx.run(INSERT_CDR, [cdr(TWO_DAYS_AGO, f"{TWO_DAYS_AGO:.0f}.1")])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("getpass.getpass", lambda *_, **__: PASSWORD)
            patch.setattr("click.termui.hidden_prompt_func", lambda _: PASSWORD)
            result = callsieve("import", "calls", "--from", address(pbx, None), typed="")
        assert result.code == 0, result.err
        assert result.out.startswith("Learnt from 1 call")

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            pytest.param({"password": "wrong"}, "MYSQL_PWD", id="password"),
            pytest.param({"user": "nobody"}, "MYSQL_PWD", id="user"),
            pytest.param({"database": "asterisk2"}, "asteriskcdrdb", id="database"),
            pytest.param({"database": "mysql"}, "asteriskcdrdb", id="no-cdr-table"),
        ],
    )
    def test_refused_login_prints_one_line(
        self, callsieve: Program, pbx: MariaDb, change: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        about = {"password": PASSWORD} | change
        monkeypatch.setenv("MYSQL_PWD", about.pop("password"))
        problem = callsieve.fails("import", "calls", "--from", address(pbx, None, **about))
        assert says in problem
        assert PASSWORD not in problem
        assert "wrong" not in problem

    def test_typed_password_is_never_printed(self, callsieve: Program, pbx: MariaDb) -> None:
        result = callsieve("import", "calls", "--from", address(pbx))
        assert "list of processes" in result.err
        result = callsieve("import", "calls", "--from", address(pbx, "hunter2"))
        assert (result.code, "hunter2" in result.out + result.err) == (2, False)
        callsieve("import", "calls", "--from", address(pbx))
        audit = callsieve.ok("audit", "--json")
        assert (DATABASE in audit, quote(PASSWORD) in audit, PASSWORD in audit) == (True, False, False)

    def test_table_without_cdr_columns_is_refused(self, callsieve: Program, pbx: MariaDb) -> None:
        pbx.run("ALTER TABLE cdr DROP COLUMN disposition")
        result = callsieve("import", "calls", "--from", address(pbx))
        assert (result.code, "no column 'disposition'" in result.err) == (2, True)

    def test_unresponsive_server_times_out(self, callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mysql, "CONNECT_SECONDS", 0.3)
        monkeypatch.setattr(mysql, "READ_SECONDS", 0.3)
        with closing(socket.create_server((ADDRESS, 0))) as silent:
            port = silent.getsockname()[1]
            problem = callsieve.fails("import", "calls", "--from", f"mysql://{USER}@{ADDRESS}:{port}/{DATABASE}")
        assert f"{ADDRESS}:{port}" in problem
