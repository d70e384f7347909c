"""Texts that say where evidence for a level comes from, and how many of the needed witnesses there are. Pure functions.

The module only uses data of the journal, so it works for past and present calls.
"""

from collections.abc import Iterable, Iterator

from reputation.families.kind import Speaker
from reputation.families.table import KIND_BY_NAME
from reputation.model import Family, Level, Reputation, Witnesses
from reputation.wording import Wording, listed


def speakers_of(families: Iterable[Family]) -> list[tuple[Speaker, float]]:
    """Return whose evidence speaks against the number, with each speaker's log-odds, the largest log-odds first."""
    log_odds_by_speaker: dict[Speaker, float] = {}
    for family in families:
        speaker = _speaker_of(family)
        if speaker is not None:
            log_odds_by_speaker[speaker] = log_odds_by_speaker.get(speaker, 0.0) + family.log_odds
    return sorted([pair for pair in log_odds_by_speaker.items() if pair[1] > 0], key=lambda pair: -pair[1])


def _speaker_of(family: Family) -> Speaker | None:
    kind = KIND_BY_NAME.get(family.name)
    if kind is None:  # of another version
        return None
    return next(
        (kind.speaker_by_count[what] for what, _ in family.counts if what in kind.speaker_by_count), kind.speaker
    )


def account_of(level: Level, families: Iterable[Family], witnesses: Witnesses | None) -> tuple[Wording, ...]:
    """Return sentences, without full stops: where the level's evidence comes from, and how many witnesses there are."""
    return tuple(_account(level, families, witnesses))


def _account(level: Level, families: Iterable[Family], witnesses: Witnesses | None) -> Iterator[Wording]:
    speakers = speakers_of(families) if level is not Level.NONE else []
    if speakers:
        yield Wording(
            "the level comes from {who}", {"who": listed([*map(_in_points, speakers)], "{some}, then {more}")}
        )
    if witnesses is not None:
        yield _of_witnesses(witnesses)
        if level >= Level.CHALLENGE:
            yield Wording("only an outside source and a failed challenge together raise the level further")


def _in_points(speaker: tuple[Speaker, float]) -> Wording:
    who, log_odds = speaker
    points = f"{Reputation(log_odds).points:+d}"
    return Wording("{who} ({points} points)", {"who": Wording(who.value), "points": points})


def _of_witnesses(witnesses: Witnesses) -> Wording:
    counts = witnesses._asdict()
    needed = Wording(
        "without an outside source, a label needs {label} witnesses and a challenge needs {challenge}", counts
    )
    if witnesses.seen == 1:
        return Wording(
            "one witness (a person, a DID or another site) speaks against the number; {needed}", {"needed": needed}
        )
    return Wording(
        "{seen} independent witnesses (people, DIDs or other sites) speak against the number; {needed}",
        {**counts, "needed": needed},
    )
