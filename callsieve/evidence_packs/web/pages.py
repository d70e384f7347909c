"""Pages that make an evidence pack about an own number."""

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO

from starlette.responses import Response, StreamingResponse

from callsieve.changes.operation import Refused
from callsieve.evidence_packs import operations
from callsieve.evidence_packs.archive import write_pack
from callsieve.evidence_packs.operations import DEFAULT_DAYS, IN_MEMORY_BYTES, MOST_DAYS, PackRequest, platforms
from callsieve.numbers.web.pages import number_in
from callsieve.web.request import NotFound, Page, PageRequest
from reputation.store.own_register import own_of
from reputation.users import Role
from reputation.wording import Wording

PIECE_BYTES = 1 << 16
FIELDS = ("platform", "language", "days", "unmasked_for")
HEADING_BY_FIELD = {"for": Wording("Platform or carrier"), "language": Wording("Language"), "days": Wording("Days")}
HEADING_BY_FIELD["unmasked-for"] = Wording("Carrier that may see whole called numbers and Call-IDs")


async def show(req: PageRequest, problem: str | Wording = "") -> Response:
    """Show the form for a pack about the own number in the page's address. `problem`: why a form was rejected."""
    own = await req.read(own_of, number_in(req))
    if own is None:
        raise NotFound
    typed = {"platform": "", "language": req.language, "days": str(DEFAULT_DAYS), "unmasked_for": ""}
    if problem:
        typed = {field: req.form.get(field, "")[:100] for field in FIELDS}
    choices = [(platform.name, platform.words(req.language)) for platform in platforms().values()]
    about = {"own": own, "choices": choices, "typed": typed, "most_days": MOST_DAYS, "problem": problem}
    return req.page("evidence_packs/pack.html", 422 if problem else 200, **about)


async def make(req: PageRequest) -> Response:
    """Return an evidence pack as a file."""
    platform, language, days, recipient = (req.form.get(field, "").strip() for field in FIELDS)
    count = int(days) if days.isascii() and days.isdecimal() and len(days) < 5 else 0
    context = req.context
    try:
        pack = await req.perform(
            operations.announce, PackRequest(number_in(req), platform, language, count, (), recipient)
        )
        file = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 -- sent piece by piece, and closed then
        await req.state.slow_store.read(write_pack, context, pack, file)
    except Refused as refused:
        if refused.field not in HEADING_BY_FIELD:
            return await show(req, refused.words)
        about = {"field": HEADING_BY_FIELD[refused.field], "problem": refused.words}
        return await show(req, Wording("{field} {problem}", about))
    headers = {"content-disposition": f'attachment; filename="{pack.file_name}"'}
    return StreamingResponse(_pieces(file), media_type="application/zip", headers=headers)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            yield piece


PAGES = (
    Page("GET", "/own/{number}/pack", show, Role.OPERATOR),
    Page("POST", "/own/{number}/pack", make, Role.OPERATOR),
)
