"""A person's own page: calls, lists and devices."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response

from callsieve.calls.spoken_names import read_recording
from callsieve.calls.views import place_of
from callsieve.changes.operation import Refused
from callsieve.lists.operations import PersonalKey, PersonalRequest, add_personal, remove_personal
from callsieve.numbers.operations import MarkRequest, mark
from callsieve.person_page.operations import (
    ExpectRequest,
    OwnCallKey,
    SettingRequest,
    SignOutRequest,
    call_for,
    choose_setting,
    expect_call,
    number_of_call,
    sign_out,
    undo_own,
    was_wrong,
)
from callsieve.person_page.views import Asked, device_name, own_calls, own_devices, own_lists
from callsieve.person_page.web.admission import COOKIE, SIGN_IN, admit_person
from callsieve.web.access import drop_cookie, prefer
from callsieve.web.request import NotFound, Page, PageRequest, local_path, number_in_form
from reputation.marking import MarkRefusal
from reputation.model import ListName, MarkChannel, Verdict
from reputation.wording import Wording

if TYPE_CHECKING:
    from callsieve.web.request import Handler

NOT_MARKED = Wording("this number cannot be marked: block it for yourself instead")
HOME, LISTS, DEVICES = "/me", "/me/lists", "/me/devices"


async def show(req: PageRequest) -> Response:
    """Show the person's calls and phone settings."""
    shown = await req.read(own_calls, _asked(req), place_of(req.query.get("after")))
    return req.page("person_page/calls.html", shown=shown, owner=req.owner)


async def recording(req: PageRequest) -> Response:
    """Return a recording in which a caller of this person says their own name."""
    try:
        record = await req.read(call_for, req.owner.extension, req.path("call"))
    except Refused as refused:
        raise NotFound from refused
    content = await asyncio.to_thread(read_recording, req.state.loaded.state, record.id, req.path("name"))
    if not content:
        raise NotFound
    return Response(content, media_type="audio/wav")


async def show_lists(req: PageRequest, problem: str | Wording = "") -> Response:
    """Show the person's lists."""
    shown = await req.read(own_lists, _asked(req))
    typed = req.form.get("number", "")[:40]
    status = 422 if problem else 200
    return req.page("person_page/lists.html", status, shown=shown, owner=req.owner, problem=problem, typed=typed)


async def show_devices(req: PageRequest) -> Response:
    """Show the person's devices."""
    shown = await req.read(own_devices, _asked(req))
    here = req.device.id if req.device else 0
    return req.page("person_page/devices.html", shown=shown, owner=req.owner, this_device=here, device_name=device_name)


async def wrong(req: PageRequest) -> Response:
    """Add the caller of a call to the person's allowlist and mark the caller as not spam."""
    await _number(req)
    await req.perform(was_wrong, OwnCallKey(req.owner.extension, req.path("call")))
    return _back(req, "me-wrong")


def marking(verdict: Verdict, message: str) -> Handler:
    """Return a handler that marks the number of a call, and then shows `message` (a code)."""

    async def handle(req: PageRequest) -> Response:
        number = await _number(req)
        try:
            await req.perform(mark, MarkRequest(number, req.owner.extension, verdict, MarkChannel.WEB))
        except Refused as refused:
            if refused.code == MarkRefusal.CONTACT:  # do not tell whose contact the number is
                raise Refused(refused.code, NOT_MARKED) from None
            raise
        return _back(req, message)

    return handle


def listing(list_name: ListName, message: str) -> Handler:
    """Return a handler that puts a call's number on one of the person's lists, and then shows `message` (a code)."""

    async def handle(req: PageRequest) -> Response:
        number = await _number(req)
        await req.perform(add_personal, PersonalRequest(list_name, number, req.owner.extension))
        return _back(req, message)

    return handle


async def add_to_list(req: PageRequest) -> Response:
    """Put a number that the person typed on their allowlist or blocklist."""
    if req.form.get("list") not in tuple(ListName):
        raise NotFound
    list_name = ListName(req.form["list"])
    request = PersonalRequest(list_name, req.form.get("number", "").strip(), req.owner.extension)
    try:
        await req.perform(add_personal, request)
    except Refused as refused:
        return await show_lists(req, refused.words)
    return req.go(LISTS, f"me-{list_name.value}")


