"""PDFs: their text can be read again, their font is inside, and nobody's text is markup."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from callsieve.text.pdf import BOX, PdfDocument


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def embedded_fonts(pdf: bytes) -> list[bool]:
    """Of each font that a page uses of ours, whether it is in the file."""
    found: list[Any] = []
    for page in PdfReader(io.BytesIO(pdf)).pages:
        resources: Any = page["/Resources"]
        found += [font.get_object() for font in resources["/Font"].values()]
    return ["/FontFile2" in font["/FontDescriptor"] for font in found if "NotoSansSC" in font["/BaseFont"]]


@pytest.mark.parametrize("text", ["Answered share 12.5%", "被叫号码已掩码:接听率 12.5%", "“引号”、《书名》—…é"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_text_is_in_it_with_its_font(text: str, language: str) -> None:
    document = PdfDocument(text, language=language, footer=text)
    document.heading(text)
    document.paragraph(text)
    document.table((text, "b"), [(text, "c")], (3, 1))
    made = document.made()
    squeezed = text_of(made).replace("\n", "").replace(" ", "")
    assert squeezed.count(text.replace(" ", "")) == 6
    fonts = embedded_fonts(made)
    assert fonts
    assert all(fonts)


@pytest.mark.parametrize(
    "text", ["<b>x</b>", "&amp;", "<img src='/etc/passwd'/>", "<para>", "]]>", "<a href='javascript:x'>", "%PDF\\"]
)
def test_nothing_is_markup(text: str) -> None:
    document = PdfDocument(text, footer=text)
    document.paragraph(text)
    document.table((text,), [(text,)], (1,))
    document.bars([(text, 0.5, text)])
    assert text_of(document.made()).count(text) == 7


def test_a_character_without_a_glyph_is_a_box() -> None:
    document = PdfDocument("x")
    document.paragraph("a😀b\u202ec\x00d")
    assert f"a{BOX}b{BOX}c{BOX}d" in text_of(document.made())


def made_once() -> bytes:
    document = PdfDocument("Title", language="zh", footer="foot")
    document.table(("a",), [(f"{row}",) for row in range(200)], (1,))
    document.bars([("W1", 0.25, "25%"), ("W2", None, "-")])
    document.qr_code("https://example.com/verify/123")
    document.new_page()
    document.paragraph("end")
    return document.made()


def test_the_same_calls_make_the_same_bytes() -> None:
    assert made_once() == made_once()
    assert len(PdfReader(io.BytesIO(made_once())).pages) > 3


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=300), st.sampled_from(["en", "zh"]))
def test_any_text(text: str, language: str) -> None:
    document = PdfDocument(text, language=language, footer=text)
    document.heading(text)
    document.paragraph(text * 30)
    document.table((text, text), [(text, text * 3)], (1, 1))
    document.bars([(text, 2.0, text)])
    assert document.made().startswith(b"%PDF")
