"""What each variant counts for calls that show somebody else's number."""

from __future__ import annotations

from benchmarks.accuracy.call_outcomes import NUMBER, marking
from benchmarks.accuracy.callers import User
from benchmarks.accuracy.closed_loop import Counted, Tally
from benchmarks.accuracy.parameters import DAY_SECONDS, START
from benchmarks.accuracy.spoofed_owner import TrunkMemory, VouchedMemory, sheet_of
from reputation.model import AuthClass, Direction, Disposition, Verdict
from reputation.outcome import OutcomeRecord
from reputation.weights import DEFAULT


def missed(trunk: str, at: float) -> OutcomeRecord:
    return OutcomeRecord(
        linkedid=f"{trunk}-{at}",
        at=at,
        direction=Direction.INBOUND,
        disposition=Disposition.NO_ANSWER,
        caller=NUMBER,
        did="+442071838000",
        trunk=trunk,
        rung=("200",),
        ring_seconds=20.0,
    )


def test_trunk_memory_judges_a_home_trunk_by_its_own_calls() -> None:
    for home_days, by_the_other in ((None, 2), (5.0, 0), (7.0, 0)):
        memory = TrunkMemory(DEFAULT, home_days)
        memory.learn(missed("trunk-1", START))
        memory.learn(missed("trunk-2", START + 6 * DAY_SECONDS))
        now = START + 6.5 * DAY_SECONDS
        first = 0 if home_days == 7.0 else 1
        assert memory.store_for("trunk-1", now) is memory.stores[first]
        assert memory.store_for("trunk-2", now) is memory.stores[by_the_other]
        assert [len(store.rows(NUMBER).signals) for store in memory.stores] == [1, 1, 1]  # the latest of a callee


def test_not_spam_marks_of_two_people_count_as_a_pass() -> None:
    memory = VouchedMemory(DEFAULT, 2)
    for extension, passes in (("200", 0), ("200", 0), ("201", 1)):
        memory.add_mark(marking(User(extension, "+442071838000", "g", 1.0), START, None, Verdict.OK)[1])
        standing = memory.stores[0].standing(NUMBER, AuthClass.UNKNOWN)
        assert standing is not None
        assert len(standing.challenges.passes) == passes


def test_the_table_has_a_row_for_each_variant() -> None:
    measured = {
        ("unchanged product", "spam"): [Tally({Counted.CALLS: 4, Counted.STOPPED: 1}), Tally({Counted.CALLS: 4})]
    }
    sheet = sheet_of(measured)
    assert dict(zip(sheet.headings, sheet.rows[0], strict=True)) | {"spam": ""} == dict.fromkeys(sheet.headings, "") | {
        "variant": "unchanged product"
    }
    assert sheet.rows[0][sheet.headings.index("spam")].startswith("12.5 ")
