"""Texts of ours with figures in them, as values that can be said in any language. Pure.

    Wording("{calls:,} calls on one day", {"calls": 1200})

`str()` of it is the English: for a terminal, for JSON, for the dialplan. The console asks `said` with its catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple, TypeAlias


def N_(template: str) -> str:
    """Return the template itself: marks it for the catalogue."""
    return template


Places: TypeAlias = "Mapping[str, str | int | float | Wording]"


@dataclass(frozen=True, slots=True)
class Wording:
    """`template` is the English, and what a catalogue has it under; `places` is what goes into its braces.

    A place that is a Wording itself is a word of ours, and translated too. One that is a text is its writer's, and is
    not.
    """

    template: str
    places: Places = field(default_factory=dict)

    def said(self, translate: Callable[[str], str]) -> str:
        """The text, with the template as `translate` has it. What has no places is no format: it may hold braces."""
        template = translate(self.template)
        if not self.places:
            return template
        return template.format_map(
            {name: one.said(translate) if isinstance(one, Wording) else one for name, one in self.places.items()}
        )

    def __str__(self) -> str:
        return self.said(str)


def listed(parts: Sequence[str | Wording], two: str) -> str | Wording:
    """Several texts as one. `two` is how two of them stand together: `{some}; {more}`."""
    return reduce(lambda some, more: Wording(two, {"some": some, "more": more}), parts) if parts else ""


class Counted(NamedTuple):
    """Two texts: for one, and for several with `{n}` in it."""

    one: str
    many: str

    def of(self, count: int) -> Wording:
        """Return the text for that many."""
        return Wording(self.one) if count == 1 else Wording(self.many, {"n": count})


def one_line(text: str, most: int | None = None) -> str:
    """Return somebody else's text on one printable line, cut to so many characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most]
