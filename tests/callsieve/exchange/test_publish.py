"""Publishing: which numbers are listed and when, and that no person can be recognised."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from pathlib import Path

import pytest

from callsieve.changes.operation import Refused
from callsieve.exchange.candidates import LEAST_PEOPLE
from callsieve.exchange.publish import LEAST_GAP_SECONDS, LOCK_FILE
from callsieve.exchange.rows import SignedIndex, last_published
from reputation.appeals import AppealStep
from reputation.formulas import week_of
from reputation.model import (
    EntryKind,
    Identity,
    ListEntry,
    ListName,
    Person,
    Verdict,
)
from reputation.own.register import OwnNumber
from reputation.store.appeals import AppealRuling, decide, open_appeal, take_step
from reputation.store.do_not_call import DoNotCallRequest, add_do_not_call
from reputation.store.identities import set_identity
from reputation.store.imports import Feed, import_numbers
from reputation.store.lists import Contact, PersonalEntry, add_contacts, add_entry, set_personal_entry
from reputation.store.marks import add_mark
from reputation.store.other_sites import declare_same
from reputation.store.own_register import put_own
from reputation.store.people import upsert_people
from reputation.store.privacy import erase_number
from tests.callsieve.exchange.companies import DAY, HOUR, OTHER, PEOPLE, SPAMMER, Company
from tests.reputation.store_builders import make_appeal, make_mark

# A Wednesday at noon: two days later is still the same week.
AT = 1_795_608_000.0


@pytest.fixture
def berlin(tmp_path: Path) -> Company:
    return Company(tmp_path / "berlin", "Berlin Ltd")


def index_of(company: Company) -> SignedIndex:
    found = last_published(company.web, company.state)
    assert found is not None
    return found


def lines_of(company: Company, file: str | None = None) -> list[str]:
    """The rows of a file that it publishes, without the first line; of its snapshot."""
    name = file or index_of(company).contents.snapshot.file
    return gzip.decompress((company.web / name).read_bytes()).decode().splitlines()[1:]


def numbers_of(company: Company) -> list[str]:
    return [line.partition(",")[0] for line in lines_of(company)]


def test_row_has_people_and_weeks(berlin: Company) -> None:
    berlin.mark_as_spam(people=7, at=AT)
    done = berlin.publish(AT)
    week = week_of(AT)
    assert lines_of(berlin) == [f"{SPAMMER},u,warn,5,0,{week},{week},scam"]
    assert (done.numbers, done.added, done.is_full, done.delta) == (1, 1, True, None)


def test_snapshot_is_reproducible(berlin: Company, tmp_path: Path) -> None:
    berlin.mark_as_spam(at=AT)
    berlin.mark_as_spam(OTHER, at=AT)
    first, second = berlin.publish(AT), berlin.publish(AT + DAY)
    lines = lines_of(berlin)
    assert lines == sorted(lines)
    assert first.snapshot.rows == second.snapshot.rows == 2
    other = Company(tmp_path / "other", "Other Ltd")
    other.mark_as_spam(at=AT)
    other.mark_as_spam(OTHER, at=AT)
    assert other.publish(AT).snapshot == first.snapshot


@pytest.mark.parametrize("people", [1, 2, 3])
def test_number_needs_three_people(berlin: Company, people: int) -> None:
    berlin.mark_as_spam(people=people, at=AT)
    assert len(berlin.publish(AT) and lines_of(berlin)) == (people == 3)


def test_own_numbers_and_queues_are_not_people(berlin: Company) -> None:
    """Four witnesses, of which two are people."""
    berlin.mark_as_spam(people=2, at=AT)
    from reputation.store.standing import refresh

    def unanswered(db: object) -> None:
        for callee in ("+442071838750", "600"):
            row = (SPAMMER, "unknown", 0, callee, "unanswered", AT - HOUR, callee)
            db.execute("INSERT INTO signal VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # type: ignore[attr-defined]
        refresh(db, SPAMMER)  # type: ignore[arg-type]

    berlin.write(unanswered)
    berlin.publish(AT)
    assert lines_of(berlin) == []
    berlin.mark_as_spam(people=1, first=2, at=AT)
    berlin.publish(AT + DAY)
    assert [line.split(",")[3] for line in lines_of(berlin)] == ["3"]


def test_two_extensions_of_one_human_count_once(berlin: Company) -> None:
    berlin.write(declare_same, "201", "202")
    berlin.mark_as_spam(people=3, at=AT)
    berlin.publish(AT)
    assert lines_of(berlin) == []
    berlin.mark_as_spam(people=1, first=3, at=AT)
    berlin.publish(AT + DAY)
    assert len(lines_of(berlin)) == 1


def test_endpoint_counts_as_its_person(berlin: Company) -> None:
    """Marks made before people were imported carry endpoints."""
    berlin.write(upsert_people, [Person("201", "PJSIP/desk")], "test")
    berlin.mark_as_spam(people=2, at=AT)
    for endpoint in ("PJSIP/desk", "PJSIP/nobody-yet"):
        assert lines_of_published(berlin) == []
        berlin.write(add_mark, make_mark(SPAMMER, reporter=endpoint, at=AT - HOUR))
    assert len(lines_of_published(berlin)) == 1


def lines_of_published(company: Company) -> list[str]:
    """Of a directory of its own, so that nothing was there before."""
    shutil.rmtree(company.web, ignore_errors=True)
    company.publish(AT)
    return lines_of(company)


def test_people_of_other_sites_are_not_counted(berlin: Company) -> None:
    """Otherwise each site of a company would publish the same people again."""
    berlin.mark_as_spam(people=2, at=AT)
    for n in range(4):
        mark = make_mark(SPAMMER, reporter=f"munich:{201 + n}", at=AT - 3 * HOUR * n)
        berlin.write(add_mark, mark)
    berlin.publish(AT)
    assert lines_of(berlin) == []


def test_category_needs_three_people(berlin: Company) -> None:
    berlin.mark_as_spam(people=3, at=AT, category="scam")
    berlin.mark_as_spam(people=2, first=3, at=AT, category="debt")
    berlin.mark_as_spam(OTHER, people=2, at=AT, category="scam")
    berlin.mark_as_spam(OTHER, people=2, first=2, at=AT, category="robocall")
    berlin.publish(AT)
    assert [line.rpartition(",")[2] for line in lines_of(berlin)] == ["scam", ""]


def test_free_text_is_no_category(berlin: Company) -> None:
    berlin.mark_as_spam(people=4, at=AT, category="it was bob, ext 201")
    berlin.publish(AT)
    assert lines_of(berlin)[0].endswith(",")


KEPT_BACK = {
    "contact": lambda db: add_contacts(db, "crm", [Contact(SPAMMER, "Carol")]),
    "own-number": lambda db: put_own(db, OwnNumber(number=SPAMMER)),
    "identity": lambda db: set_identity(db, Identity(SPAMMER, "Carol Ltd", 1, AT + DAY), AT),
    "allowed": lambda db: add_entry(
        db, ListEntry(ListName.ALLOW, EntryKind.PREFIX, "+120155501", None, None, "", None, AT)
    ),
    "allowed-by-one": lambda db: set_personal_entry(db, PersonalEntry("201", SPAMMER, ListName.ALLOW, AT)),
    "do-not-call": lambda db: add_do_not_call(db, DoNotCallRequest(SPAMMER, AT)),
    "talked": lambda db: db.execute("INSERT INTO talk (number, person, at) VALUES (?, '201', ?)", (SPAMMER, AT)),
    "appeals": lambda db: open_appeal(db, make_appeal(number=SPAMMER, opened_at=AT)),
}


@pytest.mark.parametrize("why", KEPT_BACK)
def test_known_number_is_not_published(berlin: Company, why: str) -> None:
    for number in (SPAMMER, OTHER):
        berlin.mark_as_spam(number, at=AT)
    berlin.write(KEPT_BACK[why])
    berlin.publish(AT)
    assert SPAMMER not in numbers_of(berlin)


@pytest.mark.parametrize("never", ["+12015550123", "+120155501*", "+1201"])
def test_number_kept_back_by_settings_is_not_published(berlin: Company, never: str) -> None:
    berlin.mark_as_spam(at=AT)
    berlin.write_settings("", f'never = ["{never}"]')
    berlin.publish(AT)
    assert lines_of(berlin) == []


def test_outside_evidence_is_not_passed_on(berlin: Company) -> None:
    """Two marks, a feed and a company are not enough."""
    berlin.mark_as_spam(people=2, at=AT)
    berlin.read(lambda db: import_numbers(db, "feed", "spam", [(SPAMMER, None, None, None)], feed=Feed("list")))
    berlin.publish(AT)
    assert lines_of(berlin) == []


def test_files_name_no_person_and_no_own_number(berlin: Company) -> None:
    berlin.mark_as_spam(people=12, at=AT)
    berlin.publish(AT)
    raw = b"".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".rows" else path.read_bytes()
        for path in berlin.web.iterdir()
    )
    for word in (b"joe", b"PJSIP", b"442071838750", b"2025550100", b'"201"', b",201,"):
        assert word not in raw


# When numbers come and go. ------------------------------------------------------------------------------------


def test_numbers_are_added_once_a_day(berlin: Company) -> None:
    berlin.mark_as_spam(at=AT)
    berlin.publish(AT)
    berlin.mark_as_spam(OTHER, at=AT)
    early = berlin.publish(AT + 3 * HOUR)
    assert (early.is_full, early.added, numbers_of(berlin)) == (False, 0, [SPAMMER])
    late = berlin.publish(AT + DAY)
    assert (late.is_full, late.added, numbers_of(berlin)) == (True, 1, [SPAMMER, OTHER])


def test_a_row_changes_once_a_week(berlin: Company) -> None:
    """A comparison of two days must not reveal one more person."""
    berlin.mark_as_spam(people=4, at=AT)
    berlin.publish(AT)
    before = lines_of(berlin)
    berlin.mark_as_spam(people=8, first=4, at=AT)
    assert berlin.publish(AT + DAY).changed == 0
    assert lines_of(berlin) == before
    assert berlin.publish(AT + 7 * DAY).changed == 1
    assert [line.split(",")[3] for line in lines_of(berlin)] == ["10"]


def test_change_on_a_monday_does_not_reveal_the_day(berlin: Company) -> None:
    """A mark on a Monday before publishing would otherwise show its day."""
    monday = AT + 5 * DAY - HOUR
    berlin.mark_as_spam(people=3, at=AT - DAY)
    berlin.publish(AT)
    berlin.mark_as_spam(people=1, first=3, at=monday - HOUR)
    assert week_of(monday - HOUR) == week_of(AT) + 1 == week_of(monday)
    berlin.publish(monday)
    assert [line.split(",")[6] for line in lines_of(berlin)] == [str(week_of(AT))]
    berlin.publish(monday + 7 * DAY)
    assert [line.split(",")[6] for line in lines_of(berlin)] == [str(week_of(monday))]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_difference_of_copies_reveals_three_people_or_a_week(berlin: Company, seed: int) -> None:
    """An observer keeps every copy, while people mark and retract at any hour."""
    chance, at, added_at = random.Random(seed), AT, 0.0
    verdicts: dict[tuple[str, str], Verdict] = {}
    before: dict[str, list[str]] = {}
    full_at = at
    for _ in range(120):
        at += chance.uniform(1, 9) * HOUR
        if chance.random() < 0.75:
            number, who = chance.choice([SPAMMER, OTHER]), chance.choice(PEOPLE[:7])
            verdict = chance.choice([Verdict.SPAM, Verdict.SPAM, Verdict.RETRACTED])
            verdicts[number, who] = verdict
            berlin.write(add_mark, make_mark(number, reporter=who, at=at, verdict=verdict, category="scam"))
            continue
        done = berlin.publish(at)
        after = {line.partition(",")[0]: line.split(",") for line in lines_of(berlin)}
        for number, row in after.items():
            people = sum(verdict is Verdict.SPAM for (of, _), verdict in verdicts.items() if of == number)
            assert people >= LEAST_PEOPLE
            if number not in before:
                assert at - added_at >= LEAST_GAP_SECONDS or added_at == 0.0
            elif row != before[number]:
                assert week_of(full_at) < week_of(at), "rows change once a week"
                assert int(row[6]) < week_of(at), "and not to the week that has just begun"
        if after.keys() - before.keys():
            added_at = at
        before, full_at = after, at if done.is_full else full_at
    assert added_at


def test_number_below_three_people_is_withdrawn_at_once(berlin: Company) -> None:
    berlin.mark_as_spam(people=4, at=AT)
    berlin.publish(AT)
    berlin.retract_marks(SPAMMER, AT + HOUR, people=2)
    done = berlin.publish(AT + 2 * HOUR)
    assert (done.withdrawn, done.numbers, done.is_full) == (1, 0, False)
    assert done.delta is not None
    assert lines_of(berlin, done.delta.file) == [f"{SPAMMER},u"]


def test_number_stays_while_its_evidence_fades(berlin: Company) -> None:
    """Listing needs more evidence than staying, or numbers would come and go every day."""
    berlin.mark_as_spam(people=3, at=AT)
    berlin.mark_as_spam(OTHER, people=3, at=AT)
    at = next(AT + day * DAY for day in range(90) if _is_fading(berlin, AT + day * DAY))
    assert at > AT


def _is_fading(company: Company, at: float) -> bool:
    from callsieve.exchange.candidates import listed_numbers

    found = company.read(lambda db: list(listed_numbers(db, company.context(at))))
    return bool(found) and not found[0].may_begin


def test_an_erased_number_is_in_no_file_after_a_purge(berlin: Company) -> None:
    for number in (SPAMMER, OTHER):
        berlin.mark_as_spam(number, at=AT)
    berlin.publish(AT)
    berlin.write(erase_number, SPAMMER)
    done = berlin.publish(AT + HOUR)
    assert (done.withdrawn, numbers_of(berlin)) == (1, [OTHER])
    berlin.publish(AT + 2 * HOUR, purge=True)
    for path in berlin.web.glob("*.rows"):
        assert SPAMMER.encode() not in gzip.decompress(path.read_bytes())
    assert index_of(berlin).contents.deltas == ()


def test_upheld_appeal_withdraws_and_clears_the_number(berlin: Company) -> None:
    berlin.mark_as_spam(at=AT)
    berlin.publish(AT)

    def uphold(db: object) -> None:
        appeal = open_appeal(db, make_appeal(number=SPAMMER, opened_at=AT))  # type: ignore[arg-type]
        take_step(db, appeal.reference, AppealStep.ACCEPT, AT)  # type: ignore[arg-type]
        decide(db, appeal.reference, AppealRuling(True, "they are a hospital"), AT + HOUR)  # type: ignore[arg-type]

    berlin.write(uphold)
    done = berlin.publish(AT + DAY)
    assert (done.numbers, done.withdrawn, done.cleared) == (0, 1, 1)
    berlin.write_settings("", "cleared = false")
    assert berlin.publish(AT + 2 * DAY).cleared == 0


# The files. ---------------------------------------------------------------------------------------------------


def test_deltas_connect_the_snapshots(berlin: Company) -> None:
    for n in range(400):
        berlin.mark_as_spam(f"+1203555{n:04}", people=3, at=AT)
    berlin.publish(AT)
    for day in (1, 2, 3):
        berlin.mark_as_spam(f"+1202555{day:04}", people=3, at=AT)
        berlin.publish(AT + day * DAY)
    contents = index_of(berlin).contents
    assert [delta.rows for delta in contents.deltas] == [1, 1, 1]
    assert [content.sequence for content in contents.previous] == [int((AT + day * DAY) // 60) for day in (2, 1, 0)]
    assert all(delta.before < delta.sequence for delta in contents.deltas)


def test_old_files_are_deleted_after_two_days(berlin: Company) -> None:
    berlin.mark_as_spam(at=AT)
    first = berlin.publish(AT)
    berlin.mark_as_spam(OTHER, at=AT)
    berlin.publish(AT + DAY)
    old = berlin.web / first.snapshot.file
    assert old.exists(), "somebody may have just read the index of before"
    berlin.publish(AT + 2 * DAY)
    assert old.exists()
    stranger = berlin.web / "readme.html"
    stranger.write_text("ours")
    os.utime(stranger, (AT, AT))
    berlin.publish(AT + 4 * DAY)
    assert not old.exists()
    assert stranger.exists()


@pytest.mark.parametrize("damage", ["gone", "cut-off", "not-ours"])
def test_damaged_directory_starts_a_new_history(berlin: Company, damage: str) -> None:
    berlin.mark_as_spam(at=AT)
    first = berlin.publish(AT)
    snapshot = berlin.web / first.snapshot.file
    if damage == "gone":
        snapshot.unlink()
    elif damage == "cut-off":
        snapshot.write_bytes(snapshot.read_bytes()[:-3])
    else:
        (berlin.state / "signing.key").unlink()
    second = berlin.publish(AT + DAY)
    assert (second.numbers, second.delta) == (1, None)
    assert second.sequence > first.sequence, "or nobody would take it"


def test_publishing_without_a_name_is_refused(berlin: Company) -> None:
    berlin.config.write_text("")
    with pytest.raises(Refused) as refused:
        berlin.publish(AT)
    assert refused.value.code == "no-name"


def test_concurrent_publishing_is_refused(berlin: Company) -> None:
    import fcntl

    berlin.publish(AT)
    with (berlin.web / LOCK_FILE).open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Refused) as refused:
            berlin.publish(AT + DAY)
    assert refused.value.code == "busy"


def test_publishing_is_audited(berlin: Company) -> None:
    berlin.mark_as_spam(at=AT)
    berlin.publish(AT)
    [row] = berlin("audit", "--json").json
    assert (row["what"], row["after"]["numbers"]) == ("exchange publish", 1)
