"""Documents of strangers: when, which and how many are taken, and that none is shown."""

from __future__ import annotations

import pytest
from httpx2 import Response

from callsieve.public_page.operations import MOST_DOCUMENTS
from callsieve.text.file_kinds import document_kind_of
from reputation.appeals import ATTACHMENT_BYTES
from reputation.store.appeals import all_appeals
from reputation.store.public_appeals import attachments_of
from tests.callsieve.browsing import Office
from tests.callsieve.public_page.pages import Stranger, text_of

REFERENCE = "7KQ2M4XA"
PDF = b"%PDF-1.7\n..."
HOSTILE = [
    pytest.param(b"<html><script>alert(1)</script>", id="html"),
    pytest.param(b"\xef\xbb\xbf \n<svg onload=alert(1)>", id="svg"),
    pytest.param(b"PK\x03\x04...", id="zip"),
    pytest.param(b"MZ\x90\x00", id="exe"),
    pytest.param(b"\x7fELF", id="elf"),
    pytest.param(b"\x00", id="nul"),
    pytest.param(b"{\\rtf1}", id="rtf"),
]


def send(stranger: Stranger, path: str, content: bytes, title: str = "letter") -> Response:
    data = {"title": title}
    files = {"file": ("../../x.html", content, "text/html")}
    return stranger.client.post(f"{path}/documents", data=data, files=files, follow_redirects=False)


def names(office: Office) -> list[str]:
    (appeal,) = office.read(all_appeals)
    return [attachment.name for attachment in office.read(attachments_of, appeal.reference)]


def test_a_document_is_in_the_store_and_in_the_console(stranger: Stranger, office: Office, accepted: str) -> None:
    assert send(stranger, accepted, PDF).status_code == 303
    assert names(office) == ["letter.pdf"]
    assert "letter.pdf" in text_of(stranger.get(accepted))
    (appeal,) = office.read(all_appeals)
    with office.console() as console:
        answer = console.browser("operator").get(f"/appeals/{appeal.reference}/evidence/1")
    assert answer.content == PDF
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


def test_unproven_appeal_accepts_no_document(stranger: Stranger, office: Office, path: str) -> None:
    assert send(stranger, path, PDF).status_code == 422
    assert names(office) == []


@pytest.mark.parametrize("content", HOSTILE)
def test_executable_content_is_refused(stranger: Stranger, office: Office, accepted: str, content: bytes) -> None:
    assert send(stranger, accepted, content).status_code == 422
    assert names(office) == []


def test_an_appeal_takes_five_documents(stranger: Stranger, office: Office, accepted: str) -> None:
    codes = [send(stranger, accepted, PDF + bytes([65 + n])).status_code for n in range(MOST_DOCUMENTS + 1)]
    assert codes == [303] * MOST_DOCUMENTS + [422]
    assert len(names(office)) == MOST_DOCUMENTS


@pytest.mark.parametrize(("more", "code"), [(0, 303), (1, 422), (100_000, 413)])
def test_document_of_more_than_a_megabyte_is_refused(stranger: Stranger, accepted: str, more: int, code: int) -> None:
    content = PDF + b"x" * (ATTACHMENT_BYTES - len(PDF) + more)
    assert send(stranger, accepted, content).status_code == code


def test_unknown_link_accepts_no_document(stranger: Stranger, accepted: str) -> None:
    assert send(stranger, f"/status/{'A' * 43}", PDF).status_code == 404


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", "../../etc/passwd", "x" * 500])
def test_hostile_title_is_escaped(stranger: Stranger, accepted: str, title: str) -> None:
    assert send(stranger, accepted, PDF, title).status_code == 303
    assert "<script" not in stranger.get(accepted).text


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("\u202e\u2066", "document 1.pdf"),
        ("  \r\n ", "document 1.pdf"),
        ("a\u202efdp.exe", "afdp.exe.pdf"),
    ],
)
def test_title_becomes_a_safe_file_name(
    stranger: Stranger, office: Office, accepted: str, title: str, name: str
) -> None:
    assert send(stranger, accepted, PDF, title).status_code == 303
    assert names(office) == [name]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PDF, "pdf"),
        (b"\x89PNG\r\n\x1a\n...", "png"),
        (b"\xff\xd8\xff\xe0", "jpg"),
        ("电话,时间\r\n".encode(), "txt"),
        ("x\u202ey".encode(), None),
    ],
)
def test_kind_of_a_document_is_read_from_its_content(content: bytes, kind: str | None) -> None:
    assert document_kind_of(content) == kind
