"""`callsieve import feed` and `callsieve feeds`."""

from __future__ import annotations

import gzip
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from callsieve.imports.cli import feeds
from callsieve.imports.cli.feeds import MOST_ROWS
from callsieve.imports.feed_health import DAY
from reputation.store.database import open_store
from reputation.store.transaction import transaction
from tests.callsieve.imports.test_feeds import FTC_HEADER, complaint
from tests.callsieve.program import Program, at_of, ended
from tests.office import CALLER
from tests.waiting import wait_until

TEN = "".join(f"+1201742{1830 + line}\n" for line in range(10))


def feed_of(callsieve: Program, name: str = "ftc") -> dict[str, Any]:
    [feed] = [feed for feed in callsieve("feeds", "--json").json if feed["name"] == name]
    return dict(feed)


def set_age(callsieve: Program, days: float, every: float | None = None) -> None:
    """Set the age of all feeds in days."""
    with open_store(callsieve.store) as db, transaction(db):
        db.execute(
            "UPDATE import_source SET imported_at = imported_at - ?, every_seconds = ?",
            (days * DAY, every and every * DAY),
        )


# Accepted.


def test_ftc_complaints_are_imported(callsieve: Program) -> None:
    content = FTC_HEADER + "".join(
        (
            complaint("2017421834", "Computer & technical support", "Y", "2025-09-29 23:59:56"),
            complaint("", "Other"),
            complaint("2017421834", "Other", "N", "2025-10-03 10:00:00"),
            complaint("0000000000"),
            complaint("2017421835", "Other", "Y"),
        )
    )
    result = callsieve("import", "feed", callsieve.file("dnc.csv", content), "--source", "ftc")
    assert result.code == 0
    assert result.out.startswith("Imported 2 numbers as ftc")
    assert [line.split(": ")[1] for line in result.err.splitlines()] == ["skipped line 3", "skipped line 5"]
    assert "2 complaints, 1 about robocalls" in callsieve.ok("lookup", CALLER)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        pytest.param("# bad ones\n+12017421834\n201-742-1835 # too\n", "a list", id="list"),
        pytest.param("number,category\n+12017421834,Scam\n2017421835,\n", "CSV", id="csv"),
    ],
)
def test_lists_and_csv_are_imported(callsieve: Program, content: str, form: str) -> None:
    out = callsieve.ok("import", "feed", callsieve.file("f", content), "--source", "ours")
    assert f"2 numbers as ours from {form}" in out
    assert feed_of(callsieve, "ours")["format"] == form
    assert "1 spam" in callsieve.ok("lookup", CALLER)


def test_gzip_file_is_imported(callsieve: Program) -> None:
    packed = callsieve.file("f.gz", gzip.compress(TEN.encode()))
    assert "Imported 10 numbers" in callsieve.ok("import", "feed", packed, "--source", "ours")
    piped = callsieve.process("import", "feed", "-", "--source", "piped", stdin=gzip.compress(TEN.encode()))
    assert "Imported 10 numbers" in piped.out, piped.err


def test_feed_may_vouch_for_numbers(callsieve: Program) -> None:
    callsieve.ok("import", "feed", callsieve.file("f", TEN), "--source", "partners", "--verdict", "ok")
    assert "lists the number as fine" in callsieve.ok("lookup", CALLER)
    assert feed_of(callsieve, "partners")["verdict"] == "ok"


def test_missing_verdict_option_does_not_flip_a_feed(callsieve: Program) -> None:
    file = callsieve.file("f", TEN)
    callsieve.ok("import", "feed", file, "--source", "partners", "--verdict", "ok")
    line = callsieve.fails("import", "feed", file, "--source", "partners")
    assert "--verdict ok" in line
    callsieve.ok("import", "remove", "partners")
    callsieve.ok("import", "feed", file, "--source", "partners")


def test_export_can_be_imported_elsewhere(callsieve: Program, tmp_path: Path) -> None:
    content = 'number,category,name,note\n+12017421834,scam,"Joe, ""the"" plumber",x\n+12017421835,,,\n'
    callsieve.ok("import", "feed", callsieve.file("f", content), "--source", "ours", "--verdict", "ok")
    exported = callsieve.ok("feeds", "--export", "ours")
    assert exported == (
        'number,category,name,note,verdict\n+12017421834,scam,"Joe, ""the"" plumber",x,ok\n+12017421835,,,,ok\n'
    )
    (tmp_path / "other").mkdir()
    other = Program(tmp_path / "other")
    file = other.file("ours.csv", exported)
    assert "line 2: has the verdict" in other.fails("import", "feed", file, "--source", "theirs")
    other.ok("import", "feed", file, "--source", "theirs", "--verdict", "ok")
    assert other.ok("feeds", "--export", "theirs") == exported


