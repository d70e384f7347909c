"""Operations of a person's own page: sign in and out, and change settings.

A sign-in with a wrong passcode returns None instead of raising Refused, because an exception would roll back the count
of wrong attempts.
"""

import sqlite3
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import msgspec

from callsieve.changes.describe import ChangeId, ExtensionText
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.undo import GONE, Undone, UndoRequest, find_made, undo
from callsieve.lists.operations import PersonalRequest, add_personal
from callsieve.numbers.operations import MarkRequest, mark
from callsieve.settings import Settings
from callsieve.wiring import people_of
from policies.files import nearest
from reputation.encoding import Instant
from reputation.feature_codes import SWITCHES
from reputation.model import DecisionRecord, ListName, MarkChannel, Person, PhoneSetting, Verdict
from reputation.site_names import parse_id
from reputation.store import devices, lists
from reputation.store.calls import is_call_for
from reputation.store.devices import DEVICE_SECONDS, Device
from reputation.store.journal import decision_of
from reputation.store.people import all_people, person_of
from reputation.wording import Wording

NO_CALL = Wording("No such call is recorded for you.")
NO_NUMBER = Wording("This caller hides the number, so it cannot be put on a list.")


class OwnPageLink(NamedTuple):
    """A link to a person's own page. Only this result contains the link: the store keeps just a hash.

    Attributes:
        person: The person's extension.
        url: The link.
        expires_at: When the link expires.
    """

    change_id: ChangeId | None
    person: str
    url: str
    expires_at: Instant


class LinkEnd(NamedTuple):
    """The part of a link that is written to the audit log: when the link expires."""

    expires_at: Instant


class Browser(NamedTuple):
    """The browser that signs in. `digest`: the hash of the browser's new cookie. `agent`: its User-Agent header."""

    digest: str
    address: str
    agent: str


class SignInAddress(NamedTuple):
    """The part of a sign-in that is written to the audit log: the browser's IP address."""

    address: str


class LinkSignIn(NamedTuple):
    """A sign-in with the secret in a link."""

    secret: str
    browser: Browser


class PasscodeSignIn(NamedTuple):
    """A sign-in with the passcode that was spoken on the person's phone."""

    person: str
    passcode: str
    browser: Browser


class SignOutRequest(NamedTuple):
    """A request to sign out a person's devices. `device`: only this device; `but`: all except this one; 0 for none.

    Without `device`, unused links are revoked too.
    """

    person: str
    device: int | None = None
    but: int = 0


class SignedOut(NamedTuple):
    """The result of a sign-out. `devices`: the signed-out devices. `links`: how many unused links were revoked."""

    change_id: ChangeId | None
    devices: tuple[Device, ...]
    links: int


class EndedLinks(NamedTuple):
    """The result of revoking a person's links. `links`: how many links were revoked."""

    change_id: ChangeId | None
    links: int


class SettingRequest(NamedTuple):
    """A request to set a person's phone setting if `is_wished`, otherwise to clear the setting.

    `code`: the setting: `quiet` (quiet hours are on) or `whispers` (spoken warnings are off).
    """

    person: str
    code: str
    is_wished: bool


class ExpectRequest(NamedTuple):
    """A request to let every call for a person ring for two hours (`is_expected`), or to screen the calls again."""

    person: str
    is_expected: bool


class PersonRequest(msgspec.Struct, frozen=True):
    """The key of a person: their extension."""

    person: ExtensionText


class PhoneSettingsRequest(msgspec.Struct, frozen=True):
    """New settings for a person's phone. Null leaves a setting unchanged.

    Attributes:
        quiet: Whether quiet hours are on, during which strangers do not ring the phone.
        whispers: Whether the person hears a spoken warning before a suspicious call.
        expects: Whether every call for the person rings, for two hours from now.
    """

    person: ExtensionText
    quiet: bool | None = None
    whispers: bool | None = None
    expects: bool | None = None


