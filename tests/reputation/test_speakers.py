"""Who a level comes from, and how many of our people have something against a number."""

from __future__ import annotations

import pytest

from reputation.explaining import parts_of
from reputation.families.kind import Speaker
from reputation.model import Family, Level, Witnesses
from reputation.speakers import account_of, speakers_of

MARKS, BEHAVIOUR, FEEDS = Family("marks", 2.0), Family("behaviour", 1.5), Family("feeds", 2.5, (("spam", 2),))
LISTED_BLOCK = Family("block", 1.5)
ASKED = Family("caller", 1.0, (("failed", 1),))


@pytest.mark.parametrize(
    ("families", "speakers"),
    [
        pytest.param([MARKS, FEEDS, BEHAVIOUR], [Speaker.OUR_PEOPLE, Speaker.OUTSIDE], id="families-are-added-up"),
        pytest.param([Family("own block", 1.0), LISTED_BLOCK], [Speaker.OUTSIDE, Speaker.OUR_PEOPLE], id="near"),
        pytest.param([Family("attestation", 1.5, (("failed", 1),))], [Speaker.OUTSIDE], id="a-false-signature"),
        pytest.param([Family("attestation", 0.7, (("B", 1),))], [Speaker.CALL], id="what-the-network-says"),
        pytest.param([ASKED, Family("identity", -0.5)], [Speaker.CALLER], id="the-caller"),
        pytest.param([Family("marks", 2.0), Family("behaviour", -2.5)], [], id="who-speaks-for-it-is-left-out"),
        pytest.param([Family("a family to come", 9.0)], [], id="of-another-version"),
    ],
)  # fmt: skip
def test_who_speaks_against_a_number(families: list[Family], speakers: list[Speaker]) -> None:
    assert [speaker for speaker, _ in speakers_of(families)] == speakers


def test_it_is_said_from_the_level_on() -> None:
    first, second, *more = account_of(Level.WARN, [MARKS, BEHAVIOUR], Witnesses(7, 5, 12))
    assert str(first) == "the level comes from our people (+15 points)"
    assert str(second).startswith("7 witnesses speak against the number; ")
    assert more == []


def test_at_a_challenge_it_is_said_what_more_takes() -> None:
    assert len(account_of(Level.CHALLENGE, [MARKS], Witnesses(12, 5, 12))) == 3


def test_of_too_few_the_count_alone_is_said() -> None:
    (only,) = account_of(Level.NONE, [MARKS], Witnesses(1, 5, 12))
    assert str(only).startswith("one witness speaks against the number; ")


def test_of_an_older_decision_nothing_is_said_of_witnesses() -> None:
    assert len(account_of(Level.WARN, [MARKS], None)) == 1


def test_decisions_with_families_of_older_versions_explain_themselves() -> None:
    families = [Family("marks", 2.5, (("marked", 2), ("answered", 3), ("silent", 1))),
                Family("behaviour", 1.2, (("hung-up-on", 3),)), Family("plan", 1.5, (("telemarketing", 1),)),
                Family("carrier label", 1.5, (("scam likely", 1),)), Family("peers", 1.5, (("listed", 1),)),
                Family("first call", 1.5, (("neighbours", 3),))]  # fmt: skip
    assert all(list(parts_of(family)) for family in families)
    assert {speaker for speaker, _ in speakers_of(families)} == {Speaker.OUR_PEOPLE, Speaker.CALL, Speaker.PEERS}
