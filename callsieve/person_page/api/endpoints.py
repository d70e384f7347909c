"""Links to people's own pages, and their devices, in the API."""

from __future__ import annotations

import sqlite3

import msgspec

from callsieve.api.endpoint import endpoint
from callsieve.changes.describe import ExtensionText
from callsieve.changes.operation import Context
from callsieve.person_page import operations, views
from callsieve.person_page.operations import SignedOut, SignOutRequest
from reputation.users import Role, Scope

LINKS, DEVICES = "/people/{person}/links", "/people/{person}/devices"
WHO = (Scope.ADMIN, Role.ADMINISTRATOR)


class DeviceKey(msgspec.Struct, frozen=True):
    """A device of a person.

    Attributes:
        device: The `id` of the device.
    """

    person: ExtensionText
    device: int


def sign_out_device(db: sqlite3.Connection, context: Context, request: DeviceKey) -> SignedOut:
    """Sign a device out of the own page of a person."""
    return operations.sign_out(db, context, SignOutRequest(request.person, request.device))


def sign_out_all(db: sqlite3.Connection, context: Context, person: str) -> SignedOut:
    """Sign all devices out of the own page of a person. Links that were not used yet end, too."""
    return operations.sign_out(db, context, SignOutRequest(person))


ENDPOINTS = (
    endpoint("GET", LINKS, views.find_links, Scope.READ, Role.ADMINISTRATOR),
    endpoint("POST", LINKS, operations.make_link, *WHO, status=201, keeps_answer=False),  # the store has no secret
    endpoint("DELETE", LINKS, operations.end_links, *WHO),
    endpoint("GET", DEVICES, views.find_devices, Scope.READ, Role.ADMINISTRATOR),
    endpoint("DELETE", DEVICES, sign_out_all, *WHO),
    endpoint("DELETE", DEVICES + "/{device}", sign_out_device, *WHO),
)
