"""Call history from files: CDRs of Asterisk, and own JSON lines."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agi.site import Site, Trunk
from callsieve.imports import call_history
from callsieve.imports.call_history import items_of, write_calls
from callsieve.replay import cdr
from callsieve.replay.call_files import History, HistoryError, open_history
from callsieve.replay.cdr import (
    CSV_COLUMNS,
    OPEN_CALLS,
    CdrRow,
    ChannelEvents,
    OpenCalls,
    Sides,
    fields_of_csv,
    outcome_of_call,
    outcomes,
    parse_row,
)
from reputation.model import AuthClass, CallerKind, Direction, Disposition, EndedBy, Mark, MarkChannel, Verdict
from reputation.outcome import OutcomeRecord
from reputation.signals import is_one_ring
from reputation.store.database import open_store
from reputation.store.evidence_rows import marks_of, signals_of
from reputation.store.outcomes import outcome_of, record_outcome
from reputation.store.transaction import transaction
from tests.callsieve.program import Program, one_line
from tests.office import CALLER

NOW = 1_767_258_007.0  # 2026-01-01 09:00:07 UTC
TRUNK, ANN, BOB = "PJSIP/carrier-00000001", "PJSIP/201-00000002", "PJSIP/202-00000003"
DID = "+442071838750"
# No trunks are configured: a channel that does not look like a phone is a trunk.
SIDES = Sides(lambda _: None, Site("US"), frozenset({"PJSIP/alice"}))


def fields(**others: str) -> dict[str, str]:
    """A CDR of a call over the carrier's trunk that 201 answered after 10 s and that lasted 40 s."""
    plain = {
        "src": "2017421834",
        "dst": "442071838750",
        "clid": '"Alice, ""the"" caller" <2017421834>',
        "channel": TRUNK,
        "dstchannel": ANN,
        "lastapp": "Dial",
        "start": "2026-01-01 09:00:07",
        "duration": "50",
        "billsec": "40",
        "disposition": "ANSWERED",
        "uniqueid": "1767258007.1",
    }
    return dict.fromkeys(CSV_COLUMNS[:18], "") | plain | others


def row(**others: str) -> CdrRow:
    found = parse_row(fields(**others), UTC)
    assert found is not None
    return found


def outcome(*rows: CdrRow, sides: Sides = SIDES) -> OutcomeRecord:
    [found] = outcomes(rows, sides)
    return found


def as_csv(*records: dict[str, str], header: bool = False) -> str:
    text = io.StringIO()
    names = list(records[0])
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    if header:
        writer.writerow(names)
    for record in records:
        writer.writerow([record[name] for name in names])
    return text.getvalue()


