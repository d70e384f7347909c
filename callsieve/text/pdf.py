"""Documents as PDF, in English and Chinese, that look the same everywhere: the font is inside. reportlab is only here.

    page = PdfDocument("Evidence pack", language="zh", footer="+442071838750")
    page.heading("Figures")
    page.table(("day", "calls"), [("2026-11-25", "120")], widths=(1, 3))
    page.made() -> bytes

All text is plain: nothing in it is markup. The same calls make the same bytes. Characters that the font lacks (it has
ASCII, Latin, and the 6,763 of GB 2312) become a box. callsieve/text/fonts/README.md says how the font was made.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any
from xml.sax.saxutils import escape

from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing, Line, Rect, String
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, LongTable, PageBreak, Paragraph, SimpleDocTemplate, Spacer

FONT = "CallSieveSans"
BOX = "\u25a1"
MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN - 12  # the frame has 6 points of its own on each side
LEAST_BELOW = 40 * mm  # a section that has less room begins on the next page: no table with one row and its headings
TEXT_CHARACTERS = 4000  # of one text; what is longer is cut with an ellipsis
BLACK, DIM, LINE, SHADE, BAR = (HexColor(f"#{one}") for one in ("1a1a1a", "5a6068", "c4c9cf", "f1f3f5", "2f6f9f"))


class PdfDocument:
    """One document in the making. `language`: en or zh, which says how lines are broken."""

    def __init__(self, title: str, *, language: str = "en", footer: str = "") -> None:
        self._title, self._footer = _shown(title), _shown(footer)
        self._wrap = "CJK" if language == "zh" else None
        self._language = {"zh": "zh-Hans"}.get(language, language)
        self._parts: list[Any] = []
        self._text, self._small = self._style(10, 15), self._style(8.5, 12)
        self._dim = self._style(8.5, 12.5, DIM)
        self._head = self._style(8.5, 12, DIM)
        self._parts += [Paragraph(escape(self._title), self._style(20, 27)), Spacer(0, 3 * mm)]

    def heading(self, text: str) -> None:
        """The heading of a section, which stays with what follows."""
        self._parts.append(CondPageBreak(LEAST_BELOW))
        self._parts.append(Paragraph(escape(_shown(text)), self._style(13, 18, before=14, after=4, keep=True)))

    def paragraph(self, text: str, *, dim: bool = False) -> None:
        """Running text; `dim` for remarks."""
        self._parts.append(Paragraph(escape(_shown(text)), self._dim if dim else self._text))
        self._parts.append(Spacer(0, 2 * mm))

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> None:
        """Rows of text; `widths` are shares of the page. The headings come again on each page; none, none."""
        if not rows:
            return
        cells = [[Paragraph(escape(_shown(cell)), self._small) for cell in row] for row in rows]
        if headings:
            cells.insert(0, [Paragraph(escape(_shown(cell)), self._head) for cell in headings])
        columns = [WIDTH * width / sum(widths) for width in widths]
        looks: list[tuple[Any, ...]] = [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
            ("LEFTPADDING", (0, 0), (-1, -1), 3),
            ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ]
        if headings:
            looks.append(("BACKGROUND", (0, 0), (-1, 0), SHADE))
        self._parts.append(LongTable(cells, colWidths=columns, style=looks, repeatRows=1 if headings else 0))
        self._parts.append(Spacer(0, 3 * mm))

    def bars(self, bars: Sequence[tuple[str, float | None, str]]) -> None:
        """Shares of 0 to 1 as columns from left to right, each with its label and its figure; None: no column."""
        height, foot = 42 * mm, 12.0
        drawing = Drawing(WIDTH, height)
        top = height - 12
        for mark in (0.0, 0.5, 1.0):
            y = foot + (top - foot) * mark
            drawing.add(Line(24, y, WIDTH, y, strokeColor=LINE, strokeWidth=0.4))
            drawing.add(String(0, y - 2.5, f"{mark:.0%}", fontName=FONT, fontSize=6.5, fillColor=DIM))
        step = (WIDTH - 28) / max(len(bars), 6)
        for place, (label, share, figure) in enumerate(bars):
            middle = 28 + step * (place + 0.5)
            drawing.add(_centred(middle, 2, _shown(label)))
            tall = (top - foot) * min(max(share or 0.0, 0.0), 1.0)
            if share is not None:
                drawing.add(Rect(middle - step * 0.3, foot, step * 0.6, tall, fillColor=BAR, strokeColor=None))
            drawing.add(_centred(middle, foot + tall + 2, _shown(figure)))
        self._parts += [drawing, Spacer(0, 3 * mm)]

    def qr_code(self, text: str, side: float = 32 * mm) -> None:
        """The text as a QR code, which phones read; `side` in points."""
        code = QrCodeWidget(text, barLevel="M")
        left, bottom, right, top = code.getBounds()
        drawing = Drawing(side, side, transform=[side / (right - left), 0, 0, side / (top - bottom), 0, 0])
        drawing.add(code)
        self._parts += [drawing, Spacer(0, 3 * mm)]

    def new_page(self) -> None:
        """What follows begins on a page of its own."""
        self._parts.append(PageBreak())

    def made(self) -> bytes:
        """The file. Once: the parts are spent then."""
        out = io.BytesIO()
        document = SimpleDocTemplate(
            out,
            pagesize=A4,
            title=self._title,
            author="CallSieve",
            lang=self._language,
            invariant=1,
            leftMargin=MARGIN,
            rightMargin=MARGIN,
            topMargin=MARGIN,
            bottomMargin=MARGIN,
        )
        document.build(self._parts, onFirstPage=self._foot, onLaterPages=self._foot)
        return out.getvalue()

    def _style(
        self,
        size: float,
        leading: float,
        colour: Any = BLACK,
        *,
        before: float = 0,
        after: float = 0,
        keep: bool = False,
    ) -> ParagraphStyle:
        _register_font()
        return ParagraphStyle(
            f"{size}",
            fontName=FONT,
            fontSize=size,
            leading=leading,
            textColor=colour,
            spaceBefore=before,
            spaceAfter=after,
            keepWithNext=int(keep),
            wordWrap=self._wrap,
            splitLongWords=1,
        )

    def _foot(self, canvas: Canvas, document: Any) -> None:
        canvas.setFont(FONT, 7.5)
        canvas.setFillColor(DIM)
        canvas.drawString(MARGIN, 10 * mm, self._footer[:110])
        canvas.drawRightString(A4[0] - MARGIN, 10 * mm, str(document.page))


def _centred(x: float, y: float, text: str) -> String:
    return String(x, y, text, fontName=FONT, fontSize=6.5, fillColor=BLACK, textAnchor="middle")


def _shown(text: str) -> str:
    """The text on one line, of characters that the font has."""
    text = text if len(text) <= TEXT_CHARACTERS else f"{text[:TEXT_CHARACTERS]}\u2026"
    known = _register_font()
    return "".join(one if ord(one) in known else BOX for one in " ".join(text.split()))


@cache
def _register_font() -> frozenset[int]:
    """Makes the font known, once; returns the characters that it has."""
    path = files("callsieve.text") / "fonts" / "NotoSansSC-Regular.ttf"
    font = TTFont(FONT, io.BytesIO(path.read_bytes()))
    pdfmetrics.registerFont(font)
    return frozenset(font.face.charToGlyph)
