"""A family of evidence as one value: how it is computed, who speaks in it, how far it leads, and how it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reputation.evidence import Subject
from reputation.model import Family
from reputation.wording import Wording

Counts = Mapping[str, int]
Prompts = tuple[str, ...]  # keys of asterisk-conf/prompts/*.toml


class Speaker(StrEnum):
    """Who can speak against a number. Our people may have it asked; only the outside may convict."""

    OUR_PEOPLE = "our people"
    OUTSIDE = "sources outside"
    CALLER = "the caller itself"
    PEERS = "other companies"
    CALL = "the call itself"

    @property
    def code(self) -> str:
        """`our-people`."""
        return self._name_.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class FamilyKind:
    """One family of evidence.

    Attributes:
        compute: Returns the family of a subject, or None where it has nothing to say. None: it is made with others
            (families/counts.py), or by older versions only (families/former.py).
        speaker: Who speaks in it. A source outside and the call itself may tag.
        words: Tells the counts in words, each part by itself.
        spoken: Tells the counts as prompts. The flag says whether the family speaks for the caller.
        needs: Fields of Evidence or Circumstances, at most two; without any of them `compute` is not called.
        speaker_by_count: The speaker where a count is present whose speaker is another one.
    """

    name: str
    speaker: Speaker
    compute: Callable[[Subject], Family | None] | None
    words: Callable[[Counts], Iterator[Wording]]
    spoken: Callable[[Counts, bool], Iterator[Prompts]]
    needs: tuple[str, ...] = ()
    speaker_by_count: Mapping[str, Speaker] = field(default_factory=dict)

    @property
    def may_tag(self) -> bool:
        """Whether a tag may come from it: not from our people or from what the caller did."""
        return self.speaker not in (Speaker.OUR_PEOPLE, Speaker.CALLER)


# Larger counts are rounded down: nobody counts along.
_ROUNDED = ((100, "count-over-100"), (50, "count-over-50"), (20, "count-over-20"))


def count_key(count: int) -> str:
    """Return the prompt for a number of colleagues, phones or lists: exact up to twenty."""
    return next((key for limit, key in _ROUNDED if count > limit), f"count-{max(count, 1)}")


def counted_keys(count: int, name: str) -> Prompts:
    """Return `explain-NAME-one` for one, else the count and `explain-NAME-many`."""
    return (f"explain-{name}-one",) if count <= 1 else (count_key(count), f"explain-{name}-many")


def always(*keys: str) -> Callable[[Counts, bool], Iterator[Prompts]]:
    """Return a `spoken` that says the same prompts, whatever the counts are."""
    return lambda _counts, _speaks_for: iter((keys,))
