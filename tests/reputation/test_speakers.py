"""The origin of a level, and how many people have evidence against a number."""

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
        pytest.param([Family("own block", 1.0), LISTED_BLOCK], [Speaker.OUTSIDE, Speaker.OUR_PEOPLE], id="blocks"),
        pytest.param([Family("attestation", 1.5, (("failed", 1),))], [Speaker.OUTSIDE], id="a-false-signature"),
        pytest.param([Family("attestation", 0.7, (("B", 1),))], [Speaker.CALL], id="what-the-network-says"),
        pytest.param([ASKED, Family("identity", -0.5)], [Speaker.CALLER], id="the-caller"),
        pytest.param([Family("marks", 2.0), Family("behaviour", -2.5)], [], id="negative-sums-are-left-out"),
        pytest.param([Family("a family to come", 9.0)], [], id="of-another-version"),
    ],
)  # fmt: skip
def test_families_are_grouped_by_their_origin(families: list[Family], speakers: list[Speaker]) -> None:
    assert [speaker for speaker, _ in speakers_of(families)] == speakers


def test_a_level_names_its_origin_and_witnesses() -> None:
    first, second, *more = account_of(Level.WARN, [MARKS, BEHAVIOUR], Witnesses(7, 5, 12))
    assert str(first) == "the level comes from our people (+15 points)"
    assert str(second).startswith("7 independent witnesses (people, DIDs or other sites) speak against the number; ")
    assert more == []


def test_a_challenge_also_names_the_condition_for_more() -> None:
    assert len(account_of(Level.CHALLENGE, [MARKS], Witnesses(12, 5, 12))) == 3


def test_too_few_witnesses_are_only_counted() -> None:
    (only,) = account_of(Level.NONE, [MARKS], Witnesses(1, 5, 12))
    assert str(only).startswith("one witness (")


def test_an_older_decision_names_no_witnesses() -> None:
    assert len(account_of(Level.WARN, [MARKS], None)) == 1


def test_families_of_older_versions_are_explained() -> None:
    families = [Family("marks", 2.5, (("marked", 2), ("answered", 3), ("silent", 1))),
                Family("behaviour", 1.2, (("hung-up-on", 3),)), Family("plan", 1.5, (("telemarketing", 1),)),
                Family("carrier label", 1.5, (("scam likely", 1),)), Family("peers", 1.5, (("listed", 1),)),
                Family("first call", 1.5, (("neighbours", 3),))]  # fmt: skip
    assert all(list(parts_of(family)) for family in families)
    assert {speaker for speaker, _ in speakers_of(families)} == {Speaker.OUR_PEOPLE, Speaker.CALL, Speaker.PEERS}
