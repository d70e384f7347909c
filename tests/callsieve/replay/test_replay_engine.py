"""A replay: each call is decided with what was known when it began, and nothing that is learnt later."""

from __future__ import annotations

import io
import json
import random
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agi.site import Site, Trunk
from callsieve.replay.engine import BACKWARDS, TWICE, Judged, Replay, judgements, no_background
from callsieve.replay.false_positives import KnownCallers
from callsieve.replay.history_file import LINE_BYTES, Event, HistoryReader, events_of
from callsieve.replay.marks import CONTACT, TOO_MANY
from callsieve.replay.report import ActionCounts, line_of, periods_of
from callsieve.simulate import SettingsFacts
from callsieve.text.csv_table import RowProblem
from policies.loader import load_policy
from policies.policy import Policy
from reputation.control_sample import is_drawn
from reputation.encoding import plain
from reputation.evidence import Circumstances
from reputation.facts import FactsQuery
from reputation.marking import MarkStatement, mark
from reputation.model import (
    AuthClass,
    ControlSample,
    DecisionRecord,
    Did,
    Direction,
    EntryKind,
    Identity,
    Imported,
    Level,
    ListEntry,
    ListName,
    Mark,
    PeerWord,
    Person,
    Tie,
)
from reputation.numbers import stored_number
from reputation.outcome import OutcomeRecord
from reputation.scoring import reputation_of
from reputation.store.as_of import Background, OwnEntry, PeerRow, background_of
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from reputation.store.identities import set_identity
from reputation.store.imports import Feed, import_numbers
from reputation.store.journal import record_decisions
from reputation.store.lists import Contact, PersonalEntry, add_contacts, add_entry, set_personal_entry
from reputation.store.outcomes import record_outcome
from reputation.store.peers import (
    PeerNumber,
    TakenIndex,
    WantedPeer,
    record_taken,
    replace_numbers,
    replace_peers,
)
from reputation.store.people import replace_settings_people
from reputation.store.transaction import transaction
from reputation.weights import DEFAULT
from tests.builders import CALLER, DAY, HOUR, LONDON, MINUTE, NOW, make_policy, policy_ordering
from tests.callsieve.program import make_record

SITE = Site("US", (Trunk("carrier", "PJSIP/carrier-*", "US"), Trunk("backbone", "", "GB", trusted=True)))
OURS = SettingsFacts(
    {e: Person(e, f"PJSIP/{e}", g) for e, g in (("201", "sales"), ("202", "sales"), ("301", "support"))},
    {LONDON: Did(LONDON, ("sales",))},
    frozenset({"+12025550100"}),
    DEFAULT,
)
OTHER = "+12017421899"
# Keeps callers away on the word of our own people, as no preset does.
PUSHY = """
extends = "strict"
[[rule]]
name = "pushed"
when = { level_at_least = "challenge" }
action = "reject"
reason = "we do not want it"
"""


def inbound(call: str, at: float = NOW, **fields: Any) -> dict[str, Any]:
    return {"at": at, "type": "inbound", "call": call, "caller": CALLER, "did": LONDON, "trunk": "carrier", **fields}


def answered(call: str, at: float = NOW, who: str = "201", **fields: Any) -> dict[str, Any]:
    """Answered, and hung up on after 3 s."""
    talk = {"answered": True, "callee": who, "ring_seconds": 5.0, "talk_seconds": 3.0, "ended_by": "callee"}
    return inbound(call, at, **{**talk, **fields})


def outbound(call: str, at: float = NOW, who: str = "201", **fields: Any) -> dict[str, Any]:
    about = {"type": "outbound", "call": call, "caller": who, "callee": CALLER, "answered": True, "talk_seconds": 60.0}
    return {"at": at, **about, **fields}


def mark_line(verdict: str, at: float, who: str = "201", number: str = CALLER, **fields: Any) -> dict[str, Any]:
    return {"at": at, "type": "mark", "number": number, "reporter": who, "verdict": verdict, **fields}


def lines(*events: dict[str, Any]) -> bytes:
    return "".join(json.dumps(event) + "\n" for event in events).encode()


def events_in(raw: bytes, reading: HistoryReader | None = None) -> list[Event]:
    return list(events_of(io.BytesIO(raw), reading or HistoryReader(), SITE))


def replayed(
    *events: dict[str, Any], policy: str = "strict", background: Background | None = None
) -> tuple[dict[str, Judged], Replay]:
    """What was decided, by call."""
    known = (lambda number: background if number == CALLER else Background()) if background else no_background
    replay = Replay([load_policy(policy)], OURS, known)
    found = judgements(events_in(lines(*events)), replay, HistoryReader())
    return {judged.outcome.linkedid: judged for _, judged in found if judged}, replay


