"""Records on an own number's page what a platform shows of it, as `callsieve own watch add`; and shows its pictures."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.mark_watch import operations
from callsieve.mark_watch.operations import MOST_SCREENSHOT_BYTES, NEXT, LookRequest, ScreenshotFile
from callsieve.numbers.web.pages import number_in
from callsieve.own_numbers.web.pages import page_of_number, problem_in_words
from callsieve.text.file_kinds import IMAGES
from callsieve.web.request import NotFound, Page, PageRequest
from reputation.store.own_labels import screenshot_content
from reputation.users import Role

UPLOAD_BYTES = MOST_SCREENSHOT_BYTES + (64 << 10)  # with the fields of the form


async def record(req: PageRequest) -> Response:
    """What somebody saw, and back to the number's page, which says what was wrong."""
    number = number_in(req)
    try:
        await req.perform(operations.record, request_of(number, req.form, req.files.get("screenshot", b"")))
    except Refused as refused:
        return await page_of_number(req, problem_in_words(refused))
    return req.go(f"/own/{number}", "own-watched")


async def picture(req: PageRequest) -> Response:
    """A picture, by its SHA-256. Its kind was checked when it came, and a browser guesses none."""
    found = await req.read(screenshot_content, number_in(req), req.path("digest"))
    if found is None:
        raise NotFound
    kind, content = found
    return Response(content, media_type=IMAGES[kind])


def request_of(number: str, form: Mapping[str, str], screenshot: bytes) -> LookRequest:
    """What was typed. A count that is none is refused as one."""
    count = form.get("count", "").strip()
    counted = (int(count) if count.isascii() and count.isdecimal() and len(count) < 12 else -1) if count else None
    shown = ScreenshotFile("", screenshot) if screenshot else None
    return LookRequest(
        number, form.get("platform", ""), form.get("label", ""), counted, shown, form.get("next") or NEXT
    )


PAGES = (
    Page("POST", "/own/{number}/watch", record, Role.OPERATOR, UPLOAD_BYTES),
    Page("GET", "/own/{number}/screenshots/{digest}", picture, Role.OPERATOR),
)
