"""Consent and copies of national registers on the command line, and what becomes of them for the guard."""

from __future__ import annotations

import gzip
import hashlib
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from callsieve.call_lists.registers import RegisterFile
from tests.callsieve.program import Program
from tests.office import SETTINGS

CALLED, OTHER = "+12017421834", "+12017421835"
LONDON = "+442071838799"
NOON = "2026-06-10T12:00"


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    return Program(tmp_path, SETTINGS + "\n[outbound]\nobserve = false\n")


def rule(callsieve: Program, number: str, at: str = NOON) -> str:
    told: dict[str, str] = callsieve("own", "explain", number, "--at", at, "--json").json
    return told["rule"]


def write(callsieve: Program, name: str, text: str) -> str:
    path = callsieve.folder / name
    path.write_text(text)
    return str(path)


def test_consent_overrides_an_older_do_not_call_request(callsieve: Program) -> None:
    callsieve("own", "dnc", "add", CALLED)
    assert rule(callsieve, CALLED) == "do-not-call"
    callsieve("own", "consent", "add", CALLED, "--proof", "contract 12", "--until", "2099-12-31")
    [noted] = callsieve("own", "consent", "list", "--json").json
    assert (noted["number"], noted["proof"], noted["is_over"]) == (CALLED, "contract 12", False)
    assert rule(callsieve, CALLED, "23:59") != "do-not-call"
    [change] = [row for row in callsieve("audit", "--json").json if row["what"] == "own consent add"]
    callsieve("undo", str(change["id"]))
    assert callsieve("own", "consent", "list", "--json").json == []
    assert rule(callsieve, CALLED) == "do-not-call"


def test_do_not_call_request_after_the_consent_counts(callsieve: Program) -> None:
    callsieve("own", "consent", "add", CALLED, "--proof", "contract 12", "--at", "2026-01-01")
    callsieve("own", "dnc", "add", CALLED)
    assert rule(callsieve, CALLED) == "do-not-call"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        pytest.param([CALLED, "--proof", ""], "proof", id="no-proof"),
        pytest.param(["12", "--proof", "x"], "12", id="no-number"),
        pytest.param([CALLED, "--proof", "x", "--until", "soon"], "until", id="no-day"),
    ],
)
def test_bad_consent_is_refused(callsieve: Program, typed: list[str], says: str) -> None:
    done = callsieve("own", "consent", "add", *typed)
    assert done.code == 2
    assert says in done.err


def test_consents_of_a_file_are_imported_and_undone(callsieve: Program) -> None:
    file = write(callsieve, "c.csv", f"number,proof,until\n{CALLED},form 1,2099-12-31\n{OTHER},,\nx,form 2,\n")
    told = callsieve("own", "consent", "import", file, "--json").json
    assert (told["added"], told["changed"], told["skipped"]) == (1, 0, 2)
    assert callsieve("own", "consent", "import", file, "--json").json["changed"] == 0
    [summed] = [
        row for row in callsieve("audit", "--json").json if row["what"] == "own consent import" and not row["number"]
    ]
    callsieve("undo", str(summed["id"]))
    assert callsieve("own", "consent", "list", "--json").json == []


def test_erasing_a_number_deletes_its_consent(callsieve: Program) -> None:
    callsieve("own", "consent", "add", CALLED, "--proof", f"letter of {CALLED}")
    exported = callsieve("privacy", "export", CALLED).json
    assert [row["number"] for row in exported["tables"]["consent"]] == [CALLED]
    callsieve("privacy", "erase", CALLED, "--yes")
    assert callsieve("own", "consent", "list", "--json").json == []


def test_register_refuses_listed_numbers_until_removed(callsieve: Program) -> None:
    file = write(callsieve, "dnc.txt", "201,7421834\n")
    told = callsieve("own", "registers", "import", file, "--register", "us-dnc", "--json").json
    assert (told["numbers"], told["country"]) == (1, "US")
    assert told["sha256"] == hashlib.sha256(b"201,7421834\n").hexdigest()
    assert rule(callsieve, CALLED, "23:59") == "register"
    assert rule(callsieve, OTHER) != "register"
    callsieve("own", "consent", "add", CALLED, "--proof", "contract 12")
    assert rule(callsieve, CALLED, "23:59") != "register"
    callsieve("own", "consent", "remove", CALLED)
    callsieve("own", "registers", "remove", "us-dnc")
    assert rule(callsieve, CALLED, "23:59") != "register"
    with closing(sqlite3.connect(callsieve.store)) as db, db:
        assert db.execute("SELECT count(*) FROM register_number").fetchone() == (0,)
    db.close()


