"""`callsieve hub evidence`, `ignore`, `resume`, `erasures`, `keep` and `people`: what other sites told, and what it is
worth here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from callsieve.cli import options
from callsieve.cli.output import plural, print_table, say, say_undo
from callsieve.hub import site_operations
from callsieve.hub.site_operations import IgnoreRequest
from callsieve.hub.views import figures_as_json, remarks_on_evidence
from callsieve.text.times import when
from reputation.store.hub.incoming import KEPT_DAYS, waiting_erasures
from reputation.store.other_sites import SiteFigures, all_same, figures_of_sites

SiteArgument = Annotated[str, typer.Argument(help="A site that has told something.", show_default=False)]
PersonArgument = Annotated[
    str, typer.Argument(metavar="PERSON", help="One of ours (201) or of another site (berlin:305).", show_default=False)
]


def evidence(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show what each other site told, and whether our own calls and people agree."""
    with options.existing_store(options.settings_of(config)) as db:
        found = figures_of_sites(db)
    if as_json:
        options.print_json([figures_as_json(one) for one in found])
        return
    if not found:
        say("No other site has told anything.")
        return
    print_figures(found)


def ignore(
    site: SiteArgument,
    reason: Annotated[str, typer.Option(help="Why, for those who come after you.", show_default=False)],
    config: options.ConfigOption = None,
) -> None:
    """Let nothing count here that a site tells, whatever it tells. Its rows stay, so it can be taken back."""
    judged = options.perform(
        options.settings_of(config), site_operations.ignore, IgnoreRequest(site, reason), existing=True
    )
    say(f"Nothing of {site} counts here any more; it had something on {plural(judged.numbers, 'number')}.")
    if judged.later:
        say("The daemon makes the sums of so many numbers anew, some at a time.")
    say_undo(judged.change_id, config)


def resume(site: SiteArgument, config: options.ConfigOption = None) -> None:
    """Let a site count again, as if it had never been ignored."""
    judged = options.perform(options.settings_of(config), site_operations.resume, site, existing=True)
    say(f"{site} counts again.")
    say_undo(judged.change_id, config)


def show_erasures(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show numbers that other sites had erased and of which something is kept here until you decide."""
    with options.existing_store(options.settings_of(config)) as db:
        found = waiting_erasures(db)
    if as_json:
        options.print_json([one._asdict() for one in found])
        return
    if not found:
        say("No erasure of another site waits.")
        return
    print_table(("number", "site", "since"), [(one.number, one.site, str(when(one.at))) for one in found])
    say("callsieve privacy erase NUMBER deletes the rest, here and at sites that follow this one;")
    say("callsieve hub keep NUMBER keeps it.")


def keep(number: options.NumberArgument, config: options.ConfigOption = None) -> None:
    """Keep what is known here of a number that another site had erased."""
    e164 = options.perform(options.settings_of(config), site_operations.keep, number, existing=True)
    say(f"{e164} is kept, whoever has it erased within the next {KEPT_DAYS:.0f} days.")


def show_people(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show who is known by several names, at several sites."""
    with options.existing_store(options.settings_of(config)) as db:
        found = all_same(db)
    if as_json:
        options.print_json([list(names) for names in found])
        return
    for names in found:
        say(" = ".join(names))
    if not found:
        say("Nobody is declared to be the same at two sites: callsieve hub people same 201 berlin:305")


def same(person: PersonArgument, other: PersonArgument, config: options.ConfigOption = None) -> None:
    """Declare that two people, of two sites, are one human, who counts once."""
    declared = options.perform(options.settings_of(config), site_operations.same_person, (person, other), existing=True)
    say(f"{' = '.join(declared.names)}: one human, who counts once.")
    say_undo(declared.change_id, config)


def apart(person: PersonArgument, config: options.ConfigOption = None) -> None:
    """Take such a declaration back for one of the names."""
    declared = options.perform(options.settings_of(config), site_operations.other_person, person, existing=True)
    say(f"{person} is somebody else.")
    say_undo(declared.change_id, config)


def print_figures(found: Sequence[SiteFigures]) -> None:
    """A row for each site."""
    rows = [
        (
            one.site,
            f"{one.numbers:,}",
            f"{one.people:,}",
            f"{one.marked:,}",
            f"{one.agreed:,}",
            f"{one.disagreed:,}",
            f"{one.retracted:,}",
            f"{one.wrong:,}",
        )
        for one in found
    ]
    headings = ("site", "numbers", "people", "marked", "agreed", "against", "taken back", "wrong")
    print_table(headings, rows, keep=(0,), right=range(1, 8), below=[remarks_on_evidence(one) for one in found])
    say("agreed, against: of the numbers that it marks as spam, what our own people and challenges say.")
