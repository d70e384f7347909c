"""`callsieve people`: links to people's own pages, and their devices."""

from __future__ import annotations

import time

import pytest

from callsieve.web.tokens import hash_of, new_token
from reputation.model import PhoneSetting
from reputation.store.audit import audit_rows
from reputation.store.database import open_store
from reputation.store.devices import DEVICE_SECONDS, Device, devices_of, person_of_link, start_device
from reputation.store.lists import phone_settings_of
from reputation.store.transaction import transaction
from tests.callsieve.program import Program


def sign_in(callsieve: Program, person: str) -> None:
    now = time.time()
    with open_store(callsieve.store) as db, transaction(db):
        device = Device(0, person, now, now, now + DEVICE_SECONDS, "192.0.2.7", "test phone")
        start_device(db, hash_of(new_token()), device)


def test_link_is_printed_once_and_stored_as_a_hash(callsieve: Program) -> None:
    made = callsieve("people", "link", "201", "--json").json
    secret = made["url"].rpartition("/")[2]
    assert made["url"].startswith("http://127.0.0.1:8480/me/link/")
    with open_store(callsieve.store) as db:
        assert person_of_link(db, secret, time.time()) == "201"
        assert secret not in str(db.execute("SELECT * FROM sign_in").fetchall())
        row = audit_rows(db)[-1]
    assert (row.what, row.name, row.number) == ("people link", "201", None)
    assert secret not in str(row)


def test_link_without_a_proxy_warns_that_phones_cannot_open_it(callsieve: Program) -> None:
    assert "HTTPS proxy" in callsieve.ok("people", "link", "201")
    with callsieve.config.open("a") as settings:
        settings.write('\n[web]\nenabled = true\nbehind_proxy = true\nhosts = ["pbx.example"]\n')
    out = callsieve.ok("people", "link", "201")
    assert "https://pbx.example/me/link/" in out
    assert "HTTPS proxy" not in out


def test_the_warnings_of_a_phone_are_turned_off_and_on(callsieve: Program) -> None:
    callsieve.ok("people", "link", "201")
    before = callsieve("people", "settings", "201", "--json").json
    assert before == {"person": "201", "quiet": False, "whispers": True, "expects_until": None}
    assert callsieve("people", "settings", "201", "--no-warnings", "--json").json == {**before, "whispers": False}
    assert "off" in callsieve.ok("people", "settings", "201")
    with open_store(callsieve.store) as db:
        assert phone_settings_of(db, "201") == {PhoneSetting.NO_WHISPER}
        assert audit_rows(db)[0].what == "whispers-off"
    callsieve.ok("people", "settings", "201", "--warnings", "--quiet")
    with open_store(callsieve.store) as db:
        assert phone_settings_of(db, "201") == {PhoneSetting.QUIET}


@pytest.mark.parametrize("command", ["link", "devices", "settings"])
def test_unknown_extension_is_refused(callsieve: Program, command: str) -> None:
    callsieve.ok("people", "link", "201")
    assert callsieve("people", command, "999").code == 2


def test_devices_are_shown_and_signed_out(callsieve: Program) -> None:
    callsieve.ok("people", "link", "201")
    for person in ("201", "201", "201", "202"):
        sign_in(callsieve, person)
    shown = callsieve("people", "devices", "201", "--json").json
    assert {(item["person"], item["agent"], item["address"]) for item in shown} == {("201", "test phone", "192.0.2.7")}
    callsieve.ok("people", "sign-out", "201", "--device", str(shown[0]["id"]))
    assert len(callsieve("people", "devices", "201", "--json").json) == 2
    assert "1 link" in callsieve.ok("people", "devices", "201")
    assert "ended 1 link" in callsieve.ok("people", "sign-out", "201")
    assert callsieve("people", "devices", "201", "--json").json == []
    assert callsieve("people", "sign-out", "201").code == 2
    with open_store(callsieve.store) as db:
        assert len(devices_of(db, "202", time.time())) == 1
        rows = [(row.what, row.name) for row in audit_rows(db)]
    assert rows == [("people sign-out", "201")] * 2 + [("people link", "201")]
