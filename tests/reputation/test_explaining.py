"""How the reputation of a number is explained."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reputation.evidence import NO_CIRCUMSTANCES, NO_EVIDENCE, Circumstances, Evidence
from reputation.explaining import days_until_lower, sentence_of_families, with_changes, would_change, would_raise
from reputation.model import AuthClass, Family, Happening, Identity, Imported, Level, SignalCategory
from reputation.scoring import reputation_of
from reputation.standing import Standing
from reputation.weights import DEFAULT
from tests.reputation.store_builders import CALLER, DAY, NOW

SPAMMER = Standing(
    at=NOW, marks=3.0, answers=4.0, hung_up=3.0, reporters=3, groups=2, answered=4, silent=1,
    signals=((SignalCategory.HUNG_UP_ON, 3),), witnessed=(NOW,) * 6, adverse=(NOW,) * 6,
)  # fmt: skip


def families(evidence: Evidence) -> tuple[Family, ...]:
    return reputation_of(evidence, NO_CIRCUMSTANCES, DEFAULT, NOW).families


def test_families_are_explained_in_one_sentence() -> None:
    sentence = sentence_of_families(families(Evidence(standing=SPAMMER)))
    assert (
        sentence == "3 of 4 colleagues who answered marked the number; 3 people hung up within 6 s; nobody called back"
    )


@pytest.mark.parametrize(
    ("family", "said"),
    [
        (("marks", 0.0, (("marked", 0), ("answered", 1))), "one person answered and did not mark the number"),
        (("marks", 2.0, (("marked", 1), ("answered", 0))), "1 marked the number"),
        (("marks", 2.0, (("marked", 2), ("answered", 3), ("silent", 2))), "2 marked the number and 3 answered"),
        (("marks", 2.0, (("marked", 1), ("answered", 1))), "1 of 1 colleague who answered marked the number"),
        (("behaviour", -2.0, (("called-back", 2),)), "2 people called the number back"),
        (
            ("behaviour", -2.0, (("called-back", 1), ("voicemail", 1))),
            "one person called the number back; the caller left a message",
        ),
        (("behaviour", -2.0, (("not-spam", 1),)), "a colleague marked the number as not spam"),
        (("behaviour", -2.0, (("not-spam", 2),)), "2 colleagues marked the number as not spam"),
        (("behaviour", 1.0, (("to come", 2),)), "2 x to come; nobody called back"),
        (("block", 1.0, (("bad numbers", 3),)), "3 other numbers in the same block of 1000 are on spam lists"),
        (("feeds", 1.5, (("spam", 2), ("ok", 0))), "2 imported sources list the number as spam"),
        (("feeds", -1.5, (("spam", 0), ("ok", 1))), "one imported source lists the number as fine"),
        (("attestation", 1.5, (("failed", 1),)), "the call's signature failed verification"),
        (("attestation", -0.5, (("A", 1),)), "the carrier signed the call with attestation A"),
        (("quiet hours", 0.5, ()), "the number called during quiet hours"),
        (("identity", -1.5, (("level 2", 1),)), "the number's owner is verified"),
        (("caller", -1.2, (("passed", 2),)), "the caller passed 2 challenges"),
        (
            ("caller", 1.0, (("failed", 1), ("hung up", 1))),
            "the caller failed a challenge; the caller hung up when challenged",
        ),
        (("caller", -0.5, (("proven", 1),)), "somebody has proven control of the number"),
        (("own block", 1.0, (("bad numbers", 3),)), "3 other numbers in the same block of 1000 have a bad reputation"),
        (("a family to come", 1.0, (("this", 1),)), ""),
    ],
)  # fmt: skip
def test_each_family_has_its_explanation(family: tuple[str, float, tuple[tuple[str, int], ...]], said: str) -> None:
    assert sentence_of_families([Family(*family)]) == said


def test_a_burst_is_explained() -> None:
    burst = SPAMMER._replace(burst_at=NOW, hung_up=0.0, signals=())
    assert "only count after a review" in sentence_of_families(families(Evidence(standing=burst)))


def test_changes_that_lower_the_level_are_listed() -> None:
    changes = {change.what: change.level for change in would_change(Evidence(standing=SPAMMER), *ARGUMENTS)}
    assert changes == {
        Happening.ANSWERED: Level.NONE,
        Happening.CALLED_BACK: Level.WARN,
        Happening.UPHELD: Level.NONE,
    }


ARGUMENTS = (NO_CIRCUMSTANCES, DEFAULT, NOW)


def test_a_listed_number_can_be_unlisted() -> None:
    listed = Evidence(imported=(Imported("ftc", "spam"),))
    assert Happening.UNLISTED in [change.what for change in would_change(listed, *ARGUMENTS)]


def test_a_call_back_does_not_lower_the_level_of_a_spoofer() -> None:
    circumstances = Circumstances(AuthClass.UNAUTHENTICATED)
    changes = would_change(Evidence(standing=SPAMMER), circumstances, DEFAULT, NOW)
    assert not any("calls it back" in change.what for change in changes)


def test_a_number_without_evidence_has_no_changes() -> None:
    assert with_changes(NO_EVIDENCE, *ARGUMENTS) == reputation_of(NO_EVIDENCE, *ARGUMENTS)


def test_days_until_a_lower_level_are_counted() -> None:
    found = days_until_lower(Evidence(standing=SPAMMER), *ARGUMENTS)
    assert found is not None
    days, level = found
    assert (days, level) == (3, Level.WARN)
    listed = Evidence(imported=(Imported("ftc", "spam"),))
    assert days_until_lower(listed, *ARGUMENTS) is None


standings = st.builds(
    lambda marks, answers, missed, hung_up: Standing(
        at=NOW - DAY, marks=marks, answers=answers, hung_up=hung_up, missed=missed, reporters=round(marks), groups=2,
        answered=round(answers), signals=((SignalCategory.HUNG_UP_ON, hung_up),) if hung_up else (),
        witnessed=(NOW - DAY,) * (round(marks) + hung_up), adverse=(NOW - DAY,) * min(8, round(marks) + hung_up),
    ),
    st.floats(0, 9), st.floats(0, 50), st.floats(0, 20), st.integers(0, 9),
)  # fmt: skip


@given(standings, st.lists(st.sampled_from(["spam", "ok"]), max_size=3))
def test_each_change_said_to_lower_the_level_does(standing: Standing, verdicts: list[str]) -> None:
    evidence = Evidence(standing=standing, imported=tuple(Imported(str(n), v) for n, v in enumerate(verdicts)))
    level = reputation_of(evidence, *ARGUMENTS).level
    assert all(change.level < level for change in would_change(evidence, *ARGUMENTS))


@given(standings, st.lists(st.sampled_from(["spam", "ok"]), max_size=3), st.integers(0, 300))
def test_each_change_said_to_raise_the_level_does(standing: Standing, verdicts: list[str], people: int) -> None:
    evidence = Evidence(standing=standing, imported=tuple(Imported(str(n), v) for n, v in enumerate(verdicts)))
    circumstances = Circumstances(people=people)
    level = reputation_of(evidence, circumstances, DEFAULT, NOW).level
    assert all(change.level > level for change in would_raise(evidence, circumstances, DEFAULT, NOW))


def test_changes_that_raise_the_level_are_listed() -> None:
    office = Circumstances(people=200)
    changes = {change.what: change for change in would_raise(Evidence(standing=SPAMMER), office, DEFAULT, NOW)}
    assert changes[Happening.WITNESSED][:2] == (Happening.WITNESSED, Level.CHALLENGE)
    assert changes[Happening.WITNESSED].people == 14 - 6
    assert changes[Happening.LISTED].level is Level.CHALLENGE


def test_more_people_alone_never_lead_beyond_a_challenge() -> None:
    asked = SPAMMER._replace(witnessed=(NOW,) * 8, adverse=(NOW,) * 8)
    (change,) = would_raise(Evidence(standing=asked), *ARGUMENTS)
    assert change.what is Happening.LISTED_AND_FAILED


@given(
    st.none() | standings,
    st.lists(st.sampled_from(["spam", "ok"]), max_size=3),
    st.sampled_from([None, 1, 2]),
    st.integers(0, 6),
    st.sampled_from(AuthClass),
    st.none() | st.floats(0, 200),
)
def test_stored_changes_equal_recomputed_ones(
    standing: Standing | None,
    verdicts: list[str],
    identity: int | None,
    bad_neighbours: int,
    auth_class: AuthClass,
    upheld_days_ago: float | None,
) -> None:
    evidence = Evidence(
        standing=standing,
        imported=tuple(Imported(f"source {n}", v, "scam", imported_at=NOW - n) for n, v in enumerate(verdicts)),
        identity=Identity(CALLER, "Acme Bank", identity, NOW + DAY) if identity else None,
        listed_neighbours=bad_neighbours,
        upheld_at=None if upheld_days_ago is None else NOW - upheld_days_ago * DAY,
    )
    arguments = (Circumstances(auth_class), DEFAULT, NOW)
    found = with_changes(evidence, *arguments)
    assume(found.level is not Level.NONE)
    assert found.would_change == would_change(evidence, *arguments)