def families_of(judged: Judged) -> dict[str, float]:
    return {family.name: family.log_odds for family in judged.decisions[0].reputation.families}


def decided(judged: Judged) -> tuple[str, str]:
    return judged.decisions[0].action.word, judged.decisions[0].rule


LATER = inbound("last", NOW + HOUR)

# A history that ends with the call "last": what is known of its caller by then.
EVIDENCE = [
    pytest.param([], {}, id="nothing"),
    pytest.param([answered("c0")], {"unmarked": -1.23, "hung up": 0.93}, id="hung-up-on"),
    pytest.param([answered("c0", NOW + HOUR - 8)], {"unmarked": -1.23, "hung up": 0.93}, id="learnt-when-it-ends"),
    pytest.param([answered("c0", NOW + HOUR - 7.9)], {}, id="but-not-before"),
    pytest.param([answered("c0", ended_by=None)], {"unmarked": -1.23}, id="nobody-knows-who-hung-up"),
    pytest.param([answered("c0", shown="warn")], {"unmarked": -1.23}, id="our-own-label-is-no-evidence"),
    pytest.param([answered("c0", attestation="B")], {}, id="another-class"),
    pytest.param([inbound("c0", ring_seconds=20.0)], {"missed": 2.82}, id="unanswered"),
    pytest.param([inbound("c0", ring_seconds=20.0, voicemail=True)], {"messages": -0.21}, id="voicemail"),
    pytest.param([answered("c0"), mark_line("spam", NOW + MINUTE, call="c0")], {"marked": 3.38}, id="one-witness"),
    pytest.param([mark_line("spam", NOW + HOUR + 1)], {}, id="marked-too-late"),
    pytest.param(
        [mark_line("spam", NOW, number=LONDON), mark_line("spam", NOW, number="+12025550100")], {}, id="own-number"
    ),
]


@pytest.mark.parametrize(("before", "families"), EVIDENCE)
def test_evidence_when_a_call_begins(before: list[dict[str, Any]], families: dict[str, float]) -> None:
    events = sorted([*before, LATER], key=lambda event: event["at"])
    found = families_of(replayed(*events)[0]["last"])
    assert found == pytest.approx(families, abs=0.15)  # the exact figures are tests/reputation's


@pytest.mark.parametrize(
    ("event", "auth_class"),
    [
        pytest.param({}, AuthClass.UNKNOWN, id="unsigned"),
        pytest.param({"attestation": "A"}, AuthClass.AUTHENTICATED, id="a-counts-as-verified"),
        pytest.param({"attestation": "A", "verification": "failed"}, AuthClass.UNAUTHENTICATED, id="failed"),
        pytest.param({"attestation": "C"}, AuthClass.UNAUTHENTICATED, id="signed-by-a-gateway"),
        pytest.param({"trunk": "backbone"}, AuthClass.AUTHENTICATED, id="trusted-trunk"),
        pytest.param({"trunk": "nobodys"}, AuthClass.UNKNOWN, id="unknown-trunk"),
    ],
)
def test_auth_class_of_a_call(event: dict[str, Any], auth_class: AuthClass) -> None:
    judged, _ = replayed(inbound("c0", **event))
    assert judged["c0"].outcome.auth_class is auth_class


@pytest.mark.parametrize(
    ("before", "auth_class"),
    [
        pytest.param([mark_line("spam", NOW + 9, call="c1")], AuthClass.AUTHENTICATED, id="of-its-call"),
        pytest.param([mark_line("spam", NOW + 9, call="c0")], AuthClass.UNKNOWN, id="of-an-earlier-call"),
        pytest.param(
            [mark_line("spam", NOW + 9, "202")], AuthClass.UNAUTHENTICATED, id="of-the-last-call-to-the-reporter"
        ),
        pytest.param([mark_line("spam", NOW + 9, "301")], AuthClass.UNAUTHENTICATED, id="of-its-last-call"),
        pytest.param(
            [mark_line("spam", NOW + 9, call="of another number")], AuthClass.AUTHENTICATED, id="no-such-call"
        ),
        pytest.param([mark_line("spam", NOW + 9, number=OTHER)], None, id="never-called"),
    ],
)
def test_auth_class_of_a_mark(before: list[dict[str, Any]], auth_class: AuthClass | None) -> None:
    calls = [
        answered("c0", NOW - 300, "201"),
        answered("c1", NOW - 200, "201", attestation="A"),
        answered("c2", NOW - 100, "202", attestation="C"),
        answered("of another number", NOW - 90, "201", caller=OTHER),
    ]
    _, replay = replayed(*calls, *before)
    [mark] = replay.ledger.marks(CALLER if auth_class else OTHER)
    assert mark.auth_class is (auth_class or AuthClass.UNKNOWN)


