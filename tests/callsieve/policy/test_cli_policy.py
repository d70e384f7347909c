"""`callsieve policy`: checked whole, shown in the order of trying, explained step by step."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from callsieve.daemon.background import write_telemetry
from policies.loader import MAX_BYTES, PRESETS
from reputation.model import PhoneSetting
from reputation.store.database import open_store
from reputation.store.lists import set_phone_setting
from reputation.store.transaction import transaction
from tests.callsieve.daemon.test_telemetry import make_telemetry
from tests.callsieve.program import Program
from tests.office import CALLER

OFFICE = """
extends = "cautious"

[[rule]]
name = "premium"
when = { prefix = ["+1900", "+1976"] }
action = "reject"
reason = "premium numbers do not call"
"""
BROKEN = OFFICE.replace("prefix", "prefxi") + OFFICE.replace('extends = "cautious"', "").replace("reject", "rejct")


@pytest.fixture
def callsieve(tmp_path: Path) -> Program:
    (tmp_path / "policies").mkdir()
    return Program(tmp_path)


def policy_file(callsieve: Program, text: str, name: str = "office") -> Path:
    path = callsieve.folder / "policies" / f"{name}.toml"
    path.write_text(text)
    return path


def test_list_shows_presets_files_and_policies_in_force(callsieve: Program) -> None:
    path = policy_file(callsieve, OFFICE)
    scope = '\n[[scope]]\ngroup = "sales"\npolicy = "office"\n'
    program = Program(callsieve.folder, callsieve.config.read_text() + scope)
    rows = {row["name"]: row for row in program("policy", "list", "--json").json}
    assert list(rows) == [*PRESETS, "office"]
    assert rows["office"]["where"] == str(path)
    assert rows["office"]["in_force_for"] == ["group sales"]
    assert rows["cautious"]["in_force_for"] == ["all other calls"]
    assert "group sales" in program.ok("policy", "list")


@pytest.mark.parametrize(
    ("policy", "age", "warns"),
    [
        pytest.param("cautious", 1.0, False, id="the-same"),
        pytest.param("observe", 1.0, True, id="another"),
        pytest.param("cautious", 3600.0, True, id="no-daemon"),
    ],
)
def test_list_warns_of_a_policy_that_the_daemon_has_not_read(
    callsieve: Program, policy: str, age: float, warns: bool
) -> None:
    callsieve.ok("db", "migrate")
    write_telemetry(callsieve.state, msgspec.structs.replace(make_telemetry(time.time() - age), policy=policy))
    assert bool(callsieve("policy", "list").err) is warns


def test_list_shows_an_unusable_file(callsieve: Program) -> None:
    policy_file(callsieve, BROKEN)
    assert "error: " in callsieve.ok("policy", "list")


def test_check_accepts_a_good_policy(callsieve: Program) -> None:
    policy_file(callsieve, OFFICE)
    assert callsieve.ok("policy", "check", "office").startswith("office: 14 rules, default action allow")


def test_check_without_a_name_checks_every_policy(callsieve: Program) -> None:
    policy_file(callsieve, OFFICE)
    out = callsieve.ok("policy", "check")
    assert [line.partition(":")[0] for line in out.splitlines()] == ["cautious", "office"]


def test_each_problem_of_a_file_has_its_own_line(callsieve: Program) -> None:
    path = policy_file(callsieve, BROKEN)
    result = callsieve("policy", "check", "office")
    assert result.code == 2
    assert result.out == ""
    first, second = result.err.splitlines()
    assert first.startswith(f"callsieve: {path}: line 6: rule 'premium': ")
    assert second.startswith(f"callsieve: {path}: line 15: rule 'premium': ")


@pytest.mark.parametrize("command", ["check", "show"])
@pytest.mark.parametrize("by_name", [True, False])
def test_a_file_that_is_too_large_is_refused(callsieve: Program, command: str, by_name: bool) -> None:
    path = policy_file(callsieve, "#" * (MAX_BYTES + 1))
    said = callsieve.fails("policy", command, "office" if by_name else str(path))
    assert f"{MAX_BYTES + 1} bytes" in said


def test_one_broken_file_does_not_hide_the_others(callsieve: Program) -> None:
    policy_file(callsieve, OFFICE)
    policy_file(callsieve, "[[rule", "wrong")
    result = callsieve("policy", "check")
    assert result.code == 2
    assert "office: 14 rules" in result.out
    assert "not TOML" in result.err


def test_a_file_not_installed_yet_can_be_checked_and_shown(callsieve: Program) -> None:
    draft = callsieve.file("draft.toml", OFFICE)
    assert "draft: 14 rules" in callsieve.ok("policy", "check", draft)
    assert "+1900" in callsieve.ok("policy", "show", draft)
    broken = callsieve.file("broken.toml", BROKEN)
    assert callsieve("policy", "check", broken).err.count(f"{broken}: ") == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param("", True, id="no-place"),
        pytest.param('[actions]\nroute = "box,s,1"\n', False, id="a-route"),
        pytest.param('[policy]\nname = "observe"\n', False, id="observes"),
    ],
)
def test_check_warns_if_stopped_calls_have_no_route(callsieve: Program, settings: str, said: bool) -> None:
    callsieve.config.write_text(settings)
    result = callsieve("policy", "check")
    assert (result.code, "[actions] route" in result.err) == (0, said)


@pytest.mark.parametrize(("settings", "said"), [("", True), ('[actions]\nroute = "box,s,1"\n', False)])
def test_check_reports_a_policy_not_yet_in_force(callsieve: Program, settings: str, said: bool) -> None:
    callsieve.config.write_text(settings + '[policy]\nname = "observe"\n')
    for command in ("check", "activate"):
        result = callsieve("policy", command, "balanced")
        assert (result.code, "[actions] route" in result.err) == (0, said)


def test_unknown_names_in_conditions_get_a_remark(callsieve: Program) -> None:
    text = OFFICE.replace('{ prefix = ["+1900", "+1976"] }', '{ trunk = "carier", listed = "ftc" }')
    policy_file(callsieve, text)
    result = callsieve("policy", "check", "office")
    assert result.code == 0
    assert "never holds for 'carier'" in result.err
    assert "ftc" not in result.err  # no store: nothing is known about sources
    callsieve.ok("db", "migrate")
    assert "'ftc'" in callsieve("policy", "check", "office").err


def test_rules_fulfilled_by_our_people_alone_get_a_remark(callsieve: Program) -> None:
    pushy = '[[rule]]\nname = "pushy"\nwhen = { level_at_least = "warn" }\naction = "reject"\nreason = "x"\n'
    policy_file(callsieve, pushy)
    result = callsieve("policy", "check", "office")
    assert (result.code, "rule 'pushy': may reject" in result.err) == (0, True)
    for preset in PRESETS:
        assert "may " not in callsieve("policy", "check", preset).err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("cautios", "'cautios' (did you mean cautious?)", id="misspelt"),
        pytest.param("/nowhere/x.toml", "cannot be read", id="missing-file"),
        pytest.param("{folder}/", "cannot be read", id="directory"),
        pytest.param("../x", "cannot be read", id="missing-path"),
        pytest.param("A B", "is not a valid policy name", id="no-name"),
    ],
)
@pytest.mark.parametrize("command", ["check", "show"])
def test_missing_policy_prints_one_error_line(callsieve: Program, command: str, name: str, says: str) -> None:
    assert says in callsieve.fails("policy", command, name.format(folder=callsieve.folder))


def test_show_prints_precedence_rules_and_caps(callsieve: Program) -> None:
    policy_file(callsieve, OFFICE)
    out = callsieve.ok("policy", "show", "office")
    places = [
        out.index(part)
        for part in (
            "office (extends cautious)",
            "never screened",
            "the administrator's lists",
            "relationship",
            'prefix = ["+1900", "+1976"]',
            "level-challenge",
            'shown as "Withheld"',
            "no rule applies",
            "the caller passed a challenge",
        )
    ]
    assert places == sorted(places)


def test_show_says_that_a_policy_only_observes(callsieve: Program) -> None:
    assert "observes" in callsieve.ok("policy", "show", "observe")


def test_show_in_json(callsieve: Program) -> None:
    policy_file(callsieve, OFFICE)
    shown = callsieve("policy", "show", "office", "--json").json
    assert (shown["name"], shown["chain"], shown["default"]) == ("office", ["office", "cautious"], "allow")
    assert shown["rules"][0] == {
        "name": "premium",
        "when": ['prefix = ["+1900", "+1976"]'],
        "action": "reject",
        "reason": "premium numbers do not call",
        "label": None,
        "ask": None,
    }


def test_show_without_a_name_shows_the_policy_in_force(callsieve: Program) -> None:
    assert callsieve("policy", "show", "--json").json["name"] == "cautious"


# explain


def test_explain_shows_the_steps_up_to_the_deciding_one(callsieve: Program) -> None:
    policy_file(callsieve, OFFICE)
    callsieve.ok("db", "migrate")
    out = callsieve.ok("policy", "explain", "office", "--caller", "+19005550123", "--did", "+442071838750")
    assert "+19005550123 to +442071838750 on trunk carrier" in out
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[3:9]] == ["1", "2", "3", "4", "6", "8"]
    assert "rule premium" in lines[8]
    assert lines[-1] == "reject by premium"


def test_explain_uses_the_lists_of_the_store(callsieve: Program) -> None:
    callsieve.ok("list", "add", "allow", CALLER)
    found = callsieve("policy", "explain", "--caller", CALLER, "--json").json
    assert (found["action"], found["rule"], found["step"]) == ("allow", "allowlist", 4)


def test_explain_names_the_origin_of_the_level(callsieve: Program) -> None:
    for person in ("201", "202"):
        callsieve.ok("mark", CALLER, "spam", "--as", person)
    out = " ".join(callsieve.ok("policy", "explain", "--caller", CALLER).split())
    assert "the level comes from our people (+" in out
    assert "2 independent witnesses (people, DIDs or other sites) speak against the number" in out
    assert "less if" in out
    assert "more if" in out
    found = callsieve("policy", "explain", "--caller", CALLER, "--json").json["reputation"]
    assert [item["who"] for item in found["level_from"]] == ["our-people"]
    assert found["would_raise"]


def test_explain_for_one_person_uses_that_persons_lists(callsieve: Program) -> None:
    callsieve.ok("list", "add", "block", CALLER, "--person", "201")
    callsieve.ok("import", "people", callsieve.file("p.csv", "extension\n202\n"), "--source", "hr")
    assert callsieve("policy", "explain", "--caller", CALLER, "--json").json["action"] == "allow"
    callsieve.ok("import", "people", callsieve.file("q.csv", "extension\n203\n"), "--source", "hr")
    callsieve.ok("list", "add", "block", CALLER, "--person", "203")
    found = callsieve("policy", "explain", "--caller", CALLER, "--callee", "203", "--json").json
    assert (found["action"], found["rule"]) == ("reject", "callee-blocklist")
    assert "'999'" in callsieve.fails("policy", "explain", "--caller", CALLER, "--callee", "999")


@pytest.mark.parametrize(
    ("options", "action", "rule"),
    [
        pytest.param(["--caller", CALLER], "allow", "default", id="stranger"),
        pytest.param(["--caller", CALLER, "--withheld"], "tag", "withheld", id="withheld"),
        pytest.param(["--caller", "anonymous"], "tag", "withheld", id="anonymous"),
        pytest.param(["--caller", "1&PJSIP/x"], "tag", "not-a-number", id="not-a-number"),
        pytest.param(["--caller", "911"], "allow", "emergency-number", id="emergency-number"),
        pytest.param(["--caller", CALLER, "--verification", "failed"], "tag", "failed-signature", id="failed"),
        pytest.param(["--caller", CALLER, "--attestation", "A", "--verification=passed"], "allow", "default", id="A"),
        pytest.param(["--caller", CALLER, "--trunk", "carrier"], "allow", "default", id="trunk"),
    ],
)
def test_explain_accepts_every_property_of_a_call(
    callsieve: Program, options: list[str], action: str, rule: str
) -> None:
    callsieve.ok("db", "migrate")
    found = callsieve("policy", "explain", *options, "--json").json
    assert (found["action"], found["rule"]) == (action, rule)


@pytest.mark.parametrize(("matches", "rule"), [("false", "withheld"), ("true", "blocklist")])
def test_explain_treats_a_withheld_number_as_a_call_does(callsieve: Program, matches: str, rule: str) -> None:
    settings = callsieve.config.read_text().replace("[numbers]", f"[numbers]\nmatch_withheld = {matches}")
    callsieve.config.write_text(settings)
    callsieve.ok("list", "add", "block", CALLER)
    assert callsieve("policy", "explain", "--caller", CALLER, "--withheld", "--json").json["rule"] == rule


def test_explain_at_another_time(callsieve: Program) -> None:
    policy_file(
        callsieve,
        """
