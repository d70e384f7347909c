"""A family of evidence as data: how to compute it, whose evidence it is, its texts and its prompts (recordings)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reputation.evidence import Subject
from reputation.model import Family
from reputation.wording import Wording

Counts = Mapping[str, int]
Prompts = tuple[str, ...]  # keys of asterisk-conf/prompts/*.toml


class Speaker(StrEnum):
    """The origin of evidence against a number. Evidence from people at this site can lead to a challenge at most."""

    OUR_PEOPLE = "our people"
    OUTSIDE = "outside sources"
    CALLER = "the caller itself"
    PEERS = "other companies"
    CALL = "the call itself"

    @property
    def code(self) -> str:
        """The code of the origin, for example `our-people`."""
        return self._name_.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class FamilyKind:
    """The definition of a family of evidence.

    Attributes:
        speaker: The origin of the evidence.
        compute: Returns the family of a subject, or None without evidence. If `compute` itself is None,
            families/counts.py computes the family, or only older versions did (families/former.py).
        words: Returns texts that describe the counts.
        spoken: Returns prompts that describe the counts. The flag says whether the family speaks for the caller.
        speaker_by_count: The origin to use instead of `speaker` if one of these counts is present.
    """

    name: str
    speaker: Speaker
    compute: Callable[[Subject], Family | None] | None
    words: Callable[[Counts], Iterator[Wording]]
    spoken: Callable[[Counts, bool], Iterator[Prompts]]
    speaker_by_count: Mapping[str, Speaker] = field(default_factory=dict)

    @property
    def may_tag(self) -> bool:
        """Whether the family can lead to a tag. Evidence from people at this site or from the caller cannot."""
        return self.speaker not in (Speaker.OUR_PEOPLE, Speaker.CALLER)


# Larger counts are rounded down, because listeners do not need them exactly.
_ROUNDED = ((100, "count-over-100"), (50, "count-over-50"), (20, "count-over-20"))


def count_key(count: int) -> str:
    """Return the name of the prompt for a count of colleagues, phones or lists. Counts above 20 are rounded down."""
    return next((key for limit, key in _ROUNDED if count > limit), f"count-{max(count, 1)}")


def counted_keys(count: int, name: str) -> Prompts:
    """Return `explain-NAME-one` if `count` is 1, otherwise the prompt of the count, followed by `explain-NAME-many`."""
    return (f"explain-{name}-one",) if count <= 1 else (count_key(count), f"explain-{name}-many")


def always(*keys: str) -> Callable[[Counts, bool], Iterator[Prompts]]:
    """Return a function for `FamilyKind.spoken` that ignores the counts and always returns the prompts `keys`."""
    return lambda _counts, _speaks_for: iter((keys,))
