"""Lists, people, contacts and identities round-trip, and a repeated write changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.model import AuthClass, Did, Identity, ListEntry, ListName, Person
from reputation.store.evidence import latest_challenge_pass
from reputation.store.identities import all_identities, identity_of, remove_identity, set_identity
from reputation.store.lists import (
    Contact,
    PersonalEntry,
    add_contacts,
    add_entry,
    contacts_of,
    covering_prefixes,
    expect_call,
    list_entries,
    personal_entries,
    remove_entry,
    remove_personal_entry,
    replace_contacts,
    set_personal_entry,
    stop_expecting,
)
from reputation.store.people import (
    all_dids,
    all_people,
    own_numbers,
    person_of,
    person_of_endpoint,
    replace_settings_dids,
    replace_settings_own_numbers,
    replace_settings_people,
    upsert_people,
)
from reputation.store.site import latest_emergency, record_emergency
from tests.reputation.store_builders import CALLER, DID, NOW, facts, make_entry, pass_challenge, read, write

ANN = Person("201", "PJSIP/201", "sales", "en", "Ann")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "callsieve.db"


class TestLists:
    @pytest.mark.parametrize(
        "entry",
        [
            make_entry(CALLER),
            make_entry("+1900*", action="challenge", note="premium"),
            make_entry("+12015550100-+12015550199", ListName.ALLOW, expires_at=NOW + 1),
        ],
        ids=lambda entry: entry.text,
    )
    def test_a_list_entry_round_trips(self, store: Path, entry: ListEntry) -> None:
        write(store, add_entry, entry)
        assert read(store, list_entries) == [entry]
        assert write(store, remove_entry, make_entry(entry.text, entry.list_name)) == entry
        assert read(store, list_entries) == []
        assert read(store, lambda db: db.execute("SELECT count(*) FROM list_prefix").fetchone()) == (0,)

    def test_adding_an_entry_again_replaces_it(self, store: Path) -> None:
        for note in ("first", "second", "second"):
            write(store, add_entry, make_entry(note=note))
        assert read(store, list_entries) == [make_entry(note="second")]

    def test_the_lists_are_kept_apart(self, store: Path) -> None:
        write(store, add_entry, make_entry(list_name=ListName.ALLOW))
        write(store, add_entry, make_entry(list_name=ListName.BLOCK))
        assert read(store, list_entries, ListName.ALLOW) == [make_entry(list_name=ListName.ALLOW)]
        assert write(store, remove_entry, make_entry("+12015550124")) is None
        assert len(read(store, list_entries)) == 2

    @pytest.mark.parametrize(
        ("first", "last", "prefixes"),
        [
            ("+12015550100", "+12015550199", ["+120155501"]),
            ("+12015550000", "+12015559999", ["+1201555"]),
            ("+12015550123", "+12015550123", ["+12015550123"]),
            ("+10", "+19", ["+1"]),
            ("+98", "+99", ["+98", "+99"]),
            ("+198", "+210", ["+198", "+199", "+20", "+210"]),
            ("+20", "+10", []),
        ],
    )
    def test_a_range_is_covered_by_few_prefixes(self, first: str, last: str, prefixes: list[str]) -> None:
        assert list(covering_prefixes(first, last)) == prefixes

    @given(st.integers(1, 3), st.data())
    def test_the_prefixes_of_a_range_cover_it_exactly(self, length: int, data: st.DataObject) -> None:
        ends = st.integers(0, 10**length - 1)
        low, high = sorted((data.draw(ends), data.draw(ends)))
        prefixes = list(covering_prefixes(f"+{low:0{length}d}", f"+{high:0{length}d}"))
        covered = [n for n in range(10**length) if any(f"+{n:0{length}d}".startswith(p) for p in prefixes)]
        assert covered == list(range(low, high + 1))
        assert len(prefixes) <= 18 * length

    def test_ends_of_different_length_are_refused(self) -> None:
        with pytest.raises(ValueError, match="same length"):
            list(covering_prefixes("+1201", "+12015"))


class TestPeople:
    def test_people_round_trip(self, store: Path) -> None:
        write(store, replace_settings_people, [ANN, Person("202")])
        assert read(store, all_people) == [ANN, Person("202")]
        assert read(store, person_of, "201") == ANN
        assert read(store, person_of, "999") is None
        assert read(store, person_of_endpoint, "PJSIP/201") == ANN
        assert read(store, person_of_endpoint, "PJSIP/999") is None

    def test_a_shared_phone_belongs_to_the_lowest_extension(self, store: Path) -> None:
        write(store, replace_settings_people, [Person("203", "PJSIP/201"), ANN])
        assert read(store, person_of_endpoint, "PJSIP/201") == ANN

    def test_people_of_the_settings_equal_the_settings_file(self, store: Path) -> None:
        write(store, replace_settings_people, [ANN, Person("202")])
        write(store, upsert_people, [Person("301")], "people.csv")
        write(store, replace_settings_people, [Person("202", name="Bob")])
        assert read(store, all_people) == [Person("202", name="Bob"), Person("301")]

    @pytest.mark.parametrize(
        ("sources", "winner"),
        [
            (["settings", "people.csv"], "settings"),
            (["people.csv", "settings"], "settings"),
            (["old.csv", "new.csv"], "new.csv"),
        ],
        ids=str,
    )
    def test_people_of_the_settings_win_over_an_import(self, store: Path, sources: list[str], winner: str) -> None:
        for source in sources:
            write(store, upsert_people, [Person("201", name=source)], source)
        assert read(store, person_of, "201") == Person("201", name=winner)

    def test_dids_and_own_numbers_equal_the_settings_file(self, store: Path) -> None:
        for dids, numbers in (
            ([Did(DID), Did("+441")], ["+442", "+443"]),
            ([Did(DID, ("sales",), "201", False)], ["+443"]),
        ):
            write(store, replace_settings_dids, dids)
            write(store, replace_settings_own_numbers, numbers)
        assert read(store, all_dids) == [Did(DID, ("sales",), "201", False)]
        assert read(store, own_numbers) == [DID, "+443"]


class TestPersonal:
    def test_a_persons_latest_list_entry_counts(self, store: Path) -> None:
        block = PersonalEntry("201", CALLER, ListName.BLOCK, NOW)
        allow = PersonalEntry("201", CALLER, ListName.ALLOW, NOW + 1)
        other = PersonalEntry("202", CALLER, ListName.BLOCK, NOW)
        for entry in (block, allow, other, block):
            write(store, set_personal_entry, entry)
        assert read(store, personal_entries, "201") == [allow]
        assert write(store, remove_personal_entry, "201", CALLER) == allow
        assert write(store, remove_personal_entry, "201", CALLER) is None
        assert read(store, personal_entries, "202") == [other]

    def test_expecting_again_never_shortens_the_time(self, store: Path) -> None:
        for until in (NOW + 100, NOW + 1):
            write(store, expect_call, "201", until)
        assert len(facts(store).ties) == 1
        assert write(store, stop_expecting, "201") is True
        assert write(store, stop_expecting, "201") is False
        assert facts(store).ties == ()

    def test_contacts_are_replaced_by_source(self, store: Path) -> None:
        carol, dave, ours = Contact("+1201", "Carol", "201"), Contact("+1202", "Dave", "202"), Contact("+1203", "Eve")
        write(store, replace_contacts, "crm", [carol, dave, Contact("+1204")])
        write(store, replace_contacts, "phones", [carol])
        write(store, replace_contacts, "crm", [dave, ours])
        write(store, add_contacts, "crm", [ours._replace(name="Eva")])
        assert read(store, contacts_of, "201") == [carol, ours._replace(name="Eva")]
        assert read(store, contacts_of, None) == [ours._replace(name="Eva")]


def test_the_latest_identity_of_a_number_counts(store: Path) -> None:
    bank = Identity(CALLER, "First Bank", 2, NOW + 100, "called back on the published number")
    for identity, at in ((bank, NOW), (replace(bank, level=1), NOW - 1), (bank, NOW)):
        write(store, set_identity, identity, at)
    assert read(store, all_identities) == [bank]
    assert read(store, identity_of, CALLER) == bank
    assert write(store, remove_identity, CALLER) == bank
    assert write(store, remove_identity, CALLER) is None
    assert read(store, identity_of, CALLER) is None


def test_the_latest_pass_and_emergency_are_found(store: Path) -> None:
    assert read(store, latest_emergency) is None
    assert read(store, latest_challenge_pass, CALLER, AuthClass.UNKNOWN) is None
    write(store, record_emergency, NOW)
    write(store, pass_challenge, CALLER, AuthClass.UNKNOWN, NOW)
    assert read(store, latest_emergency) == NOW
    assert read(store, latest_challenge_pass, CALLER, AuthClass.UNKNOWN) == NOW
