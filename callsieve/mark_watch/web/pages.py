"""Console pages for label checks: record how a platform labels an own number, and show screenshots."""

from collections.abc import Mapping

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.mark_watch import operations
from callsieve.mark_watch.operations import MOST_SCREENSHOT_BYTES, NEXT, LabelCheckRequest, ScreenshotFile
from callsieve.numbers.web.pages import number_in
from callsieve.own_numbers.web.pages import page_of_number, problem_in_words
from callsieve.text.file_kinds import IMAGES
from callsieve.web.request import NotFound, Page, PageRequest
from reputation.store.own_labels import screenshot_content
from reputation.users import Role

UPLOAD_BYTES = MOST_SCREENSHOT_BYTES + (64 << 10)  # with the fields of the form


async def record(req: PageRequest) -> Response:
    """Record a label check of an own number. Then show the number's page, with the error if there was one."""
    number = number_in(req)
    try:
        await req.perform(operations.record, request_of(number, req.form, req.files.get("screenshot", b"")))
    except Refused as refused:
        return await page_of_number(req, problem_in_words(refused))
    return req.go(f"/own/{number}", "own-watched")


async def picture(req: PageRequest) -> Response:
    """Return the picture of a screenshot, by its SHA-256. Its file type was checked on upload."""
    screenshot = await req.read(screenshot_content, number_in(req), req.path("digest"))
    if screenshot is None:
        raise NotFound
    kind, content = screenshot
    return Response(content, media_type=IMAGES[kind])


def request_of(number: str, form: Mapping[str, str], screenshot: bytes) -> LabelCheckRequest:
    """Return the label check from a form. A malformed count becomes -1, which the operation refuses."""
    count = form.get("count", "").strip()
    counted = (int(count) if count.isascii() and count.isdecimal() and len(count) < 12 else -1) if count else None
    shown = ScreenshotFile("", screenshot) if screenshot else None
    return LabelCheckRequest(
        number, form.get("platform", ""), form.get("label", ""), counted, shown, form.get("next") or NEXT
    )


PAGES = (
    Page("POST", "/own/{number}/watch", record, Role.OPERATOR, UPLOAD_BYTES),
    Page("GET", "/own/{number}/screenshots/{digest}", picture, Role.OPERATOR),
)
