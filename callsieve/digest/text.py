"""The text of the digest, for the terminal and mails. Numbers in mails are masked unless the settings say otherwise."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from callsieve.calls.history import CHALLENGED
from callsieve.calls.records import appeal_in_words
from callsieve.digest.operations import Digest
from callsieve.replay.false_positives import FalsePositive
from callsieve.settings import Web
from callsieve.text.times import day
from callsieve.web.i18n import TAGS, translated, translations_of
from callsieve.web.rendering import document_of, mask_numbers
from reputation.appeals import Appeal, is_overdue
from reputation.own.grades import GradeReason
from reputation.own.suspicion import suspicion_words
from reputation.wording import Places, Wording, listed

MOST_LISTED = 20
ALLOW = "callsieve list add allow {number} --note wanted"
BOTH = "{some}; {more}"


@dataclass(frozen=True, slots=True)
class DigestLine:
    """A fact in the digest. `commands`: commands that correct a mistake. `link`: the page about the fact, or empty."""

    text: str
    commands: tuple[str, ...] = ()
    link: str = ""


@dataclass(frozen=True, slots=True)
class DigestSection:
    """Facts of the same kind, with a title."""

    title: str
    lines: tuple[DigestLine, ...]


@dataclass(frozen=True, slots=True)
class DigestText:
    """The digest in one language. `lead`: the summary of the day in one line. `link`: the address of the console."""

    language: str
    title: str
    lead: str
    sections: tuple[DigestSection, ...]
    link: str = ""


@dataclass(frozen=True, slots=True)
class _Writer:
    """Translates the digest's texts. `numbers`: whether to leave numbers unmasked. `console`: the console's address."""

    translate: Callable[[str], str]
    numbers: bool
    console: str

    def say(self, words: str | Wording) -> str:
        text = (
            words.in_language(self.translate) if isinstance(words, Wording) else self.translate(words) if words else ""
        )
        text = "".join(c if c.isprintable() else "?" for c in text)  # names come from outside, also from other sites
        return text if self.numbers else mask_numbers(text)


def digest_text(digest: Digest, language: str = "en", *, numbers: bool = True, console: str = "") -> DigestText:
    """Return the digest as text. `numbers`: unmask phone numbers. `console`: base URL for links; empty: no links."""
    writer = _Writer(partial(translated, catalogue=translations_of(language)), numbers, console)
    sections = tuple(
        DigestSection(writer.say(title), lines) for title, facts in _sections(digest, writer) if (lines := tuple(facts))
    )
    return DigestText(language, writer.say(title_of(digest)), writer.say(lead_of(digest)), sections, console)


def title_of(digest: Digest) -> Wording:
    """Return the title of the digest, such as `Calls of 2026-12-31`."""
    return Wording("Calls of {day}", {"day": digest.day.isoformat()})


def lead_of(digest: Digest) -> Wording:
    """Return the summary of the day in one line."""
    figures = digest.figures
    if not digest.calls:
        return Wording("No call was screened on this day.")
    about = {
        "calls": figures.calls,
        "warned": figures.warned,
        "stopped": figures.stopped,
        "wrong": digest.mistaken_calls,
    }
    if figures.observed:
        return Wording(
            "Calls: {calls:,}. The policy only observes. Otherwise {warned:,} would have had a warning and {stopped:,} "
            "would have been stopped; {wrong:,} of all these probably by mistake.",
            about,
        )
    return Wording(
        "Calls: {calls:,}. With a warning: {warned:,}, stopped: {stopped:,}, probably by mistake: {wrong:,}.", about
    )


def plain_text(text: DigestText) -> str:
    """Return the digest as the plain text of a mail."""
    lines = [text.title, "", text.lead]
    for section in text.sections:
        lines += ["", section.title]
        for line in section.lines:
            lines.append(f"- {line.text}")
            lines += [f"    {command}" for command in line.commands]
            lines += [f"    {line.link}"] if line.link else []
    lines += ["", text.link] if text.link else []
    return "\n".join(lines) + "\n"


def html_page(text: DigestText) -> str:
    """Return the digest as an HTML page without external files."""
    return document_of("digest", "digest.html", TAGS[text.language], {"digest": text})


def console_address(web: Web) -> str:
    """Return the address of the console; empty if the console can be reached only from this server."""
    return f"https://{web.hosts[0]}" if web.behind_proxy and web.hosts else ""


Found = tuple[str | Wording, Iterable[DigestLine]]


def _sections(digest: Digest, writer: _Writer) -> Iterator[Found]:
    yield Wording("Probably wrong"), _mistakes(digest, writer)
    challenged = ((CHALLENGED[result], count) for result, count in digest.challenged.items())
    yield Wording("Challenged callers"), _counts(writer, challenged)
    marks = ((Wording(verdict), count) for verdict, count in digest.figures.marks.items())
    yield Wording("Marks"), _counts(writer, marks)
    yield Wording("Calls that were not screened"), _unscreened(digest, writer)
    yield Wording("Appeals to decide"), _appeals(digest, writer)
    yield Wording("Own numbers whose grade changed"), _grades(digest, writer)
    yield Wording("Own numbers whose platform labels changed"), _labels(digest, writer)
    yield Wording("Own numbers that platforms seem to label"), _suspicions(digest, writer)
    yield Wording("Tasks for own numbers"), _due(digest, writer)
    yield Wording("Feeds"), _feeds(digest, writer)
    yield Wording("Problems that the doctor found"), _findings(digest, writer)


def _mistakes(digest: Digest, writer: _Writer) -> Iterator[DigestLine]:
    for mistake in digest.mistakes[:MOST_LISTED]:
        yield DigestLine(writer.say(mistake_words(mistake)), *_remedy_for(mistake, writer))
    if len(digest.mistakes) > MOST_LISTED:
        more = {"count": len(digest.mistakes) - MOST_LISTED}
        yield DigestLine(writer.say(Wording("and {count:,} more", more)))


def mistake_words(mistake: FalsePositive) -> Wording:
    """Return a mistake in words: `+12015550123: warn 2, challenge 1, but we called it back later and talked`."""
    actions = [Wording("{what} {count:,}", {"what": Wording(what), "count": n}) for what, n in mistake.actions.items()]
    about = {
        "number": mistake.number,
        "actions": listed(actions, "{some}, {more}"),
        "why": listed(mistake.why, BOTH),
    }
    return Wording("{number}: {actions}, but {why}", about)


def _remedy_for(mistake: FalsePositive, writer: _Writer) -> tuple[tuple[str, ...], str]:
    """Return commands and a link that let the number ring. Both contain the number: empty if numbers are masked."""
    if not writer.numbers:
        return (), ""
    return undo_commands(mistake), f"{writer.console}/numbers/{quote(mistake.number)}" if writer.console else ""


def undo_commands(mistake: FalsePositive) -> tuple[str, ...]:
    """Return the commands that let the number ring. For an automated caller they include how to verify its owner."""
    ways = mistake.remedies
    return (ways["allow"], ways["prove"]) if mistake.is_machine else (ALLOW.format(number=mistake.number),)


def _counts(writer: _Writer, counts: Iterable[tuple[Wording, int]]) -> Iterator[DigestLine]:
    for what, count in counts:
        yield DigestLine(writer.say(Wording("{what}: {count:,}", {"what": what, "count": count})))


def _unscreened(digest: Digest, writer: _Writer) -> Iterator[DigestLine]:
    for reason, count in digest.figures.fail_open.items():
        words = Wording("let through unscreened ({reason}): {count:,}", {"reason": Wording(reason), "count": count})
        yield DigestLine(writer.say(words), ("callsieve doctor",))
    if digest.figures.unscreened:
        words = Wording("not screened: {count:,}", {"count": digest.figures.unscreened})
        yield DigestLine(writer.say(words), ("callsieve doctor",))


def _appeals(digest: Digest, writer: _Writer) -> Iterator[DigestLine]:
    for appeal in digest.in_force[:MOST_LISTED]:
        link = f"{writer.console}/appeals/{appeal.reference}" if writer.console else ""
        yield DigestLine(
            writer.say(appeal_words(appeal, digest.at)), (f"callsieve appeal show {appeal.reference}",), link
        )
    if digest.filed:
        yield DigestLine(
            writer.say(Wording("appeals that wait for proof or acceptance: {count:,}", {"count": digest.filed}))
        )


def appeal_words(appeal: Appeal, now: float) -> Wording:
    """Return an appeal in words, with the deadline and whether the appeal is overdue."""
    words = appeal_in_words(appeal)
    return Wording("{appeal}: overdue", {"appeal": words}) if is_overdue(appeal, now) else words


def _grades(digest: Digest, writer: _Writer) -> Iterator[DigestLine]:
    for change in digest.grades[:MOST_LISTED]:
        grades: Places = {"grade": Wording(change.grade.words), "before": Wording(change.before.words)}
        words = Wording("{number}: {grade}, before: {before}", {"number": change.number, **grades})
        if change.reasons:
            words = Wording("{change} ({why})", {"change": words, "why": _why(change.reasons)})
        yield DigestLine(writer.say(words), (f"callsieve own show {change.number}",) if writer.numbers else ())


def _labels(digest: Digest, writer: _Writer) -> Iterator[DigestLine]:
    for change in digest.labels[:MOST_LISTED]:
        labels: Places = {"label": change.label or Wording("no label"), "before": change.before or Wording("no label")}
        about: Places = {"number": change.number, "platform": change.platform, **labels}
        words = Wording("{number}: {platform} shows {label}, before: {before}", about)
        yield DigestLine(writer.say(words), (f"callsieve own watch show {change.number}",) if writer.numbers else ())


def _suspicions(digest: Digest, writer: _Writer) -> Iterator[DigestLine]:
    for suspected in digest.suspicions[:MOST_LISTED]:
        words = Wording(
            "{number} in {what}", {"number": suspected.number, "what": suspicion_words(suspected.suspicion)}
        )
        yield DigestLine(
            writer.say(words), (f"callsieve own watch suspect {suspected.number}",) if writer.numbers else ()
        )


def _due(digest: Digest, writer: _Writer) -> Iterator[DigestLine]:
    for task in digest.due[:MOST_LISTED]:
        about: Places = {"number": task.number, "day": day(task.at), "what": task.what}
        yield DigestLine(writer.say(Wording("{number}, {day}: {what}", about)), ("callsieve own due",))
    if len(digest.due) > MOST_LISTED:
        yield DigestLine(writer.say(Wording("and {count:,} more", {"count": len(digest.due) - MOST_LISTED})))


def _why(reasons: Iterable[GradeReason]) -> str | Wording:
    return listed([reason.words for reason in reasons], BOTH)


def _feeds(digest: Digest, writer: _Writer) -> Iterator[DigestLine]:
    for name, health in digest.feeds:
        words = Wording("{name}: {health}", {"name": name, "health": health.summary})
        yield DigestLine(writer.say(words), ("callsieve feeds",))


def _findings(digest: Digest, writer: _Writer) -> Iterator[DigestLine]:
    if isinstance(digest.findings, Wording):
        yield DigestLine(writer.say(digest.findings), ("callsieve doctor",))
        return
    for check in digest.findings:
        about = {"status": Wording(check.status.value), "name": Wording(check.name), "detail": check.detail}
        words = Wording("{status}: {name}: {detail}", about)
        if check.remedy:
            words = Wording("{what} → {remedy}", {"what": words, "remedy": check.remedy})
        yield DigestLine(writer.say(words))
