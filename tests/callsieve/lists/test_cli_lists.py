"""`callsieve list`: what is added is in force, what hurts is refused, what is removed can be put back."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

import pytest

from tests.callsieve.program import Program, at_of, make_record
from tests.office import CALLER


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        pytest.param("201-742-1834", "+12017421834 (US, fixed or mobile): reject.", id="number"),
        pytest.param("+1900*", "begins with +1900: reject.", id="prefix"),
        pytest.param(
            "+12015550100-+12015550199", "100 numbers, +12015550100 to +12015550199 (US): reject.", id="range"
        ),
    ],
)
def test_add_prints_the_numbers_an_entry_covers(callsieve: Program, entry: str, says: str) -> None:
    assert callsieve.ok("list", "add", "block", entry).splitlines()[0].endswith(says)
    [listed] = callsieve("list", "show", "--json").json
    assert (listed["list_name"], listed["action"], listed["is_over"]) == ("block", "reject", False)


def test_an_entry_has_a_note_an_action_and_an_end(callsieve: Program) -> None:
    out = callsieve.ok("list", "add", "allow", CALLER, "--note", "the bank", "--action", "tag", "--expires", "2h")
    assert "On the allowlist until " in out
    [listed] = callsieve("list", "show", "--json").json
    assert (listed["note"], listed["action"]) == ("the bank", "tag")
    assert at_of(listed["expires_at"]) == pytest.approx(at_of(listed["added_at"]) + 7200)
    assert "the bank" in callsieve.ok("list", "show", "allow")


ROUTE = '[actions]\nroute = "box,s,1"\n'


@pytest.mark.parametrize(
    ("action", "settings", "said"),
    [("route", "", True), ("challenge", "", True), ("route", ROUTE, False), ("warn", "", False)],
)
def test_stopping_entry_without_a_route_gets_a_warning(
    callsieve: Program, action: str, settings: str, said: bool
) -> None:
    callsieve.config.write_text(settings)
    result = callsieve("list", "add", "block", CALLER, "--action", action)
    assert (result.code, "[actions] route" in result.err) == (0, said)
    result = callsieve(
        "list", "import", callsieve.file("more.csv", f"entry,list,action\n+12015550123,block,{action}\n")
    )
    assert (result.code, "[actions] route" in result.err) == (0, said)


def test_adding_again_replaces_and_reports_it(callsieve: Program) -> None:
    callsieve.ok("list", "add", "block", CALLER, "--note", "first")
    assert '("first")' in callsieve.ok("list", "add", "block", CALLER, "--note", "second")
    assert [listed["note"] for listed in callsieve("list", "show", "--json").json] == ["second"]


def test_add_reports_an_entry_on_both_lists(callsieve: Program) -> None:
    callsieve.ok("list", "add", "block", CALLER)
    assert "on the blocklist too" in callsieve.ok("list", "add", "allow", CALLER)


def test_add_prints_how_many_recent_calls_match(callsieve: Program) -> None:
    callsieve.add_decisions(
        make_record("AAAAAAAA"), make_record("BBBBBBBB", linkedid="1.2"), make_record("CCCCCCCC", caller="+4411")
    )
    assert "2 calls" in callsieve.ok("list", "add", "block", "+1201*")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        pytest.param("911", "emergency number", id="emergency-number"),
        pytest.param("+1*", "whole countries", id="country"),
        pytest.param("+12025550100", "our own numbers", id="own-number-of-the-settings"),
        pytest.param("+4420*", "+442071838750", id="did-under-a-prefix"),
        pytest.param("hello", "not a telephone number", id="word"),
        pytest.param("1900*", "the country's code", id="national-prefix"),
    ],
)
def test_protected_numbers_cannot_be_blocked(callsieve: Program, entry: str, says: str) -> None:
    assert says in callsieve.fails("list", "add", "block", entry)
    assert callsieve("list", "show", "--json").out in ("", "[]\n")


def test_force_blocks_anything_but_emergency_numbers(callsieve: Program) -> None:
    assert "+1" in callsieve.ok("list", "add", "block", "+1*", "--force")
    assert "emergency" in callsieve.fails("list", "add", "block", "911", "--force")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--action", "rejct"], "did you mean reject?", id="misspelt-action"),
        pytest.param(["--action", "allow"], "cannot allow", id="blocklist-that-allows"),
        pytest.param(["--expires", "soon"], "write it as 2h, 30d", id="no-time"),
        pytest.param(["--expires", "2020-01-01"], "in the past", id="past"),
        pytest.param(["--note", "x" * 201], "at most 200 characters", id="long-note"),
        pytest.param(["--note", "a\x1b[31m"], "one line", id="note-that-steers-the-terminal"),
        pytest.param(["--person", "201", "--note", "x"], "with --person", id="personal-note"),
        pytest.param(["--person", "203"], "'203' (did you mean 202?)", id="no-such-person"),
    ],
)
def test_wrong_options_print_one_error_line(callsieve: Program, options: list[str], says: str) -> None:
    assert says in callsieve.fails("list", "add", "block", CALLER, *options)


def test_the_allowlist_does_not_reject(callsieve: Program) -> None:
    assert "cannot reject" in callsieve.fails("list", "add", "allow", CALLER, "--action", "reject")


def test_printed_undo_command_restores_a_removed_entry(callsieve: Program) -> None:
    callsieve.ok("list", "add", "block", "+1900*", "--note", 'it\'s "premium"', "--expires", "30d", "--action", "warn")
    before = callsieve("list", "show", "--json").json
    out = callsieve.ok("list", "remove", "block", "+1900*")
    assert callsieve("list", "show", "--json").json == []
    undo = out.splitlines()[-1].strip()
    callsieve.ok(*shlex.split(undo)[1:])
    [after] = callsieve("list", "show", "--json").json
    assert at_of(after["expires_at"]) == pytest.approx(at_of(before[0]["expires_at"]), abs=1)
    assert {**after, "added_at": 0, "expires_at": 0} == {**before[0], "added_at": 0, "expires_at": 0}


def test_removing_an_unlisted_entry_fails(callsieve: Program) -> None:
    callsieve.ok("list", "add", "block", "+1900*")
    assert "not on the blocklist" in callsieve.fails("list", "remove", "block", "+1901*")
    assert "not on the allowlist" in callsieve.fails("list", "remove", "allow", "+1900*")


def test_show_lists_all_entries_that_match_a_number(callsieve: Program) -> None:
    for entry in ("+1201*", "+12017421800-+12017421899", CALLER, "+1900*"):
        callsieve.ok("list", "add", "block", entry)
    assert [listed["kind"] for listed in callsieve("list", "show", "block", CALLER, "--json").json] == [
        "prefix",
        "range",
        "exact",
    ]
    assert callsieve.ok("list", "show", "allow") == "No entries.\n"


def test_note_cannot_control_the_terminal_or_be_markup(callsieve: Program) -> None:
    callsieve.ok("list", "add", "block", CALLER, "--note", "[red]bank[/red]")
    assert "[red]bank[/red]" in callsieve.ok("list", "show")


def test_personal_list_belongs_to_one_person(callsieve: Program) -> None:
    assert "201 (Alice)" in callsieve.ok("list", "add", "block", CALLER, "--person", "201")
    assert callsieve("list", "show", "--json").json == []
    [entry] = callsieve("list", "show", "--person", "201", "--json").json
    assert (entry["verdict"], entry["number"], entry["person"]) == ("block", CALLER, "201")
    assert CALLER in callsieve.ok("list", "show", "--person", "201")
    assert "Nothing" in callsieve.ok("list", "show", "allow", "--person", "201")


def test_personal_entry_is_removed_and_restored(callsieve: Program) -> None:
    callsieve.ok("list", "add", "allow", CALLER, "--person", "201")
    assert "blocklist of 201" in callsieve.fails("list", "remove", "block", CALLER, "--person", "201")
    out = callsieve.ok("list", "remove", "allow", CALLER, "--person", "201")
    assert callsieve("list", "show", "--person", "201", "--json").json == []
    callsieve.ok(*shlex.split(out.splitlines()[-1])[1:])
    assert len(callsieve("list", "show", "--person", "201", "--json").json) == 1


def test_people_block_single_numbers_only(callsieve: Program) -> None:
    assert "not a telephone number" in callsieve.fails("list", "add", "block", "+1900*", "--person", "201")


def test_undo_restores_an_expired_entry_without_its_end(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    callsieve.ok("list", "add", "block", CALLER, "--expires", "1h")
    later = time.time() + 7200
    monkeypatch.setattr(time, "time", lambda: later)
    assert "expired" in callsieve.ok("list", "show")
    assert "--expires" not in callsieve.ok("list", "remove", "block", CALLER)


def test_the_config_file_is_part_of_the_undo_command(callsieve: Program, tmp_path: Path) -> None:
    other = tmp_path / "my settings.toml"
    other.write_text(callsieve.config.read_text())
    callsieve.ok("list", "add", "block", CALLER, "--config", other)
    out = callsieve.ok("list", "remove", "block", CALLER, "--config", other)
    assert re.search(r"--config '.*my settings.toml'", out)


@pytest.mark.parametrize("more", [[], ["--person", "201"]])
def test_start_of_a_number_is_only_added_with_force(callsieve: Program, more: list[str]) -> None:
    assert "+442079461*" in callsieve.fails("list", "add", "block", "+442079461", *more)
    assert not callsieve.store.exists() or callsieve("list", "show", *more, "--json").json == []
    callsieve.ok("list", "add", "block", "+442079461", "--force", *more)
    shown = callsieve("list", "show", *more, "--json").json
    assert [item.get("text") or item["number"] for item in shown] == ["+442079461"]
    callsieve.ok("list", "remove", "block", "+442079461", *more)


def test_block_and_allow_commands_add_to_their_lists(callsieve: Program) -> None:
    callsieve.ok("block", "+1900*", "--note", "dear", "--expires", "2h")
    callsieve.ok("allow", "+12017421834")
    shown = callsieve("list", "show", "--json").json
    assert {(entry["text"], entry["list_name"], entry["note"]) for entry in shown} == {
        ("+1900*", "block", "dear"),
        ("+12017421834", "allow", ""),
    }
