"""Texts with placeholders for values, which can be translated. Pure functions.

    Wording("{calls:,} calls on one day", {"calls": 1200})

`str()` gives the English text: for a terminal, for JSON, for the dialplan. The console calls `in_language`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple, TypeAlias


def N_(template: str) -> str:
    """Return the template unchanged, and mark it for the translation catalogue."""
    return template


Places: TypeAlias = "Mapping[str, str | int | float | Wording]"


@dataclass(frozen=True, slots=True)
class Wording:
    """A translatable text. `template`: the English text with placeholders in braces. `places`: values for these braces.

    A value that is a Wording is translated too. A value that is plain text is not translated.
    """

    template: str
    places: Places = field(default_factory=dict)

    def in_language(self, translate: Callable[[str], str]) -> str:
        """Return the text with the template that `translate` returns. If `places` is empty, braces are not replaced."""
        template = translate(self.template)
        if not self.places:
            return template
        return template.format_map(
            {
                name: place.in_language(translate) if isinstance(place, Wording) else place
                for name, place in self.places.items()
            }
        )

    def __str__(self) -> str:
        return self.in_language(str)


def listed(parts: Sequence[str | Wording], two: str) -> str | Wording:
    """Join texts two at a time with the template `two`, such as `{some}; {more}`."""
    return reduce(lambda some, more: Wording(two, {"some": some, "more": more}), parts) if parts else ""


class Counted(NamedTuple):
    """Two forms of a text: for a count of one, and with `{n}` for other counts."""

    one: str
    many: str

    def of(self, count: int) -> Wording:
        """Return the form of the text for this count."""
        return Wording(self.one) if count == 1 else Wording(self.many, {"n": count})


def one_line(text: str, most: int | None = None) -> str:
    """Return an untrusted text on a single printable line, cut to `most` characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most]
