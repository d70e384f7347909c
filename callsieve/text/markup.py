"""HTML from values, escaped in one place: whatever is not Markup already is text.

element("p", "1 < 2", class_="note") -> <p class="note">1 &lt; 2</p>
"""

from __future__ import annotations

from html import escape

# Elements that have no content and no end (HTML standard, void elements); of those only what is used here.
VOID = frozenset({"meta", "link"})


class Markup(str):
    """Text that is HTML: made here, or a constant of ours."""

    __slots__ = ()


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element. `_` in an attribute's name is `-`, a last one is dropped (`class_`); None leaves it out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text_of(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    start = f"<{name}{given}>"
    return Markup(start if name in VOID else f"{start}{joined(*children)}</{name}>")


def joined(*parts: object) -> Markup:
    """Several, one after the other."""
    return Markup("".join(text_of(part) for part in parts))


def text_of(value: object) -> Markup:
    """The one place where text becomes HTML. What cannot be printed becomes U+FFFD: it would be no valid page."""
    if isinstance(value, Markup):
        return value
    return Markup(
        escape("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in str(value)))
    )