class TestRows:
    @pytest.mark.parametrize(
        ("others", "call", "at"),
        [
            pytest.param({}, "1767258007.1", NOW, id="uniqueid"),
            pytest.param({"start": "nonsense"}, "1767258007.1", NOW, id="the-uniqueid-knows-the-time"),
            pytest.param({"uniqueid": "pbx1-1767258007.1"}, "pbx1-1767258007.1", NOW, id="with-a-systemname"),
            pytest.param({"linkedid": "1767258000.9"}, "1767258000.9", NOW, id="linkedid"),
            pytest.param({"uniqueid": "x"}, "x", NOW, id="the-text"),
            pytest.param({"uniqueid": "x", "start": "", "calldate": "2026-01-01 09:00:07"}, "x", NOW, id="calldate"),
            pytest.param({"uniqueid": "x", "start": "2026-01-01T10:00:07+01:00"}, "x", NOW, id="with-its-zone"),
        ],
    )
    def test_call_id_and_time_are_parsed(self, others: dict[str, str], call: str, at: float) -> None:
        found = row(**others)
        assert (found.call, found.at) == (call, at)

    def test_time_zone_applies_to_times_without_one(self) -> None:
        found = parse_row(fields(uniqueid="", start="2026-01-01 10:00:07"), ZoneInfo("Europe/Berlin"))
        assert found is not None
        assert found.at == NOW
        assert parse_row(fields(uniqueid=""), None) is not None

    def test_content_hash_replaces_a_missing_id(self) -> None:
        one, same, other = row(uniqueid=""), row(uniqueid=""), row(uniqueid="", billsec="39")
        assert one.call.startswith("cdr-")
        assert one.call == same.call != other.call

    @pytest.mark.parametrize(
        "others",
        [
            {"disposition": "MAYBE"},
            {"uniqueid": "", "start": ""},
            {"duration": "x"},
            {"billsec": "-1"},
            {"billsec": "inf"},
            {"duration": "nan"},
            {"uniqueid": "", "start": "0001-01-01 00:00:00"},
            {"uniqueid": "", "start": "9999-12-31 23:59:59"},
            {"uniqueid": "9999999999.1"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("zone", [UTC, None], ids=str)
    def test_invalid_record_is_skipped(self, others: dict[str, str], zone: tzinfo | None) -> None:
        assert parse_row(fields(**others), zone) is None

    def test_number_is_taken_from_clid_if_src_is_empty(self) -> None:
        assert row(src="").src == "2017421834"
        assert row(src="", clid="2017421834").src == "2017421834"

    def test_line_with_too_few_fields_is_skipped(self) -> None:
        assert fields_of_csv(["x"] * 14) is None
        assert fields_of_csv(["x"] * 15) is not None


class TestCalls:
    def test_answered_call_is_parsed(self) -> None:
        assert outcome(row()) == OutcomeRecord(
            linkedid="1767258007.1",
            at=NOW,
            direction=Direction.INBOUND,
            disposition=Disposition.ANSWERED,
            caller=CALLER,
            did=DID,
            trunk="PJSIP/carrier",
            answered_by="PJSIP/201",
            rung=("PJSIP/201",),
            forked=1,
            ring_seconds=10.0,
            talk_seconds=40.0,
            source="cdr",
        )

    @pytest.mark.parametrize(
        ("others", "direction", "disposition", "ring", "talk"),
        [
            pytest.param(
                {"disposition": "NO ANSWER", "duration": "25", "billsec": "0"},
                "inbound",
                "no-answer",
                25,
                0,
                id="missed",
            ),
            pytest.param(
                {"disposition": "0", "duration": "25", "billsec": "0"}, "inbound", "no-answer", 25, 0, id="as-a-number"
            ),
            pytest.param({"disposition": "BUSY", "duration": "3", "billsec": "0"}, "inbound", "busy", 3, 0, id="busy"),
            pytest.param(
                {"disposition": "CONGESTION", "duration": "3", "billsec": ""},
                "inbound",
                "failed",
                3,
                0,
                id="congestion",
            ),
            pytest.param({"lastapp": "VoiceMail", "dstchannel": ""}, "inbound", "failed", 50, 0, id="voicemail"),
            pytest.param({"lastapp": "Playback", "dstchannel": ""}, "inbound", "failed", 50, 0, id="a-menu"),
            pytest.param(
                {"channel": ANN, "dstchannel": TRUNK, "src": "201", "dst": "12017421834"},
                "outbound",
                "answered",
                10,
                40,
                id="outbound",
            ),
            pytest.param({"channel": ANN, "dstchannel": BOB}, "internal", "answered", 10, 40, id="among-us"),
            pytest.param({"channel": ANN, "dstchannel": ""}, "internal", "failed", 50, 0, id="a-feature-code"),
        ],
    )
    def test_direction_disposition_and_times_are_derived(
        self, others: dict[str, str], direction: str, disposition: str, ring: float, talk: float
    ) -> None:
        found = outcome(row(**others))
        assert (found.direction.value, found.disposition.value) == (direction, disposition)
        assert (found.ring_seconds, found.talk_seconds, found.ended_by) == (ring, talk, None)

    def test_caller_of_an_outbound_call_is_the_phone(self) -> None:
        found = outcome(row(channel="PJSIP/alice-1", dstchannel=TRUNK, dst="2017421834"))
        assert (found.caller, found.dialled, found.did) == ("PJSIP/alice", CALLER, None)
        assert (found.answered_by, found.rung, found.caller_kind) == (None, (), CallerKind.INTERNAL)

    def test_extension_is_not_read_as_service_number(self) -> None:
        found = outcome(row(channel=ANN, dstchannel=BOB, dst="411"))
        assert (found.direction, found.dialled) == (Direction.INTERNAL, "411")
        assert outcome(row(src="411")).caller == "+1411"

    def test_a_trunk_that_looks_like_a_phone_keeps_its_name(self) -> None:
        sides = Sides(lambda channel: "bank" if channel.startswith("SIP/100-") else None)
        assert outcome(row(channel="SIP/100-1"), sides=sides).trunk == "bank"

    def test_national_numbers_use_the_region_of_the_trunk(self) -> None:
        site = Site("US", (Trunk("paris", "PJSIP/paris-*", "FR"),))
        sides = Sides(site.described_trunk, site)
        found = outcome(row(src="0144123456", channel="PJSIP/paris-1", did="0144123400"), sides=sides)
        assert (found.caller, found.did) == ("+33144123456", "+33144123400")
        found = outcome(row(channel=ANN, dstchannel="PJSIP/paris-1", dst="0144123456", did=""), sides=sides)
        assert (found.dialled, found.trunk) == ("+33144123456", "paris")

    def test_withheld_caller_is_recognised(self) -> None:
        found = outcome(row(src="anonymous"))
        assert (found.caller, found.caller_kind) == (None, CallerKind.WITHHELD)

    def test_empty_destination_has_no_did(self) -> None:
        assert outcome(row(dst="")).did is None

    def test_rows_of_a_ring_group_are_one_call(self) -> None:
        legs = [
            row(linkedid="c", dstchannel="Local/FMPR-202@from-internal-1;1", disposition="NO ANSWER", billsec="0"),
            row(linkedid="c", channel="Local/201@grp-2;2", dstchannel=ANN, duration="48", uniqueid="1767258009.2"),
            row(linkedid="c", channel="Local/203@grp-2;2", dstchannel="", disposition="BUSY", uniqueid="1767258009.3"),
            row(linkedid="other"),
        ]
        found = {outcome_.linkedid: outcome_ for outcome_ in outcomes(legs, SIDES)}
        assert set(found) == {"c", "other"}
        call = found["c"]
        assert (call.direction, call.caller, call.answered_by) == (Direction.INBOUND, CALLER, "PJSIP/201")
        assert (call.rung, call.forked, call.ring_seconds) == (("202", "PJSIP/201"), 2, 10.0)

    def test_phone_named_only_by_a_local_channel_is_known(self) -> None:
        assert outcome(row(dstchannel="Local/202@from-queue-1;1")).answered_by == "202"
        assert outcome(row(dstchannel="Local/s@menu-1;1")).answered_by is None

    def test_open_call_is_closed_after_many_others(self) -> None:
        rows = [row(linkedid=str(n)) for n in [0, *range(OPEN_CALLS + 1), 0]]
        assert [len(call) for call in OpenCalls(rows)].count(2) == 1


def read(path: Path, zone: Any = UTC) -> tuple[list[Any], History]:
    with open_history(path, SIDES, zone) as history:
        return list(items_of(history)), history


INBOUND = {
    "at": NOW,
    "type": "inbound",
    "call": "c0",
    "caller": CALLER,
    "callee": "201",
    "callee_group": "sales",
    "did": DID,
    "trunk": "carrier",
    "answered": True,
    "ring_seconds": 18.08,
    "talk_seconds": 3.5,
    "ended_by": "callee",
    "attestation": "A",
    "shown": None,
}
OUTBOUND = {
    "at": NOW + 60,
    "type": "outbound",
    "call": "o1",
    "caller": "201",
    "caller_group": "sales",
    "own_number": DID,
    "callee": CALLER,
    "answered": True,
    "talk_seconds": 53.4,
    "ended_by": "caller",
}
MARK = {
    "at": NOW + 30,
    "type": "mark",
    "number": CALLER,
    "reporter": "201",
    "group": "sales",
    "verdict": "spam",
    "category": "Scam",
    "call": "c0",
}


def lines(*events: dict[str, Any]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


class TestFiles:
    def test_csv_file_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "Master.csv"
        bad = '"","unclosed\n"a","b"\n\n'
        path.write_bytes(as_csv(fields()).encode() + bad.encode() + as_csv(fields(uniqueid="1767258009.7")).encode())
        found, history = read(path)
        assert [item.linkedid for item in found] == ["1767258007.1", "1767258009.7"]
        assert (history.kind, history.read, history.skipped) == ("cdr-csv", 4, 2)
        assert [problem.line for problem in history.problems] == [2, 3]
        assert history.bytes_read == path.stat().st_size

    def test_undecodable_names_in_csv_are_accepted(self, tmp_path: Path) -> None:
        path = tmp_path / "Master.csv"
        path.write_bytes(as_csv(fields(clid="NAME <1>")).encode().replace(b"NAME", b"\xff\0\xfe"))
        assert len(read(path)[0]) == 1

    def test_csv_export_of_freepbx_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "cdr.csv"
        path.write_text(as_csv(fields(did=DID, dst="s", linkedid="1767258007.0"), header=True))
        [found], _ = read(path)
        assert (found.linkedid, found.did) == ("1767258007.0", DID)

    @pytest.mark.parametrize("table", ["cdr", 'my "cdr"'])
    def test_sqlite_file_is_read(self, tmp_path: Path, table: str) -> None:
        path = tmp_path / "master.db"
        names = [*fields(), "calldate"]
        quoted = '"' + table.replace('"', '""') + '"'
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE another (x)")
            db.execute(f"CREATE TABLE {quoted} (AcctId INTEGER PRIMARY KEY, {', '.join(names)})")
            for values in (fields(calldate=""), fields(disposition="?", calldate="")):
                db.execute(
                    f"INSERT INTO {quoted} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                    [values[name] or None for name in names],
                )
        [found], history = read(path)
        assert (found.linkedid, found.talk_seconds) == ("1767258007.1", 40.0)
        assert (history.kind, history.read, history.skipped) == ("cdr-sqlite", 2, 1)

    def test_undecodable_names_in_sqlite_are_accepted(self, tmp_path: Path) -> None:
        path = tmp_path / "master.db"
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(f"CREATE TABLE cdr ({', '.join(fields())})")
            db.execute(f"INSERT INTO cdr VALUES ({', '.join('?' * len(fields()))})", [*fields(clid="").values()])
            db.execute("UPDATE cdr SET clid = CAST(x'ff00fe' AS TEXT)")
        assert len(read(path)[0]) == 1

    def test_huge_database_row_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "master.db"
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE cdr (disposition, clid)")
            db.execute("INSERT INTO cdr VALUES ('ANSWERED', zeroblob(2000000))")
        with pytest.raises(HistoryError):
            read(path)

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(lambda path: path.write_text(""), id="empty"),
            pytest.param(lambda path: path.write_text("number,name\n1,2\n"), id="another-table"),
            pytest.param(lambda path: sqlite3.connect(path).execute("CREATE TABLE a (x)").connection.close(), id="db"),
        ],
    )
    def test_other_file_is_refused(self, tmp_path: Path, content: Callable[[Path], object]) -> None:
        path = tmp_path / "file"
        content(path)
        with pytest.raises(HistoryError, match=r"^file: "):
            read(path)

    def test_own_history_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "history.jsonl"
        broken = '{"at": 1, "type": "inbound"}\nno json\n\n{"at": 1, "type": "mark", "number": "x", "reporter": "1"}\n'
        unsigned = INBOUND | {"call": "c1", "attestation": None}
        path.write_text(lines(INBOUND, OUTBOUND, MARK, unsigned) + broken)
        found, history = read(path)
        assert found.pop().auth_class is AuthClass.UNKNOWN
        assert found == [
            OutcomeRecord(
                linkedid="c0",
                at=NOW,
                direction=Direction.INBOUND,
                disposition=Disposition.ANSWERED,
                caller=CALLER,
                did=DID,
                trunk="carrier",
                answered_by="201",
                group="sales",
                rung=("201",),
                ring_seconds=18.08,
                talk_seconds=3.5,
                ended_by=EndedBy.CALLEE,
                source="history",
                auth_class=AuthClass.AUTHENTICATED,
            ),
            OutcomeRecord(
                linkedid="o1",
                at=NOW + 60,
                direction=Direction.OUTBOUND,
                disposition=Disposition.ANSWERED,
                caller="201",
                caller_kind=CallerKind.INTERNAL,
                dialled=CALLER,
                own_number=DID,
                group="sales",
                talk_seconds=53.4,
                ended_by=EndedBy.CALLER,
                source="history",
            ),
            Mark(
                CALLER,
                AuthClass.AUTHENTICATED,
                "201",
                Verdict.SPAM,
                NOW + 30,
                MarkChannel.CLI,
                "sales",
                "scam",
                linkedid="c0",
            ),
        ]
        assert (history.kind, history.read, history.skipped) == ("history", 7, 3)

    def test_optional_fields_of_an_event_may_be_missing(self, tmp_path: Path) -> None:
        path = tmp_path / "history.jsonl"
        path.write_text(
            lines(
                {"at": NOW, "type": "inbound", "call": "a", "attestation": "B"},
                {"at": NOW, "type": "outbound", "call": "b"},
                {"at": NOW, "type": "mark", "number": CALLER, "reporter": "201", "verdict": "ok"},
            )
        )
        withheld, ours, mark = read(path)[0]
        assert (withheld.caller_kind, withheld.auth_class) == (CallerKind.WITHHELD, AuthClass.UNAUTHENTICATED)
        assert (withheld.disposition, withheld.rung, withheld.did) == (Disposition.NO_ANSWER, (), None)
        assert (ours.disposition, ours.dialled, ours.own_number) == (Disposition.NO_ANSWER, None, None)
        assert (mark.auth_class, mark.category, mark.linkedid) == (AuthClass.UNKNOWN, None, None)

    def test_number_of_remembered_calls_is_limited(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(call_history, "REMEMBERED_CALLS", 1)
        path = tmp_path / "history.jsonl"
        path.write_text(lines(INBOUND, INBOUND | {"call": "c1"}, MARK, MARK | {"call": "c1"}))
        marks = [item for item in read(path)[0] if isinstance(item, Mark)]
        assert {mark.linkedid: mark.auth_class.value for mark in marks} == {"c0": "unknown", "c1": "authenticated"}

    def test_a_mark_may_come_before_its_call(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(call_history, "REMEMBERED_CALLS", 2)
        path = tmp_path / "history.jsonl"
        path.write_text(lines(MARK | {"call": "never"}, MARK | {"call": "c1"}, MARK, INBOUND, INBOUND | {"call": "c1"}))
        marks = [item for item in read(path)[0] if isinstance(item, Mark)]
        assert {mark.linkedid: mark.auth_class.value for mark in marks} == {
            "never": "unknown",
            "c0": "authenticated",
            "c1": "authenticated",
        }

    def test_carriage_return_in_a_name_is_accepted(self, tmp_path: Path) -> None:
        path = tmp_path / "Master.csv"
        path.write_bytes(as_csv(fields(clid="Jo\re")).encode())
        found, history = read(path)
        assert (len(found), history.skipped) == (1, 0)

    def test_ten_problems_are_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "history.jsonl"
        path.write_text("{}\n" * 12)
        _, history = read(path)
        assert (history.skipped, len(history.problems)) == (12, 10)


class TestWriting:
    def test_second_import_adds_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(call_history, "BATCH", 2)
        path = tmp_path / "history.jsonl"
        path.write_text(lines(INBOUND, INBOUND | {"call": "c1", "talk_seconds": 90.0}, OUTBOUND, MARK))
        seen = OutcomeRecord(
            linkedid="c1", at=NOW, direction=Direction.INBOUND, disposition=Disposition.BUSY, caller=CALLER, did=DID
        )
        with open_store(tmp_path / "callsieve.db") as db:
            with transaction(db):
                record_outcome(db, seen, NOW + 1)
            first = write_calls(db, read(path)[0], lambda: NOW + 3600)
            before = list(db.iterdump())
            second = write_calls(db, read(path)[0], lambda: NOW + 3600)
            assert list(db.iterdump()) == before
            assert outcome_of(db, "c1") == seen
            # The hang-up by 201 is stored but does not count, because 201 has called the number and talked.
            assert [signal.category.value for signal in signals_of(db, CALLER)] == ["called-back"]
            assert len(marks_of(db, CALLER)) == 1
        assert (first.new, first.known, first.signals, first.marks) == (2, 1, 2, 1)
        assert (second.new, second.known, second.signals, second.marks) == (0, 3, 0, 1)


class TestCommand:
    def test_import_prints_the_counts_of_calls_and_rows(self, callsieve: Program) -> None:
        file = callsieve.file("Master.csv", as_csv(fields(), fields(uniqueid="1767258009.1", disposition="?")))
        dry = callsieve("import", "calls", file, "--dry-run")
        assert dry.out.startswith("Would learn from 1 call: 2 rows")
        assert "line 2: " in one_line(dry.err)
        assert not callsieve.store.exists()
        assert callsieve.ok("import", "calls", file).startswith("Learnt from 1 call")
        again = callsieve("import", "calls", file, "--json", "--zone", "UTC").json
        assert (again["kind"], again["dry_run"], again["skipped"]) == ("cdr-csv", False, 1)
        assert again["problems"][0]["line"] == 2

    def test_trunks_and_people_of_the_settings_are_used(self, callsieve: Program) -> None:
        file = callsieve.file("Master.csv", as_csv(fields(uniqueid=f"{4_000_000_000}.1")))
        callsieve.ok("import", "calls", file)
        with open_store(callsieve.store) as db:
            found = outcome_of(db, "4000000000.1")
        assert found is not None
        assert (found.trunk, found.caller, found.answered_by) == ("carrier", CALLER, "PJSIP/201")

    def test_further_problems_are_counted(self, callsieve: Program) -> None:
        file = callsieve.file("history.jsonl", lines(OUTBOUND) + "{}\n" * 12)
        assert "skipped 2 more rows" in callsieve("import", "calls", file).err

    @pytest.mark.parametrize(
        ("name", "content", "arguments", "says"),
        [
            pytest.param("a", "", [], "a: the file is empty", id="empty"),
            pytest.param("a.jsonl", "{}\n", [], "line 1: ", id="nothing-usable"),
            pytest.param("a.csv", ",".join(CSV_COLUMNS) + "\n", [], "no call can be used", id="only-a-header"),
            pytest.param("a.db", b"SQLite format 3\0" + b"x" * 100, [], "SQLite", id="db"),
            pytest.param("a", "", ["--zone", "Nowhere/Land"], "time zone", id="zone"),
        ],
    )
    def test_unusable_file_is_refused(
        self, callsieve: Program, name: str, content: str | bytes, arguments: list[str], says: str
    ) -> None:
        assert says in callsieve.fails("import", "calls", callsieve.file(name, content), *arguments)


class TestEndedBy:
    """The sources that Asterisk 22 wrote into the HANGUP events of CEL, and how the calls were ended."""

    @pytest.mark.parametrize(
        ("sources", "ended_by"),
        [
            pytest.param({TRUNK: TRUNK, ANN: TRUNK}, EndedBy.CALLER, id="caller"),
            pytest.param({TRUNK: ANN, ANN: ANN}, EndedBy.CALLEE, id="callee"),
            pytest.param(
                {TRUNK: "", "Local/201@x-0;1": "", "Local/201@x-0;2": ANN, ANN: ANN}, EndedBy.CALLEE, id="local"
            ),
            pytest.param({TRUNK: TRUNK, "Local/201@x-0;1": TRUNK, ANN: ""}, EndedBy.CALLER, id="caller-behind-local"),
            pytest.param({TRUNK: "dialplan/builtin", ANN: ""}, EndedBy.SYSTEM, id="dialplan"),
            pytest.param({TRUNK: BOB, BOB: BOB}, None, id="another-phone"),
            pytest.param({}, None, id="no-events"),
        ],
    )
    def test_ended_by_of_an_answered_call_comes_from_cel(
        self, sources: dict[str, str], ended_by: EndedBy | None
    ) -> None:
        assert outcome_of_call([row()], SIDES, ChannelEvents(sources, {})).ended_by is ended_by

    @pytest.mark.parametrize(
        ("sources", "ended_by"),
        [
            pytest.param({TRUNK: TRUNK, ANN: ""}, EndedBy.CALLER, id="cancelled"),
            pytest.param({TRUNK: "dialplan/builtin", ANN: ANN}, EndedBy.SYSTEM, id="declined"),
        ],
    )
    def test_ended_by_of_an_unanswered_call_comes_from_cel(self, sources: dict[str, str], ended_by: EndedBy) -> None:
        missed = row(disposition="NO ANSWER", billsec="0", duration="3")
        assert outcome_of_call([missed], SIDES, ChannelEvents(sources, {})).ended_by is ended_by

    def test_ended_by_is_unknown_after_a_transfer(self) -> None:
        later = row(
            start="2026-01-01 09:00:57", uniqueid="1767258057.9", linkedid="1767258007.1", dstchannel=BOB, billsec="20"
        )
        first = row(linkedid="1767258007.1")
        assert (
            outcome_of_call([first, later], SIDES, ChannelEvents({TRUNK: BOB, ANN: ANN, BOB: BOB}, {})).ended_by is None
        )

    @pytest.mark.parametrize(
        ("talks", "seconds"),
        [
            pytest.param({ANN: 3.0, TRUNK: 40.0}, 3.0, id="menu-answered-first"),
            pytest.param({}, 40.0, id="no-cel"),
            pytest.param({ANN: -3560.0}, 40.0, id="the-clock-was-put-back"),
            pytest.param({ANN: 3640.0}, 40.0, id="the-clock-was-put-on"),
        ],
    )
    def test_a_talk_begins_when_the_phone_answers(self, talks: dict[str, float], seconds: float) -> None:
        found = outcome_of_call([row()], SIDES, ChannelEvents({}, talks))
        assert (found.talk_seconds, found.ring_seconds) == (seconds, 50 - seconds)


class TestWaiting:
    """Giving up after a menu, or in a queue, is no single ring (reputation/signals.py)."""

    @pytest.mark.parametrize(
        ("others", "waited"),
        [
            pytest.param({"billsec": "0"}, False, id="ringing"),
            pytest.param({"billsec": "3"}, True, id="menu"),
            pytest.param({"billsec": "0", "lastapp": "Queue"}, True, id="queue"),
        ],
    )
    def test_caller_who_waited_in_a_menu_or_queue_is_no_one_ring(self, others: dict[str, str], waited: bool) -> None:
        missed = row(disposition="NO ANSWER", duration="3", **others)
        found = outcome_of_call([missed], SIDES, ChannelEvents({TRUNK: TRUNK}, {}))
        assert (found.ended_by, found.answered_by_pbx, is_one_ring(found)) == (EndedBy.CALLER, waited, not waited)


def test_rows_of_one_call_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdr, "OPEN_ROWS", 10)
    calls = list(OpenCalls([*(row() for _ in range(25)), row(linkedid="1767258007.99")]))
    assert [len(call) for call in calls] == [11, 11, 3, 1]


def test_a_phone_behind_a_local_channel_rang_once() -> None:
    """FreePBX's queues and ring groups write such rows."""
    attempts = {"linkedid": "1767258007.1", "disposition": "NO ANSWER", "billsec": "0"}
    local = row(**attempts, dstchannel="Local/201@from-queue-00000001;1", uniqueid="1767258007.1")
    behind = row(**attempts, channel="Local/201@from-queue-00000001;2", dstchannel=ANN, uniqueid="1767258007.3")
    other = row(**attempts, dstchannel="Local/202@from-queue-00000002;1", uniqueid="1767258007.1")
    found = outcome(local, behind, other)
    assert (found.rung, found.forked) == (("PJSIP/201", "202"), 2)
