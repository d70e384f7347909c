"""Other companies: what they say is evidence of their own, and moves nobody beyond a tag."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.evidence import Circumstances, Evidence
from reputation.facts import Facts
from reputation.families.peers import peers_of
from reputation.fold import standing_of
from reputation.model import (
    Attestation,
    AuthClass,
    FirstCall,
    Identity,
    Imported,
    Level,
    PeerWord,
    Verdict,
    Verification,
)
from reputation.plan.rows import Purpose
from reputation.scoring import reputation_of
from reputation.standing import Rows
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from reputation.store.housekeeping import JOBS, run_jobs
from reputation.store.imports import Feed, import_numbers
from reputation.store.lookups import Compared
from reputation.store.marks import add_mark
from reputation.store.peers import (
    PeerNumber,
    TakenIndex,
    WantedPeer,
    change_numbers,
    compared_with_peer,
    drop_unnamed,
    peer_state,
    peer_states,
    record_peer_failure,
    record_taken,
    replace_numbers,
    replace_peers,
    switch_peer_off,
    switch_peer_on,
)
from reputation.store.privacy import erase_number, export_number
from reputation.store.sources import compared_with_feeds
from reputation.weights import DEFAULT
from tests.reputation.store_builders import CALLER, DAY, NOW, make_mark, make_query, read, write
from tests.reputation.test_coalitions import OFFICE, UNKNOWN, everything, rows_of, who

OTHER = "+12017421899"
HOUR = 3600.0

words = st.lists(
    st.builds(PeerWord, st.sampled_from("abcdefgh"), st.floats(0, 1), st.booleans(), st.sampled_from(Level)),
    max_size=12,
).map(tuple)
calls = st.builds(
    Circumstances,
    st.just(UNKNOWN), st.sampled_from(Attestation), st.sampled_from(Verification), st.none() | st.just(3),
    st.booleans(), st.just(200), st.none() | st.sampled_from(Purpose), st.none() | st.just("Scam Likely"),
    st.none() | st.builds(FirstCall, st.integers(0, 5), st.integers(1, 5)),
)  # fmt: skip
others = st.fixed_dictionaries({
    "imported": st.lists(
        st.builds(Imported, st.just("l"), st.sampled_from(["spam", "ok"]), is_feed=st.booleans()), max_size=3
    ).map(tuple),
    "identity": st.none() | st.builds(Identity, st.just(CALLER), st.just("x"), st.integers(1, 2), st.just(NOW + DAY)),
    "listed_neighbours": st.integers(0, 6),
    "bad_neighbours": st.integers(0, 6),
    "appeal": st.none() | st.just("A-1"),
})  # fmt: skip


@given(rows_of(who, most=20), calls, others, words)
def test_peers_move_nobody_beyond_a_tag(
    rows: Rows, call: Circumstances, other: dict[str, object], said: tuple[PeerWord, ...]
) -> None:
    """Whatever else is known: with them the level is what it is without them, or a tag in the place of none."""
    evidence = Evidence(standing=standing_of(rows, UNKNOWN, DEFAULT))._replace(**other)  # type: ignore[arg-type]
    without = reputation_of(evidence, call, DEFAULT, NOW).level
    with_them = reputation_of(evidence._replace(peers=said), call, DEFAULT, NOW).level
    assert with_them in (without, max(without, Level.TAG))


@given(words)
def test_all_of_them_are_bounded(said: tuple[PeerWord, ...]) -> None:
    family = peers_of(said, DEFAULT.peers)
    assert (family.log_odds if family else 0.0) <= DEFAULT.peers.all_spam
    assert family is None or family.log_odds >= 0.0, "a company that clears speaks for nobody, but against its like"


@pytest.mark.parametrize(
    ("said", "level"),
    [
        pytest.param([PeerWord("a")], Level.TAG, id="one"),
        pytest.param([PeerWord("a", 0.5)], Level.NONE, id="one-that-weighs-half"),
        pytest.param([PeerWord("a", 0.5), PeerWord("b", 0.5)], Level.TAG, id="two-halves"),
        pytest.param([PeerWord(one) for one in "abcdefgh"], Level.TAG, id="eight"),
        pytest.param([PeerWord("a"), PeerWord("b", is_cleared=True)], Level.NONE, id="cleared-elsewhere"),
        pytest.param([PeerWord("b", is_cleared=True)], Level.NONE, id="only-cleared"),
    ],
)
def test_what_they_lead_to_alone(said: list[PeerWord], level: Level) -> None:
    assert reputation_of(Evidence(peers=tuple(said)), OFFICE, DEFAULT, NOW).level is level


def test_a_company_that_clears_takes_nothing_from_our_own_people() -> None:
    evidence = Evidence(standing=standing_of(everything(20), UNKNOWN, DEFAULT))
    cleared = evidence._replace(peers=tuple(PeerWord(one, is_cleared=True) for one in "abcdefgh"))
    before, after = (reputation_of(one, OFFICE, DEFAULT, NOW) for one in (evidence, cleared))
    assert (before.level, before.log_odds) == (after.level, after.log_odds)
    assert before.level is Level.CHALLENGE


def test_liars_are_never_the_outside_that_convicts() -> None:
    """Two lying companies beside what is just not enough for a conviction: they are never the outside."""
    evidence = Evidence(standing=standing_of(everything(60), UNKNOWN, DEFAULT), peers=(PeerWord("a"), PeerWord("b")))
    assert reputation_of(evidence, OFFICE, DEFAULT, NOW).level is Level.CHALLENGE
    listed = evidence._replace(imported=(Imported("feed", "spam"),))
    assert reputation_of(listed, OFFICE, DEFAULT, NOW).level is Level.REJECT


# In the store. ------------------------------------------------------------------------------------------------

ROW = PeerNumber(CALLER, "unknown", Level.WARN, 5, 10, 2948, 2960, "scam")
WANTED = WantedPeer("key", 1.0, DAY)
INDEX = TakenIndex("key", "Example Ltd", 7, "d1", NOW, NOW + 7 * DAY)


def known(path: Path, at: float = NOW, number: str = CALLER, auth_class: AuthClass = UNKNOWN) -> Facts:
    return read(path, facts_of, make_query(number=number, auth_class=auth_class, now=at), DEFAULT)


def take(
    path: Path, *rows: PeerNumber, cleared: tuple[PeerNumber, ...] = (), name: str = "partner", at: float = NOW - HOUR
) -> int:
    with open_store(path) as db:
        peer = peer_state(db, name)
        assert peer is not None
        written = replace_numbers(db, peer.id, rows, at) + replace_numbers(db, peer.id, cleared, at, cleared=True)
    index = INDEX._replace(numbers=len(rows), cleared=len(cleared))
    write(path, record_taken, name, index, NOW, NOW + DAY)
    return written


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "callsieve.db"
    write(path, replace_peers, {"partner": WANTED, "second": WantedPeer("key", 0.4, DAY)})
    return path


def test_what_a_company_lists_tags_in_the_class_it_is_of(store: Path) -> None:
    take(store, ROW)
    facts = known(store)
    assert facts.peers == (PeerWord("partner", 1.0, False, Level.WARN, 5, 10, 2948, 2960, "scam"),)
    assert facts.reputation.level is Level.TAG
    assert known(store, auth_class=AuthClass.AUTHENTICATED).peers == ()
    assert known(store, number=OTHER).peers == ()
    assert facts.imported == ()


def test_a_number_that_was_cleared_is_so_in_every_class(store: Path) -> None:
    take(store, ROW)
    take(store, cleared=(PeerNumber(CALLER, "", last_week=2960),), name="second")
    words = {word.peer: word.is_cleared for word in known(store).peers}
    assert words == {"partner": False, "second": True}
    assert known(store, auth_class=AuthClass.AUTHENTICATED).peers[0].is_cleared
    with open_store(store) as db:
        counts = {state.name: (state.numbers, state.cleared) for state in peer_states(db)}
    assert counts == {"partner": (1, 0), "second": (0, 1)}


@pytest.mark.parametrize("how", ["off", "run-out", "not-in-settings", "another-key"])
def test_what_does_not_count(store: Path, how: str) -> None:
    take(store, ROW)
    at = NOW
    if how == "off":
        write(store, switch_peer_off, "partner", NOW, "{}")
    elif how == "run-out":
        at = INDEX.counts_until
    elif how == "not-in-settings":
        write(store, replace_peers, {})
    else:
        write(store, replace_peers, {"partner": WANTED._replace(of="another")})
    assert known(store, at).peers == ()
    if how == "off":
        write(store, switch_peer_on, "partner", NOW)
        assert known(store).peers


def test_what_is_the_same_is_not_written_again(store: Path) -> None:
    assert take(store, ROW, ROW._replace(number=OTHER)) == 2
    assert take(store, ROW, ROW._replace(number=OTHER)) == 0
    assert take(store, ROW._replace(witnesses=10), ROW._replace(number="+12017421900")) == 3
    assert known(store, number=OTHER).peers == ()


def test_changes_may_be_done_twice(store: Path) -> None:
    take(store, ROW)
    changes = [(ROW.key, None), ((OTHER, "unknown"), ROW._replace(number=OTHER))]
    with open_store(store) as db:
        for _ in range(2):
            assert change_numbers(db, 1, changes, NOW) == 2
    assert known(store).peers == ()
    assert known(store, number=OTHER).peers


def test_a_company_that_fails_stays_as_it_was(store: Path) -> None:
    take(store, ROW)
    write(store, record_peer_failure, "partner", NOW + 1, NOW + 900, '{"code": "x"}')
    with open_store(store) as db:
        state = peer_state(db, "partner")
    assert state is not None
    assert (state.sequence, state.failures, state.next_at) == (7, 1, NOW + 900)
    assert known(store).peers


def test_what_the_settings_no_longer_name_is_dropped(store: Path) -> None:
    take(store, ROW)
    take(store, ROW, name="second")
    write(store, replace_peers, {"second": WantedPeer("key", 0.4, DAY)})
    with open_store(store) as db:
        assert drop_unnamed(db) == 1
        assert drop_unnamed(db) == 0
    assert [word.peer for word in known(store).peers] == ["second"]


def test_what_has_long_run_out_is_deleted(store: Path) -> None:
    take(store, ROW)
    with open_store(store) as db:
        list(run_jobs(db, JOBS[:1], INDEX.counts_until + 31 * DAY))
        assert db.execute("SELECT count(*) FROM peer_number").fetchone() == (0,)


def test_what_was_taken_half_is_deleted_too(store: Path) -> None:
    """Its index was never recorded: the machine went down, and the company out of the settings."""
    with open_store(store) as db:
        replace_numbers(db, 1, [ROW], NOW)
    write(store, replace_peers, {})
    with open_store(store) as db:
        assert drop_unnamed(db) == 1


def test_it_is_exported_and_erased(store: Path) -> None:
    take(store, ROW)
    with open_store(store) as db:
        [row] = export_number(db, CALLER)["peer_number"]
        assert (row["peer"], row["witnesses"]) == ("partner", 5)
        assert erase_number(db, CALLER)["peer_number"] == 1
    assert known(store).peers == ()


def test_it_is_measured_as_feeds_are(store: Path) -> None:
    for number, verdict in ((CALLER, Verdict.SPAM), (OTHER, Verdict.OK), ("+12017421901", Verdict.SPAM)):
        write(store, add_mark, make_mark(number=number, verdict=verdict))
    take(store, ROW, ROW._replace(number=OTHER))
    with open_store(store) as db:
        import_numbers(
            db, "feed", "spam", [(n, None, None, None) for n in (CALLER, OTHER)], lambda: NOW, feed=Feed("list")
        )
        found = compared_with_peer(db, 1, NOW - DAY)
        assert found == compared_with_feeds(db, NOW - DAY)["feed"]
        assert compared_with_peer(db, 2, NOW - DAY) == Compared()
    assert found == Compared(spam_of_spam=1, spam_of_fine=1, other_of_spam=1)


@pytest.mark.parametrize(
    ("came_at", "verdict", "at", "compared"),
    [
        pytest.param(-HOUR, Verdict.SPAM, 0.0, Compared(spam_of_spam=1), id="it-knew-before-we-did"),
        pytest.param(HOUR, Verdict.SPAM, 0.0, Compared(), id="it-repeats-what-we-published"),
        pytest.param(-HOUR, Verdict.OK, 0.0, Compared(spam_of_fine=1), id="it-was-wrong"),
        pytest.param(HOUR, Verdict.OK, 2 * HOUR, Compared(spam_of_fine=1), id="and-we-said-so-again"),
        pytest.param(HOUR, Verdict.OK, 0.0, Compared(), id="nothing-is-known-since"),
    ],
)
def test_it_is_judged_by_what_we_came_to_know_later(
    store: Path, came_at: float, verdict: Verdict, at: float, compared: Compared
) -> None:
    """Else a company that repeats what we publish would be right always, and could add its own lies."""
    write(store, add_mark, make_mark(verdict=verdict, at=NOW + at))
    take(store, ROW, at=NOW + came_at)
    take(store, ROW._replace(witnesses=20), at=NOW + 3 * HOUR)
    with open_store(store) as db:
        assert compared_with_peer(db, 1, NOW - DAY) == compared


def test_a_number_that_comes_again_is_new(store: Path) -> None:
    write(store, add_mark, make_mark(at=NOW))
    take(store, ROW)
    take(store)
    take(store, ROW, at=NOW + HOUR)
    with open_store(store) as db:
        assert compared_with_peer(db, 1, NOW - DAY) == Compared()
