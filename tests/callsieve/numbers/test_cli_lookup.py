"""`callsieve lookup`: everything about a number, and what would be decided now."""

from __future__ import annotations

import time
from typing import Any

import pytest

from reputation.encoding import instant_text
from reputation.model import AuthClass, ChallengeResult, EndedBy
from reputation.store.database import open_store
from reputation.store.evidence import record_challenge
from reputation.store.imports import import_numbers
from reputation.store.lists import Contact, add_contacts, expect_call
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcome
from reputation.store.site import record_emergency
from reputation.store.standing import refresh
from reputation.store.transaction import transaction
from tests.callsieve.program import Program, make_record
from tests.office import CALLER
from tests.reputation.store_builders import make_mark, make_outcome, pass_challenge


@pytest.fixture
def known(callsieve: Program) -> Program:
    """A store that knows CALLER from every side."""
    callsieve.ok("list", "add", "block", "+1201*", "--note", "New Jersey", "--action", "warn", "--expires", "30d")
    callsieve.ok("list", "add", "block", CALLER, "--person", "201")
    callsieve.ok("identity", "add", CALLER, "--name", "Acme Ltd", "--level", "1", "--note", "called back")
    callsieve.add_decisions(make_record("AAAAAAAA"), make_record("BBBBBBBB", at=time.time() - 3000, linkedid="1.2"))
    with open_store(callsieve.store) as db:
        add_contacts(db, "crm", [Contact(CALLER, "Acme"), Contact(CALLER, "Joe at Acme", "201")])
        expect_call(db, "201", time.time() + 3600)
        pass_challenge(db, CALLER, AuthClass.UNKNOWN, time.time() - 86400)
        import_numbers(db, "ftc", "spam", [(CALLER, "scam", "Joe", "warranty")])
    return callsieve


