"""`callsieve lookup` and `callsieve explain`: all information about a number, with reasons."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.text import Text

from callsieve.calls.records import appeal_in_words, ended_words, points_of
from callsieve.cli.errors import CommandError
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    check_new,
    existing_store,
    number_argument,
    print_json,
    settings_of,
)
from callsieve.cli.output import bold, clean, dim, ordered, plural, print_pairs, print_table, say, word
from callsieve.lists.views import origin_words
from callsieve.numbering.views import PURPOSE_WORDS, range_of
from callsieve.numbers.mark_effects import (
    LANGUAGES,
    MarkEffects,
    effects_page,
    introduction,
    mark_effects_here,
    owner_page,
    tables_of,
)
from callsieve.numbers.owner_view import OwnerView, owner_view_of
from callsieve.numbers.profile import Profile, profile_of
from callsieve.system.files import complete_file
from callsieve.text.times import ago, day, when
from policies.files import nearest
from reputation.formulas import monday_text
from reputation.history import Point
from reputation.model import Reputation
from reputation.outcome import Signal
from reputation.site_names import site_of
from reputation.store.hub.sites import OURS
from reputation.wording import Wording

BARS = "▁▂▃▄▅▆▇█"
TOP = 7.5  # log-odds of a full bar: marks and behaviour at their limits


def line_chart(points: Sequence[Point]) -> Text:
    """Return a chart of evidence over time: bars, coloured by level, or dots for evidence in the number's favour."""
    return Text("").join(_bar(point) for point in points)


def _bar(point: Point) -> Text:
    if point.log_odds <= 0:
        return Text("·" if point.log_odds < 0 else " ", style="green")
    height = min(len(BARS) - 1, int(point.log_odds / TOP * len(BARS)))
    return Text(BARS[height], style=word(point.level.word).style)


Line = tuple[str, str | Text]
T = TypeVar("T")

LABEL = 12  # columns of the names on the left


