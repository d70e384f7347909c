"""Signing in to the own page: links and passcodes are used once and in time, and devices end with their person."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reputation.feature_codes import make_passcode
from reputation.model import Person
from reputation.store.audit import audit_rows
from reputation.store.database import open_store
from reputation.store.devices import (
    DEVICE_SECONDS,
    LINK_SECONDS,
    PASSCODE_DIGITS,
    PASSCODE_SECONDS,
    PASSCODE_TRIES,
    Device,
    add_link,
    add_passcode,
    device_of,
    devices_of,
    end_devices,
    new_passcode,
    person_of_link,
    start_device,
    touch_device,
    use_link,
    use_passcode,
)
from reputation.store.people import SETTINGS, remove_person, replace_settings_people, upsert_people
from reputation.store.privacy import erase_number
from reputation.store.sources import remove_people
from reputation.store.transaction import transaction

NOW = 1_767_000_000.0
ALICE = Person("201", "PJSIP/201", "sales", "en", "Alice")
BOB = Person("202", "PJSIP/202", "sales", "en", "Bob")
DIGEST = "ab" * 32


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path / "store.db") as store:
        with transaction(store):
            upsert_people(store, [ALICE, BOB], SETTINGS)
        yield store


def sign_in(db: sqlite3.Connection, person: str, digest: str = DIGEST) -> None:
    start_device(db, digest, Device(0, person, NOW, NOW, NOW + DEVICE_SECONDS, "192.0.2.7", "phone"))


def test_a_link_is_used_once(db: sqlite3.Connection) -> None:
    add_link(db, "201", DIGEST, NOW)
    assert [person_of_link(db, DIGEST, NOW + 1) for _ in range(2)] == ["201", "201"]
    assert use_link(db, DIGEST, NOW + 1) == "201"
    assert use_link(db, DIGEST, NOW + 1) is None
    assert person_of_link(db, DIGEST, NOW + 1) is None


def test_a_link_expires(db: sqlite3.Connection) -> None:
    add_link(db, "201", DIGEST, NOW)
    assert person_of_link(db, DIGEST, NOW + LINK_SECONDS) is None
    assert use_link(db, DIGEST, NOW + LINK_SECONDS) is None
    assert use_link(db, "cd" * 32, NOW) is None


def test_a_passcode_is_used_once_by_its_person(db: sqlite3.Connection) -> None:
    add_passcode(db, "201", "40815162", NOW)
    assert not use_passcode(db, "202", "40815162", NOW)
    assert use_passcode(db, "201", "40815162", NOW + PASSCODE_SECONDS - 1)
    assert not use_passcode(db, "201", "40815162", NOW)


def test_a_passcode_expires(db: sqlite3.Connection) -> None:
    add_passcode(db, "201", "40815162", NOW)
    assert not use_passcode(db, "201", "40815162", NOW + PASSCODE_SECONDS)


@pytest.mark.parametrize("wrong_tries", range(PASSCODE_TRIES + 1))
def test_five_wrong_tries_end_a_passcode(db: sqlite3.Connection, wrong_tries: int) -> None:
    add_passcode(db, "201", "40815162", NOW)
    assert not any(use_passcode(db, "201", "40815163", NOW) for _ in range(wrong_tries))
    assert use_passcode(db, "201", "40815162", NOW) is (wrong_tries < PASSCODE_TRIES)


def test_a_new_passcode_ends_the_earlier_one(db: sqlite3.Connection) -> None:
    add_passcode(db, "201", "40815162", NOW)
    add_passcode(db, "201", "23422342", NOW)
    assert not use_passcode(db, "201", "40815162", NOW)
    assert use_passcode(db, "201", "23422342", NOW)


def test_passcodes_are_eight_digits() -> None:
    made = {new_passcode() for _ in range(100)}
    assert len(made) > 90
    assert all(len(item) == PASSCODE_DIGITS and item.isdecimal() and item.isascii() for item in made)


def test_no_secret_is_in_the_store(db: sqlite3.Connection) -> None:
    add_passcode(db, "201", "40815162", NOW)
    assert "40815162" not in str(db.execute("SELECT * FROM sign_in").fetchall())


def test_only_the_phone_of_a_person_gets_a_passcode(db: sqlite3.Connection) -> None:
    assert make_passcode(db, "PJSIP/201", "40815162", NOW)
    assert not make_passcode(db, "PJSIP/lobby", "40815162", NOW)
    assert [(row.who, row.what, row.name) for row in audit_rows(db)] == [("phone 201", "passcode", "201")]
    assert "40815162" not in str(audit_rows(db))


def test_a_device_is_signed_in_until_it_ends(db: sqlite3.Connection) -> None:
    sign_in(db, "201")
    found = device_of(db, DIGEST, NOW + DEVICE_SECONDS - 1)
    assert found is not None
    assert (found.person, found.address, found.agent) == ("201", "192.0.2.7", "phone")
    assert device_of(db, DIGEST, NOW + DEVICE_SECONDS) is None
    assert devices_of(db, "201", NOW + DEVICE_SECONDS) == []
    touch_device(db, found.id, NOW + 60)
    assert devices_of(db, "201", NOW)[0].seen_at == NOW + 60


def test_one_device_or_all_others_can_be_signed_out(db: sqlite3.Connection) -> None:
    for number in range(4):
        sign_in(db, "201" if number < 3 else "202", f"{number:064}")
    mine = devices_of(db, "201", NOW)
    bobs = devices_of(db, "202", NOW)
    assert end_devices(db, "201", bobs[0].id) == []
    assert end_devices(db, "201", mine[0].id) == [mine[0]]
    assert end_devices(db, "201", but=mine[1].id) == [mine[2]]
    assert devices_of(db, "201", NOW) == [mine[1]]
    assert devices_of(db, "202", NOW) == bobs


ENDINGS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "removed": lambda db: remove_person(db, "201"),
    "gone from the settings": lambda db: replace_settings_people(db, [BOB]),
    "another person": lambda db: replace_settings_people(db, [replace(ALICE, name="Carol"), BOB]),
    "import removed": lambda db: remove_people(db, "hr"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_devices_are_removed_with_their_person(db: sqlite3.Connection, ending: str) -> None:
    if ending == "import removed":
        remove_person(db, "201")
        upsert_people(db, [ALICE], "hr")
    sign_in(db, "201")
    sign_in(db, "202", "cd" * 32)
    add_link(db, "201", DIGEST, NOW)
    with transaction(db):
        ENDINGS[ending](db)
    assert device_of(db, DIGEST, NOW) is None
    assert person_of_link(db, DIGEST, NOW) is None
    assert len(devices_of(db, "202", NOW)) == 1


@pytest.mark.parametrize(
    "people",
    [
        pytest.param([ALICE, BOB], id="nothing"),
        pytest.param([replace(ALICE, group="support"), BOB], id="another group"),
        pytest.param([ALICE, BOB, Person("203")], id="a colleague"),
    ],
)
def test_devices_stay_when_the_settings_are_read_again(db: sqlite3.Connection, people: list[Person]) -> None:
    sign_in(db, "201")
    with transaction(db):
        replace_settings_people(db, people)
    assert device_of(db, DIGEST, NOW) is not None


def test_erasing_a_number_removes_the_devices_of_its_person(db: sqlite3.Connection) -> None:
    number = "+12015550123"
    sign_in(db, number)
    add_link(db, number, DIGEST, NOW)
    sign_in(db, "201", "cd" * 32)
    with transaction(db):
        gone = erase_number(db, number)
    assert (gone["device"], gone["sign_in"]) == (1, 1)
    assert device_of(db, DIGEST, NOW) is None
    assert len(devices_of(db, "201", NOW)) == 1