def test_export_of_an_unknown_feed_suggests_the_nearest(callsieve: Program) -> None:
    callsieve.ok("import", "feed", callsieve.file("f", TEN), "--source", "ours")
    assert "did you mean ours?" in callsieve.fails("feeds", "--export", "our")
    assert "--json" in callsieve.fails("feeds", "--export", "ours", "--json")


# What is refused.


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"", "no-header", id="empty"),
        pytest.param(b"number\n", "nothing-usable", id="header-only"),
        pytest.param(FTC_HEADER.encode(), "nothing-usable", id="no-complaint"),
        pytest.param(b"<html><body>502 Bad Gateway", "no-column-or-number", id="an-error-page"),
        pytest.param(gzip.compress(TEN.encode())[:-9], "damaged", id="cut-gzip"),
        pytest.param(gzip.compress(TEN.encode())[:12] + b"\xff" * 40, "damaged", id="broken-gzip"),
        pytest.param(b"\x1f\x8b\x08", "damaged", id="hardly-gzip"),
        pytest.param(gzip.compress(gzip.compress(TEN.encode())), "packed", id="packed-twice"),
        pytest.param(TEN.encode() + b"\xff\n", "not-utf-8", id="not-utf-8"),
        pytest.param(TEN[:40].encode(), "feed-shrank", id="shrank"),
    ],
)
def test_broken_file_changes_nothing_and_is_recorded(callsieve: Program, content: bytes, code: str) -> None:
    callsieve.ok("import", "feed", callsieve.file("good", TEN), "--source", "ftc")
    before = callsieve.ok("feeds", "--export", "ftc")
    line = callsieve.fails("import", "feed", callsieve.file("bad", content), "--source", "ftc")
    assert callsieve.ok("feeds", "--export", "ftc") == before
    feed = feed_of(callsieve)
    assert (feed["health"], feed["failure"]["code"]) == ("failed", code)
    assert feed["failure"]["words"] in line
    callsieve.ok("import", "feed", callsieve.file("good", TEN), "--source", "ftc")
    assert (feed_of(callsieve)["health"], feed_of(callsieve)["failure"]) == ("ok", None)


def test_missing_file_is_recorded(callsieve: Program) -> None:
    callsieve.ok("import", "feed", callsieve.file("good", TEN), "--source", "ftc")
    callsieve.fails("import", "feed", callsieve.folder / "none", "--source", "ftc")
    assert feed_of(callsieve)["failure"]["code"] == "no-file"
    assert "none: " in callsieve.ok("feeds")


def test_verdict_of_a_feed_cannot_be_flipped(callsieve: Program) -> None:
    callsieve.ok("import", "feed", callsieve.file("good", TEN), "--source", "ftc")
    line = callsieve.fails("import", "feed", callsieve.file("good", TEN), "--source", "ftc", "--verdict", "ok")
    assert "--verdict spam" in line
    assert feed_of(callsieve)["failure"]["code"] == "other-verdict"


def test_failed_dry_run_is_not_recorded(callsieve: Program) -> None:
    callsieve.ok("import", "feed", callsieve.file("good", TEN), "--source", "ftc")
    small = callsieve.file("bad", TEN[:40])
    assert "--accept-smaller" in callsieve.fails("import", "feed", small, "--source", "ftc", "--dry-run")
    assert feed_of(callsieve)["health"] == "ok"


def test_failed_first_import_creates_no_store(callsieve: Program) -> None:
    callsieve.fails("import", "feed", callsieve.file("bad", "phone\n"), "--source", "ftc")
    assert not callsieve.store.exists()


def test_much_smaller_feed_needs_an_option(callsieve: Program) -> None:
    callsieve.ok("import", "feed", callsieve.file("good", TEN), "--source", "ftc")
    small = callsieve.file("small", TEN[:40])
    callsieve.fails("import", "feed", small, "--source", "ftc")
    out = callsieve.ok("import", "feed", small, "--source", "ftc", "--accept-smaller")
    assert "Imported 3 numbers" in out
    assert "(10 entries)" in out
    assert feed_of(callsieve)["health"] == "shrank"
    assert "10 numbers before" in callsieve.ok("feeds")


def test_feed_of_half_the_size_is_accepted(callsieve: Program) -> None:
    callsieve.ok("import", "feed", callsieve.file("good", TEN), "--source", "ftc")
    callsieve.ok("import", "feed", callsieve.file("half", TEN[: 5 * 13]), "--source", "ftc")
    assert feed_of(callsieve)["numbers"] == 5


