"""Simulates how soon a bad look-up source is switched off, and how often a good one is switched off by mistake.

    python -m benchmarks.lookups

A source is a service that says whether a number is spam. It calls a share of spam callers "spam", and a share of honest
callers too. It is judged after each caller whose true kind becomes known. The look-up process judges a source at most
once per hour. The table is in docs/contributing/decisions/look-ups.md.
"""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from callsieve.source_skill import Judgement, judgement_of
from reputation.store.lookups import Compared

RUNS: Final = 1000
KNOWN: Final = (50, 100, 200, 500)
SPAM_SHARE: Final = 0.5


class Kind(NamedTuple):
    """A kind of source. `of_spam`, `of_fine`: the shares of spam and of honest callers that the source calls "spam"."""

    what: str
    of_spam: float
    of_fine: float


KINDS: Final = (
    Kind("always wrong", 0.0, 1.0),
    Kind("calls honest callers spam twice as often as spam callers", 0.3, 0.6),
    Kind("a little worse than chance", 0.3, 0.4),
    Kind("as good as chance", 0.5, 0.5),
    Kind("calls everybody spam", 1.0, 1.0),
    Kind("knows few numbers, and is rarely wrong", 0.05, 0.01),
    Kind("a little better than chance", 0.4, 0.3),
    Kind("good: calls most spam callers spam, and few honest callers", 0.6, 0.05),
)


def switched_off_after(kind: Kind, random: Random, most: int) -> int | None:
    """Return after how many callers of known kind the source is switched off; None if not within `most` callers."""
    counts = dict.fromkeys(Compared._fields, 0)
    for known in range(1, most + 1):
        truth, share = ("spam", kind.of_spam) if random.random() < SPAM_SHARE else ("fine", kind.of_fine)
        verdict = "spam" if random.random() < share else "other"
        counts[f"{verdict}_of_{truth}"] += 1
        if judgement_of(Compared(**counts)) is Judgement.WORSE:
            return known
    return None


def table(runs: int = RUNS, seed: int = 1) -> list[tuple[str, ...]]:
    """Return a row for each kind of source: the percentage that is switched off after so many known callers."""
    random, rows = Random(seed), []
    for kind in KINDS:
        ends = [switched_off_after(kind, random, KNOWN[-1]) for _ in range(runs)]
        shares = (100 * sum(end is not None and end <= known for end in ends) / runs for known in KNOWN)
        rows.append((kind.what, f"{kind.of_spam:.0%} / {kind.of_fine:.0%}", *(f"{share:.1f}" for share in shares)))
    return rows


def main() -> None:
    heads = (
        "kind of source",
        "share that it calls spam: of spam callers / of honest callers",
        f"switched off after {KNOWN[0]} known callers, in %",
        *(f"after {known}" for known in KNOWN[1:]),
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in table():
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
