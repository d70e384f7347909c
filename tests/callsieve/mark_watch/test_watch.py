"""The mark watch: what platforms show of our own numbers, who looked, what changed, and when to look again."""

from __future__ import annotations

import hashlib
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from callsieve.mark_watch.cli.commands import ask_all_sources
from callsieve.mark_watch.operations import MOST_SCREENSHOT_BYTES
from callsieve.settings import Loaded, parse_settings
from callsieve.text.file_kinds import IMAGES
from callsieve.web.tokens import form_token
from reputation.events import EventKind
from reputation.model import CallerKind, Direction, Disposition
from reputation.outcome import OutcomeRecord
from reputation.own.register import OwnNumber
from reputation.store.database import open_store
from reputation.store.imports import import_numbers
from reputation.store.lookups import DailyLimits, reserve, usage_since
from reputation.store.outbox import events_after, use_receivers
from reputation.store.outcomes import record_outcomes
from reputation.store.own_labels import (
    LabelCheck,
    changed_labels,
    label_checks_due,
    label_checks_of,
    latest_label_checks,
    record_label_check,
    screenshot_content,
    screenshots_of,
)
from reputation.store.own_register import put_own
from reputation.store.transaction import transaction
from tests.callsieve.browsing import NOW, Console, Office, changes_of, problem_of
from tests.callsieve.program import Program, at_of

OWN, OTHER = "+12025550100", "+442071838750"
PNG = b"\x89PNG\r\n\x1a\n..."


def make_label_check(at: float, label: str, platform: str = "Hiya", next_at: float | None = None) -> LabelCheck:
    return LabelCheck(OWN, platform, at, label, next_at=next_at)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "callsieve.db") as opened:
        use_receivers(opened, {"crm": tuple(EventKind)})
        yield opened


def test_label_change_emits_one_event(db: sqlite3.Connection) -> None:
    with transaction(db):
        for at, label in ((1.0, ""), (2.0, "spam"), (3.0, "spam"), (4.0, "")):
            record_label_check(db, make_label_check(at, label))
        record_label_check(db, make_label_check(2.0, "fraud", "Tencent"))
    told = [event.data for event in events_after(db, 0, 100) if event.kind is EventKind.LABEL_CHANGED]
    assert [(item["platform"], item["before"], item["label"]) for item in told] == [
        ("Hiya", "", "spam"),
        ("Hiya", "spam", ""),
        ("Tencent", None, "fraud"),
    ]
    assert [(label_.at, label_.label) for label_ in changed_labels(db, 2.0, 4.0)] == [(2.0, "spam"), (2.0, "fraud")]


def test_latest_label_check_sets_the_next_date(db: sqlite3.Connection) -> None:
    with transaction(db):
        for item in (
            make_label_check(1.0, "", next_at=5.0),
            make_label_check(2.0, "", next_at=9.0),
            make_label_check(1.0, "", "Tencent", next_at=6.0),
        ):
            record_label_check(db, item)
    assert [item.platform for item in label_checks_due(latest_label_checks(db), 8.0)] == ["Tencent"]
    assert [item.platform for item in label_checks_due(latest_label_checks(db), 9.0)] == ["Tencent", "Hiya"]


def test_label_check_with_screenshot_is_recorded_and_undone(callsieve: Program, tmp_path: Path) -> None:
    callsieve.ok("own", "add", OWN)
    shot = tmp_path / "hiya.png"
    shot.write_bytes(PNG)
    out = callsieve.ok(
        "own", "watch", "add", OWN, "Hiya", "--label", "Scam Likely", "--count", "12", "--screenshot", shot
    )
    assert f"Hiya shows Scam Likely for {OWN}." in out
    [one] = callsieve("own", "watch", "show", OWN, "--json").json
    assert (one["label"], one["marks"], one["kind"], one["person"]) == ("Scam Likely", 12, "manual", "joe")
    digest = hashlib.sha256(PNG).hexdigest()
    assert one["proof"] == f"hiya.png sha256:{digest}"
    assert callsieve.read(screenshot_content, OWN, digest) == ("png", PNG)
    assert 29 < (at_of(one["next_at"]) - time.time()) / 86_400 <= 30
    callsieve.ok("undo", "1" if "undo 1" in out else out.rsplit("undo ", 1)[1].split()[0])
    assert callsieve("own", "watch", "show", OWN, "--json").json == []
    assert callsieve.read(screenshots_of, OWN) == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<svg onload=alert(1)>", id="svg"),
        pytest.param(b"%PDF-1.7", id="pdf"),
        pytest.param(b"RIFF1234WAVE", id="another-riff"),
        pytest.param(b"GIF89a", id="gif"),
        pytest.param(PNG + bytes(MOST_SCREENSHOT_BYTES), id="too-large"),
    ],
)
def test_screenshot_that_is_not_an_image_is_refused(callsieve: Program, tmp_path: Path, content: bytes) -> None:
    callsieve.ok("own", "add", OWN)
    shot = tmp_path / "shot.png"
    shot.write_bytes(content)
    said = callsieve.fails("own", "watch", "add", OWN, "Hiya", "--screenshot", shot)
    assert "--screenshot" in said
    assert callsieve("own", "watch", "show", OWN, "--json").json == []


