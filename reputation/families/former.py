"""Families of evidence that only older versions computed. The journal still needs their texts for old decisions."""

from collections.abc import Iterator, Mapping

from reputation.families.counts import (
    NOBODY_CALLED_BACK,
    spoken_of_marks,
    spoken_of_signals,
    words_of_marks,
    words_of_signals,
)
from reputation.families.kind import Counts, FamilyKind, Prompts, Speaker, always
from reputation.wording import Counted, Wording

# families/counts.py replaced `marks` and `behaviour`, conditions in policies the other families, which could only tag.

_WALK = "new numbers called {n} of our numbers in a row"
COMPANIES_COMPLAIN = Counted(
    "people of another company complain about the number", "people of {n} other companies complain about the number"
)
COMPANIES_CLEARED = Counted(
    "another company upheld an appeal for the number", "{n} other companies upheld an appeal for the number"
)
_WORDS: Mapping[str, Wording | Counted] = {
    "telemarketing": Wording("the number's range is for telemarketing"),
    "do-not-originate": Wording("numbers in this range never make calls"),
    "unallocated": Wording("the number's range is not allocated to anybody"),
    "listed": COMPANIES_COMPLAIN,
    "cleared": COMPANIES_CLEARED,
    "neighbours": Counted(
        "a new number in the same block of 1000 called another of our numbers within the hour",
        "{n} new numbers in the same block of 1000 called our other numbers within the hour",
    ),
    "in a row": Counted(_WALK, _WALK),
}


def _words(counts: Counts) -> Iterator[Wording]:
    for what, count in counts.items():
        words = _WORDS.get(what)
        if words is not None:
            yield words.of(count) if isinstance(words, Counted) else words


_CALLED_BACK = frozenset({"called-back", "not-spam"})


def _words_of_behaviour(counts: Counts) -> Iterator[Wording]:
    yield from words_of_signals(counts)
    if not _CALLED_BACK & counts.keys():
        yield NOBODY_CALLED_BACK


def _spoken_of_behaviour(counts: Counts, speaks_for: bool) -> Iterator[Prompts]:
    yield from spoken_of_signals(counts, speaks_for)
    if not speaks_for and not _CALLED_BACK & counts.keys():
        yield ("explain-nobody-called-back",)


def _label_words(counts: Counts) -> Iterator[Wording]:
    (label,) = counts
    yield Wording("the carrier shows {label} instead of a name", {"label": label})


def _spoken_of_plan(counts: Counts, _speaks_for: bool) -> Iterator[Prompts]:
    yield ("explain-telemarketing",) if "telemarketing" in counts else ("explain-nobodys-range",)


FORMER = (
    FamilyKind("marks", Speaker.OUR_PEOPLE, None, words_of_marks, spoken_of_marks),
    FamilyKind("behaviour", Speaker.OUR_PEOPLE, None, _words_of_behaviour, _spoken_of_behaviour),
    FamilyKind("plan", Speaker.CALL, None, _words, _spoken_of_plan),
    FamilyKind("carrier label", Speaker.CALL, None, _label_words, always("explain-carrier-warns")),
    FamilyKind("peers", Speaker.PEERS, None, _words, always("explain-other-companies")),
    FamilyKind("first call", Speaker.CALL, None, _words, always("explain-new-numbers")),
)