@pytest.mark.parametrize(
    ("before", "call", "decision"),
    [
        pytest.param([], {}, ("allow", "default"), id="a-stranger"),
        pytest.param([mark_line("spam", NOW)], {"callee": "201"}, ("reject", "callee-blocklist"), id="own-mark-blocks"),
        pytest.param([mark_line("spam", NOW)], {"callee": "202"}, ("allow", "default"), id="for-that-person-alone"),
        pytest.param([mark_line("spam", NOW)], {}, ("allow", "default"), id="callee-unknown"),
        pytest.param(
            [mark_line("spam", NOW), mark_line("ok", NOW + 1)], {"callee": "201"}, ("allow", "default"), id="and-back"
        ),
        pytest.param([outbound("o0")], {"callee": "201"}, ("allow", "talked"), id="called-and-talked"),
        pytest.param([outbound("o0", talk_seconds=29.0)], {"callee": "201"}, ("allow", "default"), id="talked-short"),
        pytest.param([], {"caller": "anonymous"}, ("tag", "withheld"), id="withheld"),
        pytest.param([], {"caller": LONDON}, ("warn", "own-number"), id="our-own-number"),
    ],
)
def test_decisions_of_a_replay(before: list[dict[str, Any]], call: dict[str, Any], decision: tuple[str, str]) -> None:
    judged, _ = replayed(*before, inbound("last", NOW + HOUR, **call))
    assert decided(judged["last"]) == decision


def test_velocity_counts_at_the_start_of_a_call() -> None:
    policy = make_policy("""
        [[rule]]
        name = "hurry"
        when = { calls_within = { minutes = 10, at_least = 2 } }
        action = "tag"
        reason = "in a hurry"
    """)
    replay = Replay([policy])
    events = events_in(lines(*(inbound(f"c{n}", NOW + n, talk_seconds=900.0) for n in range(3))))
    actions = [judged.decisions[0].action.word for event in events if (judged := replay.take(event))]
    assert actions == ["allow", "allow", "tag"]


def test_missing_callee_is_the_person_of_the_did() -> None:
    ours = SettingsFacts(OURS.people, {LONDON: Did(LONDON, ("sales",), "201")}, frozenset(), DEFAULT)
    replay = Replay([load_policy("strict")], ours)
    found = [replay.take(event) for event in events_in(lines(mark_line("spam", NOW), inbound("c0", NOW + 1)))]
    assert found[1] is not None
    assert decided(found[1]) == ("reject", "callee-blocklist")


def test_endpoints_are_mapped_to_people() -> None:
    _, replay = replayed(
        answered("c0", who="PJSIP/201"), outbound("o0", NOW + DAY, "PJSIP/202"), inbound("c1", NOW + 2 * DAY)
    )
    assert [row.callee for row in replay.ledger.rows(CALLER).answered] == ["201"]
    assert [who for who, _ in replay.ledger.talks(CALLER, NOW + 2 * DAY)] == ["202"]


@pytest.mark.parametrize(("verdict", "family", "log_odds"), [("spam", "marked", 2.58), ("ok", "wanted", -2.91)])
def test_mark_of_another_site_belongs_to_no_local_person(verdict: str, family: str, log_odds: float) -> None:
    found, replay = replayed(mark_line(verdict, NOW, who="berlin:201"), LATER)
    assert families_of(found["last"])[family] == pytest.approx(log_odds, abs=0.05)
    assert "berlin:201" not in replay.marks.blocks(CALLER)


def test_a_person_marks_twenty_numbers_a_day_at_most() -> None:
    numbers = [f"+120174218{n:02}" for n in range(25)]
    marks = [mark_line("spam", NOW + n, number=number) for n, number in enumerate(numbers)]
    again = mark_line("spam", NOW + 100, number=numbers[0])
    next_day = mark_line("spam", NOW + DAY + 1, number=numbers[24])
    _, replay = replayed(*marks, again, next_day)
    assert replay.marks.taken == 22
    assert replay.marks.refused == {TOO_MANY: 5}


# What the store knows besides, each with its date.