def test_lookup_of_an_unknown_number(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    out = callsieve.ok("lookup", "(201) 742-1834")
    assert out.startswith("+12017421834  US, fixed or mobile\nNothing")
    assert "allow by default" in out


def test_not_spam_mark_is_not_shown_as_a_call_back(callsieve: Program) -> None:
    callsieve.ok("mark", CALLER, "ok", "--as", "201")
    out = callsieve.ok("lookup", CALLER)
    assert "\nA colleague marked the number" in out
    assert "called" not in out
    assert "1 not-spam" in out


def test_lookup_shows_everything_known(known: Program) -> None:
    out = known.ok("lookup", CALLER)
    for part in (
        "+1201* is on the blocklist; the number belongs to Acme Ltd (level 1); "
        "somebody has proven control of the number",
        "one imported source lists the number as spam (scam)",
        "-18 points, level none  log-odds -4.26",
        "wanted      -4.56  2 passed a challenge",
        "feeds       +1.50  1 spam",
        'ftc: spam, scam, "Joe", warranty (',
        'blocklist +1201*: warn "New Jersey" since ',
        "on the personal blocklist of 201 since ",
        'contact of the company as "Acme"',
        'contact of 201 as "Joe at Acme"',
        "201 expects a call from any number",
        "Acme Ltd, level 1, until ",
        "called back",
        "passed 1 d ago (unknown)",
        "for an unsigned call on trunk carrier, by policy cautious",
        "AAAAAAAA",
        "BBBBBBBB",
    ):
        assert part in out, part


def test_lookup_shows_the_decision_of_the_daemon(known: Program) -> None:
    now = known("lookup", CALLER, "--json").json["now"]
    assert (now["action"], now["rule"], now["step"]) == ("warn", "blocklist", 4)
    with open_store(known.store) as db:
        record_emergency(db, time.time())
    assert known("lookup", CALLER, "--json").json["now"]["rule"] == "emergency-window"


def test_lookup_has_json_output(known: Program) -> None:
    found = known("lookup", CALLER, "--json").json
    assert (found["number"], found["country"], found["number_type"], found["valid"]) == (
        CALLER,
        "US",
        "fixed-or-mobile",
        True,
    )
    assert found["reputation"] == {
        "witnesses": None,
        "appeal": None,
        "log_odds": pytest.approx(-4.257, abs=0.001),
        "points": -18,
        "level": "none",
        "families": [
            {"family": "wanted", "log_odds": pytest.approx(-4.557, abs=0.001), "counts": {"passed a challenge": 2}},
            {"family": "caller", "log_odds": pytest.approx(-1.2, abs=0.001), "counts": {"proven": 1}},
            {"family": "feeds", "log_odds": 1.5, "counts": {"spam": 1, "ok": 0}},
        ],
        "would_change": [],
        "level_from": [],
        "would_raise": [
            {"code": "witnessed", "words": "marks or hang-ups by 12 more of our people", "level": "warn"},
        ],
    }
    assert [item["auth_class"] for item in found["challenge_passed"]] == ["unknown"]
    authenticated, unknown = found["challenges"]  # a proof of control is a pass of both
    assert [challenge["auth_class"] for challenge in found["challenges"]] == ["authenticated", "unknown"]
    assert (len(authenticated["passes"]), len(unknown["passes"]), unknown["failures"]) == (1, 2, 0)
    assert [entry["text"] for entry in found["lists"]] == ["+1201*"]
    assert {(item["what"], item["person"]) for item in found["personal"]} == {
        ("block", "201"),
        ("contact", "201"),
        ("contact", None),
    }
    assert found["identity"]["note"] == "called back"
    assert found["imported"][0]["category"] == "scam"
    assert [decision["id"] for decision in found["decisions"]] == ["AAAAAAAA", "BBBBBBBB"]
    assert found["decisions"][0]["vector"]["families"][0]["family"] == "feeds"
    assert found["calls_within_the_hour"] == 2
    assert found["now"]["steps"][0] == {"step": 1, "title": "never screened", "outcome": "passes", "failed": []}


def test_own_number_is_shown_as_our_own(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    assert "one of our own" in callsieve.ok("lookup", "+12025550100")


def test_observe_mode_shows_the_would_be_action(callsieve: Program) -> None:
    program = Program(callsieve.folder, callsieve.config.read_text() + '\n[policy]\nname = "observe"\n')
    program.ok("list", "add", "block", CALLER)
    out = program.ok("lookup", CALLER)
    assert "reject by blocklist" in out
    assert "by policy observe" in out


def test_call_of_an_unknown_number_counts_as_a_first_call(callsieve: Program) -> None:
    program = Program(callsieve.folder, callsieve.config.read_text() + '\n[policy]\nname = "house"\n')
    policies = callsieve.store.parent / "policies"
    policies.mkdir(parents=True, exist_ok=True)
    rule = '[[rule]]\nname = "new"\nwhen = { first_call = true }\naction = "tag"\nreason = "nobody knows it"\n'
    (policies / "house.toml").write_text(rule)
    program.ok("db", "migrate")
    assert "tag by new" in program.ok("lookup", CALLER)
    program.ok("list", "add", "allow", CALLER, "--person", "201")
    assert "allow by default" in program.ok("lookup", CALLER)


def test_unusable_policy_does_not_hide_the_evidence(callsieve: Program) -> None:
    program = Program(callsieve.folder, callsieve.config.read_text() + '\n[policy]\nname = "mine"\n')
    program.ok("db", "migrate")
    out = program.ok("lookup", CALLER)
    assert "Nothing is known" in out
    assert "'mine'" in out


def test_foreign_names_cannot_control_the_terminal(callsieve: Program) -> None:
    evil = "\x1b]0;owned\x07[bold]\u202e\u009b31m"
    callsieve.ok("db", "migrate")
    with open_store(callsieve.store) as db:
        import_numbers(db, "ftc", "spam", [(CALLER, evil, evil, evil)])
        add_contacts(db, "crm", [Contact(CALLER, evil)])
    out = callsieve.ok("lookup", CALLER)
    assert "[bold]" in out
    assert all(char.isprintable() or char == "\n" for char in out)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        pytest.param("911", "emergency number", id="emergency"),
        pytest.param("201", "too short", id="extension"),
        pytest.param("anonymous", "withhold their number", id="withheld"),
        pytest.param("", "not a telephone number", id="nothing"),
        pytest.param("\x1b[31m", "not a telephone number", id="escape-sequence"),
        pytest.param("hello world", "+12015550123", id="words"),
    ],
)
def test_bad_number_prints_one_error_line(callsieve: Program, number: str, says: str) -> None:
    line = callsieve.fails("lookup", number)
    assert says in line
    assert line.isprintable()


