"""`callsieve feeds fetch` against a server on loopback."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from callsieve.doctor.checks import examine
from callsieve.doctor.finding import CheckContext
from callsieve.imports.feed_health import CHECKS, DAY
from reputation.store.database import open_store
from reputation.store.transaction import transaction
from tests.callsieve.imports.feed_server import FeedServer, publishing
from tests.callsieve.imports.test_minisign import FOLDER, KEY_TEXT, LIST, SIGNATURE
from tests.callsieve.program import Program, at_of
from tests.office import CALLER, SETTINGS

TEN = "".join(f"+1201742{1830 + line}\n" for line in range(10)).encode()


@pytest.fixture
def feeds() -> Iterator[FeedServer]:
    with publishing() as server:
        server.files["/list.csv"] = TEN
        yield server


class FeedOffice(Program):
    """Its settings have one feed."""

    def configure_feed(self, feeds: FeedServer, **keys: str | int | bool) -> None:
        """The feed `theirs` with these keys."""
        table: dict[str, Any] = {"name": "theirs", "url": feeds.url("/list.csv"), "private": True, **keys}
        lines = (f"{key} = {json.dumps(value)}" for key, value in table.items())
        self.config.write_text(SETTINGS + "[[feed]]\n" + "\n".join(lines) + "\n")

    def fetch(self, *options: str) -> dict[str, Any]:
        """Return the result for the feed."""
        [one] = self("feeds", "fetch", *options, "--json").json
        return dict(one)

    def numbers(self) -> int:
        """Return how many numbers of the feed are in use."""
        [one] = self("feeds", "--json").json
        return int(one["numbers"])

    def pass_days(self, days: float) -> None:
        """Move all fetches back by so many days."""
        with open_store(self.store) as db, transaction(db):
            db.execute("UPDATE feed_fetch SET asked_at = asked_at - ?1, next_at = next_at - ?1", (days * DAY,))


@pytest.fixture
def callsieve(tmp_path: Path, feeds: FeedServer) -> FeedOffice:
    office = FeedOffice(tmp_path)
    office.configure_feed(feeds)
    return office


# Accepted.


def test_a_feed_is_fetched_and_imported(callsieve: FeedOffice) -> None:
    result = callsieve("feeds", "fetch")
    assert (result.code, result.err) == (0, "")
    assert "theirs: 10 numbers in use." in result.out
    assert "1 spam" in callsieve.ok("lookup", CALLER)
    [row] = callsieve("audit", "--json").json
    assert (row["what"], row["name"]) == ("import feed", "theirs")


def test_feed_is_fetched_again_when_due(callsieve: FeedOffice, feeds: FeedServer) -> None:
    assert callsieve.fetch()["result"] == "imported"
    assert "none due" in callsieve.ok("feeds", "fetch")
    assert callsieve.fetch("theirs")["result"] == "unchanged", "named it is asked at once"
    callsieve.pass_days(2)
    feeds.files["/list.csv"] = TEN + b"+12017421999\n"
    assert callsieve.fetch()["numbers"] == 11
    assert len(feeds.asked) == 3


def test_unchanged_feed_is_not_sent_again(callsieve: FeedOffice, feeds: FeedServer) -> None:
    callsieve.fetch()
    callsieve.pass_days(2)
    assert callsieve.fetch()["result"] == "unchanged"
    assert "if-none-match" in feeds.asked[-1][1]
    [one] = callsieve("feeds", "--json").json
    assert one["health"] == "ok"
    assert one["came_at"] > one["imported_at"]
    assert len(callsieve("audit", "--json").json) == 1


def test_unchanged_feed_is_not_imported_again(callsieve: FeedOffice, feeds: FeedServer) -> None:
    feeds.tags = False
    callsieve.fetch()
    assert callsieve.fetch("theirs")["result"] == "unchanged"
    assert len(callsieve("audit", "--json").json) == 1


def test_removed_feed_is_fetched_again(callsieve: FeedOffice, feeds: FeedServer) -> None:
    callsieve.fetch()
    callsieve.ok("import", "remove", "theirs")
    assert callsieve.fetch("theirs")["result"] == "imported"
    assert "if-none-match" not in feeds.asked[-1][1]


def test_new_address_is_fetched_without_etag(callsieve: FeedOffice, feeds: FeedServer) -> None:
    callsieve.fetch()
    feeds.files["/other.csv"] = TEN
    callsieve.configure_feed(feeds, url=feeds.url("/other.csv"))
    assert callsieve.fetch()["result"] == "imported"
    assert "if-none-match" not in feeds.asked[-1][1]


def test_packed_feed_with_its_own_region_is_read(callsieve: FeedOffice, feeds: FeedServer) -> None:
    feeds.files["/list.csv.gz"] = gzip.compress(b"number,category\n020 7183 8750,scam\n")
    callsieve.configure_feed(feeds, url=feeds.url("/list.csv.gz"), region="GB", verdict="ok")
    assert callsieve.fetch()["numbers"] == 1
    assert "lists the number as fine" in callsieve.ok("lookup", "+442071838750")


# Refused files: the list in use stays.


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"+12017421834\n", "feed-shrank", id="shrank"),
        pytest.param(b"<html>welcome to our hotspot</html>\n", "no-column-or-number", id="a-page"),
        pytest.param(b"", "no-header", id="nothing"),
        pytest.param(gzip.compress(TEN)[:-9], "damaged", id="cut-off"),
        pytest.param(b"x" * 1_000_001, "too-large", id="too-large"),
        pytest.param(gzip.compress(b"#\n" * 6_000_000 + TEN), "empty-lines", id="empty-lines"),
        pytest.param(gzip.compress(b"+12017421830\n" * 900_000), "unpacks-large", id="unpacks-large"),
        pytest.param(b"number,verdict\n+12017421834,ok\n", "nothing-usable", id="another-verdict"),
    ],
)
def test_refused_file_changes_nothing(callsieve: FeedOffice, feeds: FeedServer, content: bytes, code: str) -> None:
    callsieve.configure_feed(feeds, megabytes=1)
    callsieve.fetch()
    feeds.files["/list.csv"] = content
    got = callsieve.fetch("theirs")
    assert (got["result"], got["failure"]["code"]) == ("failed", code)
    [one] = callsieve("feeds", "--json").json
    assert (one["numbers"], one["health"], one["failure"]["code"]) == (10, "failed", code)
    feeds.files["/list.csv"] = TEN
    assert callsieve.fetch("theirs")["result"] == "unchanged"
    [one] = callsieve("feeds", "--json").json
    assert one["health"] == "ok"


@pytest.mark.parametrize(("status", "wait", "least"), [(404, "", 900), (503, "7200", 7200), (500, "soon", 900)])
def test_missing_file_is_retried_later(
    callsieve: FeedOffice, feeds: FeedServer, status: int, wait: str, least: int
) -> None:
    feeds.statuses["/list.csv"] = (status, wait)
    result = callsieve("feeds", "fetch")
    assert result.code == 2
    assert f"127.0.0.1: answered with HTTP status {status}" in result.err
    [one] = callsieve("feeds", "--json").json
    assert one["imported_at"] is None
    assert one["health"] == "failed"
    assert at_of(one["next_at"]) - at_of(one["asked_at"]) == pytest.approx(least)


def test_smaller_feed_needs_an_option(callsieve: FeedOffice, feeds: FeedServer) -> None:
    callsieve.fetch()
    feeds.files["/list.csv"] = b"+12017421834\n"
    assert "name of a feed" in callsieve.fails("feeds", "fetch", "--accept-smaller")
    assert callsieve.fetch("theirs", "--accept-smaller")["numbers"] == 1


def test_private_address_needs_an_option(callsieve: FeedOffice, feeds: FeedServer) -> None:
    callsieve.configure_feed(feeds, url=feeds.url("/list.csv").replace("http", "https"), private=False)
    assert callsieve.fetch()["failure"]["code"] == "forbidden-address"
    assert feeds.asked == []


# Checksums and signatures.


def test_checksum_of_the_settings_is_verified(callsieve: FeedOffice, feeds: FeedServer) -> None:
    callsieve.configure_feed(feeds, sha256=sha256(TEN).hexdigest().upper())
    assert callsieve.fetch()["result"] == "imported"
    callsieve.configure_feed(feeds, sha256="0" * 64)
    assert callsieve.fetch()["failure"]["code"] == "bad-checksum"


@pytest.mark.parametrize(
    ("sums", "code"),
    [
        pytest.param("{right}  list.csv\n", None, id="as-sha256sum"),
        pytest.param("{right} *dist/list.csv\n{wrong}  other.csv\n", None, id="several-lines"),
        pytest.param("{right}\n", None, id="alone"),
        pytest.param("{wrong}  list.csv\n", "bad-checksum", id="wrong-checksum"),
        pytest.param("{right}  a.csv\n{right}  b.csv\n", "no-checksum", id="several-other-files"),
        pytest.param("<html>no</html>", "no-checksum", id="a-page"),
        pytest.param(None, "bad-status", id="nothing"),
    ],
)
def test_checksum_file_is_verified(
    callsieve: FeedOffice, feeds: FeedServer, sums: str | None, code: str | None
) -> None:
    if sums is not None:
        feeds.files["/sums"] = sums.format(right=sha256(TEN).hexdigest(), wrong="0" * 64).encode()
    callsieve.configure_feed(feeds, sha256=feeds.url("/sums"))
    assert (callsieve.fetch()["failure"] or {}).get("code") == code


@pytest.mark.parametrize(
    ("content", "signature", "code"),
    [
        pytest.param(LIST, SIGNATURE, None, id="signed"),
        pytest.param(LIST + b"+12017421999,\n", SIGNATURE, "bad-signature", id="changed"),
        pytest.param(LIST, (FOLDER / "other.minisig").read_bytes(), "bad-signature", id="by-another"),
        pytest.param(LIST, None, "no-signature", id="not-signed"),
    ],
)
def test_signature_is_verified(
    callsieve: FeedOffice, feeds: FeedServer, content: bytes, signature: bytes | None, code: str | None
) -> None:
    feeds.files["/list.csv"] = content
    if signature is not None:
        feeds.files["/list.csv.minisig"] = signature
    callsieve.configure_feed(feeds, minisign=KEY_TEXT)
    got = callsieve.fetch()
    assert ((got["failure"] or {}).get("code"), got["result"]) == (code, "failed" if code else "imported")


def test_a_missing_signature_is_named(callsieve: FeedOffice, feeds: FeedServer) -> None:
    feeds.files["/list.csv"] = LIST
    callsieve.configure_feed(feeds, minisign=KEY_TEXT)
    assert "list.csv.minisig" in callsieve.fetch()["failure"]["words"]


def test_older_signed_file_is_refused(callsieve: FeedOffice, feeds: FeedServer) -> None:
    """The older signature is valid for this list, so only its time shows the replay."""
    feeds.tags = False
    feeds.files |= {"/list.csv": LIST, "/list.csv.minisig": SIGNATURE}
    callsieve.configure_feed(feeds, minisign=KEY_TEXT)
    callsieve.fetch()
    with open_store(callsieve.store) as db, transaction(db):
        db.execute("UPDATE feed_fetch SET file = 'the file of today'")
    feeds.files["/list.csv.minisig"] = (FOLDER / "older.minisig").read_bytes()
    assert callsieve.fetch("theirs")["failure"]["code"] == "old-signature"


# Output.


def test_feed_that_was_never_fetched_is_listed(callsieve: FeedOffice) -> None:
    callsieve.ok("db", "migrate")
    out = callsieve.ok("feeds")
    assert "theirs waiting: not imported yet" in out
    assert "systemctl enable --now callsieve-feeds.timer" in out
    [one] = callsieve("feeds", "--json").json
    assert (one["name"], one["health"], one["imported_at"]) == ("theirs", "waiting", None)


def test_doctor_warns_if_no_timer_fetches(callsieve: FeedOffice) -> None:
    def found() -> tuple[str, str, str]:
        context = CheckContext(callsieve.load(), lambda _command: "", time.time())
        [check] = examine(CHECKS, context)
        return check.status, str(check.detail), str(check.remedy)

    callsieve.ok("db", "migrate")
    status, _, remedy = found()
    assert (status, "callsieve-feeds.timer" in remedy) == ("warn", True)
    callsieve.fetch()
    assert found()[0] == "ok"
    callsieve.pass_days(2)
    status, _, remedy = found()
    assert (status, "callsieve-feeds.timer" in remedy) == ("warn", True)


def test_doctor_accepts_a_feed_whose_numbers_were_removed(callsieve: FeedOffice) -> None:
    callsieve.fetch()
    callsieve.ok("import", "remove", "theirs")
    [check] = examine(CHECKS, CheckContext(callsieve.load(), lambda _command: "", time.time()))
    assert (check.status, str(check.detail)) == ("ok", "not imported yet")


def test_list_shows_the_next_fetch(callsieve: FeedOffice) -> None:
    callsieve.fetch()
    assert "in 23 h" in callsieve.ok("feeds")


def test_feed_removed_from_settings_is_forgotten(callsieve: FeedOffice, feeds: FeedServer) -> None:
    callsieve.fetch()
    callsieve.configure_feed(feeds, name="mine")
    callsieve.ok("feeds", "fetch")
    with open_store(callsieve.store) as db:
        assert db.execute("SELECT name FROM feed_fetch").fetchall() == [("mine",)]


def test_unknown_feed_suggests_the_nearest(callsieve: FeedOffice) -> None:
    assert "did you mean theirs?" in callsieve.fails("feeds", "fetch", "their")


def test_fetch_without_feeds_is_refused(tmp_path: Path) -> None:
    assert "the settings have no [[feed]]" in Program(tmp_path).fails("feeds", "fetch")


def test_waiting_feed_shows_the_fetch_command(callsieve: FeedOffice) -> None:
    """The hint for an empty list must not appear."""
    with open_store(callsieve.store):
        pass
    said = callsieve.ok("feeds")
    assert "feeds fetch" in said
    assert "import feed" not in said
    assert "theirs" in said