ENTRY = ListEntry(ListName.BLOCK, EntryKind.PREFIX, CALLER[:8], added_at=NOW)
BACKGROUND = [
    pytest.param(Background(entries=(ENTRY,)), NOW + 1, ("reject", "blocklist"), id="listed"),
    pytest.param(Background(entries=(ENTRY,)), NOW - 1, ("allow", "default"), id="listed-after-the-call"),
    pytest.param(
        Background(
            entries=(ENTRY, ListEntry(ListName.BLOCK, EntryKind.EXACT, CALLER, action="warn", added_at=NOW + 9))
        ),
        NOW + 1,
        ("reject", "blocklist"),
        id="a-later-entry-does-not-hide-an-earlier",
    ),
    pytest.param(
        Background(personal=(OwnEntry("201", ListName.BLOCK, NOW, False),)),
        NOW + 1,
        ("reject", "callee-blocklist"),
        id="own-list",
    ),
    pytest.param(
        Background(personal=(OwnEntry("201", ListName.BLOCK, NOW, False),)),
        NOW - 1,
        ("allow", "default"),
        id="own-list-later",
    ),
    pytest.param(Background(contacts=("201",)), NOW, ("allow", "contact"), id="contact"),
    pytest.param(Background(contacts=(None,)), 0.0, ("allow", "contact"), id="contacts-have-no-date"),
    pytest.param(
        Background(imported=(Imported("ftc", "spam", imported_at=NOW),)),
        NOW + 1,
        ("tag", "level-tag"),
        id="feed",
    ),
    pytest.param(
        Background(imported=(Imported("ftc", "spam", imported_at=NOW),)),
        NOW - 1,
        ("allow", "default"),
        id="feed-later",
    ),
]


@pytest.mark.parametrize(("background", "at", "decision"), BACKGROUND)
def test_replay_uses_what_the_store_knew_at_the_time(
    background: Background, at: float, decision: tuple[str, str]
) -> None:
    judged, _ = replayed(inbound("c0", at, callee="201"), background=background)
    assert decided(judged["c0"]) == decision


def test_background_is_read_from_the_store(tmp_path: Path) -> None:
    identity = Identity(CALLER, "Acme Bank", 2, NOW + DAY)
    listed = [(f"{CALLER[:-3]}{n:03}", "scam", None, None) for n in (1, 2)]
    with open_store(tmp_path / "callsieve.db") as db:
        import_numbers(db, "ftc", "spam", [(CALLER, None, None, None), (listed[0][0], None, None, None)], lambda: NOW)
        import_numbers(db, "dnc", "spam", [*listed, (OTHER, None, None, None)], lambda: NOW, feed=Feed("CSV"))
        with transaction(db):
            add_entry(db, ENTRY)
            set_personal_entry(db, PersonalEntry("201", CALLER, ListName.ALLOW, NOW))
            add_contacts(db, "crm", [Contact(CALLER), Contact(CALLER, person="202")])
            set_identity(db, identity, NOW)
            replace_peers(db, {"partner": WantedPeer("key", 0.5, DAY)})
            record_taken(db, "partner", TakenIndex("key", "Partner Ltd", 1, "d", NOW, NOW + DAY, 1), NOW, NOW + HOUR)
        replace_numbers(db, 1, [PeerNumber(CALLER, "unknown", 2, 5, 10, 2948, 2960, "scam")], NOW)
        found, nothing = background_of(db, CALLER), background_of(db, "+12025550199")
    assert nothing == Background()
    assert found == Background(
        (ENTRY,),
        (OwnEntry("201", ListName.ALLOW, NOW, False),),
        (None, "202"),
        identity,
        NOW,
        (Imported("ftc", "spam", imported_at=NOW, is_feed=False),),
        tuple((number, NOW) for number in (*(str(row[0]) for row in listed), OTHER)),
        (PeerRow("unknown", NOW, NOW + DAY, PeerWord("partner", 0.5, False, Level.WARN, 5, 10, 2948, 2960, "scam")),),
    )


@pytest.mark.parametrize(
    ("at", "auth_class", "action"),
    [
        pytest.param(NOW - 1, "unknown", "allow", id="before-it-came"),
        pytest.param(NOW + 1, "unknown", "tag", id="since-it-came"),
        pytest.param(NOW + 1, "authenticated", "allow", id="of-other-calls"),
        pytest.param(NOW + DAY, "unknown", "allow", id="when-it-ran-out"),
    ],
)
def test_evidence_of_peers_counts_while_valid(at: float, auth_class: str, action: str) -> None:
    mark_line = PeerRow(auth_class, NOW, NOW + DAY, PeerWord("partner"))
    judged, _ = replayed(inbound("c0", at), background=Background(peers=(mark_line,)))
    assert decided(judged["c0"])[0] == action


@pytest.mark.parametrize(("at", "log_odds"), [(NOW - 1, None), (NOW + 1, 1.0), (NOW + 61 * DAY, None)])
def test_numbers_of_the_block_on_a_feed_count_for_sixty_days(at: float, log_odds: float | None) -> None:
    listed = tuple((f"{CALLER[:-3]}{n:03}", NOW) for n in range(3))
    judged, _ = replayed(inbound("c0", at), background=Background(listed=listed))
    assert families_of(judged["c0"]).get("block") == log_odds


