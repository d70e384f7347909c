"""Commands for other sites' evidence: `callsieve hub evidence`, `ignore`, `resume`, `erasures`, `keep`, `people`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from callsieve.cli import options
from callsieve.cli.output import plural, print_table, say, say_undo
from callsieve.hub import site_operations
from callsieve.hub.site_operations import IgnoreRequest
from callsieve.hub.views import remarks_on_evidence
from callsieve.text.times import when
from reputation.store.hub.incoming import KEPT_DAYS, waiting_erasures
from reputation.store.other_sites import SiteFigures, all_same, figures_of_sites

SiteArgument = Annotated[str, typer.Argument(help="A site that has shared evidence.", show_default=False)]
PersonArgument = Annotated[
    str,
    typer.Argument(metavar="PERSON", help="A person here (201) or at another site (berlin:305).", show_default=False),
]


def evidence(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show how much evidence each other site has shared, and how often this site's calls and people agree with it."""
    with options.existing_store(options.settings_of(config)) as db:
        rows = figures_of_sites(db)
    if as_json:
        options.print_json(rows)
        return
    if not rows:
        say("No other site has shared evidence yet.")
        return
    print_figures(rows)


def ignore(
    site: SiteArgument,
    reason: Annotated[str, typer.Option(help="The reason, for other administrators.", show_default=False)],
    config: options.ConfigOption = None,
) -> None:
    """Ignore the evidence of a site. The site's rows stay in the store, so this can be undone."""
    verdict = options.perform(
        options.settings_of(config), site_operations.ignore, IgnoreRequest(site, reason), existing=True
    )
    say(f"Evidence from {site} is ignored. It concerns {plural(verdict.numbers, 'number')}.")
    if verdict.later:
        say("The daemon recomputes the reputation of these numbers, a few at a time.")
    say_undo(verdict.change_id, config)


def resume(site: SiteArgument, config: options.ConfigOption = None) -> None:
    """Count the evidence of an ignored site again, with the same weight as before the command `ignore`."""
    verdict = options.perform(options.settings_of(config), site_operations.resume, site, existing=True)
    say(f"Evidence from {site} counts again.")
    say_undo(verdict.change_id, config)


def show_erasures(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show numbers that another site erased, and whose data this site keeps until you decide."""
    with options.existing_store(options.settings_of(config)) as db:
        requests = waiting_erasures(db)
    if as_json:
        options.print_json([request._asdict() for request in requests])
        return
    if not requests:
        say("No erasure by another site waits for a decision.")
        return
    print_table(
        ("number", "site", "since"), [(request.number, request.site, str(when(request.at))) for request in requests]
    )
    say("callsieve privacy erase NUMBER deletes the number here and at sites that follow this site;")
    say("callsieve hub keep NUMBER keeps it.")


def keep(number: options.NumberArgument, config: options.ConfigOption = None) -> None:
    """Keep the data of a number that another site erased."""
    e164 = options.perform(options.settings_of(config), site_operations.keep, number, existing=True)
    say(f"The data about {e164} is kept. Erasures of this number by other sites are ignored for {KEPT_DAYS:.0f} days.")


def show_people(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show people who have different names at different sites."""
    with options.existing_store(options.settings_of(config)) as db:
        people = all_same(db)
    if as_json:
        options.print_json([list(names) for names in people])
        return
    for names in people:
        say(" = ".join(names))
    if not people:
        say(
            "No person has several names. To declare that two names are one person: callsieve hub people "
            "same 201 berlin:305"
        )


def same(person: PersonArgument, other: PersonArgument, config: options.ConfigOption = None) -> None:
    """Declare that two names at two sites belong to the same person, whose evidence then counts once."""
    declared = options.perform(options.settings_of(config), site_operations.same_person, (person, other), existing=True)
    say(f"{' = '.join(declared.names)}: one person, who counts once.")
    say_undo(declared.change_id, config)


def apart(person: PersonArgument, config: options.ConfigOption = None) -> None:
    """Declare that a name belongs to a separate person, which reverts the command `same`."""
    declared = options.perform(options.settings_of(config), site_operations.other_person, person, existing=True)
    say(f"{person} is a separate person again.")
    say_undo(declared.change_id, config)


def print_figures(sites: Sequence[SiteFigures]) -> None:
    """Print a line for each site, with counts of its evidence."""
    rows = [
        (
            site.site,
            f"{site.numbers:,}",
            f"{site.people:,}",
            f"{site.marked:,}",
            f"{site.agreed:,}",
            f"{site.disagreed:,}",
            f"{site.retracted:,}",
            f"{site.wrong:,}",
        )
        for site in sites
    ]
    headings = ("site", "numbers", "people", "marked", "confirmed", "contradicted", "withdrawn", "corrected")
    print_table(headings, rows, keep=(0,), right=range(1, 8), below=[remarks_on_evidence(site) for site in sites])
    say("confirmed, contradicted: how people and challenges here judge the numbers that the site marks as spam.")
