"""The tables of benchmarks/accuracy/SUMMARY.md: the main figures, each with its assumptions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.accuracy import offices
from benchmarks.accuracy.attacks import ATTACK_WORDS, SPOOFING
from benchmarks.accuracy.closed_loop import Counted, Tally
from benchmarks.accuracy.estimates import share_of
from benchmarks.accuracy.first_calls import HONEST as HONEST_STYLES
from benchmarks.accuracy.offices import ATTACKS, OFFICES, STANDARD_NAME
from benchmarks.accuracy.parameters import ESTABLISHED, ESTABLISHED_MACHINE, Kind
from benchmarks.accuracy.reading import Cell
from benchmarks.accuracy.running import Tallies
from benchmarks.accuracy.tables import ROOT, Sheet
from benchmarks.accuracy.targets import (
    HONEST,
    LABELLED,
    LINES,
    MACHINE,
    MACHINES,
    PERSON,
    SPAM,
    Measure,
    Measured,
    cell,
    of_calls,
    of_first_calls,
    of_nine_storms,
    of_numbers,
    worst_honest,
)

FRONT: Path = ROOT / "benchmarks/accuracy/SUMMARY.md"
FRONT_BLOCKS = ("in short", "strangers press a digit", "offices", "attacks")
BASE, COLD, LISTED, WRONGLY = STANDARD_NAME, offices.COLD, offices.LISTED, offices.WRONGLY


class Fact(NamedTuple):
    """A row of the first table; without a measure, a heading. `assumes`: the assumption on which the value depends."""

    caption: str
    measure: Measure | None = None
    assumes: str = ""


SINGLE_USE, WANGIRI = (cell(kind.value) for kind in (Kind.SINGLE_USE, Kind.WANGIRI))
FACTS = (
    Fact("**How often is a good caller stopped?**"),
    Fact(
        "calls of good callers that are stopped, standard office without an attack: kind of caller with the highest"
        " share",
        worst_honest(BASE),
        "an office of 200 people; the only evidence is how its people treat calls",
    ),
    Fact(
        "calls of wanted machines (reminders, alarms) that are stopped, in an office that rarely answers them",
        of_calls(COLD, Counted.STOPPED, cell(MACHINES)),
        "people answer 30 % of these calls, 15 % of unanswered calls leave a message, 1 % are called back",
    ),
    Fact(
        "calls of wanted machines that are stopped, if two spam lists from outside wrongly contain some of them",
        of_calls(WRONGLY, Counted.STOPPED, cell(MACHINES)),
        "the lists contain one machine in 20 from its first call on",
    ),
    Fact(
        "customer-service numbers that are labelled once or more in 90 days",
        of_numbers(BASE, Counted.EVER_LABELLED, cell(LINES)),
        "one answered call in 200 is marked as spam by mistake",
    ),
    Fact(
        "first calls of good callers that are labelled",
        of_first_calls(*HONEST_STYLES),
        "60 strangers a day, and companies, clinics, call centres, conferences, couriers",
    ),
    Fact("**How much spam still rings?**"),
    Fact(
        "calls of spam numbers that call again and again: they ring without a label",
        of_calls(BASE, Counted.PLAIN, cell(SPAM)),
        "70 % are robots; a number calls 6 times a day for a week; 10 % of answered calls are marked; 8 % of missed"
        " calls leave a message",
    ),
    Fact(
        "the same calls: they ring with a label", of_calls(BASE, LABELLED, cell(SPAM)), "the same as in the row above"
    ),
    Fact(
        "the same calls: they are stopped before a phone rings",
        of_calls(BASE, Counted.STOPPED, cell(SPAM)),
        "5 % of robots and 60 % of human spammers press the right digit",
    ),
    Fact(
        "the same calls, if sources list some of the spam numbers: they ring without a label",
        of_calls(LISTED, Counted.PLAIN, cell(SPAM)),
        "two sources list 24 % of spam numbers from their first call on",
    ),
    Fact(
        "calls of spam numbers that are used only once: they ring without a label",
        of_calls(BASE, Counted.PLAIN, SINGLE_USE),
        "each number is new, and no other new numbers call at that time",
    ),
    Fact(
        "storms of spam numbers that are used only once: calls that are labelled (the others ring without a label)",
        of_nine_storms,
        "many new numbers call at about the same time: 300 within an hour, or 60 more slowly; the mean of nine ways to"
        " choose them",
    ),
    Fact(
        "one-ring calls that are labelled",
        of_calls(BASE, LABELLED, WANGIRI),
        "a number rings the phones of 20 to 60 of our people within an hour",
    ),
)
VICTIMS = (PERSON, MACHINE, ESTABLISHED, ESTABLISHED_MACHINE)


def front_sheets(measured: Measured, seeds: str = "") -> list[Sheet]:
    """Return those tables of the page whose values were measured.

    `seeds`: a sentence about the seeds, for the caption of the first table.
    """
    short = short_sheet(measured)
    sheets = [short._replace(caption=f"{short.caption} {seeds}".strip()), offices_sheet(measured)]
    return [*sheets, attacks_sheet(measured)] if STANDARD_NAME in measured.closed else sheets


def short_sheet(measured: Measured) -> Sheet:
    """Return the first table: how often good callers are stopped, and how much spam rings.

    Each value has its assumptions.
    """
    rows = []
    for fact in FACTS:
        value = fact.measure(measured) if fact.measure is not None else None
        if fact.measure is None or value is not None:
            rows.append([fact.caption, "" if value is None else value.text, fact.assumes])
    caption = (
        f"{_in_a_sentence(measured)}In % of calls, or of numbers if the row says so, with the preset `strict`. In"
        " brackets: the 95 % interval."
    )
    return Sheet("in short", caption, ("what", "%", "what is assumed"), rows)


def _in_a_sentence(measured: Measured) -> str:
    """Return a sentence with the main figures; an empty text if the standard office was not measured."""
    honest = worst_honest(BASE)(measured)
    plain, labelled, stopped = (
        of_calls(BASE, what, cell(SPAM))(measured) for what in (Counted.PLAIN, LABELLED, Counted.STOPPED)
    )
    if honest is None or plain is None or labelled is None or stopped is None:
        return ""
    return (
        f"**Of 100 calls of good callers {honest.mean:.2g} are stopped. Of 100 calls of spam that calls again and again"
        f" {plain.mean:.0f} ring without a label, {labelled.mean:.0f} with one, and {stopped.mean:.0f} do not ring."
        " Spam that uses each number only once rings, unless you choose the policy `strangers`. With it, every"
        " unknown caller must press a digit.** This office of 200 people learns only from its own calls, and nobody"
        " attacks it.\n\n"
    )


def offices_sheet(measured: Measured) -> Sheet:
    """Return a table of the offices. An office's name says how it differs from the standard office."""
    rows = []
    for name in (office for office in OFFICES if office in measured.closed):
        seeds = measured.closed[name]
        spam = [_text(seeds, (what,), cell(SPAM)) for what in (Counted.STOPPED, Counted.PLAIN)]
        honest = [share_of(seeds, (Counted.STOPPED,), cell(kind)) for kind in HONEST if _has_calls(seeds, cell(kind))]
        rows.append([name, *spam, max(honest).text if honest else "-"])
    caption = "The name of an office says how it differs from the standard office. In % of calls, with `strict`."
    headings = (
        "office",
        "spam calls stopped",
        "spam calls that ring without a label",
        "kind of good caller whose calls are stopped most often, with the share stopped",
    )
    return Sheet("offices", caption, headings, rows)


