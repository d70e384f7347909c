"""Detect the type of a file from its first bytes, because browsers' file names and types prove nothing."""

# PDF 1.7 7.5.2, PNG 5.2, JPEG (ISO 10918-1 B.1): the first bytes of each.
BEGINNINGS = {b"%PDF-": "pdf", b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}
IMAGES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
MARKUP = ("<", "{\\rtf")


def document_kind_of(content: bytes) -> str | None:
    """Return `pdf`, `png`, `jpg`, or `txt` for plain text in UTF-8; None for other types and for markup."""
    kind = _by_beginning(content)
    if kind is not None:
        return kind
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    is_plain = all(character.isprintable() or character in "\t\r\n" for character in text)
    return "txt" if is_plain and not text.lstrip().startswith(MARKUP) else None


def image_kind_of(content: bytes) -> str | None:
    """Return `png`, `jpg` or `webp`; None if the content is not an image that every browser shows."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":  # RFC 9649, 2.4
        return "webp"
    kind = _by_beginning(content)
    return kind if kind in IMAGES else None


def _by_beginning(content: bytes) -> str | None:
    return next((kind for beginning, kind in BEGINNINGS.items() if content.startswith(beginning)), None)
