"""QR codes of links. Only this module imports segno."""

import io

import segno


def qr_svg(text: str) -> str:
    """Return the QR code as an SVG element without size and margin: black on a transparent background."""
    return segno.make(text, micro=False).svg_inline(border=0, omitsize=True)


def qr_lines(text: str) -> str:
    """Return the QR code as text for a terminal."""
    out = io.StringIO()
    segno.make(text, micro=False).terminal(out, compact=True)
    return out.getvalue()
