"""Links to people's own pages and their devices, through the API."""

from __future__ import annotations

from pathlib import Path

from callsieve.web.tokens import hash_of, new_token
from reputation.model import Person
from reputation.store.devices import DEVICE_SECONDS, Device, person_of_link, start_device
from reputation.store.people import upsert_people
from reputation.users import Role
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import NOW, changes_of

LINKS, DEVICES = "/people/301/links", "/people/301/devices"


def make_office(folder: Path) -> ApiOffice:
    """Carol is signed in on two devices."""
    office = ApiOffice(folder)
    office.write(upsert_people, [Person("301", "PJSIP/301", name="Carol")], "hr")
    for _ in range(2):
        device = Device(0, "301", NOW, NOW, NOW + DEVICE_SECONDS, "192.0.2.9", "test phone")
        office.write(start_device, hash_of(new_token()), device)
    return office


def test_links_are_made_listed_and_revoked(tmp_path: Path) -> None:
    office = make_office(tmp_path)
    with office.api() as api:
        program = api.program()
        first, second = (program.done("POST", LINKS) for _ in range(2))
        secret = first["url"].rpartition("/")[2]
        assert office.read(person_of_link, secret, NOW) == "301"
        listed = program.get(LINKS)["items"]
        assert [one["expires_at"] for one in listed] == [first["expires_at"], second["expires_at"]]
        assert secret not in str(listed)
        assert program.done("DELETE", LINKS)["links"] == 2
        assert office.read(person_of_link, secret, NOW) is None
        assert program.get(LINKS)["items"] == []
        assert program.refused("DELETE", LINKS) == (404, "no-such-link")
    assert changes_of(office)[0] == ("people end-links", "token:program-1", None)


def test_answer_with_a_link_is_not_stored(tmp_path: Path) -> None:
    office = make_office(tmp_path)
    with office.api() as api:
        made = api.program().done("POST", LINKS, headers={"idempotency-key": "one"})
    assert made["url"].rpartition("/")[2].encode() not in office.store.read_bytes()


def test_devices_are_listed_and_signed_out(tmp_path: Path) -> None:
    office = make_office(tmp_path)
    with office.api() as api:
        program = api.program()
        program.done("POST", LINKS)
        ids = [one["id"] for one in program.get(DEVICES)["items"]]
        assert [one["id"] for one in program.done("DELETE", f"{DEVICES}/{ids[0]}")["devices"]] == ids[:1]
        assert [one["id"] for one in program.get(DEVICES)["items"]] == ids[1:]
        assert program.refused("DELETE", f"/people/302/devices/{ids[1]}") == (422, "not-signed-in")
        ended = program.done("DELETE", DEVICES)
        assert ([one["id"] for one in ended["devices"]], ended["links"]) == (ids[1:], 1)
        assert program.refused("DELETE", DEVICES)[1] == "not-signed-in"


def test_an_unknown_person_gets_no_link(tmp_path: Path) -> None:
    with make_office(tmp_path).api() as api:
        assert api.program().refused("POST", "/people/999/links") == (404, "unknown-person")
        assert api.program(Role.OPERATOR).refused("POST", LINKS)[0] == 403
