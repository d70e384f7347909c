"""Reasons that older versions kept in words get their codes; what an administrator wrote stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from policies.reasons import CODES, PLACES, OutboundReason, PresetReason, Reason, Why, why_of, why_of_rule
from reputation.own.grades import REASON_WORDS, GradeReason
from reputation.store import old_reasons
from reputation.store.migrations import known_migrations, migrate
from reputation.store.old_reasons import code_old_reasons
from reputation.store.transaction import rehearsal, transaction

BEFORE = """
INSERT INTO decision (id, at, linkedid, caller_kind, auth_class, action, would_be, rule, reason, level, log_odds,
                      vector, policy, elapsed_ms)
VALUES (?, 1.0, '', 'number', 'none', 'allow', 'allow', 'x', ?, 'none', 0.0, '{}', 'x', 1.0)
"""
OUTBOUND = """
INSERT INTO outbound_decision (id, at, linkedid, action, would_be, rule, reason, elapsed_ms)
VALUES (?, 1.0, '', 'allow', 'allow', 'x', ?, 1.0)
"""
VALUES = {"entry": "+12015550100-+12015550199", "day": "2026-06-11", "calls": "17", "why": "35 of 753 (4.6%)"}
YOUNGER = {
    *(Reason.CONTROL_SAMPLE, Reason.NOT_SPAM_FOR_CALLEE, Reason.LAW_FORBIDS),
    *(PresetReason.NO_TELEPHONE_NUMBER, PresetReason.TELEMARKETING_RANGE),
    *(OutboundReason.DO_NOT_CALL_BY, OutboundReason.ON_REGISTER, OutboundReason.ON_OLD_REGISTER),
    *(OutboundReason.NO_CONSENT, OutboundReason.BAD_HOURS_BY, OutboundReason.HOLIDAY, OutboundReason.LAW_LIMIT),
    *(OutboundReason.ADVISED_AGAINST, OutboundReason.OLD_REGISTER),
}
OURS = [Why(one, {place: VALUES[place] for place in PLACES[one]}) for one in CODES if one not in YOUNGER]
CAPPED = [
    Why(Reason.ON_BLOCKLIST, {"entry": "+1900*"}, Reason.VERIFIED),
    Why("they sell (LED) lamps", {"reference": "AP9E4100"}, Reason.APPEALED),
    Why(Reason.DEFAULT, {}, Reason.REDIALLED),
]
OTHERS = [
    *("", "blocked", "they sell lamps", "Acme is on the blocklist", "+1900 is on the blocklist."),
    *(
        "they sell lamps (cheap ones)",
        "they sell lamps (timed out)",
        " (the caller is verified)",
        "an appeal is in force: x",
    ),
]


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """A store as it was before reasons had codes."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db, [one for one in known_migrations() if one.version < 23])
        yield db


def reasons(db: sqlite3.Connection, journal: str = "decision") -> list[str]:
    return [reason for (reason,) in db.execute(f"SELECT reason FROM {journal} ORDER BY rowid")]


def test_old_rows_get_their_codes(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_reasons, "ROWS_AT_ONCE", 7)
    whys = OURS + CAPPED
    db.executemany(BEFORE, [(f"D{place}", str(why)) for place, why in enumerate(whys)])
    db.executemany(OUTBOUND, [(f"G{place}", str(why)) for place, why in enumerate(OURS)])
    migrate(db)
    assert reasons(db) == list(map(str, whys)), "nothing waits for them"
    counts = {"decision": len(whys), "outbound_decision": len(OURS)}
    assert code_old_reasons(db, rehearsal) == counts
    assert reasons(db) == list(map(str, whys))
    assert code_old_reasons(db, transaction) == counts
    assert [why_of(kept) for kept in reasons(db)] == whys
    assert [why_of(kept) for kept in reasons(db, "outbound_decision")] == OURS
    assert code_old_reasons(db, transaction) == {}


def test_words_that_were_changed_since_have_their_code(db: sqlite3.Connection) -> None:
    before = "what the network shows is not a telephone number"
    db.execute(BEFORE, ("D1", before))
    migrate(db)
    code_old_reasons(db, transaction)
    assert [why_of(kept) for kept in reasons(db)] == [Why(PresetReason.NO_TELEPHONE_NUMBER)]
    assert why_of_rule(before) == Why(PresetReason.NO_TELEPHONE_NUMBER)


def test_what_others_wrote_stays(db: sqlite3.Connection) -> None:
    db.executemany(BEFORE, [(f"D{place}", text) for place, text in enumerate(OTHERS)])
    migrate(db)
    assert code_old_reasons(db, transaction) == {"decision": 0}
    assert reasons(db) == OTHERS


def test_it_goes_on_where_it_was_cut_off(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_reasons, "ROWS_AT_ONCE", 2)
    db.executemany(BEFORE, [(f"D{place}", str(Why(Reason.DEFAULT))) for place in range(5)])
    migrate(db)

    begun = iter([transaction(db)])  # the second comes to an end before it begins
    with pytest.raises(StopIteration):
        code_old_reasons(db, lambda _db: next(begun))
    words, kept = str(Why(Reason.DEFAULT)), Why(Reason.DEFAULT).kept
    assert reasons(db) == [words, words, words, kept, kept], "the newest first"
    db.execute(BEFORE, ("NEW", "no rule of the policy holds"))  # by a daemon of the old version
    assert code_old_reasons(db, transaction) == {"decision": 3}
    assert reasons(db) == [kept] * 5 + [words]


def test_a_new_store_has_nothing_to_bring_along() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        assert code_old_reasons(db, transaction) == {}


def test_outbound_reasons_with_a_count_have_it() -> None:
    assert " 3 times " in str(Why(OutboundReason.PERSON_DAY, {"calls": "3"}))


WHYS = [
    GradeReason("seen", {"level": "warn", "points": 17}),
    *(
        GradeReason(code, {"part": 1_024, "whole": 4_096})
        for code in ("short", "unanswered", "abandoned", "repeated", "outside", "unwanted")
    ),
    GradeReason("young", {"calls": 1_500, "days": 3}),
    GradeReason("first-day", {"calls": 1_500}),
    GradeReason("burst", {"calls": 1_500, "days": 20}),
    GradeReason("spike", {"calls": 1_500, "times": 5, "usual": 300}),
]


def test_why_a_number_was_at_risk_gets_its_code_and_figures(db: sqlite3.Connection) -> None:
    assert {one.code for one in WHYS} == set(REASON_WORDS) - {"blocked"}, "which is younger than the codes"
    in_words = [Why(OutboundReason.AT_RISK_FOR, {"why": str(one.words)}) for one in WHYS]
    db.executemany(OUTBOUND, [(f"G{place}", str(why)) for place, why in enumerate(in_words)])
    migrate(db, [one for one in known_migrations() if one.version < 24])
    db.executemany(OUTBOUND, [(f"H{place}", why.kept) for place, why in enumerate(in_words)])  # with a code already
    migrate(db)
    assert code_old_reasons(db, transaction) == {"outbound_decision": 2 * len(WHYS)}
    coded = [Why(OutboundReason.AT_RISK_FOR, {"why": one.code, **one.figures}) for one in WHYS]
    assert [why_of(kept) for kept in reasons(db, "outbound_decision")] == coded * 2
    assert list(map(str, coded)) == list(map(str, in_words))
