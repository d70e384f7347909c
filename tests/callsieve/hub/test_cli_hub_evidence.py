"""`callsieve hub evidence`, `ignore`, `resume` and `people`: evidence of other sites, and the decisions about it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reputation.model import AuthClass, Mark, MarkChannel, Verdict
from reputation.store.database import open_store
from reputation.store.facts import standing
from reputation.store.hub.incoming import ErasureRequest, request_erasure
from reputation.store.marks import add_mark
from reputation.store.transaction import transaction
from tests.callsieve.program import Program
from tests.office import CALLER, SETTINGS

OTHER = "+12015550199"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    made = Program(tmp_path, SETTINGS)
    made.ok("db", "migrate")
    tell(made, "berlin:305", "berlin:306", "paris:7")
    return made


def tell(program: Program, *reporters: str, number: str = CALLER, verdict: Verdict = Verdict.SPAM) -> None:
    with open_store(program.store) as db, transaction(db):
        for reporter in reporters:
            at = time.time() - 3600
            add_mark(db, Mark(number, AuthClass.UNKNOWN, reporter, verdict, at, MarkChannel.EXTENSION))


def witnesses(program: Program, number: str = CALLER) -> int:
    with open_store(program.store) as db:
        found = standing(db, number, AuthClass.UNKNOWN)
        return 0 if found is None else len(found.witnessed)


def change_of(text: str) -> str:
    """The id in `callsieve undo ID`."""
    return text.split("callsieve undo ")[1].split()[0]


def test_evidence_is_counted_by_site(program: Program) -> None:
    tell(program, "paris:8", number=OTHER, verdict=Verdict.RETRACTED)
    program.ok("mark", CALLER, "spam", "--as", "201")
    berlin, paris = program("hub", "evidence", "--json").json
    assert [berlin[name] for name in ("site", "marks", "people", "marked", "agreed")] == ["berlin", 2, 2, 1, 1]
    assert (paris["site"], paris["numbers"], paris["retracted"], paris["ignored"]) == ("paris", 2, 1, None)
    text = program.ok("hub", "evidence")
    assert [line.split()[0] for line in text.splitlines()[:3]] == ["site", "berlin", "paris"]


def test_waiting_erasure_is_listed_and_refused(program: Program) -> None:
    with open_store(program.store) as db, transaction(db):
        request_erasure(db, ErasureRequest(CALLER, "berlin", time.time()))
    assert [(item["number"], item["site"]) for item in program("hub", "erasures", "--json").json] == [
        (CALLER, "berlin")
    ]
    assert "berlin" in program.ok("hub", "erasures")
    assert program("hub", "keep", OTHER).code != 0
    program.ok("hub", "keep", CALLER)
    assert program("hub", "erasures", "--json").json == []
    assert [row["what"] for row in program("audit", "--json").json] == ["hub keep"]


def test_list_without_other_sites_is_empty(tmp_path: Path) -> None:
    program = Program(tmp_path, SETTINGS)
    program.ok("db", "migrate")
    assert program("hub", "evidence", "--json").json == []
    assert "No other site" in program.ok("hub", "evidence")
    assert program("hub", "people", "list", "--json").json == []


def test_a_site_is_ignored_resumed_and_undone(program: Program) -> None:
    assert witnesses(program) == 2
    text = program.ok("hub", "ignore", "berlin", "--reason", "broken into")
    assert witnesses(program) == 1
    assert program("hub", "evidence", "--json").json[0]["ignored"]["reason"] == "broken into"
    assert program("hub", "ignore", "berlin", "--reason", "again").code == 2
    program.ok("undo", change_of(text))
    assert witnesses(program) == 2
    program.ok("hub", "ignore", "berlin", "--reason", "broken into")
    text = program.ok("hub", "resume", "berlin")
    assert witnesses(program) == 2
    program.ok("undo", change_of(text))
    assert witnesses(program) == 1
    rows = [row for row in program("audit", "--json").json if row["what"] == "undo hub resume"]
    assert [row["name"] for row in rows] == ["berlin"]


def test_same_person_at_two_sites_is_declared_and_undone(program: Program) -> None:
    program.ok("mark", CALLER, "spam", "--as", "201")
    assert witnesses(program) == 3
    text = program.ok("hub", "people", "same", "201", "paris:7")
    assert witnesses(program) == 2
    assert program("hub", "people", "list", "--json").json == [["201", "paris:7"]]
    program.ok("hub", "people", "same", "paris:7", "berlin:305")
    assert program("undo", change_of(text)).code == 2  # it has changed since
    apart = program.ok("hub", "people", "apart", "paris:7")
    assert program("hub", "people", "list", "--json").json == [["201", "berlin:305"]]
    program.ok("undo", change_of(apart))
    assert program("hub", "people", "list", "--json").json == [["201", "berlin:305", "paris:7"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hub", "ignore", "rome", "--reason", "x"), "site 'rome'"),
        (("hub", "ignore", "berlni", "--reason", "x"), "berlin"),
        (("hub", "ignore", "berlin", "--reason", " "), "--reason: "),
        (("hub", "resume", "berlin"), "not ignored"),
        (("hub", "people", "same", "201", "rome:1"), "site 'rome'"),
        (("hub", "people", "same", "999", "berlin:305"), "person '999'"),
        (("hub", "people", "same", "201", "202"), "same site"),
        (("hub", "people", "same", "berlin:305", "berlin:306"), "same site"),
        (("hub", "people", "apart", "201"), "no other site knows the person 201"),
    ],
)
def test_invalid_command_is_refused(program: Program, arguments: tuple[str, ...], words: str) -> None:
    result = program(*arguments)
    assert result.code == 2
    assert words in result.err
    assert program("hub", "people", "list", "--json").json == []


def test_two_people_of_one_site_cannot_be_the_same(program: Program) -> None:
    program.ok("hub", "people", "same", "201", "berlin:305")
    assert program("hub", "people", "same", "202", "berlin:305").code == 2
    assert program("hub", "people", "list", "--json").json == [["201", "berlin:305"]]


def test_mark_in_the_name_of_another_site_is_refused(program: Program) -> None:
    assert program("mark", OTHER, "spam", "--as", "berlin:305").code == 2
    assert witnesses(program, OTHER) == 0
