"""The store of the office in integration tests, and helpers to look at the outcome."""

from __future__ import annotations

import re
import sqlite3
import time
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import sin
from pathlib import Path
from struct import pack
from typing import Protocol

from callsieve.prompts.catalogue import prompts_of
from lab import Asterisk, CallResult, CallSpec, Carrier, Phone
from lab.screened import EXTENSIONS, SETTINGS, ScreenedPbx
from reputation.model import DecisionRecord, EntryKind, Identity, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.identities import set_identity
from reputation.store.imports import import_numbers
from reputation.store.journal import decisions
from reputation.store.lists import Contact, PersonalEntry, add_contacts, add_entry, set_personal_entry
from tests.waiting import wait_until

STRANGER = "+12015550100"
BY_ACTION = {
    "allow": "+12015550101",
    "tag": "+12015550102",
    "warn": "+12015550103",
    "challenge": "+12015550104",
    "route": "+12015550105",
    "reject": "+12015550106",
}
SPAM = "+12015550110"
BUSINESS = "+12015550111"
ALICES_FRIEND = "+12015550112"
ALICES_FOE = "+12015550113"
ALICES_CONTACT = "+12015550114"
COMPANY_CONTACT = "+12015550115"
BLOCKED_PREFIX = "+12015559"


def fill(path: Path) -> None:
    """Add a block entry for each action, an imported spam number, a verified business, and personal lists."""
    now = time.time()
    with open_store(path) as db:
        with transaction(db):
            for action, number in BY_ACTION.items():
                add_entry(db, ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action=action, added_at=now))
            add_entry(db, ListEntry(ListName.BLOCK, EntryKind.PREFIX, BLOCKED_PREFIX, added_at=now))
            set_identity(db, Identity(BUSINESS, 'ACME: Ltd, "Leeds"', 2, now + 86400), now)
            set_personal_entry(db, PersonalEntry("201", ALICES_FRIEND, ListName.ALLOW, now))
            set_personal_entry(db, PersonalEntry("201", ALICES_FOE, ListName.BLOCK, now))
            contacts = [Contact(ALICES_CONTACT, "Carol", "201"), Contact(COMPANY_CONTACT, "The bank")]
            add_contacts(db, "test", contacts)
        import_numbers(db, "test-list", "spam", [(SPAM, "scam", None, None)])


class HasAsterisk(Protocol):
    """An office of the lab."""

    asterisk: Asterisk


