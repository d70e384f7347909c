"""Evidence packs, for programs."""

from __future__ import annotations

import sqlite3
from datetime import date
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, Literal

from msgspec import Meta

from callsieve.api.endpoint import ApiRequest, ApiStruct, Asked, Endpoint
from callsieve.changes.operation import Context
from callsieve.evidence_packs import operations
from callsieve.evidence_packs.archive import write_pack
from callsieve.evidence_packs.contents import platforms
from callsieve.evidence_packs.operations import (
    DEFAULT_DAYS,
    IN_MEMORY_BYTES,
    MOST_DAYS,
    MOST_FILES,
    RECIPIENT_CHARACTERS,
    AttachedFile,
    PackRequest,
)
from reputation.users import Role, Scope

FILE_BYTES = 8 << 20  # of all files of a request, in Base64


class PackAsk(ApiStruct, frozen=True):
    """One thing that a platform asks for. `part`: which part of the pack has it, empty: none; `source`: who says so."""

    words: str
    part: str
    proof: str
    source: str


class PackPlatform(ApiStruct, frozen=True):
    """A platform that a pack can be made for. `read`: when its pages were."""

    name: str
    title: str
    kind: str
    read: date
    address: str
    asks: list[PackAsk]


class PackPlatforms(ApiStruct, frozen=True):
    """All of them, the carrier first."""

    platforms: list[PackPlatform]


class PackFile(ApiStruct, frozen=True):
    """A document that goes into the pack as it is. `content`: Base64; `role`: whether it proves the right to use it."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    content: bytes
    role: Literal["", "authorisation", "assignment"] = ""


class NewPack(ApiStruct, frozen=True):
    """For whom, in which language, and how many days back. `unmasked_for`: a carrier that gets whole numbers."""

    platform: Annotated[str, Meta(max_length=40)]
    language: Literal["en", "zh"] = "en"
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = DEFAULT_DAYS
    files: Annotated[tuple[PackFile, ...], Meta(max_length=MOST_FILES)] = ()
    unmasked_for: Annotated[str, Meta(max_length=RECIPIENT_CHARACTERS)] = ""


class MadePack(ApiStruct, frozen=True):
    """The zip. `content`: Base64."""

    file_name: str
    content: bytes


def show(_db: sqlite3.Connection, _context: Context, _asked: Asked[None, None]) -> dict[str, Any]:
    """The platforms, with what each asks for."""
    return {
        "platforms": [
            {
                **{"name": one.name, "title": one.title, "kind": one.kind, "read": one.read, "address": one.address},
                "asks": [
                    {"words": ask.en, "part": ask.part, "proof": ask.proof, "source": ask.source} for ask in one.asks
                ],
            }
            for one in platforms().values()
        ]
    }


async def make(req: ApiRequest[None, NewPack]) -> MadePack:
    """Makes a pack, which the audit notes; reading the calls takes seconds, and no other request waits for it."""
    new = req.asked.body
    files = [AttachedFile(one.name, one.content, one.role) for one in new.files]
    request = PackRequest(req.asked.path["number"], new.platform, new.language, new.days, files, new.unmasked_for)
    pack = await req.perform(operations.announce, request)
    with SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
        await req.state.slow_store.read(write_pack, req.context, pack, file)
        file.seek(0)
        return MadePack(file_name=pack.file_name, content=file.read())


ENDPOINTS = (
    Endpoint(
        "GET",
        "/evidence-packs/platforms",
        show,
        Scope.READ,
        Role.VIEWER,
        PackPlatforms,
        "The platforms that an evidence pack can be made for, and what each asks for.",
    ),
    Endpoint(
        "POST",
        "/own-numbers/{number}/pack",
        make,
        Scope.READ,
        Role.OPERATOR,
        MadePack,
        "Make an evidence pack: a zip.",
        body=NewPack,
        example=NewPack(platform="hiya", days=28),
        most_bytes=FILE_BYTES,
        keeps_answer=False,
    ),
)
