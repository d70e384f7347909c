"""API endpoints for links to people's own pages, signed-in devices and phone settings."""

import sqlite3

import msgspec

from callsieve.api.endpoint import endpoint
from callsieve.changes.describe import ExtensionText
from callsieve.changes.operation import Context
from callsieve.person_page import operations, views
from callsieve.person_page.operations import (
    EndedLinks,
    OwnPageLink,
    PhoneSettingsRequest,
    SignedOut,
    SignOutRequest,
)
from reputation.users import Role, Scope

LINKS, DEVICES, SETTINGS = (f"/people/{{person}}/{what}" for what in ("links", "devices", "settings"))
WHO = (Scope.ADMIN, Role.ADMINISTRATOR)


class PersonKey(msgspec.Struct, frozen=True):
    """The key of a person: their extension."""

    person: ExtensionText


class DeviceKey(msgspec.Struct, frozen=True):
    """A device (browser) on which a person is signed in to their own page. `device`: the `id` of the device."""

    person: ExtensionText
    device: int


def make_link(db: sqlite3.Connection, context: Context, request: PersonKey) -> OwnPageLink:
    """Create a link to a person's own page. The link works once, within 24 hours."""
    return operations.make_link(db, context, request.person)


def end_links(db: sqlite3.Connection, context: Context, request: PersonKey) -> EndedLinks:
    """Revoke the unused links to a person's own page."""
    return operations.end_links(db, context, request.person)


def sign_out_device(db: sqlite3.Connection, context: Context, request: DeviceKey) -> SignedOut:
    """Sign a device out of a person's own page."""
    return operations.sign_out(db, context, SignOutRequest(request.person, request.device))


def sign_out_all(db: sqlite3.Connection, context: Context, request: PersonKey) -> SignedOut:
    """Sign all devices out of a person's own page and revoke unused links."""
    return operations.sign_out(db, context, SignOutRequest(request.person))


ENDPOINTS = (
    endpoint("GET", LINKS, views.find_links, Scope.READ, Role.ADMINISTRATOR),
    endpoint("POST", LINKS, make_link, *WHO, status=201, keeps_answer=False),  # the store has no secret
    endpoint("DELETE", LINKS, end_links, *WHO),
    endpoint("GET", DEVICES, views.find_devices, Scope.READ, Role.ADMINISTRATOR),
    endpoint("DELETE", DEVICES, sign_out_all, *WHO),
    endpoint("DELETE", DEVICES + "/{device}", sign_out_device, *WHO),
    endpoint("GET", SETTINGS, operations.find_settings, Scope.READ, Role.OPERATOR),
    endpoint(
        "PATCH",
        SETTINGS,
        operations.choose_settings,
        Scope.WRITE,
        Role.OPERATOR,
        example=PhoneSettingsRequest("201", whispers=False),
    ),
)