def test_feed_with_too_many_rows_is_refused(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_ROWS > 50_000_000
    monkeypatch.setattr(feeds, "MOST_ROWS", 9)
    assert "more than 9 rows" in callsieve.fails("import", "feed", callsieve.file("f", TEN), "--source", "ftc")


# Hostile sizes.


@pytest.mark.parametrize(
    ("head", "tail", "code", "says"),
    [
        pytest.param(b"number\n+12017421834\n", b"\n+12017421835\n", 0, "line 3: ", id="between-rows"),
        pytest.param(b"", b"", 2, "not a text table", id="alone"),
    ],
)
def test_endless_line_needs_little_memory(callsieve: Program, head: bytes, tail: bytes, code: int, says: str) -> None:
    process = callsieve.start("import", "feed", "-", "--source", "big", stdin=subprocess.PIPE)
    end = ended(process, (head, *[b"5" * (1 << 20)] * 200, tail))  # a refused file is not read to its end
    assert end.code == code
    assert says in end.err
    assert 0 < end.peak_kilobytes < 120_000


def test_compression_bomb_needs_little_memory(callsieve: Program) -> None:
    bomb = callsieve.file("bomb.gz", gzip.compress(b"number\n+12017421834\n" + b"9" * 100_000_000 + b"\n"))
    end = ended(callsieve.start("import", "feed", bomb, "--source", "big"))
    assert end.code == 0
    assert end.out.startswith("Imported 1 numbers as big")
    assert 0 < end.peak_kilobytes < 120_000


# Interrupted and repeated imports.


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill-9"])
def test_interrupted_import_continues_when_repeated(callsieve: Program, how: signal.Signals) -> None:
    callsieve.ok("import", "feed", callsieve.file("good", TEN), "--source", "ftc")
    file = callsieve.file("large", "".join(f"+1201{2_000_000 + line}\n" for line in range(300_000)))
    process = callsieve.start("import", "feed", file, "--source", "ftc")
    wait_until(lambda: rows_in(callsieve) > 10_000)
    process.send_signal(how)
    _, err = process.communicate(timeout=30)
    if how is signal.SIGINT:
        assert "Run the command again" in err.decode()
    assert feed_of(callsieve)["numbers"] == 10
    there = rows_in(callsieve) - 10
    assert 10_000 <= there < 300_000
    out = callsieve.ok("import", "feed", file, "--source", "ftc")
    assert "Imported 300,000" in out
    assert f"{there:,} of these" in out
    assert rows_in(callsieve) == 300_000
    assert feed_of(callsieve)["health"] == "ok"


def rows_in(callsieve: Program) -> int:
    with open_store(callsieve.store) as db:
        (count,) = db.execute("SELECT count(*) FROM imported").fetchone()
    return int(count)


# Health of feeds.


def test_empty_list_shows_a_hint(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    assert "callsieve import feed" in callsieve.ok("feeds")
    assert callsieve("feeds", "--json").json == []


def test_feeds_are_listed_as_a_table(callsieve: Program) -> None:
    callsieve.ok("import", "feed", callsieve.file("f", TEN), "--source", "ftc")
    callsieve.ok("import", "feed", callsieve.file("g", TEN), "--source", "partners", "--verdict", "ok")
    callsieve.ok("import", "numbers", callsieve.file("n.csv", "number\n+12017421834\n"), "--source", "by-hand")
    set_age(callsieve, 20, every=7)
    heading, first, second, *details = callsieve.ok("feeds").splitlines()
    assert heading.split() == ["feed", "verdict", "numbers", "imported", "age", "health"]
    assert first.split()[:3] == ["ftc", "spam", "10"]
    assert first.endswith("20 d  stale")
    assert second.startswith("partners  ok")
    assert [line.partition(":")[0] for line in details[:2]] == ["ftc stale", "partners stale"]
    remedies = [line.partition(": ")[2] for line in details[2:]]
    assert remedies == [f"callsieve import feed FILE --source {name}" for name in ("ftc", "partners")]
    assert at_of(feed_of(callsieve)["imported_at"]) == pytest.approx(time.time() - 20 * DAY, abs=60)
    assert at_of(feed_of(callsieve)["stale_at"]) == pytest.approx(time.time() - 6 * DAY, abs=60)


def test_removed_feed_is_not_listed(callsieve: Program) -> None:
    callsieve.ok("import", "feed", callsieve.file("f", TEN), "--source", "ftc")
    callsieve.ok("import", "remove", "ftc")
    assert callsieve("feeds", "--json").json == []


def test_doctor_names_a_stale_feed(callsieve: Program) -> None:
    callsieve.ok("import", "feed", callsieve.file("f", TEN), "--source", "ftc")
    callsieve.ok("import", "feed", callsieve.file("f", TEN), "--source", "ours")

    def check() -> tuple[str, str]:
        [found] = [item for item in callsieve("doctor", "--json").json if item["name"] == "feeds"]
        return found["status"], found["detail"]

    status, detail = check()
    assert (status, detail.split()[0], "0 s" in detail) == ("ok", "2", True)
    set_age(callsieve, 31)
    status, detail = check()
    assert (status, detail.partition(":")[0], detail.endswith("and 1 more")) == ("warn", "ftc stale", True)