class PhoneSettings(NamedTuple):
    """The settings of a person's phone.

    Attributes:
        person: The person's extension.
        quiet: Whether quiet hours are on, during which strangers do not ring the phone.
        whispers: Whether the person hears a spoken warning before a suspicious call.
        expects_until: Until when every call for the person rings; null if calls are screened as usual.
    """

    person: str
    quiet: bool
    whispers: bool
    expects_until: Instant | None


class OwnCallKey(NamedTuple):
    """The key of a person's call: the person's extension, and the id of the decision about the call."""

    person: str
    id: str


def page_address(settings: Settings) -> str:
    """Return the URL that people's browsers use for the console."""
    web = settings.web
    return f"https://{web.hosts[0]}" if web.behind_proxy and web.hosts else f"http://{web.listen}"


def find_person(db: sqlite3.Connection, settings: Settings, extension: str) -> Person | None:
    """Return the person with this extension from the store or the settings, or None."""
    person_here = person_of(db, extension)
    return person_here or next((person for person in people_of(settings) if person.extension == extension), None)


def known_person(db: sqlite3.Connection, settings: Settings, extension: str) -> Person:
    """Return the person with this extension. Raise Refused if nobody has this extension."""
    person = find_person(db, settings, extension)
    if person is None:
        known = {person.extension for person in (*all_people(db), *people_of(settings))}
        hint = nearest(extension, known) if known else ""
        raise Refused("unknown-person", f"there is no person {extension[:40]!r}{hint}")
    return person


# Signing in and out.


def make_link(db: sqlite3.Connection, context: Context, extension: str) -> OwnPageLink:
    """Create a link to a person's own page. The link works once, within 24 hours."""
    person, secret = known_person(db, context.settings, extension), devices.new_secret()
    with change(db, context, "people link", name=person.extension) as changed:
        expires_at = devices.add_link(db, person.extension, secret, context.at)
        changed.after = LinkEnd(expires_at)
    url = f"{page_address(context.settings)}/me/link/{secret}"
    return OwnPageLink(changed.id, person.extension, url, expires_at)


def sign_in_with_link(db: sqlite3.Connection, context: Context, request: LinkSignIn) -> Person | None:
    """Use up a link and sign its person in. Return None if the link was used or has expired."""
    extension = devices.use_link(db, request.secret, context.at)
    return _sign_in(db, context, extension, request.browser)


def sign_in_with_passcode(db: sqlite3.Connection, context: Context, request: PasscodeSignIn) -> Person | None:
    """Use up a passcode and sign the person in. Return None if it is wrong. Five wrong attempts revoke the passcode."""
    is_right = devices.use_passcode(db, request.person, request.passcode, context.at)
    return _sign_in(db, context, request.person if is_right else None, request.browser)


def _sign_in(db: sqlite3.Connection, context: Context, extension: str | None, browser: Browser) -> Person | None:
    person = find_person(db, context.settings, extension) if extension else None
    if person is None:
        return None
    who, now = replace(context, actor=f"{person.extension} (own page)"), context.at
    with change(db, who, "sign in", name=person.extension) as changed:
        changed.after = SignInAddress(browser.address)
        device = Device(0, person.extension, now, now, now + DEVICE_SECONDS, browser.address, browser.agent)
        devices.start_device(db, browser.digest, device)
    return person


def end_links(db: sqlite3.Connection, context: Context, extension: str) -> EndedLinks:
    """Revoke the unused links to a person's own page."""
    with change(db, context, "people end-links", name=extension) as changed:
        count = devices.end_links(db, extension)
        if not count:
            raise Refused("no-such-link", Wording("All links to this personal page have been used already."))
        changed.before = {"links": count}
    return EndedLinks(changed.id, count)


def sign_out(db: sqlite3.Connection, context: Context, request: SignOutRequest) -> SignedOut:
    """Sign out a person's devices."""
    with change(db, context, "people sign-out", name=request.person) as changed:
        ended = devices.end_devices(db, request.person, request.device, request.but)
        links = devices.end_links(db, request.person) if request.device is None else 0
        if not ended and not links:
            raise Refused("not-signed-in", Wording("This device is signed out already."))
        changed.before = {"devices": len(ended), "links": links}
    return SignedOut(changed.id, tuple(ended), links)