async def remove_from_list(req: PageRequest) -> Response:
    """Remove a number from the person's allowlist or blocklist."""
    await req.perform(remove_personal, PersonalKey(req.form.get("number", ""), req.owner.extension))
    return _back(req, "me-off-list")


def switching(code: str, *, is_wished: bool, message: str) -> Handler:
    """Return a handler that sets or clears a setting of the person's phone, and then shows `message` (a code)."""

    async def handle(req: PageRequest) -> Response:
        await req.perform(choose_setting, SettingRequest(req.owner.extension, code, is_wished))
        return req.go(HOME, message)

    return handle


async def expect(req: PageRequest) -> Response:
    """Let every call for the person ring for two hours."""
    await req.perform(expect_call, ExpectRequest(req.owner.extension, is_expected=True))
    return req.go(HOME, "me-expecting")


async def stop_expecting(req: PageRequest) -> Response:
    """Screen the person's calls again."""
    await req.perform(expect_call, ExpectRequest(req.owner.extension, is_expected=False))
    return req.go(HOME, "me-not-expecting")


async def undo(req: PageRequest) -> Response:
    """Undo a change that the person made on their own page in the last 15 minutes."""
    await req.perform(undo_own, number_in_form(req, "id"))
    return _back(req, "undone")


async def sign_out_device(req: PageRequest) -> Response:
    """Sign out one of the person's devices, which may be the current one."""
    device = number_in_form(req, "id")
    await req.perform(sign_out, SignOutRequest(req.owner.extension, device))
    if req.device is None or device != req.device.id:
        return req.go(DEVICES, "me-signed-out")
    response = req.go(SIGN_IN, "me-signed-out")
    drop_cookie(response, req.http, COOKIE)
    return response


async def sign_out_others(req: PageRequest) -> Response:
    """Sign out all of the person's devices except the current one."""
    here = req.device.id if req.device else 0
    await req.perform(sign_out, SignOutRequest(req.owner.extension, but=here))
    return req.go(DEVICES, "me-all-signed-out")


def _asked(req: PageRequest) -> Asked:
    return Asked(req.owner, req.state.loaded, req.now)


def _back(req: PageRequest, message: str) -> Response:
    path = local_path(req.form.get("back"), HOME).partition("?")[0]
    return req.go(path if path in (HOME, LISTS) else HOME, message)


async def _number(req: PageRequest) -> str:
    try:
        return await req.read(number_of_call, req.owner.extension, req.path("call"))
    except Refused as refused:
        if refused.code == "no-such-call":
            raise NotFound from None
        raise


def _own(method: str, path: str, handler: Handler) -> Page:
    return Page(method, path, handler, None, admit=admit_person)


PAGES = (
    _own("GET", HOME, show),
    _own("GET", "/me/calls/{call}/recordings/{name}", recording),
    _own("GET", LISTS, show_lists),
    _own("GET", DEVICES, show_devices),
    _own("POST", "/me/calls/{call}/wrong", wrong),
    _own("POST", "/me/calls/{call}/spam", marking(Verdict.SPAM, "me-spam")),
    _own("POST", "/me/calls/{call}/ok", marking(Verdict.OK, "me-ok")),
    _own("POST", "/me/calls/{call}/allow", listing(ListName.ALLOW, "me-allow")),
    _own("POST", "/me/calls/{call}/block", listing(ListName.BLOCK, "me-block")),
    _own("POST", "/me/lists/add", add_to_list),
    _own("POST", "/me/lists/remove", remove_from_list),
    _own("POST", "/me/quiet/on", switching("quiet", is_wished=True, message="me-quiet-on")),
    _own("POST", "/me/quiet/off", switching("quiet", is_wished=False, message="me-quiet-off")),
    _own("POST", "/me/warnings/on", switching("whispers", is_wished=False, message="me-whispers-on")),
    _own("POST", "/me/warnings/off", switching("whispers", is_wished=True, message="me-whispers-off")),
    _own("POST", "/me/expect/on", expect),
    _own("POST", "/me/expect/off", stop_expecting),
    _own("POST", "/me/undo", undo),
    _own("POST", "/me/devices/sign-out", sign_out_device),
    _own("POST", "/me/devices/sign-out-others", sign_out_others),
    _own("POST", "/me/preferences", prefer),
)
