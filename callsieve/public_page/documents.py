"""Which documents strangers may attach, by what the content begins with: the name and the type that a browser says
prove nothing. Pure.
"""

from __future__ import annotations

# PDF 1.7 7.5.2, PNG 5.2, JPEG (ISO 10918-1 B.1): what each of them begins with.
BEGINNINGS = {b"%PDF-": "pdf", b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}
MARKUP = ("<", "{\\rtf")


def kind_of(content: bytes) -> str | None:
    """The end of its name: pdf, png, jpg, or txt for plain text in UTF-8. None: another kind, or markup."""
    for beginning, kind in BEGINNINGS.items():
        if content.startswith(beginning):
            return kind
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    is_plain = all(one.isprintable() or one in "\t\r\n" for one in text)
    return "txt" if is_plain and not text.lstrip().startswith(MARKUP) else None
