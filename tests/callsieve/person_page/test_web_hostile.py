"""Hostile text in every field that a person's own page shows is text, and nothing else."""

from __future__ import annotations

from pathlib import Path

from callsieve.web.tokens import hash_of, new_token
from reputation.model import ListName, Person, Voice
from reputation.store.devices import DEVICE_SECONDS, Device, start_device
from reputation.store.lists import Contact, PersonalEntry, add_contacts, set_personal_entry
from reputation.store.people import upsert_people
from reputation.store.transcripts import Transcript, record_transcript
from tests.callsieve.browsing import NOW, Office
from tests.callsieve.console_calls import make_decision
from tests.callsieve.person_page.phones import Phone
from tests.callsieve.web.test_hostile import HOSTILE, elements_of
from tests.callsieve.web.test_hostile_forms import read

PATHS = ("/me", "/me/lists", "/me/devices")
PERSON = "303"


def pages(folder: Path, texts: list[str]) -> list[tuple[str, str, str]]:
    """(which page, the text in it, the page), each text in all fields of an office of its own person."""
    office = Office(folder)
    found = []
    with office.console() as console:
        for place, text in enumerate(texts):
            person, number = f"{PERSON}{place:02}", f"+1201555{place:04d}"
            office.write(upsert_people, [Person(person, f"PJSIP/{person}", text, "en", text)], "hr")
            named = make_decision(f"A{place:07}", caller=number, callee=person, rule=text, reason=text, action="tag")
            nameless = make_decision(f"B{place:07}", caller=None, caller_kind="invalid", callee=person)
            office.add_decisions(named, nameless._replace(caller_text=text))
            office.write(
                record_transcript, Transcript(named.id, NOW, named.linkedid, number, text, "en", Voice.UNCLEAR)
            )
            office.write(add_contacts, "crm", [Contact(number, text, person)])
            office.write(set_personal_entry, PersonalEntry(person, number, ListName.BLOCK, NOW))
            device = Device(0, person, NOW, NOW, NOW + DEVICE_SECONDS, text, text)
            office.write(start_device, hash_of(new_token()), device)
            phone = Phone(console, person)
            found += [(path, text, phone.text(path)) for path in PATHS]
            found.append(("/people", text, console.browser("administrator").text(f"/people/{person}")))
    return found


def test_text_is_escaped_on_every_own_page(tmp_path: Path) -> None:
    (tmp_path / "harmless").mkdir()
    harmless = pages(tmp_path / "harmless", ["harmless"])
    assert all(page.count("harmless") > 1 for _, _, page in harmless)
    known = {path: elements_of(page) for path, _, page in harmless}
    shown = pages(tmp_path, HOSTILE)
    assert len(shown) == 4 * len(HOSTILE)
    for path, text, page in shown:
        assert elements_of(page) <= known[path], (path, text)
        assert read(path, page).faults == [], (path, text)
