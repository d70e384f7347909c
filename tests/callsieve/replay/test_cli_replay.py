"""`callsieve replay`: what a policy would have done, on the terminal, for scripts, and as a page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from callsieve.cli.output import cells_of
from tests.builders import CALLER, HOUR, NOW
from tests.callsieve.program import Program
from tests.callsieve.replay.test_replay_engine import PUSHY, answered, inbound, lines, mark_line, outbound

HISTORY = lines(
    *(mark_line("spam", NOW + n, who, group=f"group{n}") for n, who in enumerate(("201", "202", "301"))),
    *(answered(f"c{n}", NOW + 60 + n, f"40{n}") for n in range(5)),
    inbound("withheld", NOW + 90, caller="anonymous"),
    inbound("last", NOW + HOUR),
    outbound("o0", NOW + 2 * HOUR, "202"),
)


@pytest.fixture
def history(callsieve: Program) -> Path:
    (callsieve.folder / "policies").mkdir()
    callsieve.file("policies/pushy.toml", PUSHY)
    return callsieve.file("history.jsonl", HISTORY)


def test_replay_prints_totals_changes_and_mistakes(callsieve: Program, history: Path) -> None:
    out = callsieve.ok("replay", history, "--policy", "pushy", "--against", "cautious")
    assert "pushy compared with cautious" in out
    assert "7 inbound calls (1 " in out
    assert re.search(r"^reject +1 +14.29 % +0 +0.00 % +\+1$", out, re.MULTILINE)
    assert re.search(r"^2026-01-01 +7 +·+░+▒+█+$", out, re.MULTILINE)
    assert out.index("1 call decided differently") < out.index("14.29 %") < out.index("1 probable mistake")
    assert "1 probable mistake among the 1" in out
    assert re.search(rf"^\{CALLER} +1 +reject +pushed +one of our people called.*$", out, re.MULTILINE)
    assert "no store" in out.splitlines()[-2]
    assert "--html" in out.splitlines()[-1]
    notes = " ".join(callsieve("replay", history, "--policy", "pushy", "--json").json["notes"])
    assert "says who answered" in notes
    assert not callsieve.store.exists()


PLATFORM = "+33162123456"  # of a range that begins on 1 January 2023


@pytest.mark.parametrize(
    ("options", "actions", "before"),
    [
        pytest.param([], {"allow": 2}, None, id="by-the-plan-of-its-day"),
        pytest.param(["--plan", "2022-12-31"], {"allow": 2}, {"allow": 2}, id="the-day-before"),
        pytest.param(["--plan", "2023-01-01"], {"allow": 1, "tag": 1}, {"allow": 2}, id="its-first-day"),
        pytest.param(
            ["--plan", "2023-01-01", "--against", "observe"], {"allow": 1, "tag": 1}, {"allow": 2}, id="against-another"
        ),
    ],
)
def test_number_range_counts_from_its_start_date(
    callsieve: Program, options: list[str], actions: dict[str, int], before: dict[str, int] | None
) -> None:
    at = 1_667_296_800.0  # 1 November 2022
    past = callsieve.file("past.jsonl", lines(inbound("a", at, caller=PLATFORM), inbound("b", at + HOUR)))
    report = callsieve("replay", past, "--policy", "cautious", *options, "--json").json
    assert {action: count for action, count in report["actions"].items() if count} == actions
    found = report["against_actions"]
    assert (found and {action: count for action, count in found.items() if count}) == before


@pytest.mark.parametrize("day", ["tomorrow", "2023-13-01", "", "2023-01-01T10:00"])
def test_bad_plan_date_is_refused(callsieve: Program, history: Path, day: str) -> None:
    assert "--plan" in callsieve.fails("replay", history, "--plan", day)


@pytest.mark.parametrize("columns", [80, 100])
def test_report_fits_the_terminal(
    callsieve: Program, history: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    result = callsieve("replay", history, "--policy", "pushy", "--against", "cautious", typed="")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", result.out).splitlines()
    assert max(map(len, shown)) <= columns


def test_out_file_has_one_decision_a_line(callsieve: Program, history: Path) -> None:
    out = callsieve.folder / "decisions.jsonl"
    callsieve.ok("replay", history, "--policy", "pushy", "--out", out)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["call"] for line in found] == ["c0", "c1", "c2", "c3", "c4", "withheld", "last"]
    assert found[-1] == {
        "call": "last",
        "action": "reject",
        "level": "challenge",
        "log_odds": found[-1]["log_odds"],
        "points": round(4.34 * found[-1]["log_odds"]),
        "rule": "pushed",
        "reason": "we do not want it",
    }
    assert out.stat().st_mode & 0o777 == 0o600


def test_observing_policy_shows_would_be_actions(callsieve: Program, history: Path) -> None:
    found = callsieve("replay", history, "--policy", "observe", "--against", "balanced", "--json").json
    assert (found["actions"]["challenge"], found["actions"]["route"]) == (1, 0)
    assert found["changes"]["total"] == 0


def test_default_policy_is_the_running_one(callsieve: Program, history: Path) -> None:
    assert callsieve("replay", history, "--json").json["policy"] == "cautious"


def test_replay_uses_the_lists_of_the_store(callsieve: Program, history: Path) -> None:
    callsieve.ok("import", "contacts", callsieve.file("c.csv", f"number,name\n{CALLER},Joe\n"), "--source", "crm")
    callsieve.ok("list", "add", "block", "+1900*")
    found = callsieve("replay", history, "--policy", "strict", "--json").json
    assert (found["actions"]["allow"], found["marks_refused"]) == (6, {"a contact of somebody here": 3})
    assert "1 list entry" in found["notes"][0]


def test_bad_lines_are_named_and_skipped(callsieve: Program) -> None:
    history = callsieve.file("h.jsonl", b"nonsense\n" + HISTORY + b"{}\n" * 12)
    result = callsieve("replay", history)
    assert result.code == 0
    assert result.err.startswith("callsieve: skipped line 1: ")
    assert result.err.endswith("callsieve: skipped 3 more rows\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("--policy", "nosuch"), "'nosuch'", id="policy"),
        pytest.param(("--policy", "strict", "--against", "nosuch"), "'nosuch'", id="against"),
        pytest.param(("--out", "history.jsonl"), "is the history itself", id="over-itself"),
        pytest.param(("--html", "."), "not a regular file", id="a-directory"),
        pytest.param(("--html", "/dev/null"), "not a regular file", id="a-device"),
        pytest.param(("--out", "no/such/place"), "no such file", id="nowhere"),
    ],
)
def test_wrong_options_are_refused_before_replaying(
    callsieve: Program, history: Path, arguments: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(callsieve.folder)
    assert says in callsieve.fails("replay", "history.jsonl", *arguments)
    assert history.read_bytes() == HISTORY


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b"\0" * 5000, "the file is empty", id="no-history"),
        pytest.param(b"a,b,c\n", "no CDRs", id="another-table"),
        pytest.param(lines(outbound("o0")), "no inbound call can be replayed", id="nothing-to-decide"),
    ],
)
def test_unusable_history_writes_no_file(callsieve: Program, content: bytes, says: str) -> None:
    out, page = callsieve.file("out.jsonl", "before"), callsieve.folder / "page.html"
    history = callsieve.file("h.jsonl", content)
    assert says in callsieve.fails("replay", history, "--out", out, "--html", page)
    assert out.read_text() == "before"
    assert sorted(path.name for path in callsieve.folder.iterdir()) == ["callsieve.toml", "h.jsonl", "out.jsonl"]


def test_full_disk_leaves_no_partial_file(callsieve: Program) -> None:
    history = callsieve.file("h.jsonl", lines(*(inbound(f"c{n}", NOW + n) for n in range(2000))))
    out = callsieve.folder / "out.jsonl"
    result = callsieve("replay", history, "--out", out, most_bytes=100_000)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert not list(callsieve.folder.glob("*out*"))


# The page.


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def page(callsieve: Program, history: Path) -> Page:
    target = callsieve.folder / "page.html"
    callsieve.ok("replay", history, "--policy", "pushy", "--against", "cautious", "--html", target)
    return Page(target.read_text())


def test_page_loads_nothing_from_elsewhere(page: Page) -> None:
    assert page.open == []
    assert {"script", "link", "img", "iframe"}.isdisjoint(tag for tag, _ in page.tags)
    assert not [name for _, attributes in page.tags for name in attributes if name in ("src", "href", "onclick")]
    assert "url(" not in "".join(page.text)


def test_page_is_accessible(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption")
    assert tags.count("h1") == 1
    assert all(attributes.get("aria-label") for tag, attributes in page.tags if tag == "svg")
    assert dict(page.tags)["html"] == {"lang": "en"}


def test_page_has_the_content_of_the_terminal(page: Page) -> None:
    text = " ".join(page.text)
    for what in (CALLER, "pushed", "one of our people called the number back later and talked", "no store"):
        assert what in text


def test_foreign_texts_are_escaped_on_the_page(callsieve: Program) -> None:
    name = '<script>alert(1)</script>&".jsonl'
    callsieve.file(
        "x.toml",
        'extends = "cautious"\n[[rule]]\nname = "x"\nwhen = { attestation = "none" }\n'
        'action = "reject"\nreason = "<img src=x onerror=alert(1)>"\n',
    )
    target = callsieve.folder / "page.html"
    history = callsieve.folder / name.replace("/", "")
    history.write_bytes(HISTORY)
    callsieve.ok("replay", history, "--policy", callsieve.folder / "x.toml", "--against", "cautious", "--html", target)
    found = Page(target.read_text())
    assert {"script", "img"}.isdisjoint(tag for tag, _ in found.tags)
    assert "<img src=x onerror=alert(1)>" in "".join(found.text)


def test_page_contains_no_unprintable_character(callsieve: Program) -> None:
    history, target = callsieve.folder / "a\x1b\udc80b.jsonl", callsieve.folder / "page.html"
    history.write_bytes(HISTORY)
    callsieve.ok("replay", history, "--policy", "strict", "--html", target)
    assert "a replay of a\ufffd\ufffdb.jsonl" in target.read_text()


@pytest.mark.parametrize(
    ("counts", "cells"),
    [
        ([100, 0], [10, 0]),
        ([99, 1], [9, 1]),
        ([0, 0], [0, 0]),
        ([50, 0], [5, 0]),
        ([1, 1], [1, 1]),
        ([1000, 1, 1], [98, 1, 1]),
    ],
)
def test_small_counts_get_a_visible_cell(counts: list[int], cells: list[int]) -> None:
    assert cells_of(counts, max(100, sum(counts) - 2), 10 if sum(counts) <= 100 else 100) == cells
