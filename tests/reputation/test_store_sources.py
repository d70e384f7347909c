"""The imports of contacts and people are listed, and removed with their rows."""

from __future__ import annotations

from pathlib import Path

from reputation.model import Person
from reputation.store.database import open_store
from reputation.store.lists import Contact, add_contacts, contacts_of
from reputation.store.people import SETTINGS, all_people, upsert_people
from reputation.store.sources import NamedSource, contact_sources, people_sources, remove_contacts, remove_people


def test_contacts_are_removed_by_their_import(tmp_path: Path) -> None:
    with open_store(tmp_path / "callsieve.db") as db:
        add_contacts(db, "crm", [Contact("+12015550123"), Contact("+12015550124", "Joe", "201")])
        add_contacts(db, "phones", [Contact("+12015550123")])
        assert contact_sources(db) == [NamedSource("crm", 2), NamedSource("phones", 1)]
        assert remove_contacts(db, "crm") == 2
        assert contacts_of(db, "201") == [Contact("+12015550123")]
        assert remove_contacts(db, "crm") == 0


def test_people_of_the_settings_are_no_import(tmp_path: Path) -> None:
    with open_store(tmp_path / "callsieve.db") as db:
        for extension, source in (("201", SETTINGS), ("203", "hr"), ("204", "hr")):
            upsert_people(db, [Person(extension)], source)
        assert people_sources(db) == [NamedSource("hr", 2)]
        assert remove_people(db, SETTINGS) == 0
        assert remove_people(db, "hr") == 2
        assert [person.extension for person in all_people(db)] == ["201"]