@pytest.mark.parametrize(
    ("content", "kind"), [(PNG, "png"), (b"\xff\xd8\xff\xe0", "jpg"), (b"RIFF\x10\0\0\0WEBPVP8 ", "webp")]
)
def test_console_stores_and_shows_a_screenshot(tmp_path: Path, content: bytes, kind: str) -> None:
    office = Office(tmp_path)
    office.write(put_own, OwnNumber(number=OWN, since=NOW, added_at=NOW))
    with office.console() as console:
        otto = console.browser("operator")
        form = {"platform": "Hiya", "label": "Scam Likely", "next": "30d", "form_token": form_token(otto.token or "")}
        files = {"screenshot": ("../../x.html", content, "text/html")}
        assert otto.client.post(f"/own/{OWN}/watch", data=form, files=files).status_code in {200, 303}
        (shot,) = office.read(screenshots_of, OWN)
        assert (shot.name, shot.kind, shot.size) == (f"screenshot.{kind}", kind, len(content))
        path = f"/own/{quote(OWN)}/screenshots/{shot.digest}"
        assert f'<img src="{path}"' in otto.text(f"/own/{OWN}")
        answer = otto.get(path)
        assert (answer.content, answer.headers["content-type"]) == (content, IMAGES[kind])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert otto.client.get(f"/own/{quote(OWN)}/screenshots/{'0' * 64}").status_code == 404
        files["screenshot"] = ("a.png", b"<html>", "image/png")
        answer = otto.client.post(f"/own/{OWN}/watch", data=form, files=files)
        assert (answer.status_code, "must be a picture" in answer.text) == (422, True)


def test_due_label_checks_are_listed(callsieve: Program) -> None:
    callsieve.ok("own", "add", OWN)
    callsieve.ok("own", "watch", "add", OWN, "Hiya", "--next", "12h")
    callsieve.ok("own", "watch", "add", OWN, "Tencent", "--next", "never")
    callsieve.ok("own", "watch", "add", OWN, "360", "--next", "40d")
    assert [item["platform"] for item in callsieve("own", "watch", "due", "--json").json] == ["Hiya"]
    assert "check again what Hiya shows" in callsieve.ok("own", "due")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        pytest.param(("+12025550199", "Hiya"), "not one of our own numbers", id="not-ours"),
        pytest.param((OWN, ""), "one line", id="no-platform"),
        pytest.param((OWN, "x" * 41), "one line", id="a-long-platform"),
        pytest.param((OWN, "Hiya", "--label", "a\nb"), "one line", id="two-lines"),
        pytest.param((OWN, "Hiya", "--next", "soon"), "--next", id="no-time"),
        pytest.param((OWN, "Hiya", "--screenshot", "/nowhere.png"), "/nowhere.png", id="no-file"),
    ],
)
def test_bad_label_check_is_refused_with_a_reason(callsieve: Program, typed: tuple[str, ...], said: str) -> None:
    callsieve.ok("own", "add", OWN)
    assert said in callsieve.fails("own", "watch", "add", *typed)