@pytest.mark.parametrize(("at", "name"), [(NOW - 1, None), (NOW + 1, "Acme Bank"), (NOW + DAY, None)])
def test_an_identity_counts_while_it_is_in_force(at: float, name: str | None) -> None:
    identity = Identity(CALLER, "Acme Bank", 2, NOW + DAY)
    judged, _ = replayed(inbound("c0", at), background=Background(identity=identity, identified_at=NOW))
    assert judged["c0"].decisions[0].name == name


@pytest.mark.parametrize(
    ("entry", "decision"),
    [
        pytest.param(OwnEntry("201", ListName.ALLOW, NOW - 9, False), "callee-blocklist", id="marked-after-allowing"),
        pytest.param(OwnEntry("201", ListName.ALLOW, NOW + 9, False), "callee-allowlist", id="allowed-after-marking"),
        pytest.param(OwnEntry("202", ListName.ALLOW, NOW + 9, False), "callee-blocklist", id="by-another"),
    ],
)
def test_later_of_a_mark_and_a_personal_entry_counts(entry: OwnEntry, decision: str) -> None:
    events = (mark_line("spam", NOW), inbound("c0", NOW + 60, callee="201"))
    assert decided(replayed(*events, background=Background(personal=(entry,)))[0]["c0"])[1] == decision


def test_not_spam_removes_a_marks_block_but_no_personal_entry() -> None:
    events = (mark_line("ok", NOW), inbound("c0", NOW + 60, callee="201"))
    for by_mark, rule in ((True, "default"), (False, "callee-blocklist")):
        entry = OwnEntry("201", ListName.BLOCK, NOW - 9, by_mark)
        assert decided(replayed(*events, background=Background(personal=(entry,)))[0]["c0"])[1] == rule


def test_a_contact_cannot_be_marked() -> None:
    _, replay = replayed(mark_line("spam", NOW), background=Background(contacts=("202",)))
    assert replay.marks.refused == {CONTACT: 1}


# A replay and the store learn the same.


def random_history(seed: int) -> list[dict[str, Any]]:
    """Calls and marks of few numbers and people, far enough apart that each is over before the next begins."""
    chance = random.Random(seed)
    numbers = [f"+120174218{n:02}" for n in range(6)]
    events: list[dict[str, Any]] = []
    for n in range(150):
        at = NOW + 3 * HOUR * n + chance.random() * HOUR
        number, who = chance.choice(numbers), chance.choice(["201", "202", "301"])
        kind = chance.random()
        if kind < 0.2:
            verdict, call = chance.choice(["spam", "spam", "ok"]), chance.choice([None, f"c{n - 1}"])
            events.append(mark_line(verdict, at, who, number, call=call))
        elif kind < 0.35:
            events.append(outbound(f"o{n}", at, who, callee=number, talk_seconds=chance.choice([5.0, 40.0])))
        else:
            is_answered = chance.random() < 0.6
            about: dict[str, Any] = {"caller": number, "callee": who, "attestation": chance.choice(["A", "B", None])}
            about |= {"ring_seconds": chance.choice([3.0, 20.0]), "ended_by": chance.choice(["caller", "callee", None])}
            talk = chance.choice([3.0, 40.0, 90.0]) if is_answered else 0.0
            about |= {"voicemail": not is_answered and chance.random() < 0.2, "shown": chance.choice([None, "warn"])}
            events.append(inbound(f"c{n}", at, answered=is_answered, talk_seconds=talk, **about))
    return events


def decisions_about(outcome: OutcomeRecord) -> list[DecisionRecord]:
    """What the journal says of the call: what it was shown, and its class."""
    if outcome.direction is not Direction.INBOUND:
        return []
    shown = outcome.action or "allow"
    mark_line = make_record(outcome.linkedid, at=outcome.at, linkedid=outcome.linkedid, action=shown, would_be=shown)
    return [mark_line._replace(caller=outcome.caller, auth_class=outcome.auth_class)]


def store(db: sqlite3.Connection, events: Iterable[Event]) -> None:
    """What the daemon would have written of them."""
    replace_settings_people(db, OURS.people.values())
    for event in events:
        if isinstance(event, Mark):
            mark(
                db,
                MarkStatement(
                    number=event.number,
                    linkedid=event.linkedid,
                    reporter=event.reporter,
                    verdict=event.verdict,
                    at=event.at,
                    channel=event.channel,
                ),
            )
        else:
            record_decisions(db, decisions_about(event.outcome))
            record_outcome(db, event.outcome, event.outcome.ended_at + 120.0)


