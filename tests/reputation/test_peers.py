"""Evidence of other companies: a family of its own that leads to a tag at most."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import Action
from policies.engine import decide
from policies.loader import load_policy
from reputation.facts import Facts
from reputation.model import (
    AuthClass,
    Level,
    PeerWord,
    Verdict,
)
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
from tests.builders import make_call, make_facts
from tests.reputation.store_builders import CALLER, DAY, NOW, make_mark, make_query, read, write
from tests.reputation.test_coalitions import UNKNOWN

OTHER = "+12017421899"
HOUR = 3600.0

words = st.lists(
    st.builds(PeerWord, st.sampled_from("abcdefgh"), st.floats(0, 1), st.booleans(), st.sampled_from(Level)),
    max_size=12,
).map(tuple)


@given(words)
def test_evidence_of_companies_tags_at_most(said: tuple[PeerWord, ...]) -> None:
    facts = make_facts()._replace(peers=said)
    decision = decide(make_call(CALLER), facts, load_policy("strict"), NOW)
    assert decision.action <= Action.TAG
    assert facts.reputation.level is Level.NONE


# In the store. ------------------------------------------------------------------------------------------------

ROW = PeerNumber(CALLER, "unknown", Level.WARN, 5, 10, 2948, 2960, "scam")
WANTED = WantedPeer("key", 1.0, DAY)
INDEX = TakenIndex("key", "Example Ltd", 7, "d1", NOW, NOW + 7 * DAY)


def known(path: Path, at: float = NOW, number: str = CALLER, auth_class: AuthClass = UNKNOWN) -> Facts:
    return read(path, facts_of, make_query(number=number, auth_class=auth_class, now=at), DEFAULT)


def store_index(
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


def test_a_number_of_a_company_counts_in_its_class(store: Path) -> None:
    store_index(store, ROW)
    facts = known(store)
    assert facts.peers == (PeerWord("partner", 1.0, False, Level.WARN, 5, 10, 2948, 2960, "scam"),)
    assert decide(make_call(CALLER), facts, load_policy("cautious"), NOW).rule == "companies-complain"
    assert known(store, auth_class=AuthClass.AUTHENTICATED).peers == ()
    assert known(store, number=OTHER).peers == ()
    assert facts.imported == ()


def test_a_cleared_number_is_cleared_in_every_class(store: Path) -> None:
    store_index(store, ROW)
    store_index(store, cleared=(PeerNumber(CALLER, "", last_week=2960),), name="second")
    words = {word.peer: word.is_cleared for word in known(store).peers}
    assert words == {"partner": False, "second": True}
    assert known(store, auth_class=AuthClass.AUTHENTICATED).peers[0].is_cleared
    with open_store(store) as db:
        counts = {state.name: (state.numbers, state.cleared) for state in peer_states(db)}
    assert counts == {"partner": (1, 0), "second": (0, 1)}


@pytest.mark.parametrize("how", ["off", "run-out", "not-in-settings", "another-key"])
def test_numbers_of_an_unusable_company_do_not_count(store: Path, how: str) -> None:
    store_index(store, ROW)
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


def test_unchanged_numbers_are_not_written_again(store: Path) -> None:
    assert store_index(store, ROW, ROW._replace(number=OTHER)) == 2
    assert store_index(store, ROW, ROW._replace(number=OTHER)) == 0
    assert store_index(store, ROW._replace(witnesses=10), ROW._replace(number="+12017421900")) == 3
    assert known(store, number=OTHER).peers == ()


def test_applying_changes_twice_is_harmless(store: Path) -> None:
    store_index(store, ROW)
    changes = [(ROW.key, None), ((OTHER, "unknown"), ROW._replace(number=OTHER))]
    with open_store(store) as db:
        for _ in range(2):
            assert change_numbers(db, 1, changes, NOW) == 2
    assert known(store).peers == ()
    assert known(store, number=OTHER).peers


def test_a_failed_fetch_keeps_the_numbers_of_a_company(store: Path) -> None:
    store_index(store, ROW)
    write(store, record_peer_failure, "partner", NOW + 1, NOW + 900, '{"code": "x"}')
    with open_store(store) as db:
        state = peer_state(db, "partner")
    assert state is not None
    assert (state.sequence, state.failures, state.next_at) == (7, 1, NOW + 900)
    assert known(store).peers


def test_companies_no_longer_in_the_settings_are_dropped(store: Path) -> None:
    store_index(store, ROW)
    store_index(store, ROW, name="second")
    write(store, replace_peers, {"second": WantedPeer("key", 0.4, DAY)})
    with open_store(store) as db:
        assert drop_unnamed(db) == 1
        assert drop_unnamed(db) == 0
    assert [word.peer for word in known(store).peers] == ["second"]


def test_long_expired_numbers_are_deleted(store: Path) -> None:
    store_index(store, ROW)
    with open_store(store) as db:
        list(run_jobs(db, JOBS[:1], INDEX.counts_until + 31 * DAY))
        assert db.execute("SELECT count(*) FROM peer_number").fetchone() == (0,)


def test_half_received_numbers_are_deleted(store: Path) -> None:
    """The server crashed before the index was recorded, and the company left the settings."""
    with open_store(store) as db:
        replace_numbers(db, 1, [ROW], NOW)
    write(store, replace_peers, {})
    with open_store(store) as db:
        assert drop_unnamed(db) == 1


def test_numbers_of_companies_are_exported_and_erased(store: Path) -> None:
    store_index(store, ROW)
    with open_store(store) as db:
        [row] = export_number(db, CALLER)["peer_number"]
        assert (row["peer"], row["witnesses"]) == ("partner", 5)
        assert erase_number(db, CALLER)["peer_number"] == 1
    assert known(store).peers == ()


def test_companies_are_measured_like_feeds(store: Path) -> None:
    for number, verdict in ((CALLER, Verdict.SPAM), (OTHER, Verdict.OK), ("+12017421901", Verdict.SPAM)):
        write(store, add_mark, make_mark(number=number, verdict=verdict))
    store_index(store, ROW, ROW._replace(number=OTHER))
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
        pytest.param(-HOUR, Verdict.SPAM, 0.0, Compared(spam_of_spam=1), id="listed-before-our-mark"),
        pytest.param(HOUR, Verdict.SPAM, 0.0, Compared(), id="listed-after-our-mark"),
        pytest.param(-HOUR, Verdict.OK, 0.0, Compared(spam_of_fine=1), id="listed-before-a-not-spam-mark"),
        pytest.param(HOUR, Verdict.OK, 2 * HOUR, Compared(spam_of_fine=1), id="not-spam-after-the-listing"),
        pytest.param(HOUR, Verdict.OK, 0.0, Compared(), id="no-later-evidence"),
    ],
)
def test_only_later_evidence_judges_a_company(
    store: Path, came_at: float, verdict: Verdict, at: float, compared: Compared
) -> None:
    """A company that repeats what we publish would otherwise always be right, and could add lies."""
    write(store, add_mark, make_mark(verdict=verdict, at=NOW + at))
    store_index(store, ROW, at=NOW + came_at)
    store_index(store, ROW._replace(witnesses=20), at=NOW + 3 * HOUR)
    with open_store(store) as db:
        assert compared_with_peer(db, 1, NOW - DAY) == compared


def test_a_number_listed_again_counts_as_new(store: Path) -> None:
    write(store, add_mark, make_mark(at=NOW))
    store_index(store, ROW)
    store_index(store)
    store_index(store, ROW, at=NOW + HOUR)
    with open_store(store) as db:
        assert compared_with_peer(db, 1, NOW - DAY) == Compared()