@contextmanager
def answering(answers: dict[str, object], together: int = 1) -> Iterator[int]:
    """A server on loopback with an answer for each path; 500 for any other. Its port.

    It answers no request until so many are there at the same time.
    """
    all_here = threading.Barrier(together)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            all_here.wait(20)
            found = answers.get(self.path)
            body = json.dumps(found).encode()
            self.send_response(500 if found is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


SOURCE = """
[[lookup]]
name = "{name}"
kind = "http"
url = "http://127.0.0.1:{port}/{name}/{{digits}}"
send = "number"
consent = true
private = true
budget_ms = 300
spam_when = ["spam == true"]
category = "kind"
daily_limit = 1
watch_limit = {limit}
"""


def test_watch_checks_own_numbers_in_sources_and_lists(callsieve: Program) -> None:
    callsieve.ok("own", "add", OWN)
    with open_store(callsieve.store) as db:
        import_numbers(db, "ftc", "spam", [(OWN, "scam", None, None)])
    answers: dict[str, object] = {f"/good/{OWN[1:]}": {"spam": True, "kind": "telemarketing"}}
    with answering(answers) as port:
        with callsieve.config.open("a") as file:
            file.write(SOURCE.format(name="good", port=port, limit=2) + SOURCE.format(name="bad", port=port, limit=9))
        first = callsieve("own", "watch", "ask", "--json")
        assert [(look_["platform"], look_["label"], look_["kind"]) for look_ in first.json["looks"]] == [
            ("ftc", "scam", "listed"),
            ("good", "telemarketing", "asked"),
        ]
        assert [failure["source"] for failure in first.json["failures"]] == ["bad"]
        answers[f"/good/{OWN[1:]}"] = {"spam": False}
        second = callsieve("own", "watch", "ask", "--json").json
        assert [(item["platform"], item["before"], item["label"]) for item in second["changed"]] == [
            ("good", "telemarketing", "")
        ]
        third = callsieve(
            "own", "watch", "ask", "--json"
        ).json  # beyond the limit of the day: no label, and no end of one
        assert [look_["platform"] for look_ in third["looks"]] == ["ftc"]
        assert "good" in {failure["source"] for failure in third["failures"]}


def test_watch_does_not_use_the_look_ups_of_calls(callsieve: Program) -> None:
    callsieve.ok("own", "add", OWN)
    with answering({f"/good/{OWN[1:]}": {"spam": True}}) as port:
        with callsieve.config.open("a") as file:
            file.write(SOURCE.format(name="good", port=port, limit=9))
        for _ in range(3):
            assert callsieve("own", "watch", "ask", "--json").json["failures"] == []
    assert callsieve.read(usage_since, "good", 0.0).asked == 0
    assert callsieve.read(reserve, "good", time.time(), DailyLimits(1))


def test_sources_and_numbers_are_queried_concurrently(callsieve: Program) -> None:
    for number in (OWN, OTHER):
        callsieve.ok("own", "add", number)
    answers: dict[str, object] = {f"/{name}/{number[1:]}": {} for name in ("a", "b") for number in (OWN, OTHER)}
    with answering(answers, together=4) as port:
        with callsieve.config.open("a") as file:
            file.write("".join(SOURCE.format(name=name, port=port, limit=9) for name in ("a", "b")))
        asked = callsieve("own", "watch", "ask", "--json").json
    assert (len(asked["looks"]), asked["failures"]) == (4, [])


def test_all_numbers_get_their_turn_despite_a_daily_limit(callsieve: Program) -> None:
    for number in (OWN, OTHER):
        callsieve.ok("own", "add", number)
    now = time.time()
    with answering({f"/a/{number[1:]}": {} for number in (OWN, OTHER)}) as port:
        settings = parse_settings(SOURCE.format(name="a", port=port, limit=1), "test")
        loaded = Loaded(settings=settings, file=None, state=callsieve.store.parent)
        for day in (0, 1):
            asked = ask_all_sources(loaded, [OWN, OTHER], now + day * 86_400)
            with open_store(callsieve.store) as db, transaction(db):
                for look_ in asked.checks:
                    record_label_check(db, look_)
    assert {check.number for check in callsieve.read(latest_label_checks)} == {OWN, OTHER}


def test_silent_source_is_given_up_at_the_deadline(callsieve: Program) -> None:
    callsieve.ok("own", "add", OWN)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = parse_settings(SOURCE.format(name="a", port=silent.getsockname()[1], limit=1), "test")
        loaded = Loaded(settings=settings, file=None, state=callsieve.store.parent)
        asked = ask_all_sources(loaded, [OWN], time.time(), seconds=0.2)
    assert (asked.checks, [name for name, _ in asked.failures]) == ((), ["a"])


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.write(put_own, OwnNumber(number=OTHER, added_at=NOW - 1e6))
    return office


def test_label_check_is_recorded_in_the_console(console: Console, office: Office) -> None:
    otto = console.browser("operator")
    page = f"/own/{OTHER}"
    otto.done(f"{page}/watch", platform="Hiya", label="<b>spam</b>", count="7", next="30d")
    text = otto.text(page)
    assert "&lt;b&gt;spam&lt;/b&gt;" in text
    assert "<b>spam" not in text
    assert [(item.platform, item.marks, item.person) for item in office.read(label_checks_of, OTHER)] == [
        ("Hiya", 7, "otto (console)")
    ]
    wrong = otto.post(f"{page}/watch", platform="Hiya", label="", count="many", next="30d")
    assert "0 or more" in problem_of(wrong.text)
    assert [what for what, *_ in changes_of(office)] == ["own watch add"]


def test_console_shows_which_labels_to_check_again(console: Console, office: Office) -> None:
    office.write(record_label_check, LabelCheck(OTHER, "Tencent", NOW - 1e6, "", next_at=NOW - 1))
    page = console.browser("operator").text("/own")
    assert "check again what Tencent shows" in page
    assert "?do=watch#watch" in page


def test_digest_contains_label_changes(callsieve: Program) -> None:
    callsieve.ok("own", "add", OWN)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with open_store(callsieve.store) as db, transaction(db):
        record_label_check(db, make_label_check(yesterday.timestamp(), "Scam Likely"))
    [label] = callsieve("digest", yesterday.date().isoformat(), "--json").json["labels"]
    assert (label["platform"], label["before"], label["label"]) == ("Hiya", None, "Scam Likely")
    assert "Hiya shows Scam Likely" in callsieve.ok("digest", yesterday.date().isoformat())


def test_falling_answer_rate_of_a_country_is_suspected(callsieve: Program) -> None:
    callsieve.ok("own", "add", OWN)
    now = time.time()
    with open_store(callsieve.store) as db:
        for n in range(400):
            days, answered = (3, False) if n < 100 else (15, True)
            record_outcomes(db, [call_out(n, f"+1201742{n % 100:04}", now - days * 86_400, answered=answered)], now)
            if n < 300:
                other = call_out(
                    1000 + n, f"+4420718387{n % 90 + 10}", now - (3 if n < 100 else 15) * 86_400, answered=True
                )
                record_outcomes(db, [other], now)
    [one] = callsieve("own", "watch", "suspect", "--json").json
    assert (one["number"], one["network"]["country"], one["network"]["name"], one["lately"]) == (OWN, "US", "", 0.0)
    assert {"First Orion", "Hiya", "TNS"} == {platform["platform"] for platform in one["platforms"]}
    assert one["calls_lately"] == 100
    assert "only a suspicion" in callsieve.ok("own", "watch", "suspect", OWN)


def call_out(n: int, dialled: str, at: float, *, answered: bool) -> OutcomeRecord:
    how = Disposition.ANSWERED if answered else Disposition.NO_ANSWER
    return OutcomeRecord(
        linkedid=f"o{n}", at=at, direction=Direction.OUTBOUND, disposition=how, caller="201",
        caller_kind=CallerKind.NUMBER, dialled=dialled, own_number=OWN, answered_by=dialled if answered else None,
        ring_seconds=8.0, talk_seconds=30.0 if answered else 0.0, complete=True,
    )  # fmt: skip


def test_doctor_warns_if_no_label_check_happens(callsieve: Program) -> None:
    def found() -> tuple[str, str]:
        checks = callsieve("doctor", "--json").json
        [check] = [check_ for check_ in checks if check_["name"] == "mark watch"]
        return check["status"], check["detail"]

    callsieve.ok("own", "add", OWN)
    assert found() == ("ok", "own numbers whose labels are checked: 1")
    callsieve.ok("own", "watch", "add", OWN, "Hiya", "--next", "1d")
    with open_store(callsieve.store) as db, transaction(db):
        record_label_check(db, make_label_check(time.time() - 1, "", "TNS", next_at=time.time() - 4 * 86_400))
    assert found() == ("warn", "label checks of own numbers that are days overdue: 1")
    with callsieve.config.open("a") as file:
        file.write(SOURCE.format(name="local", port=1, limit=9))
    assert found()[0] == "warn"
    assert "the timer is not running" in found()[1]
    callsieve("own", "watch", "ask")
    assert "days overdue" in found()[1]
