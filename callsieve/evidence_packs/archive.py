"""Writes an evidence pack: a zip with a document, tables, and a signed list of files. Equal input gives equal bytes.

Called numbers are masked. Only the table of calls in a pack for a named carrier contains whole numbers.
"""

import csv
import hashlib
import io
import logging
import os
import sqlite3
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib import import_module
from importlib.resources import as_file, files
from typing import IO, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from callsieve.changes.operation import Context
from callsieve.evidence_packs.document import pack_page
from callsieve.evidence_packs.operations import Document, Pack, PackContents, contents_of, platforms
from callsieve.own_numbers.figures import date_of
from callsieve.signing.statements import sign
from callsieve.text.csv_table import as_text
from callsieve.text.times import iso_with_zone
from callsieve.version import program_version
from reputation.numbers import country_of, masked
from reputation.outcome import OutcomeRecord
from reputation.own.daily_counts import OwnDay, is_machine
from reputation.store.outcomes import calls_out_with
from reputation.store.own_labels import Screenshot, screenshot_content
from reputation.weights import DAY_SECONDS

FONT = "CallSieveSans"  # callsieve/text/fonts/README.md
# https://doc.courtbouillon.org/weasyprint/stable/first_steps.html#linux
HOW_TO = "pip install 'callsieve[pdf]', and as root apt-get install libpango-1.0-0 libpangoft2-1.0-0"
FACE = "@font-face {{ font-family: {name}; src: url('{address}') }}"


class NoPrinter(Exception):
    """No PDF can be made on this server. The message says what to install."""


def printer_trouble() -> str | None:
    """Return why no PDF can be made on this server, and what to install. None if PDFs can be made."""
    try:
        with warnings.catch_warnings():  # it would prefer HarfBuzz-Subset, but works without
            warnings.simplefilter("ignore", DeprecationWarning)
            import_module("weasyprint")
    except (ImportError, OSError):  # OSError: Pango is missing
        return f"a PDF needs WeasyPrint: {HOW_TO}"
    return None


def printed(html: str) -> bytes:
    """Convert an HTML page to PDF. Raise NoPrinter if this server cannot make PDFs."""
    if (trouble := printer_trouble()) is not None:
        raise NoPrinter(trouble)
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")  # fontTools writes a date into the embedded font
    for name in ("weasyprint", "fontTools"):
        logging.getLogger(name).setLevel(logging.ERROR)
    weasyprint, urls = import_module("weasyprint"), import_module("weasyprint.urls")
    fonts = import_module("weasyprint.text.fonts").FontConfiguration()
    with as_file(files("callsieve.text") / "fonts" / "NotoSansSC-Regular.ttf") as font:
        face, local = FACE.format(name=FONT, address=font.as_uri()), urls.URLFetcher(allowed_protocols=["file"])
        style = weasyprint.CSS(string=face, font_config=fonts, url_fetcher=local)
        page = weasyprint.HTML(string=html, url_fetcher=urls.URLFetcher(allowed_protocols=[]))
        identifier = sha256(html.encode()).hexdigest()[:32].encode()
        pdf = page.write_pdf(stylesheets=[style], font_config=fonts, pdf_identifier=identifier)
    assert isinstance(pdf, bytes)  # no target was given
    return pdf


KIND = "evidence-pack"
CALL_COLUMNS = (
    *("at", "called", "country", "result", "answered_by", "ring_seconds", "talk_seconds", "ended_by", "blocked"),
    *("sip_code", "trunk", "attestation"),
)
DAY_COLUMNS = (
    *("day", "calls", "answered", "over_within_6_s", "not_taken", "failed", "given_up_early", "bad_hour", "people"),
    *("people_called_3_times", "called_back", "blocked", "machine"),
)
COMPLAINT_COLUMNS = ("at", "from", "was_called_within_28_days", "on_do_not_call_list_since")
DOCUMENT_COLUMNS = ("name", "date", "bytes", "sha256")


class _Entry(NamedTuple):
    name: str
    size: int
    digest: str