@pytest.mark.parametrize("seed", range(8))
def test_replay_has_the_same_evidence_as_the_store(tmp_path: Path, seed: int) -> None:
    """All numbers are of one block, so their neighbours count too."""
    events = events_in(lines(*random_history(seed)))
    replay = Replay([], SettingsFacts(OURS.people, {}, frozenset(), DEFAULT))
    for event in events:
        assert replay.problem(event) == ""
        replay.take(event)
    now = NOW + 30 * DAY
    replay.take(events_in(lines(inbound("last", now)))[0])
    numbers = {event.number if isinstance(event, Mark) else event.outcome.number for event in events}
    with open_store(tmp_path / "callsieve.db") as db:
        with transaction(db):
            store(db, events)
        for number in sorted(filter(None, numbers)):
            for auth_class in AuthClass:
                stored = facts_of(db, FactsQuery(stored_number(number), auth_class, None, now))
                evidence = replay.ledger.evidence(number, auth_class, now)
                found = reputation_of(evidence, Circumstances(auth_class), DEFAULT, now)
                assert found.log_odds == pytest.approx(stored.reputation.log_odds, abs=1e-6)
                assert found.level == stored.reputation.level
                counts = [family.counts for family in found.families]
                assert counts == [family.counts for family in stored.reputation.families]
                talks = {(tie.person, tie.at) for tie in stored.ties if tie.tie is Tie.TALKED}
                assert set(replay.ledger.talks(number, now)) == talks
                blocks = {tie.person for tie in stored.ties if tie.tie is Tie.BLOCK}
                assert set(replay.marks.blocks(number)) == blocks


def test_replay_is_deterministic() -> None:
    raw = lines(*random_history(1))

    def run() -> list[dict[str, Any]]:
        replay = Replay([load_policy("strict")], OURS)
        return [line_of(judged) for _, judged in judgements(events_in(raw), replay, HistoryReader()) if judged]

    assert run() == run()


@pytest.mark.parametrize("cut", range(0, 150, 15))
def test_later_events_change_no_decision(cut: int) -> None:
    history = random_history(2)
    whole, part = replayed(*history)[0], replayed(*history[:cut])[0]
    assert {call: line_of(judged) for call, judged in part.items()} == {call: line_of(whole[call]) for call in part}


def test_policy_does_not_change_the_evidence() -> None:
    history = random_history(3)
    log_odds = [
        [judged.decisions[0].reputation.log_odds for judged in replayed(*history, policy=policy)[0].values()]
        for policy in ("observe", "strict")
    ]
    assert log_odds[0] == log_odds[1]


# Files of strangers.

GOOD = inbound("good", NOW + 1)
LIBRARY = ""  # what is wrong is said in words of msgspec or of Python
HOSTILE = [
    pytest.param(b"not json\n", LIBRARY, id="no-json"),
    pytest.param(b"[]\n", LIBRARY, id="a-list"),
    pytest.param(b'{"at": 1, "type": "inbound"}\n', LIBRARY, id="no-call"),
    pytest.param(b'{"at": 1, "type": "fax", "call": "x"}\n', LIBRARY, id="no-such-type"),
    pytest.param(lines(inbound("x", 1e300)), LIBRARY, id="huge-time"),
    pytest.param(lines(inbound("x")).replace(b"1767258007.0", b"1e999"), LIBRARY, id="infinite-time"),
    pytest.param(lines(inbound("x")).replace(b"1767258007.0", b"9" * 5000), LIBRARY, id="endless-time"),
    pytest.param(lines(inbound("x")).replace(b"1767258007.0", b"NaN"), LIBRARY, id="no-number"),
    pytest.param(lines(inbound("x", -1.0)), LIBRARY, id="before-1970"),
    pytest.param(lines(answered("x", talk_seconds=1e12)), LIBRARY, id="a-call-of-ages"),
    pytest.param(lines(inbound("x" * 200)), LIBRARY, id="long-id"),
    pytest.param(lines(inbound("")), LIBRARY, id="no-id"),
    pytest.param(lines(inbound("x\0")), "call has unprintable characters", id="nul"),
    pytest.param(lines(inbound("x", trunk="\x1b[2J")), "trunk has unprintable characters", id="escape"),
    pytest.param(lines(inbound("x", callee="\u202e102")), "callee has unprintable characters", id="bidi"),
    pytest.param(b'{"at": 1, "call": "\xff"}\n', LIBRARY, id="not-utf-8"),
    pytest.param(b'{"at": 1, "type": "inbound", "call": "\xff"}\n', LIBRARY, id="not-utf-8-id"),
    pytest.param(b"\0" * 100 + b"\n", LIBRARY, id="nuls"),
    pytest.param(b"x" * (3 * LINE_BYTES) + b"\n", "is longer than 64 kB", id="long-line"),
    pytest.param(b'{"at": 1, "x": ' + b"[" * 60_000 + b"\n", LIBRARY, id="deep"),
    pytest.param(lines(mark_line("spam", NOW, number="201")), "the mark has no valid telephone number", id="extension"),
]