def lookup(
    number: Annotated[str, typer.Argument(help="A number as you dial it, or +12015550123.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show all information about a number, and the decision that a call from the number would get now."""
    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db:
        known = profile_of(db, loaded, e164, time.time())
    if as_json:
        print_json(known)
    else:
        _show(known)


def _show(known: Profile) -> None:
    say(bold(known.number), "  ", dim(str(known.about)))
    say(known.sentence)
    say()
    parts = (_plan, _reputation, _history, _sources, _peers, _lists, _people, _learnt, _cases, _caller, _now)
    print_pairs([line for part in parts for line in part(known)], LABEL)
    if known.decisions:
        say()
        _show_decisions(known)


def _plan(known: Profile) -> Iterator[Line]:
    if (row := known.facts.plan) is not None:
        note = f", {row.note}" if row.note else ""
        yield "range", f"{range_of(row)}: {PURPOSE_WORDS[row.purpose]}{note}"
        yield "", Text(row.source.title if row.source else "no source: not used as evidence", style="dim")


def _reputation(known: Profile) -> Iterator[Line]:
    reputation = known.facts.reputation
    yield (
        "reputation",
        Text.assemble(
            f"{reputation.points:+d} points, level " if reputation.points else "0 points, level ",
            word(reputation.level.word),
            (f"  log-odds {reputation.log_odds:+.2f}" if reputation.log_odds else "", "dim"),
        ),
    )
    for family in reputation.families:
        counts = ", ".join(f"{count} {what}" for what, count in family.counts if count)
        if counts or family.log_odds:
            yield f"  {family.name}", f"{family.log_odds:+.2f}  {counts}"
    for label, words in _labelled("  because", known.account):
        yield label, str(words)
    for label, change in _labelled("  less if", reputation.would_change):
        yield label, Text.assemble(f"{change.words}: then ", word(change.level.word))
    if known.lower_in is not None:
        days, level = known.lower_in
        nothing = f"nothing new happens for {plural(days, 'day')}: then "
        yield "" if reputation.would_change else "  less if", Text.assemble(nothing, word(level.word))
    for label, change in _labelled("  more if", reputation.would_raise):
        yield label, Text.assemble(f"{change.words}: then ", word(change.level.word))


def _history(known: Profile) -> Iterator[Line]:
    if all(point.log_odds == 0 for point in known.history):
        return
    highest = max(known.history, key=lambda point: point.log_odds)
    yield "  60 days", line_chart(known.history)
    points = f"{Reputation(highest.log_odds).points:+d} points"
    peak = f"; at most {points} on {day(highest.at)}" if highest.log_odds > 0 else ""
    yield "", Text(f"from {day(known.history[0].at)} to now{peak}", style="dim")


def _sources(known: Profile) -> Iterator[Line]:
    imported = [row for row in known.facts.imported if not row.looked_up]
    looked_up = [row for row in known.facts.imported if row.looked_up]
    for label, row in (*_labelled("imported", imported), *_labelled("look-up", looked_up)):
        about = [row.verdict, row.category, row.name and f'"{row.name}"', row.note]
        yield label, f"{row.source}: {', '.join(filter(None, about))} ({ago(row.imported_at, known.at)})"


def _peers(known: Profile) -> Iterator[Line]:
    for label, peer_word in _labelled("others", known.facts.peers):
        week = f"week of {monday_text(peer_word.last_week)}"
        if peer_word.is_cleared:
            yield label, f"{peer_word.peer} found that the number is not spam ({week})"
            continue
        about = [
            peer_word.category,
            f"{peer_word.witnesses} people or more",
            f"level {peer_word.level.word} at that company",
            week,
        ]
        yield label, f"{peer_word.peer}: {', '.join(filter(None, about))}"


def _lists(known: Profile) -> Iterator[Line]:
    for label, listed in _labelled("lists", known.lists):
        entry = listed.entry
        text = Text.assemble(f"{entry.list_name.value}list {entry.text}: ", word(listed.action))
        if entry.note:
            text.append(f' "{clean(entry.note)}"')
        text.append(f" since {when(entry.added_at)}" + (f" until {when(entry.expires_at)}" if entry.expires_at else ""))
        if listed.origin != OURS:
            text.append(f", from {origin_words(listed.origin)}")
        yield label, text


def _people(known: Profile) -> Iterator[Line]:
    for label, fact in _labelled("people", known.personal):
        text = f"{fact.tie} {fact.who}"
        text += f' as "{fact.name}"' if fact.name else ""
        yield label, text + (f" {'on' if fact.what == 'talked' else 'since'} {when(fact.at)}" if fact.at else "")
    expecting = sorted({tie.person for tie in known.facts.ties if tie.tie == "expected" and tie.person})
    if expecting:
        yield "expected", f"{', '.join(expecting)} expects a call from any number"


def _learnt(known: Profile) -> Iterator[Line]:
    for label, mark in _labelled("marks", known.marks):
        about = f" ({mark.category})" if mark.category else ""
        case = known.cases.case_against(mark)
        wrong = f"; corrected as wrong by {case}" if case else ""
        yield label, f"{mark.verdict.value}{about} by {mark.reporter}, {ago(mark.at, known.at)}{wrong}"
    counts = Counter(signal.category.value for signal in known.signals)
    for label, (category, count) in _labelled("signals", sorted(counts.items())):
        latest = max(signal.at for signal in known.signals if signal.category.value == category)
        yield label, f"{category}: {_whose(known.signals, category, count)}, last {ago(latest, known.at)}"
    for label, outcome in _labelled("calls", known.outcomes):
        yield label, f"{when(outcome.at)} {ended_words(outcome)}"


def _whose(signals: Sequence[Signal], category: str, count: int) -> str:
    elsewhere = sum(signal.category.value == category and bool(site_of(signal.callee)) for signal in signals)
    counts = {f"{count - elsewhere} of our people": count - elsewhere, f"{elsewhere} at other sites": elsewhere}
    return " and ".join(words for words, some in counts.items() if some)


def _cases(known: Profile) -> Iterator[Line]:
    cases = known.cases
    for label, epoch in _labelled("reassigned", cases.epochs):
        yield label, f"a new owner since {when(epoch.at)}, recorded by {epoch.who}: {epoch.reason}"
    for label, appeal in _labelled("appeals", cases.appeals):
        yield label, str(appeal_in_words(appeal))
    for label, burst in _labelled("review", cases.to_review):
        yield label, f"{burst.reporters} marks, many within an hour: they do not count until somebody reviews them"
    if cases.reviewed is not None:
        yield "reviewed", f"by {cases.reviewed.who}, {when(cases.reviewed.at)}: the marks count"


def _caller(known: Profile) -> Iterator[Line]:
    identity = known.identity
    if identity:
        note = f": {identity.note}" if identity.note else ""
        yield "identity", f"{identity.name}, level {identity.level}, until {when(identity.expires_at)}{note}"
    if known.facts.own_number:
        yield (
            "own number",
            "yes: a call that shows this number as its caller comes from your own people, or the number is forged",
        )
        yield "", str(known.to_owner)
    for label, (auth_class, at) in _labelled("challenge", known.challenge_passed):
        yield label, f"passed {ago(at, known.at)} ({auth_class.value})"
    for auth_class, history in known.challenges:
        if history.failed_at is not None:
            last = f"last {ago(history.failed_at, known.at)} ({auth_class.value})"
            yield "failed", f"{plural(history.failures, 'challenge')} since the last pass, {last}"


def _now(known: Profile) -> Iterator[Line]:
    if known.opinion is None:
        yield "now", Text(f"the policy cannot be used: {clean(str(known.trouble))}", style="red")
        return
    decision, call = known.opinion.decision, known.opinion.call
    text = Text.assemble(word(decision.would_be.word), f" by {decision.rule}: {clean(str(decision.reason))}")
    if decision.capped_by:
        text.append(f"; not stronger, because {clean(str(decision.capped_by))}")
    yield "now", text
    trunk = f" on trunk {call.trunk}" if call.trunk else ""
    kind = "a call on a trusted trunk" if call.trusted else "an unsigned call"
    observed = ", which only observes, so the call goes on" if decision.observed else ""
    yield "", Text(f"for {kind}{trunk}, by policy {known.opinion.policy.name}{observed}", style="dim")


def _show_decisions(known: Profile) -> None:
    rows = (
        (
            when(record.at),
            record.id,
            record.did or "",
            ordered(record.action, record.would_be),
            record.rule,
            f"{points_of(record):+d}",
        )
        for record in (decision.record for decision in known.decisions)
    )
    print_table(("time", "id", "DID", "action", "rule", "points"), rows, keep=(0, 1, 2, 3))


def _labelled(label: str, items: Iterable[T]) -> Iterator[tuple[str, T]]:
    for index, item in enumerate(items):
        yield (label if index == 0 else ""), item


FILE_MODE = 0o644
MOST_PEOPLE = 1_000_000

OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write an HTML page to this file, for printing or passing on."),
]
LanguageOption = Annotated[str, typer.Option("--language", metavar="en|zh", help="Language of the page.")]


def marks(
    people: Annotated[
        int | None,
        typer.Option(
            "--people",
            min=0,
            max=MOST_PEOPLE,
            help="Number of people who work here. Default: all people that CallSieve knows.",
        ),
    ] = None,
    out: OutOption = None,
    language: LanguageOption = "en",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show how many marks, by how many people, lead to each action, and what marks alone never cause."""
    loaded = settings_of(config)
    with existing_store(loaded) as db:
        shown = mark_effects_here(db, loaded, people)
    if out is not None:
        _write(out, effects_page(shown, _known(language)))
    elif as_json:
        print_json(shown)
    else:
        _show_effects(shown)


def number(
    number: Annotated[str, typer.Argument(help="A number as you dial it, or +12015550123.")],
    out: OutOption = None,
    language: LanguageOption = "en",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what you may tell the owner of a number: the evidence for and against the number, and when it fades."""
    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db:
        view = owner_view_of(db, loaded, e164, time.time())
    if out is not None:
        _write(out, owner_page(view, _known(language)))
    elif as_json:
        print_json(view)
    else:
        _show_view(view)


def _known(language: str) -> str:
    if language not in LANGUAGES:
        raise CommandError(f"--language: unknown language {language[:20]!r}{nearest(language, LANGUAGES)}")
    return language


def _write(path: Path, page: str) -> None:
    check_new(path)
    with complete_file(path, FILE_MODE) as file:
        file.write(page.encode())
    say(f"{path}: open it in a browser and print it.")


def _show_effects(shown: MarkEffects) -> None:
    for sentence in introduction(shown):
        say(_sentence(sentence))
    for table in tables_of(shown):
        say()
        say(bold(str(table.title)))
        say(dim(_sentence(table.note)))
        print_table(tuple(map(str, table.heads)), [tuple(map(str, row)) for row in table.rows], keep=(0, 1))


def _show_view(view: OwnerView) -> None:
    say(bold(view.number), "  ", str(view.level_words))
    say(_sentence(view.action_words))
    say()
    pairs: list[tuple[str, str]] = []

    def add(label: str, texts: list[str]) -> None:
        pairs.extend((label if i == 0 else "", text) for i, text in enumerate(texts))

    add("against", [str(words) for words in view.against] or ["nothing"])
    add("for", [str(words) for words in view.in_favour] or ["nothing"])
    add("no weight", [str(words) for words in view.neutral])
    add("better if", [f"{change.words}: {change.level.word}" for change in view.better_if])
    add("fades", [f"{when(at)}: {level.word}" for at, level in view.fades])
    add("worse if", [str(view.marks_words), *(f"{change.words}: {change.level.word}" for change in view.worse_if)])
    print_pairs(pairs, LABEL)
    say()
    say(str(view.expects))


def _sentence(words: Wording) -> str:
    text = str(words)
    return f"{text[:1].upper()}{text[1:]}."