def test_doctor_list_and_guard_report_an_old_register_copy(callsieve: Program) -> None:
    file = write(callsieve, "tps.txt", "020 7183 8799\n")
    month_ago = time.time() - 29 * 86_400
    os.utime(file, (month_ago, month_ago))
    callsieve("own", "registers", "import", file, "--register", "gb-tps")
    [copy] = callsieve("own", "registers", "list", "--json").json
    assert (copy["age_days"], copy["max_days"], copy["is_too_old"]) == (29, 28, True)
    told = callsieve("own", "explain", LONDON, "--json").json
    assert (told["rule"], told["reason_code"]) == ("register", "on-old-register")
    checks = callsieve("doctor", "--json").json
    [check] = [check_ for check_ in checks if check_["name"] == "call registers"]
    assert check["status"] == "warn"


def test_much_smaller_register_copy_must_be_accepted(callsieve: Program) -> None:
    whole = "".join(f"201742{n:04d}\n" for n in range(100))
    callsieve("own", "registers", "import", write(callsieve, "a", whole), "--register", "us-dnc")
    done = callsieve("own", "registers", "import", write(callsieve, "b", whole[:110]), "--register", "us-dnc")
    assert "--accept-smaller" in done.err
    [copy] = callsieve("own", "registers", "list", "--json").json
    assert copy["numbers"] == 100
    callsieve("own", "registers", "import", callsieve.folder / "b", "--register", "us-dnc", "--accept-smaller")
    [copy] = callsieve("own", "registers", "list", "--json").json
    assert copy["numbers"] == 10


def test_register_without_a_law_file_needs_a_country(callsieve: Program) -> None:
    file = write(callsieve, "r.csv", "name,phone\nJo,911234567\n")
    done = callsieve("own", "registers", "import", file, "--register", "robinson")
    assert "us-dnc" in done.err
    told = callsieve("own", "registers", "import", file, "--register", "robinson", "--country", "es", "--json").json
    assert (told["numbers"], told["country"]) == (1, "ES")


def test_a_file_without_numbers_changes_nothing(callsieve: Program) -> None:
    callsieve("own", "registers", "import", write(callsieve, "x", "<html>\n"), "--register", "us-dnc")
    assert callsieve("own", "registers", "list", "--json").json == []


def test_compressed_register_is_read(callsieve: Program) -> None:
    packed = callsieve.folder / "tps.gz"
    packed.write_bytes(gzip.compress(b"02071838799\n"))
    told = callsieve("own", "registers", "import", packed, "--register", "gb-tps", "--json").json
    assert told["numbers"] == 1


@pytest.mark.parametrize(
    ("country", "line", "number"),
    [
        pytest.param("US", b"201,7421834", CALLED, id="ftc"),
        pytest.param("US", b"2017421834", CALLED, id="ten-digits"),
        pytest.param("US", b'"201","742-1834"', CALLED, id="quoted"),
        pytest.param("GB", b"02071838799", LONDON, id="tps"),
        pytest.param("GB", b"Jo Appleton;+44 20 7183 8799;x", LONDON, id="csv"),
        pytest.param("GB", b"\xef\xbb\xbf02071838799", LONDON, id="byte-order-mark"),
        pytest.param("US", b"\xff\x00\x00;;;,,,", None, id="garbage"),
        pytest.param("US", b"9" * 5000, None, id="endless"),
    ],
)
def test_line_formats_of_registers(tmp_path: Path, country: str, line: bytes, number: str | None) -> None:
    path = tmp_path / "file"
    path.write_bytes(line + b"\n")
    with path.open("rb") as stream:
        assert list(RegisterFile(stream, country)) == ([number] if number else [])
