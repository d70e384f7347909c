"""Rows of other sites: each site is one witness, whatever it sends, and can be ignored and resumed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.evidence import Circumstances, Evidence
from reputation.families.block import is_bad
from reputation.fold import standing_of
from reputation.model import (
    Answered,
    AuthClass,
    Challenged,
    ChallengeResult,
    EndedBy,
    Imported,
    Level,
    Mark,
    MarkChannel,
    Reputation,
    SignalCategory,
    Tie,
    Verdict,
)
from reputation.outcome import Signal
from reputation.scoring import reputation_of
from reputation.site_names import is_ours, name_at_site, of_site, own_name, site_of
from reputation.standing import Rows
from reputation.store.evidence import ADD_ANSWERED, ADD_SIGNAL, settle_challenge
from reputation.store.facts import facts_of, standing
from reputation.store.imports import Feed, import_numbers
from reputation.store.marks import Tombstone, add_mark, add_tombstone
from reputation.store.other_sites import (
    Ignored,
    all_same,
    declare_same,
    figures_of,
    figures_of_sites,
    ignore_site,
    names_of,
    numbers_of_site,
    resume_site,
    set_names,
    sites_of,
)
from reputation.store.outcomes import record_outcome
from reputation.store.reports import numbers_in_question
from reputation.store.site import count_people
from reputation.store.sources import compared_with_feeds
from reputation.store.standing import Settled, refresh_all, settle_case, settled_of, unsettle_case
from reputation.weights import DAY_SECONDS, DEFAULT, Weights, WitnessWeights
from tests.reputation.histories import NUMBERS, apply, assert_fresh, empty_store, histories, known, standings
from tests.reputation.store_builders import CALLER, DID, NOW, make_outcome, make_query

UNKNOWN = AuthClass.UNKNOWN
HOUR = 3600.0
LATER = NOW + 4 * DAY_SECONDS
SITES = ["berlin", "paris", "rome"]

# Names. -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "site"),
    [
        ("201", ""),
        ("PJSIP/201", ""),
        ("IAX2/host:4569", ""),
        (DID, ""),
        ("Sales:uk", ""),
        (":201", ""),
        ("a" * 33 + ":201", ""),
        ("", ""),
        ("berlin:201", "berlin"),
        ("b-2:PJSIP/201", "b-2"),
        ("a" * 32 + ":201", "a" * 32),
        ("berlin:paris:201", "berlin"),
    ],
)
def test_a_name_shows_its_site(name: str, site: str) -> None:
    assert site_of(name) == site
    with closing(sqlite3.connect(":memory:")) as db:
        assert db.execute(f"SELECT {is_ours('name')} FROM (SELECT ? AS name)", (name,)).fetchone() == (site == "",)


@given(st.text("ab:/-A9", max_size=12))
def test_sql_and_python_agree_on_the_site_of_a_name(name: str) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        assert db.execute(f"SELECT {is_ours('name')} FROM (SELECT ? AS name)", (name,)).fetchone() == (
            site_of(name) == "",
        )
    assert site_of(own_name(name)) == ""
    assert name_at_site(of_site("berlin", own_name(name))) == own_name(name)


def test_a_name_round_trips_with_its_site() -> None:
    assert name_at_site(of_site("berlin", "PJSIP/201")) == "PJSIP/201"
    assert of_site("berlin", "") == ""
    assert (own_name("sales:uk"), own_name("IAX2/host:4569")) == (":sales:uk", "IAX2/host:4569")
    with pytest.raises(ValueError, match="Berlin"):
        of_site("Berlin", "201")


def test_an_own_queue_with_a_colon_belongs_to_no_other_site() -> None:
    assert site_of(make_outcome("q", NOW, did=None, queue="sales:uk").witness or "") == ""


def mark(reporter: str, at: float = NOW, verdict: Verdict = Verdict.SPAM, number: str = CALLER) -> Mark:
    return Mark(number, UNKNOWN, reporter, verdict, at, MarkChannel.EXTENSION)


# What a whole site can do. ------------------------------------------------------------------------------------


def people_of(site: str, most: int = 12) -> st.SearchStrategy[str]:
    return st.integers(201, 200 + most).map(lambda n: of_site(site, str(n)))


def times(days: int = 90) -> st.SearchStrategy[float]:
    return st.integers(0, days * 24).map(lambda hours: NOW - HOUR * hours)


@st.composite
def lies(draw: st.DrawFn, site: str, most: int = 40) -> Rows:
    """Whatever a site may send about a number: any people, DIDs, calls and challenges, however old."""
    who = people_of(site) | st.just(of_site(site, DID))
    marks = draw(
        st.lists(st.tuples(who, st.sampled_from(Verdict), times(), st.sampled_from(MarkChannel)), max_size=most)
    )
    signals = draw(st.lists(st.tuples(who, st.sampled_from(SignalCategory), times()), max_size=most))
    answered = draw(st.lists(st.tuples(who, times()), max_size=most))
    asked = draw(st.lists(st.tuples(st.sampled_from(ChallengeResult), times()), max_size=6))
    marked = {mark_[0]: Mark(CALLER, UNKNOWN, *mark_, group="g") for mark_ in marks}
    shown = {
        item[:2]: Signal(CALLER, UNKNOWN, *item, of_site(site, f"s{n}"))
        for n, item in enumerate(signals)
        if item[1] is not SignalCategory.NOT_SPAM
    }
    said = [Answered(CALLER, UNKNOWN, name, at) for name, at in dict(answered).items()]
    return Rows(
        list(marked.values()),
        list(shown.values()),
        said,
        [challenge_of_site(site, n, *item) for n, item in enumerate(asked)],
    )


def challenge_of_site(site: str, n: int, result: ChallengeResult, at: float) -> Challenged:
    """Make a challenge that another site claims."""
    return Challenged(CALLER, UNKNOWN, of_site(site, DID), result, at, of_site(site, f"c{n}"))


def site_evidence(site: str, people: int, at: float = NOW) -> Rows:
    """All evidence of a site: every second person marks, the others hang up, and the number fails challenges."""
    names = [of_site(site, f"{200 + n}") for n in range(people)]
    return Rows(
        [mark(item, at - 2 * HOUR * n) for n, item in enumerate(names[::2])],
        [Signal(CALLER, UNKNOWN, name, SignalCategory.HUNG_UP_ON, at, f"{name}h") for name in names[1::2]],
        (),
        [challenge_of_site(site, n, ChallengeResult.SILENT, at - DAY_SECONDS * n) for n in (0, 1)],
    )


def own_evidence(k: int) -> Rows:
    """Evidence of k own people: half of them mark, the others hang up, and the number fails challenges."""
    marks = [mark(f"{200 + n}", NOW - 2 * HOUR * n) for n in range(k // 2)]
    signals = [Signal(CALLER, UNKNOWN, f"{200 + n}", SignalCategory.HUNG_UP_ON, NOW, f"h{n}") for n in range(k // 2, k)]
    failed = [Challenged(CALLER, UNKNOWN, DID, ChallengeResult.SILENT, NOW - DAY_SECONDS * n, f"c{n}") for n in (0, 1)]
    return Rows(marks, signals, (), failed if k else ())  # fmt: skip


def combine(*parts: Rows) -> Rows:
    return Rows(
        [mark for part in parts for mark in part.marks],
        [signal for part in parts for signal in part.signals],
        [item for part in parts for item in part.answered],
        [challenge for part in parts for challenge in part.challenges],
    )


def reputation(rows: Rows, people: int = 200, weights: Weights = DEFAULT, **evidence: Any) -> Reputation:
    found = Evidence(standing=standing_of(rows, UNKNOWN, weights))._replace(**evidence)
    return reputation_of(found, Circumstances(people=people), weights, NOW)


@given(lies("berlin"), st.integers(0, 2000))
def test_one_site_alone_leads_to_no_level(rows: Rows, people: int) -> None:
    """Not even to a tag, which needs sources, and however small the office is."""
    assert reputation(rows, people).level is Level.NONE
    assert not is_bad(standing_of(rows, UNKNOWN, DEFAULT), DEFAULT, NOW), "nor does it make a neighbour bad"


@pytest.mark.parametrize("people", [1, 5, 50, 500])
@pytest.mark.parametrize("office", [3, 20, 80, 200, 1000])
def test_one_site_of_invented_people_leads_to_no_level(people: int, office: int) -> None:
    assert reputation(site_evidence("berlin", people), office).level is Level.NONE


@pytest.mark.parametrize(("sites", "office", "level"), [
    (1, 20, Level.NONE), (2, 20, Level.WARN), (3, 20, Level.WARN), (4, 200, Level.NONE), (5, 200, Level.WARN),
    (40, 20, Level.WARN), (40, 200, Level.WARN),
])  # fmt: skip
def test_several_lying_sites_warn_at_most(sites: int, office: int, level: Level) -> None:
    """Because marks are one family."""
    assert reputation(combine(*[site_evidence(f"s{n}", 500) for n in range(sites)]), office).level is level


@given(st.lists(st.integers(0, 7), min_size=1, max_size=20).flatmap(
    lambda sites: st.tuples(*[lies(f"s{site}", 6) for site in sorted(set(sites))])
))  # fmt: skip
def test_lying_sites_never_lead_beyond_a_challenge(parts: tuple[Rows, ...]) -> None:
    level = reputation(combine(*parts), 20).level
    assert level <= Level.CHALLENGE
    assert len(parts) >= 2 or level is Level.NONE


@given(st.integers(0, 40), lies("berlin"), st.sampled_from([5, 20, 80, 200]), st.booleans())
def test_a_lying_site_counts_no_more_than_two_people(k: int, rows: Rows, office: int, listed: bool) -> None:
    """And as one witness."""
    feeds = (Imported("a", "spam"),) if listed else ()
    with_site = reputation(combine(own_evidence(k), rows), office, imported=feeds)
    with_two = reputation(own_evidence(k + 2), office, imported=feeds)
    assert with_site.level <= with_two.level
    seen = 0 if with_site.witnesses is None else with_site.witnesses.seen
    assert seen <= min(k + 1, 16)


@given(st.integers(0, 12), lies("berlin"))
def test_a_site_alone_never_rejects_a_caller_not_challenged_here(k: int, rows: Rows) -> None:
    """Even if a feed lists the caller: a challenge that the site claims does not count."""
    unasked = own_evidence(k)._replace(challenges=())
    feeds = tuple(Imported(name, "spam") for name in ("a", "b"))
    assert reputation(combine(unasked, rows), imported=feeds).level <= Level.CHALLENGE


@given(st.integers(0, 12), lies("berlin"))
def test_a_site_speaks_for_a_number_like_one_person(k: int, rows: Rows) -> None:
    """Its answers count only against its own marks, and it passes no challenge for a caller."""
    said, alone = (
        standing_of(combine(own_evidence(k), rows), UNKNOWN, DEFAULT),
        standing_of(own_evidence(k), UNKNOWN, DEFAULT),
    )
    if said is None:
        assert alone is None
        return
    assert not said.challenges.passes
    own = (0.0, 0.0, 0.0) if alone is None else (alone.marks, alone.answers, alone.wanted)
    assert said.at <= NOW
    assert said.marks - said.answers == pytest.approx(own[0] - own[1]) or alone is None or alone.at != said.at
    assert said.wanted <= own[2] + 1.0 + 1e-9 or (alone is not None and alone.at != said.at)


def test_answers_at_a_site_weigh_only_against_its_own_marks() -> None:
    """One of forty people at Berlin marks a caller that serves everybody."""
    one = Rows(
        [Mark(CALLER, UNKNOWN, "berlin:201", Verdict.SPAM, NOW, MarkChannel.EXTENSION)],
        (),
        [Answered(CALLER, UNKNOWN, f"berlin:{201 + n}", NOW) for n in range(40)],
    )
    found = standing_of(combine(own_evidence(2), one), UNKNOWN, DEFAULT)
    assert found == standing_of(own_evidence(2), UNKNOWN, DEFAULT)
    few = one._replace(answered=one.answered[:3])
    shared = standing_of(combine(own_evidence(2), few), UNKNOWN, DEFAULT)
    assert shared is not None
    assert shared.marks == pytest.approx(1.237, abs=0.01)
    assert (shared.reporters, shared.answered, shared.silent) == (2, 0, 0)


def test_a_burst_of_another_site_needs_no_review() -> None:
    burst = [Mark(CALLER, UNKNOWN, f"berlin:{n}", Verdict.SPAM, NOW, MarkChannel.EXTENSION) for n in range(5)]
    assert standing_of(Rows(burst), UNKNOWN, DEFAULT) is None
    mine = standing_of(combine(own_evidence(2), Rows(burst)), UNKNOWN, DEFAULT)
    assert mine == standing_of(own_evidence(2), UNKNOWN, DEFAULT)


def test_the_weight_of_a_site_is_a_setting() -> None:
    for worth, level in ((0, Level.NONE), (1, Level.NONE), (3, Level.WARN)):
        weights = Weights(witnesses=WitnessWeights(of_a_site=worth))
        assert reputation(site_evidence("berlin", 50), 20, weights).level is level
    assert standing_of(site_evidence("berlin", 50), UNKNOWN, Weights(witnesses=WitnessWeights(of_a_site=0))) is None


# In the store. ------------------------------------------------------------------------------------------------


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(empty_store()) as db:
        yield db


def receive(db: sqlite3.Connection, rows: Rows) -> None:
    """Apply rows of other sites. The latest row of a key stays."""
    for mark in rows.marks:
        add_mark(db, mark)
    for signal in rows.signals:
        about = {"number": signal.number, "auth_class": signal.auth_class.value, "epoch": 0, "callee": signal.callee}
        db.execute(
            ADD_SIGNAL, about | {"category": signal.category.value, "at": signal.at, "linkedid": signal.linkedid}
        )
    for row_ in rows.answered:
        about = {"number": row_.number, "auth_class": row_.auth_class.value, "epoch": 0, "callee": row_.callee}
        db.execute(ADD_ANSWERED, about | {"at": row_.at})
    for challenged in rows.challenges:
        settle_challenge(db, challenged)
    refresh_all(db, [row.number for group in rows for row in group])


@given(histories, lies("berlin", 8), lies("rome", 8), st.randoms(use_true_random=False))
def test_ignoring_and_resuming_a_site_restores_the_standing(
    found: list[Any], berlin: Rows, rome: Rows, random: Any
) -> None:
    """Ignored, the site counts as if it had never sent a row."""
    without = [item for item in found if not (isinstance(item, Mark) and site_of(item.reporter) == "berlin")]
    with closing(empty_store()) as db, closing(empty_store()) as other:
        steps: list[Any] = [*[[item] for item in found], berlin, rome, berlin]
        random.shuffle(steps)
        for step in steps:
            receive(db, step) if isinstance(step, Rows) else apply(db, step)
        apply(other, without)
        receive(other, rome)
        before = standings(db)
        assert ignore_site(db, Ignored("berlin", NOW, "admin", "lies")) == len(numbers_of_site(db, "berlin"))
        assert standings(db) == standings(other)
        receive(db, berlin)
        assert standings(db) == standings(other), "what comes later does not count either"
        assert_fresh(db)
        resumed = resume_site(db, "berlin")
        assert resumed is not None
        assert resumed.reason == "lies"
        assert standings(db) == before
        assert_fresh(db)


def test_people_of_other_sites_are_no_ties(db: sqlite3.Connection) -> None:
    people = count_people(db)
    receive(
        db, Rows([mark("berlin:201", verdict=Verdict.OK)], [], [Answered(CALLER, UNKNOWN, "berlin:PJSIP/201", NOW)])
    )
    db.execute("INSERT INTO talk (number, person, at) VALUES (?, 'berlin:201', ?)", (CALLER, NOW))
    db.execute(
        "INSERT INTO reached (person, at, linkedid, number) VALUES ('berlin:PJSIP/201', ?, 'berlin:c', ?)",
        (NOW, CALLER),
    )
    facts = facts_of(db, make_query(CALLER, now=NOW + 1))
    assert facts.ties == ()
    assert count_people(db) == people
    add_mark(db, mark("202", verdict=Verdict.OK))
    assert [tie.tie for tie in facts_of(db, make_query(CALLER, now=NOW + 1)).ties] == [Tie.NOT_SPAM]


def test_marks_of_other_sites_judge_no_feed(db: sqlite3.Connection) -> None:
    bad, good = NUMBERS[:2]
    import_numbers(db, "feed", "spam", [(bad, None, None, None), (good, None, None, None)], feed=Feed("numbers"))

    def judged() -> tuple[int, ...]:
        found = compared_with_feeds(db, 0.0)
        return tuple(found["feed"]) if "feed" in found else ()

    receive(db, Rows([mark("berlin:201", number=bad), mark("berlin:201", verdict=Verdict.OK, number=good)]))
    assert (judged(), numbers_in_question(db, "service", 0.0)) == ((), [])
    add_mark(db, mark("201", number=bad))
    assert numbers_in_question(db, "service", 0.0) == [bad]
    alone = judged()
    assert alone != ()
    receive(db, Rows([mark("berlin:202", verdict=Verdict.OK, number=bad)]))
    assert judged() == alone


def test_a_site_cannot_suppress_a_signal_of_an_own_call(db: sqlite3.Connection) -> None:
    """Keys of calls are kept per site."""
    hung_up = make_outcome("c1", NOW, by="201", talk=3.0, ended_by=EndedBy.CALLEE, source="cdr")
    receive(
        db, Rows((), [Signal(CALLER, UNKNOWN, "berlin:201", SignalCategory.VOICEMAIL, NOW, of_site("berlin", "c1"))])
    )
    assert record_outcome(db, hung_up, LATER).signal is not None
    found = standing(db, CALLER, UNKNOWN)
    assert found is not None
    assert dict(found.signals)[SignalCategory.HUNG_UP_ON] == 1


def test_trust_is_shared_by_all_people_of_a_site(db: sqlite3.Connection) -> None:
    """A new name at a site that was wrong is trusted no more than the others."""
    add_mark(db, mark("201"))
    add_mark(db, mark("berlin:201"))
    before = standing(db, CALLER, UNKNOWN)
    for case in range(20):
        settle_case(db, [f"berlin:{n}" for n in range(300, 320)], f"case{case}", False, NOW)
    add_mark(db, mark("berlin:999", NOW + HOUR))
    after = standing(db, CALLER, UNKNOWN)
    assert before is not None
    assert after is not None
    assert before.marks == pytest.approx(1.7)
    assert after.marks == pytest.approx(1.0 + 0.7 * 8 / 30 / 0.8, abs=0.01)
    assert settled_of(db, "berlin:1") == Settled(0, 20)
    unsettle_case(db, "case0")
    assert settled_of(db, "berlin:1") == Settled(0, 19)
    assert settled_of(db, "201") == Settled(0, 0)
    assert_fresh(db)


def test_a_person_at_two_sites_counts_once(db: sqlite3.Connection) -> None:
    for item in (mark("201"), mark("berlin:305"), mark("paris:7", NOW - 1)):
        add_mark(db, item)

    def witnesses() -> int:
        found = standing(db, CALLER, UNKNOWN)
        assert found is not None
        return len(found.witnessed)

    assert witnesses() == 3
    assert declare_same(db, "berlin:305", "201") == ("201", "berlin:305")
    assert witnesses() == 2
    assert declare_same(db, "paris:7", "berlin:305") == ("201", "berlin:305", "paris:7")
    assert witnesses() == 1
    assert all_same(db) == [("201", "berlin:305", "paris:7")]
    assert_fresh(db)
    set_names(db, ("paris:7",))
    assert names_of(db, "201") == ["201", "berlin:305"]
    assert witnesses() == 2
    set_names(db, ("201",))
    set_names(db, ("berlin:305",))
    assert witnesses() == 3
    assert all_same(db) == []


@given(lies("berlin", 10), st.integers(1, 10))
def test_a_shared_person_gives_a_lying_site_no_extra_weight(rows: Rows, k: int) -> None:
    """Own evidence stands, whatever the other site sends for the same person."""
    with closing(empty_store()) as db:
        receive(db, own_evidence(k)._replace(challenges=()))
        alone = standing(db, CALLER, UNKNOWN)
        for n in range(k):
            declare_same(db, f"{200 + n}", f"berlin:{200 + n}")
        receive(db, rows)
        after = standing(db, CALLER, UNKNOWN)
        assert alone is not None
        assert after is not None
        assert set(alone.witnessed) <= set(after.witnessed)
        assert after.reporters <= alone.reporters + 1
        assert_fresh(db)


def test_a_person_who_answered_here_can_mark_at_another_site(db: sqlite3.Connection) -> None:
    receive(db, Rows([mark("berlin:305")], (), [Answered(CALLER, UNKNOWN, "201", NOW)]))
    declare_same(db, "201", "berlin:305")
    found = standing(db, CALLER, UNKNOWN)
    assert found is not None
    assert (found.reporters, found.answered) == (1, 0)


def test_a_site_has_its_figures(db: sqlite3.Connection) -> None:
    bad, good, unknown = NUMBERS[:3]
    said = [mark("berlin:201", NOW + n, number=number) for n, number in enumerate((bad, good, unknown))]
    taken_back = mark("berlin:202", verdict=Verdict.RETRACTED, number=bad)
    receive(
        db,
        Rows(
            [*said, taken_back],
            [],
            [Answered(bad, UNKNOWN, "berlin:201", NOW), Answered(bad, UNKNOWN, "IAX2/h:1", NOW)],
        ),
    )
    apply(db, [
        make_outcome("h", NOW, caller=bad, by="201", talk=3.0, ended_by=EndedBy.CALLEE, source="cdr"),
        make_outcome("t", NOW, caller=good, by="201", talk=90.0, source="cdr"),
    ])  # fmt: skip
    settle_case(db, ["berlin:201"], "case", False, NOW)
    add_tombstone(db, Tombstone(good, "berlin:201", "case", NOW + DAY_SECONDS))
    ignore_site(db, Ignored("rome", NOW, "admin", "gone"))
    assert sites_of(db) == ["berlin", "rome"]
    berlin, rome = figures_of_sites(db)
    assert berlin == figures_of(db, "berlin")
    assert (berlin.marks, berlin.answered, berlin.people, berlin.numbers) == (3, 1, 2, 3)
    assert (berlin.marked, berlin.agreed, berlin.disagreed, berlin.retracted, berlin.wrong) == (3, 1, 1, 1, 1)
    assert (berlin.settled, berlin.last_at, berlin.ignored) == (Settled(0, 1), NOW + 2, None)
    assert rome.ignored == Ignored("rome", NOW, "admin", "gone")
    assert rome.numbers == 0


@pytest.mark.parametrize("number", NUMBERS[:1])
def test_a_decision_counts_marks_of_other_sites(db: sqlite3.Connection, number: str) -> None:
    """Marks of three other sites and of two own people give a label in an office of 200."""
    db.execute("UPDATE site SET people = 200")
    receive(db, Rows([mark(f"{site}:201", number=number) for site in SITES]))
    assert known(db, number).reputation.level is Level.NONE
    for reporter in ("201", "202"):
        add_mark(db, mark(reporter, number=number))
    assert known(db, number).reputation.level is Level.WARN
    for site in SITES:
        ignore_site(db, Ignored(site, NOW, "admin", ""))
    assert known(db, number).reputation.level is Level.NONE
