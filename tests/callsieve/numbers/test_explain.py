"""`callsieve explain`, its pages in the console, and docs/reference/marks.md.

`python -m tests.callsieve.numbers.test_explain` writes the tables of that page.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.numbers.mark_effects import mark_effects, tables_of
from reputation.encoding import instant_text
from reputation.model import AuthClass, Identity, Mark, MarkChannel, Verdict
from reputation.store.database import open_store
from reputation.store.identities import set_identity
from reputation.store.marks import add_mark
from reputation.weights import DEFAULT
from tests.callsieve.browsing import NOW, Console, Office
from tests.callsieve.program import Program
from tests.office import CALLER

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "marks.md"
MARK = "<!-- from here on by python -m tests.callsieve.numbers.test_explain -->\n"
OFFICES = (20, 200)


def page_tables() -> str:
    """The tables for the small office, and the first one for the large office."""
    small, large = OFFICES
    return "\n".join((*_lines(small), *_lines(large, most_tables=1)))


def _lines(people: int, most_tables: int | None = None) -> Iterator[str]:
    yield f"## Where {people} people work\n"
    for table in tables_of(mark_effects(DEFAULT, people))[:most_tables]:
        note = str(table.note)
        yield f"### {table.title}, of {people}\n\n{note[0].upper()}{note[1:]}.\n"
        yield "| " + " | ".join(map(str, table.heads)) + " |"
        yield "|" + "---|" * len(table.heads)
        yield from ("| " + " | ".join(map(str, row)) + " |" for row in table.rows)
        yield ""


def test_documentation_tables_match_the_scorer() -> None:
    assert PAGE.read_text().partition(MARK)[2] == page_tables(), "python -m tests.callsieve.numbers.test_explain"


def test_the_most_severe_actions_are_the_same_in_both_offices() -> None:
    small, large = (tables_of(mark_effects(DEFAULT, people))[-1] for people in OFFICES)
    assert list(small.rows) == list(large.rows)


def marked(reporter: str, at: float, group: str | None = None) -> Mark:
    return Mark(CALLER, AuthClass.UNKNOWN, reporter, Verdict.SPAM, at, MarkChannel.EXTENSION, group, "scam", "a secret")


@pytest.fixture
def known(callsieve: Program) -> Program:
    """Two have marked CALLER."""
    callsieve.ok("db", "migrate")
    now = time.time()
    with open_store(callsieve.store) as db:
        for reporter, ago in (("201", 7200.0), ("202", 90_000.0)):
            add_mark(db, marked(reporter, now - ago))
    return callsieve


def test_explain_shows_marks_and_when_they_fade(known: Program) -> None:
    told = known("explain", "number", CALLER, "--json").json
    assert (told["level"], told["action"]) == ("warn", "warn")
    assert told["against"] == ["2 marked the number (+23 points)"]
    assert told["marks"] is None
    assert [fade["level"] for fade in told["fades"]] == ["none"]
    assert told["fades"][0]["at"] > instant_text(time.time())
    assert ("upheld", "none", 0) in [(item["code"], item["level"], item["people"]) for item in told["better_if"]]


def test_explain_of_one_mark_shows_the_effect_of_another(callsieve: Program) -> None:
    callsieve.ok("mark", CALLER, "spam", "--as", "201")
    told = callsieve("explain", "number", CALLER, "--json").json
    assert (told["level"], told["marks"]) == ("none", {"people": 1, "level": "warn"})
    assert told["fades"] == []


@pytest.mark.parametrize("way", [(), ("--json",), ("--out", "told.html"), ("--out", "told.html", "--language", "zh")])
def test_explain_shows_neither_reporters_nor_notes(
    known: Program, way: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store(known.store) as db:
        set_identity(db, Identity(CALLER, "Springfield Motors", 1, time.time() + 1e6, "a note"), time.time())
    out = known.ok("explain", "number", CALLER, *way)
    for path in tmp_path.glob("told.html"):
        out += path.read_text()
    assert CALLER in out
    for secret in ("Alice", "201 ", "a secret", "a note", "Springfield Motors"):
        assert secret not in out


def test_explain_marks_for_a_given_number_of_people(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    small, large = (callsieve("explain", "marks", "--json", "--people", n).json for n in ("20", "200"))
    assert [item["label"] for item in small["least"][:3]] == [4, None, 6]
    assert [item["label"] for item in large["least"][:3]] == [5, None, 6]
    most = {item["what"]: item["actions"] for item in small["most"]}
    assert most["marks alone, however many"] == dict.fromkeys(("observe", "cautious", "balanced", "strict"), "warn")
    assert small["policy"] == "cautious"


def test_explain_uses_the_configured_weights(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    with callsieve.config.open("a") as file:
        file.write("\n[reputation.counts]\nmarked = 9.0\n")
    assert callsieve("explain", "marks", "--json", "--people", "20").json["least"][0]["label"] == 2


def test_explain_refuses_bad_language_and_existing_file(callsieve: Program, tmp_path: Path) -> None:
    callsieve.ok("db", "migrate")
    path = tmp_path / "marks.html"
    assert "'fr'" in callsieve.fails("explain", "marks", "--out", path, "--language", "fr")
    callsieve.ok("explain", "marks", "--out", path, "--language", "zh")
    assert "多少个标记才会生效？" in path.read_text()
    assert str(path) in callsieve.fails("explain", "marks", "--out", path)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.write(add_mark, marked("201", NOW - 3600))
    return office


def test_console_has_printable_pages_for_marks_and_owner(console: Console) -> None:
    viewer, operator = console.browser("viewer"), console.browser("operator")
    assert "How many marks are needed for an effect?" in viewer.text("/numbers/marks")
    page = operator.text(f"/numbers/{CALLER}/for-owner")
    assert "one more person who answers and marks the number: warn" in page
    assert "a secret" not in page
    assert f"/numbers/{CALLER}/for-owner".replace("+", "%2B") in operator.text(f"/numbers/{CALLER}")


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().partition(MARK)[0] + MARK + page_tables())