def choose_setting(db: sqlite3.Connection, context: Context, request: SettingRequest) -> None:
    """Change a person's phone setting, as the feature code does."""
    switch, person = SWITCHES[request.code], request.person
    with change(db, context, switch.on if request.is_wished else switch.off, name=person) as changed:
        if request.is_wished:
            changed.after = lists.set_phone_setting(db, person, switch.setting, context.at)
        else:
            changed.before = lists.clear_phone_setting(db, person, switch.setting)
        changed.is_nothing = changed.before is changed.after


def expect_call(db: sqlite3.Connection, context: Context, request: ExpectRequest) -> None:
    """Let every call for the person ring for two hours, or screen the person's calls again."""
    person, now = request.person, context.at
    with change(db, context, "expecting" if request.is_expected else "not-expecting", name=person) as changed:
        known = lists.expected_call_of(db, person)
        is_open = known is not None and known.until > now
        changed.is_nothing = is_open == request.is_expected
        if changed.is_nothing:
            return
        if request.is_expected:
            changed.after = lists.ExpectedCall(person, now + lists.EXPECT_SECONDS)
            lists.expect_call(db, *changed.after)
        else:
            changed.before = known
            lists.stop_expecting(db, person)


def find_settings(db: sqlite3.Connection, context: Context, request: PersonRequest) -> PhoneSettings:
    """Return a person's phone settings."""
    person = known_person(db, context.settings, request.person).extension
    chosen, expected = lists.phone_settings_of(db, person), lists.expected_call_of(db, person)
    until = Instant(expected.until) if expected is not None and expected.until > context.at else None
    return PhoneSettings(person, PhoneSetting.QUIET in chosen, PhoneSetting.NO_WHISPER not in chosen, until)


def choose_settings(db: sqlite3.Connection, context: Context, request: PhoneSettingsRequest) -> PhoneSettings:
    """Change a person's phone settings, as the feature codes do."""
    person = known_person(db, context.settings, request.person).extension
    if request.quiet is not None:
        choose_setting(db, context, SettingRequest(person, "quiet", request.quiet))
    if request.whispers is not None:
        choose_setting(db, context, SettingRequest(person, "whispers", not request.whispers))
    if request.expects is not None:
        expect_call(db, context, ExpectRequest(person, request.expects))
    return find_settings(db, context, PersonRequest(person))


def call_for(db: sqlite3.Connection, person: str, raw_id: str) -> DecisionRecord:
    """Return the call with the id `raw_id`. Raise Refused unless the call was for this person or rang their phone."""
    decision_id = parse_id(raw_id)
    record = decision_of(db, decision_id) if decision_id else None
    if record is None or not is_call_for(db, record.id, person):
        raise Refused("no-such-call", NO_CALL)
    return record


def number_of_call(db: sqlite3.Connection, person: str, raw_id: str) -> str:
    """Return the number of the caller in a person's call. Raise Refused if the number is withheld."""
    number = call_for(db, person, raw_id).caller
    if number is None:
        raise Refused("no-number", NO_NUMBER)
    return number


def was_wrong(db: sqlite3.Connection, context: Context, request: OwnCallKey) -> None:
    """Add the caller of a person's call to the person's allowlist and mark the caller as not spam, as one change."""
    number = number_of_call(db, request.person, request.id)
    with change(db, context, "this was wrong", number) as changed:
        made = len(context.made)
        add_personal(db, context, PersonalRequest(ListName.ALLOW, number, request.person))
        with suppress(Refused):  # a contact is not marked, but may be on a list
            mark(db, context, MarkRequest(number, request.person, Verdict.OK, MarkChannel.WEB))
        changed.after = {"call": request.id}
        changed.is_nothing = len(context.made) == made


def undo_own(db: sqlite3.Connection, context: Context, change_id: int) -> Undone:
    """Undo a change that the person made on this page in the last 15 minutes."""
    if find_made(db, context, change_id) is None:
        raise Refused("no-such-change", GONE)
    return undo(db, context, UndoRequest(change_id))
