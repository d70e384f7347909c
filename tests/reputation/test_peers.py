"""Other companies: what they say is evidence of their own, and moves nobody beyond a tag."""

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
def test_what_companies_say_tags_and_no_more(said: tuple[PeerWord, ...]) -> None:
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
    assert decide(make_call(CALLER), facts, load_policy("cautious"), NOW).rule == "companies-complain"
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
