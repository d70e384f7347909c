"""API endpoints of evidence packs."""

from tempfile import SpooledTemporaryFile
from typing import NamedTuple

from callsieve.api.endpoint import ApiRequest, endpoint
from callsieve.evidence_packs import operations
from callsieve.evidence_packs.archive import write_pack
from callsieve.evidence_packs.operations import IN_MEMORY_BYTES, PackRequest, find_platforms
from reputation.users import Role, Scope

FILE_BYTES = 8 << 20  # of all files of a request, in Base64
HIYA = PackRequest("+442071838750", "hiya", days=28)


class MadePack(NamedTuple):
    """An evidence pack. `file_name`: a name to save the zip under. `content`: the zip, in Base64."""

    file_name: str
    content: bytes


async def make_pack(req: ApiRequest, request: PackRequest) -> MadePack:
    """Make an evidence pack, which is a zip. The audit records who made the pack."""
    pack = await req.perform(operations.announce, request)
    # Reading the calls takes seconds, and no other request waits for it.
    with SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
        await req.state.slow_store.read(write_pack, req.context, pack, file)
        file.seek(0)
        return MadePack(pack.file_name, file.read())


ENDPOINTS = (
    endpoint("GET", "/evidence-packs/platforms", find_platforms, Scope.READ, Role.VIEWER),
    endpoint(
        "POST",
        "/own-numbers/{number}/pack",
        make_pack,
        Scope.READ,
        Role.OPERATOR,
        example=HIYA,
        most_bytes=FILE_BYTES,
        keeps_answer=False,
    ),
)