def test_lookup_explains_the_level_and_what_would_change_it(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    now = time.time()
    with open_store(callsieve.store) as db, transaction(db):
        for days in range(1, 6):
            about: dict[str, Any] = {
                "by": str(210 + days),
                "talk": 3.0,
                "ended_by": EndedBy.CALLEE,
                "caller": CALLER,
                "source": "import",
            }
            record_outcome(db, make_outcome(f"{days}.1", now - days * 86400, **about), now)
        for who in ("201", "202"):
            add_mark(db, make_mark(CALLER, who, at=now - 3600))
    out = " ".join(callsieve.ok("lookup", CALLER).split())
    assert "2 marked the number and 5 answered; 5" in out
    assert "appeal is upheld: then " in out
    assert "the level comes from our people (+" in out
    assert (
        "7 independent witnesses (people, DIDs or other sites) speak against the number; without an outside source, "
        "a label needs 2 witnesses and a challenge needs 4" in out
    )
    assert "more if marks or hang-ups by 2 more of our people: then challenge" in out
    assert "one more source lists the number as spam: then challenge" in out
    assert "60 days" in out
    found = callsieve("lookup", CALLER, "--json").json
    levels = [point["level"] for point in found["history"]]
    assert (levels[0], levels[-1]) == ("none", found["reputation"]["level"])
    assert found["lower_in"]["days"] > 0
    assert found["reputation"]["witnesses"] == {"seen": 7, "label": 2, "challenge": 4}
    assert found["reputation"]["would_change"][-1]["words"] == "an appeal is upheld"


def test_people_of_another_site_count_as_one_witness(callsieve: Program) -> None:
    """Two of another site hung up on it: that is one witness, and none of our people."""
    add = "INSERT INTO signal (number, auth_class, epoch, callee, category, at, linkedid) VALUES (?, ?, 0, ?, ?, ?, '')"
    now = time.time()
    callsieve.ok("db", "migrate")
    with open_store(callsieve.store) as db, transaction(db):
        for callee in ("201", "berlin:301", "berlin:302"):
            db.execute(add, (CALLER, "unknown", callee, "hung-up-on", now - 60))
        refresh(db, CALLER)
    out = " ".join(callsieve.ok("lookup", CALLER).split())
    assert "hung-up-on: 1 of our people and 2 at other sites, last " in out
    assert "2 independent witnesses (people, DIDs or other sites) speak against the number" in out


def test_lookup_shows_challenge_results(callsieve: Program) -> None:
    callsieve.ok("db", "migrate")
    now = time.time()
    with open_store(callsieve.store) as db, transaction(db):
        for days, result in ((3, "silent"), (2, "passed"), (1, "wrong")):
            at = now - 86400 * days - 60
            record_challenge(db, f"{days}.1", CALLER, AuthClass.UNKNOWN, ChallengeResult(result), at)
    [known] = callsieve("lookup", CALLER, "--json").json["challenges"]
    assert (known["auth_class"], len(known["passes"]), known["failures"], known["marked"]) == ("unknown", 1, 1, 0)
    assert known["failed_at"] == instant_text(now - 86460)
    out = callsieve.ok("lookup", CALLER)
    assert "passed 2 d ago (unknown)" in out
    assert "1 challenge since the last pass, last 1 d ago (unknown)" in out