@pytest.mark.parametrize(("raw", "problem"), HOSTILE)
def test_only_the_bad_line_is_skipped(raw: bytes, problem: str) -> None:
    reading = HistoryReader()
    found = events_in(b"\n" + raw + lines(GOOD), reading)
    assert [event.outcome.linkedid for event in found if not isinstance(event, Mark)] == ["good"]
    assert (reading.read, reading.skipped) == (2, 1)
    [(line, text, _)] = reading.problems
    assert line == 2
    assert problem in str(text)


def test_endless_line_is_not_kept_in_memory() -> None:
    class Endless(io.RawIOBase):
        """512 MB without a newline."""

        left = 512 << 20

        def readable(self) -> bool:
            return True

        def readline(self, size: int | None = -1, /) -> bytes:
            size = min(size or 0, self.left)
            self.left -= size
            return b"x" * size

    reading = HistoryReader()
    assert list(events_of(Endless(), reading, SITE)) == []  # type: ignore[arg-type]
    assert (reading.skipped, reading.bytes_read) == (1, 512 << 20)


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        pytest.param((inbound("c0", NOW), inbound("c1", NOW - 1)), BACKWARDS, id="time-goes-backwards"),
        pytest.param((inbound("c0", NOW), mark_line("spam", NOW - 1)), BACKWARDS, id="a-mark-from-before"),
        pytest.param((inbound("c0"), inbound("c0")), TWICE, id="twice"),
        pytest.param((outbound("c0"), inbound("c0")), TWICE, id="twice-in-both-directions"),
    ],
)
def test_events_out_of_order_are_refused(events: tuple[dict[str, Any], ...], problem: str) -> None:
    reading = HistoryReader()
    replay = Replay([load_policy("strict")], OURS)
    found = list(judgements(events_of(io.BytesIO(lines(*events)), reading, SITE), replay, reading))
    assert len(found) == 1
    assert reading.problems == [RowProblem(2, problem)]


# The report.


def report_of(
    *events: dict[str, Any], policies: tuple[str | Policy, ...] = ("strict",), known: KnownCallers | None = None
) -> dict[str, Any]:
    loaded = [load_policy(policy) if isinstance(policy, str) else policy for policy in policies]
    replay, tally, reading = Replay(loaded, OURS), ActionCounts(), HistoryReader()
    for event, judged in judgements(events_in(lines(*events), reading), replay, reading):
        tally.add(event, judged, replay)
    names = [policy.name for policy in loaded]
    report = tally.report("h", names, replay, reading, lambda _: known or KnownCallers(), (), 1.0)
    return dict(plain(report))


BLOCKED = [mark_line("spam", NOW), inbound("c0", NOW + 60, callee="201")]


@pytest.mark.parametrize(
    ("after", "known", "why"),
    [
        pytest.param([], None, None, id="nothing-speaks-for-it"),
        pytest.param(
            [outbound("o0", NOW + HOUR, "202")],
            None,
            "one of our people called the number back later and talked",
            id="called-back",
        ),
        pytest.param([outbound("o0", NOW + HOUR, talk_seconds=29.0)], None, None, id="talked-too-short"),
        pytest.param([], KnownCallers(is_contact=True), "the number is a contact of somebody here", id="contact"),
        pytest.param(
            [], KnownCallers(identity=Identity(CALLER, "Acme", 2, NOW)), "the number is verified as Acme", id="verified"
        ),
        pytest.param([], KnownCallers(identity=Identity(CALLER, "Acme", 1, NOW)), None, id="hardly-verified"),
        pytest.param(
            [answered(f"t{n}", NOW + HOUR + n, who, talk_seconds=61.0) for n, who in enumerate(("202", "301"))],
            None,
            "2 of our people talked with the caller for more than a minute",
            id="talked-long-with-two",
        ),
        pytest.param(
            [answered(f"t{n}", NOW + HOUR + n, "202", talk_seconds=61.0) for n in range(2)], None, None, id="with-one"
        ),
        pytest.param(
            [inbound("r", NOW + 90, ring_seconds=2.0, ended_by="caller"), outbound("o0", NOW + HOUR, "202")],
            None,
            None,
            id="a-one-ring-call-wants-that",
        ),
    ],
)
def test_probable_mistakes(after: list[dict[str, Any]], known: KnownCallers | None, why: str | None) -> None:
    report = report_of(*BLOCKED, *after, known=known)
    assert report["stopped"] == 1
    numbers = report["probable_mistakes"]["numbers"]
    assert [(m["number"], m["calls"], m["why"]) for m in numbers] == ([(CALLER, 1, [why])] if why else [])


def test_call_back_does_not_excuse_later_calls() -> None:
    report = report_of(*BLOCKED, outbound("o0", NOW + HOUR, "202"), inbound("c1", NOW + 2 * HOUR, callee="201"))
    assert (report["stopped"], report["probable_mistakes"]["calls"]) == (2, 1)


