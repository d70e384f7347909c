"""A policy that was activated: what the daemon does changes, stays so over a restart, and can be returned from."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from agi.quoting import variables_in
from callsieve.policy.catalogue import known_policies
from callsieve.policy.records import add_version, versions_of, without_head
from callsieve.policy_selection import activate, activated_of, running_name, watched_files
from callsieve.settings import Loaded, load_settings
from callsieve.wiring import policies_of
from lab.daemon import Daemon
from policies.policy import PolicyError
from tests.callsieve.program import Program
from tests.waiting import wait_until

REJECTING = '[[rule]]\nname = "no-name"\nwhen = { caller_kind = "withheld" }\naction = "reject"\nreason = "tried"\n'
WHEN = "2026-11-25 10:00"
ASKED = b"agi_network: yes\nagi_network_script: screen\nagi_callerid: anonymous\nagi_channel: PJSIP/carrier-1\n"


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    config = tmp_path / "callsieve.toml"
    config.write_text('[policy]\nname = "cautious"\n')
    return load_settings(config, {"CALLSIEVE_STATE": str(tmp_path / "state")})


def with_policy(loaded: Loaded, name: str) -> Loaded:
    """After somebody has changed the settings."""
    assert loaded.file is not None
    loaded.file.write_text(f'[policy]\nname = "{name}"\n')
    return load_settings(loaded.file, {"CALLSIEVE_STATE": str(loaded.state)})


def rule_for_the_withheld(daemon: Daemon) -> str:
    """By which rule a withheld caller is decided about."""
    with socket.create_connection(("127.0.0.1", daemon.port), 5.0) as asterisk:
        asterisk.settimeout(5.0)
        asterisk.sendall(ASKED + f"agi_request: {daemon.url}/screen\n\n".encode())
        answer = b""
        while chunk := asterisk.recv(4096):
            answer += chunk
            asterisk.sendall(b"200 result=1\n" * chunk.count(b"\n"))
            if b"CALLSIEVE_ACTION" in answer:
                break
    return variables_in(answer)["__CALLSIEVE_RULE"]


def test_settings_name_the_policy_if_none_was_activated(loaded: Loaded) -> None:
    assert activated_of(loaded) is None
    assert running_name(loaded) == "cautious"
    assert versions_of(loaded) == []


def test_versions_are_numbered_and_record_their_author(loaded: Loaded) -> None:
    assert add_version(loaded, REJECTING, "ada", WHEN, "tried\nfor\x1b a week") == "console-1"
    assert add_version(loaded, 'extends = "console-1"\n', "bob", WHEN) == "console-2"
    latest, first = versions_of(loaded)
    assert (latest.name, latest.who, latest.note) == ("console-2", "bob", "")
    assert (first.name, first.who, first.when, first.note) == ("console-1", "ada", WHEN, "tried for a week")
    assert {"console-1", "console-2"} <= {name for name, _, problem in known_policies(loaded) if not problem}


def test_version_made_from_a_version_has_one_header(loaded: Loaded) -> None:
    add_version(loaded, REJECTING, "ada", WHEN, "one")
    text = (loaded.state / "policies" / "console-1.toml").read_text()
    assert text.count("# Written by") == 1
    assert without_head(text) == REJECTING
    add_version(loaded, text, "bob", WHEN, "two")
    head, _, rest = (loaded.state / "policies" / "console-2.toml").read_text().partition("\n")
    assert (head.endswith(f"by bob on {WHEN}: two"), rest) == (True, REJECTING)


def test_policy_is_activated_and_reverted(loaded: Loaded) -> None:
    before = watched_files(loaded)
    name = add_version(loaded, REJECTING, "ada", WHEN)
    activate(loaded, name)
    assert policies_of(loaded).default.name == name
    assert watched_files(loaded) != before
    activate(loaded, "strict")
    assert running_name(loaded) == "strict"
    activate(loaded, "cautious")
    assert activated_of(loaded) is None
    assert running_name(loaded) == "cautious"
    assert [version.name for version in versions_of(loaded)] == [name]


def test_later_change_of_settings_overrides_an_activation(loaded: Loaded) -> None:
    activate(loaded, "strict")
    loaded = with_policy(loaded, "balanced")
    assert running_name(loaded) == "balanced"
    assert running_name(with_policy(loaded, "cautious")) == "strict"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"policy": 7}', "\x00" * 9000])
def test_damaged_activation_file_names_the_remedy(loaded: Loaded, text: str) -> None:
    activate(loaded, "strict")
    (loaded.state / "policies" / "activated").write_text(text)
    with pytest.raises(PolicyError, match=r"activated: .*callsieve policy activate"):
        policies_of(loaded)
    activate(loaded, "cautious")
    assert policies_of(loaded).default.name == "cautious"


def test_daemon_applies_an_activation_and_keeps_it(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        loaded = load_settings(daemon.config, {"CALLSIEVE_STATE": str(daemon.state)})
        assert rule_for_the_withheld(daemon) == "withheld"
        name = add_version(loaded, REJECTING, "ada", WHEN)
        activate(loaded, name)
        wait_until(lambda: rule_for_the_withheld(daemon) == "no-name")
        daemon.stop()
        daemon.start()
        assert rule_for_the_withheld(daemon) == "no-name"
        activate(loaded, "cautious")
        wait_until(lambda: rule_for_the_withheld(daemon) == "withheld")


def test_an_activation_is_in_force_before_a_reload(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:

        def as_on_disk() -> Loaded:
            return load_settings(daemon.config, {"CALLSIEVE_STATE": str(daemon.state)})

        rejecting = add_version(as_on_disk(), REJECTING, "ada", WHEN)
        daemon.write_settings('[policy]\nname = "balanced"\n')
        activate(as_on_disk(), rejecting)
        wait_until(lambda: rule_for_the_withheld(daemon) == "no-name")
        daemon.write_settings('[policy]\nname = "cautious"\n')
        activate(as_on_disk(), "cautious")
        wait_until(lambda: rule_for_the_withheld(daemon) == "withheld")
        daemon.write_settings(f'[policy]\nname = "{rejecting}"\n')
        activate(as_on_disk(), rejecting)
        wait_until(lambda: rule_for_the_withheld(daemon) == "no-name")
        daemon.stop()
        daemon.start()
        assert rule_for_the_withheld(daemon) == "no-name"
        daemon.write_settings('[policy]\nname = "cautious"\n')
        daemon.reload()
        wait_until(lambda: rule_for_the_withheld(daemon) == "withheld")


def test_activate_command_writes_an_audit_row(tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    callsieve.ok("policy", "activate", "strict")
    in_force = {row["name"]: row["in_force_for"] for row in callsieve("policy", "list", "--json").json}
    assert in_force["strict"] == ["all calls"]
    assert callsieve.ok("policy", "show").startswith("strict")
    callsieve.ok("policy", "activate")
    rows = callsieve("audit", "--json").json
    assert [(row["what"], row["before"], row["after"]) for row in rows] == [
        ("policy activate", {"policy": "strict"}, {"policy": "cautious"}),
        ("policy activate", {"policy": "cautious"}, {"policy": "strict"}),
    ]


def test_an_activation_is_undone(tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    callsieve.ok("policy", "activate", "strict")
    (change,) = callsieve("audit", "--json").json
    callsieve.ok("undo", str(change["id"]))
    assert callsieve.ok("policy", "show").startswith("cautious")
    assert "already undone" in callsieve.fails("undo", str(change["id"]))


def test_only_the_latest_activation_is_undone(tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    for name in ("strict", "balanced"):
        callsieve.ok("policy", "activate", name)
    latest, first = callsieve("audit", "--json").json
    assert "changed again since" in callsieve.fails("undo", str(first["id"]))
    assert callsieve.ok("policy", "show").startswith("balanced")
    callsieve.ok("undo", str(latest["id"]))
    assert callsieve.ok("policy", "show").startswith("strict")


def test_activation_repairs_a_damaged_file(loaded: Loaded, tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    callsieve.ok("policy", "activate", "strict")
    pointer = next(tmp_path.glob("**/policies/activated"))
    pointer.write_text("{")
    callsieve.ok("policy", "activate")
    assert callsieve.ok("policy", "show").startswith("cautious")


@pytest.mark.parametrize("name", ["nowhere", "../strict", "/etc/passwd", "a" * 100])
def test_unusable_policies_are_not_activated(tmp_path: Path, name: str) -> None:
    callsieve = Program(tmp_path)
    callsieve.fails("policy", "activate", name)
    assert callsieve.ok("policy", "show").startswith("cautious")