def install_prompts(pbx: HasAsterisk, seconds: Mapping[str, float], language: str = "en") -> None:
    """Install our prompts as tones of these lengths, by their keys."""
    folder = pbx.asterisk.directories.data / "sounds" / language / "callsieve"
    folder.mkdir(parents=True, exist_ok=True)
    for key, length in seconds.items():
        with wave.open(str(folder / f"{key}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(b"".join(pack("<h", round(8000 * sin(n / 2))) for n in range(round(8000 * length))))


def played(pbx: HasAsterisk) -> list[str]:
    """Return the keys of our prompts that were played so far, to anyone."""
    return re.findall(r"Playing '(?:\S*/)?callsieve/([a-z0-9-]+)", "\n".join(pbx.asterisk.log_lines()))


def connected(pbx: ScreenedPbx) -> list[set[str]]:
    """Return who was connected so far: the endpoints of each bridge, in order, from Asterisk's log."""
    bridges: dict[str, set[str]] = {}
    joined = r"Channel (\S+)-[0-9a-f]{8} joined '\w+' basic-bridge <([0-9a-f-]+)>"
    for endpoint, bridge in re.findall(joined, "\n".join(pbx.asterisk.log_lines())):
        bridges.setdefault(bridge, set()).add(endpoint)
    return list(bridges.values())


def has_met(pbx: HasAsterisk, began: int) -> bool:
    """Return whether a phone has joined a bridge since a line of Asterisk's log."""
    return any("PJSIP/20" in line and " joined '" in line for line in pbx.asterisk.log_lines()[began:])


def heard_digits(pbx: HasAsterisk) -> list[str]:
    """Return the digits that callers were asked for so far, in our prompts or in Asterisk's."""
    lines = "\n".join(pbx.asterisk.log_lines())
    return re.findall(r"Playing '(?:callsieve/challenge-press-|digits/)(\d)", lines)


def is_asked(pbx: HasAsterisk, before: int) -> bool:
    """Return whether a caller was asked for a digit since there were `before`."""
    return len(heard_digits(pbx)) > before


def pressing(pbx: ScreenedPbx, caller: str, did: str, *digits: str) -> CallResult:
    """Make a call that presses a key each time a digit is asked for."""
    before = len(heard_digits(pbx))
    with pbx.carrier.start(CallSpec(caller=caller, name="Joe", did=did, hang_up_after=6.0)) as call:
        for number, digit in enumerate(digits):
            wait_until(partial(is_asked, pbx, before + number), "the question")
            call.press(digit)
        return call.result()


def ami_settings(pbx: ScreenedPbx) -> str:
    """Return the settings with which the daemon listens to this Asterisk."""
    host, port = pbx.asterisk.ami_address
    user, secret = pbx.asterisk.ami_login
    return f'[ami]\nhost = "{host}"\nport = {port}\nusername = "{user}"\nsecret = "{secret}"\n'


def start_listening(pbx: ScreenedPbx, settings: str) -> None:
    """Start the daemon with these settings, and wait until it listens to this Asterisk."""
    pbx.daemon.write_settings(f"{settings}\n{ami_settings(pbx)}")
    pbx.daemon.start()
    pbx.daemon.wait_for_log("listening to Asterisk")


BY_OFFICE = SETTINGS.replace('"cautious"', '"office"')  # settings: the policy is that of `asking_office`
# Whoever calls from these is asked: for a name, or for a digit.
ASKS_FOR_NAME = """\
[[rule]]
name = "by-name"
when = { prefix = ["+1201555044"] }
action = "challenge"
ask = "name"
reason = "asked for a name"
"""
ASKS_FOR_DIGIT = """\
[[rule]]
name = "by-digit"
when = { prefix = ["+120155504"] }
action = "challenge"
reason = "asked for a digit"
"""


@contextmanager
def asking_office(
    rules: str, settings: str, scenes: tuple[str, ...], extensions: str = EXTENSIONS
) -> Iterator[ScreenedPbx]:
    """Yield an office with these rules above those of cautious, more settings, and short prompts of these scenes."""
    with ScreenedPbx(start_daemon=False, extensions=extensions, patient=True) as office:
        (office.state / "policies").mkdir()
        (office.state / "policies" / "office.toml").write_text(f'extends = "cautious"\n{rules}')
        start_listening(office, BY_OFFICE + settings)
        install_prompts(office, {key: 0.2 for key in prompts_of("en") if key.partition("-")[0] in scenes})
        yield office


def journal(path: Path) -> list[DecisionRecord]:
    """Return all decisions, the latest first."""
    db = sqlite3.connect(path)
    try:
        return decisions(db, limit=10_000)
    finally:
        db.close()


def decision_on(path: Path, caller: str | None, seconds: float = 20.0) -> DecisionRecord:
    """Return the latest decision about a caller, once it is in the journal."""
    found: list[DecisionRecord] = []

    def there() -> bool:
        found[:] = [record for record in journal(path) if record.caller == caller]
        return bool(found)

    wait_until(there, f"a decision about {caller}", seconds)
    return found[0]


def answered(carrier: Carrier, *phones: Phone, spec: CallSpec) -> CallResult:
    """Place a call that a phone must answer."""
    result = carrier.call(spec)
    assert result.code == 200, f"the call ended with {result.code} {result.reason}"
    assert any(phone.invites() for phone in phones), "no phone rang"
    return result