def _has_calls(seeds: Sequence[Tallies], subject: Cell) -> bool:
    return any(tallies.get(subject, Tally())[Counted.CALLS] for tallies in seeds)


def _text(seeds: Sequence[Tallies], counted: Sequence[Counted], subject: Cell) -> str:
    return share_of(seeds, counted, subject).text if _has_calls(seeds, subject) else "-"


def attacks_sheet(measured: Measured) -> Sheet:
    """Return a table of attacks on four kinds of numbers, with the shares of lost calls and of labelled calls."""
    seeds, rows = measured.closed[STANDARD_NAME], []
    plan = [(item, count) for item, counts, _ in ATTACKS[STANDARD_NAME] if item in ATTACK_WORDS for count in counts]
    for attack, count in dict.fromkeys(plan):
        cells = [cell(victim, attack, count) for victim in VICTIMS]
        shares = [
            f"{share_of(seeds, (Counted.STOPPED,), cell_).text} / {share_of(seeds, LABELLED, cell_).text}"
            if _has_calls(seeds, cell_)
            else ""
            for cell_ in cells
        ]
        people = f"{count} of our people"
        who = people if attack not in SPOOFING else f"an outsider, {people}" if count else "an outsider"
        rows.append([ATTACK_WORDS[attack], who, *shares])
    caption = (
        "Calls of a good number that are lost / labelled after people attack it together, in % of its calls, in the"
        " standard office with `strict`. A new number is attacked after a day, and calls once a day."
    )
    headings = (
        *("attack", "attackers", "new number of a person", "new number of a machine"),
        *("established number of people", "established number of a machine"),
    )
    return Sheet("attacks", caption, headings, rows)
