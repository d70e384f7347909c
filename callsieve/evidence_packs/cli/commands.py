"""`callsieve own pack`: evidence about an own number, for a platform that shows labels."""

from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.options import ConfigOption, NumberArgument, check_new, context_of, existing_store, settings_of
from callsieve.cli.output import say
from callsieve.evidence_packs import operations
from callsieve.evidence_packs.archive import printer_trouble, write_pack
from callsieve.evidence_packs.operations import DEFAULT_DAYS, MOST_FILE_BYTES, AttachedFile, PackRequest, platforms
from callsieve.system.files import complete_file
from callsieve.system.privileges import acting_for
from policies.files import open_regular

PRIVATE = 0o600


def pack(
    number: NumberArgument,
    platform: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="PLATFORM",
            help="Platform, such as carrier, hiya or tencent. An unknown name prints all names.",
        ),
    ],
    language: Annotated[str, typer.Option(metavar="en|zh", help="Language of the document.")] = "en",
    days: Annotated[int, typer.Option(metavar="DAYS", help="Days of calls to include, at most 180.")] = DEFAULT_DAYS,
    documents: Annotated[
        list[Path] | None,
        typer.Option(
            "--document",
            metavar="FILE",
            help="File to include in the pack. Repeat the option for several files.",
            show_default=False,
        ),
    ] = None,
    authorisation: Annotated[
        Path | None,
        typer.Option(
            "--authorisation", metavar="FILE", help="File with the letter of authorisation.", show_default=False
        ),
    ] = None,
    assignment: Annotated[
        Path | None,
        typer.Option(
            "--assignment",
            metavar="FILE",
            help="File that proves that the number is assigned to you.",
            show_default=False,
        ),
    ] = None,
    unmasked_for: Annotated[
        str,
        typer.Option(
            "--unmasked-for", metavar="WHO", help="The carrier that gets unmasked called numbers and Call-IDs."
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE.zip", help="Where to write the pack. Default: the current directory.", show_default=False
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write a zip about the calls of an own number: a document, tables, and a signed list of files."""
    loaded = settings_of(config)
    proofs = (("authorisation", authorisation), ("assignment", assignment))
    files = [AttachedFile(path.name, _read(path), role) for role, path in proofs if path is not None]
    files += [AttachedFile(path.name, _read(path)) for path in documents or []]
    context = context_of(loaded)
    with existing_store(loaded) as db:
        request = PackRequest(number, platform, language, days, files, unmasked_for)
        if out is not None and not _is_directory(out):
            check_new(out)
        made = operations.announce(db, context, request)
        path = out / made.file_name if out is not None and _is_directory(out) else out or Path(made.file_name)
        check_new(path)
        with complete_file(path, PRIVATE) as file:
            write_pack(db, context, made, file)
    say(f"{path}: for {platforms()[platform].title}. Read evidence.pdf before you hand in the pack:")
    say("evidence.pdf lists missing documents and unverified facts.")
    if (trouble := printer_trouble()) is not None:
        warn(f"the pack has evidence.html and no PDF: {trouble}")


def _is_directory(path: Path) -> bool:
    with acting_for(path):
        return path.is_dir()


def _read(path: Path) -> bytes:
    with acting_for(path), open_regular(path) as file:
        content = file.read(MOST_FILE_BYTES + 1)
    if not content:
        raise CommandError(f"--document: {path}: the file is empty")
    return content