def write_pack(db: sqlite3.Connection, context: Context, pack: Pack, out: IO[bytes]) -> None:
    """Write the zip to `out`. Raise StoreError, OSError, or Refused if the own number is no longer registered."""
    request, platform = pack.request, platforms()[pack.request.platform]
    files = [
        Document(entry.name, context.at, len(entry.content), hashlib.sha256(entry.content).hexdigest(), entry.role)
        for entry in request.files
    ]
    contents = replace(
        contents_of(db, pack.number, request.days, context.at, context.settings, files), recipient=request.unmasked_for
    )
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        zipped = _Zip(archive, contents.until)
        _add_document(zipped, pack_page(contents, platform, request.language, pack.key.public_key))
        calls = calls_out_with(db, pack.number, contents.calls_since, contents.until)
        signed = {trunk.name: trunk.attestation for trunk in contents.trunks}
        whole = bool(request.unmasked_for)
        columns = (*CALL_COLUMNS, "call_id") if whole else CALL_COLUMNS
        zipped.add_table("calls.csv", columns, (_call(entry, signed, whole=whole) for entry in calls))
        zipped.add_table("days.csv", DAY_COLUMNS, map(_day, contents.days))
        zipped.add_table("complaints.csv", COMPLAINT_COLUMNS, _complaints(contents))
        zipped.add_table("documents.csv", DOCUMENT_COLUMNS, _documents(contents))
        for file in request.files:
            zipped.add(f"documents/{file.name}", file.content)
        for place, entry in enumerate(contents.screenshots, 1):
            picture = screenshot_content(db, pack.number, entry.digest)
            if picture is not None:  # not erased meanwhile
                zipped.add(screenshot_name(entry, place), picture[1])
        about = {
            **{"number": pack.number, "platform": platform.name, "language": request.language},
            **{"from": iso_with_zone(contents.since), "until": iso_with_zone(contents.until)},
            **({"unmasked_for": request.unmasked_for} if request.unmasked_for else {}),
            "made_by": f"CallSieve {program_version()}",
            "files": [{"name": entry.name, "bytes": entry.size, "sha256": entry.digest} for entry in zipped.entries],
        }
        statement = sign(pack.key, KIND, contents.own.name, issued_at=contents.until, valid_until=None, about=about)
        zipped.add("manifest.json", statement.encode())


class _Zip:
    """A zip that is being written, with a list of its files. All files carry the time at which the pack is made."""

    def __init__(self, archive: ZipFile, at: float) -> None:
        self._archive = archive
        self._date = time.gmtime(at)[:6]
        self.entries: list[_Entry] = []

    def add(self, name: str, content: bytes) -> None:
        self._add(name, [content])

    def add_table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Add a CSV file, with a byte order mark for Excel. No cell begins like a spreadsheet formula."""
        self._add(name, _lines(columns, rows))

    def _add(self, name: str, pieces: Iterable[bytes]) -> None:
        info = ZipInfo(name, self._date)
        info.compress_type, info.external_attr, info.create_system = ZIP_DEFLATED, 0o644 << 16, 3
        digest, size = hashlib.sha256(), 0
        with self._archive.open(info, "w", force_zip64=True) as entry:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                entry.write(piece)
        self.entries.append(_Entry(name, size, digest.hexdigest()))


def _lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf"
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(map(as_text, row))
        if buffer.tell() > 1 << 16:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def screenshot_name(shot: Screenshot, place: int) -> str:
    """Return the path of a screenshot in the zip. The path does not contain the file name that a person chose."""
    return f"screenshots/{place:02d}-{date_of(int(shot.at // DAY_SECONDS))}.{shot.kind}"


def _add_document(zipped: _Zip, page: str) -> None:
    """Add the document as PDF, or as HTML if this server cannot make PDFs. The command then prints what to install."""
    try:
        zipped.add("evidence.pdf", printed(page))
    except NoPrinter:
        zipped.add("evidence.html", page.encode())


def _call(call: OutcomeRecord, signed: Mapping[str, str], *, whole: bool) -> tuple[str, ...]:
    answered = call.disposition.value == "answered"
    return (
        iso_with_zone(call.at),
        (call.dialled or "") if whole else masked(call.dialled),
        (country_of(call.dialled) if call.dialled else None) or "",
        call.disposition.value,
        ("machine" if is_machine(call) else "person") if answered else "",
        f"{call.ring_seconds:.1f}",
        f"{call.talk_seconds:.1f}",
        call.ended_by.value if call.ended_by else "",
        "yes" if call.blocked else "",
        str(call.sip_code or ""),
        call.trunk or "",
        signed.get(call.trunk or "", ""),
        *([call.call_id or ""] if whole else []),
    )


def _day(day: OwnDay) -> tuple[str, ...]:
    counts = (
        *(day.attempts, day.answered, day.short, day.unanswered, day.failed, day.abandoned, day.outside, day.people),
        *(day.repeated, day.called_back, day.blocked, day.machine),
    )
    return (date_of(day.day), *map(str, counts))


def _complaints(contents: PackContents) -> Iterator[tuple[str, ...]]:
    for complaint, unlisted_at in ((handled.complaint, handled.unlisted_at) for handled in contents.complaints):
        yield (
            iso_with_zone(complaint.at),
            masked(complaint.number) if complaint.number else "",
            "yes" if complaint.is_of_called else "no",
            iso_with_zone(unlisted_at) if unlisted_at else "",
        )


def _documents(contents: PackContents) -> Iterator[tuple[str, ...]]:
    for document in contents.documents:
        yield (
            document.name,
            iso_with_zone(document.added_at) if document.added_at else "",
            str(document.size or ""),
            document.digest,
        )
    for place, shot in enumerate(contents.screenshots, 1):
        name = f"{screenshot_name(shot, place)} ({shot.platform})"
        yield (name, iso_with_zone(shot.at), str(shot.size), shot.digest)