[[rule]]
name = "night"
when = { hours = { from = "22:00", to = "08:00", zone = "UTC" } }
action = "challenge"
reason = "nobody calls at night"
""",
        "night",
    )
    callsieve.ok("db", "migrate")
    for at, action in (("2026-01-01T23:00Z", "challenge"), ("2026-01-01T12:00Z", "allow")):
        found = callsieve("policy", "explain", "night", "--caller", CALLER, "--at", at, "--json").json
        assert found["action"] == action


def test_explain_without_a_store_uses_no_evidence(callsieve: Program) -> None:
    result = callsieve("policy", "explain", "--caller", CALLER)
    assert result.code == 0
    assert "no store yet" in result.err
    assert result.out.endswith("allow by default\n")
    assert not callsieve.store.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param([], "'--caller'", id="no-caller"),
        pytest.param(["--caller", CALLER, "--trunk", "carier"], "'carier' (did you mean carrier", id="trunk"),
        pytest.param(["--caller", CALLER, "--at", "noon"], "--at: 'noon' is not a time", id="time"),
        pytest.param(["--caller", CALLER, "--attestation", "D"], "--attestation", id="attestation"),
        pytest.param(["mine", "--caller", CALLER], "'mine'", id="policy"),
    ],
)
def test_explain_with_wrong_options_prints_one_line(callsieve: Program, options: list[str], says: str) -> None:
    assert says in callsieve.fails("policy", "explain", *options)


def test_trusted_trunk_makes_the_caller_authenticated(callsieve: Program) -> None:
    trusted = '\n[[trunk]]\nname = "trusted"\nchannels = "PJSIP/carrier2-*"\ntrusted = true\n'
    program = Program(callsieve.folder, callsieve.config.read_text() + trusted)
    program.ok("db", "migrate")
    found = program("policy", "explain", "--caller", CALLER, "--trunk", "trusted", "--json").json
    assert (found["trunk"], found["auth_class"]) == ("trusted", "authenticated")


def test_the_settings_count_before_the_daemon_has_written_them(callsieve: Program) -> None:
    policy_file(callsieve, OFFICE)
    scope = '\n[[scope]]\ngroup = "sales"\npolicy = "office"\n'
    program = Program(callsieve.folder, callsieve.config.read_text() + scope)
    program.ok("db", "migrate")
    for did, policy in (("+442071838750", "office"), ("+442071838751", "cautious")):
        assert program("policy", "explain", "--caller", CALLER, "--did", did, "--json").json["policy"] == policy
    program.ok("policy", "explain", "--caller", CALLER, "--callee", "201")
    assert program("policy", "explain", "--caller", "+12025550100", "--json").json["rule"] == "own-number"


@pytest.mark.parametrize("rests", [True, False])
def test_explain_knows_the_quiet_hours_of_the_callee(callsieve: Program, rests: bool) -> None:
    callsieve.ok("db", "migrate")
    hour = datetime.now(UTC).hour
    hours = f"{(hour - 1) % 24}-{(hour + 2) % 24}" if rests else f"{(hour + 3) % 24}-{(hour + 6) % 24}"
    settings = callsieve.config.read_text().replace('extension = "201"', f'extension = "201"\nquiet_hours = "{hours}"')
    callsieve.config.write_text(settings.replace("[reputation.quiet]", '[reputation.quiet]\ntime_zone = "UTC"'))
    with open_store(callsieve.store) as db, transaction(db):
        set_phone_setting(db, "201", PhoneSetting.QUIET, 0.0)
    command = ("policy", "explain", "cautious", "--caller", "+12015550123", "--callee", "201", "--json")
    assert callsieve(*command).json["rule"] == ("quiet-hours" if rests else "default")
    assert callsieve("lookup", "+12015550123", "--json").json["now"]["rule"] == "default"