def test_report_lists_differences_from_another_policy() -> None:
    anonymous = inbound("c1", NOW + 61, caller="anonymous")
    report = report_of(*BLOCKED, anonymous, policies=("cautious", "observe"))
    assert {change["from"] for change in report["changes"]["by"]} == {"allow"}  # observe lets every call ring
    assert report["changes"]["total"] == report_of(*BLOCKED, anonymous, policies=("cautious",))["stopped"] + 1 == 2
    assert report_of(*BLOCKED, anonymous, policies=("observe", "cautious"))["changes"]["total"] == 0  # as balanced
    marks = [mark_line("spam", NOW + n, who) for n, who in enumerate(("201", "202", "301"))]
    calls = [answered(f"c{n}", NOW + 60 + n, f"40{n}") for n in range(5)]
    history = *marks, *calls, inbound("last", NOW + HOUR)
    assert report_of(*history, policies=("strict", "cautious"))["changes"]["total"] == 0  # people alone never convict
    report = report_of(*history, policies=(make_policy(PUSHY), "cautious"))
    assert report["changes"]["by"] == [{"from": "challenge", "to": "reject", "calls": 1}]
    [first] = report["changes"]["first"]
    assert (first["call"], first["from"], first["to"], first["rule"]) == ("last", "challenge", "reject", "pushed")


def test_report_notes_calls_whose_course_would_have_changed() -> None:
    history = [
        inbound("shown", NOW, shown="challenge"),
        inbound("warned", NOW + 600),
        inbound("after", NOW + HOUR),
        inbound("later", NOW + 2 * HOUR, shown="challenge"),
        inbound("another", NOW + 3 * HOUR, caller=OTHER),
        inbound("withheld", NOW + 4 * HOUR, caller="anonymous"),
    ]
    report = report_of(*history, policies=(policy_ordering("challenge"),))
    assert report["actions"]["challenge"] == 6
    assert report["assumes"]["code"] == "nothing-changed"
    assert set(report["assumes"]["figures"]) <= report.keys()
    assert {action: n for action, n in report["assumes"]["calls"].items() if n} == {"challenge": 2}
    as_it_was = report_of(*history[1:3], policies=(policy_ordering("allow"),))
    assert sum(as_it_was["assumes"]["calls"].values()) == 0


SALTED = replace(OURS, sample_salt=b"of this site")


@pytest.mark.parametrize(
    ("ours", "action", "labelled", "is_sampled"),
    [
        pytest.param(SALTED, "warn", 40, True, id="drawn"),
        pytest.param(OURS, "warn", 40, False, id="not-the-salt-of-this-site"),
        pytest.param(SALTED, "allow", 40, False, id="never-to-be-warned-of"),
        pytest.param(SALTED, "warn", 0, False, id="all-shown"),
    ],
)
def test_control_sample_of_a_history(ours: SettingsFacts, action: str, labelled: int, is_sampled: bool) -> None:
    replay, tally = Replay([policy_ordering(action)], ours), ActionCounts()
    shown = [None] * 80 if labelled else ["warn"] * 80
    calls = [inbound(f"c{n}", NOW + n, shown=word) for n, word in enumerate(shown)]
    calls += [inbound(f"w{n}", NOW + 100 + n, shown="warn") for n in range(labelled)]
    for event, judged in judgements(events_in(lines(*calls)), replay, HistoryReader()):
        tally.add(event, judged, replay)
    drawn = sum(is_drawn(replay_sample(ours), f"c{n}") for n in range(80))
    assert 10 < drawn < 32
    assert tally.label_effect.unlabelled.calls == (drawn if is_sampled else 0)
    assert tally.label_effect.labelled.calls == (labelled or 80)


def replay_sample(ours: SettingsFacts) -> ControlSample:
    return ControlSample(ours.sample_salt, ours.weights.sample.every)


@pytest.mark.parametrize(("days", "periods", "weekly"), [(1, 1, False), (60, 60, False), (61, 10, True)])
def test_long_histories_are_shown_by_weeks(days: int, periods: int, weekly: bool) -> None:
    from collections import Counter

    found, is_weekly = periods_of({739_617: Counter(allow=1), 739_617 + days - 1: Counter(tag=1)})
    assert (len(found), is_weekly) == (periods, weekly)
    assert sum(sum(period.actions.values()) for period in found) == (1 if days == 1 else 2)


def test_outcomes_keep_the_warning_shown_in_the_history() -> None:
    """Of a call that was shown a warning the history says so; what this replay would show does not count."""
    [event] = events_in(lines(answered("c0", shown="warn")))
    assert not isinstance(event, Mark)
    assert isinstance(event.outcome, OutcomeRecord)
    assert event.outcome.action == "warn"
