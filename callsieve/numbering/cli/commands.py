"""`callsieve plan`: show the purpose and source of number ranges, and change numbering plans."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from callsieve.cli.errors import CommandError, fail_with, warn
from callsieve.cli.options import ConfigOption, JsonOption, number_argument, perform, print_json, settings_of
from callsieve.cli.output import Cell, bold, dim, plural, print_pairs, print_table, say, say_undo
from callsieve.numbering import operations, views
from callsieve.numbering.operations import RemoveRequest, UpdateRequest
from callsieve.numbering.views import range_of
from callsieve.plan_files import name_of, plans_of
from callsieve.settings import Loaded
from callsieve.system.privileges import open_named
from reputation.plan.loader import MAX_BYTES, PlanError, parse_plan, shipped_plans
from reputation.plan.rows import NumberPlan, PlanFile, PlanRow

LABEL = len("source")
FileArgument = Annotated[Path, typer.Argument(metavar="FILE.toml", help="A numbering plan.", show_default=False)]


def show(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[NUMBER|COUNTRY]", help="A number, or a country code such as FR.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the purpose of a number's range, or all ranges of a country; by default list the countries with a plan."""
    loaded = settings_of(config)
    plans = plans_of(loaded)
    for problem in plans.problems:
        warn(f"ignored: {problem}")
    if what is None:
        _show_countries(plans.plan, as_json)
    elif len(what) == 2 and what.isascii() and what.isalpha():
        _show_country(plans.plan, what.upper(), as_json)
    else:
        _show_number(plans.plan, what, loaded, as_json)


def check(file: FileArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Check a plan file. Each error names the row, the key and the remedy. Exit code 2 if the file is unusable."""
    plans = plans_of(settings_of(config))
    try:
        plan = parse_plan(_text_of(file), str(file))
    except PlanError as error:
        fail_with(list(map(str, error.problems)))
        return
    if as_json:
        print_json(views.ListedPlan(plan))
    else:
        say(f"{file}: {_summary(plan)}: no errors")
        replaced = next((current for current in plans.plan.files if name_of(current) == name_of(plan)), None)
        if replaced is not None:
            say(
                f"This plan would replace the plan whose sources were read on {replaced.read}, with "
                f"{plural(len(replaced.rows), 'range')}."
            )


def update(file: FileArgument, config: ConfigOption = None) -> None:
    """Replace a country's plan that comes with CallSieve, or add your own rows to this plan."""
    loaded = settings_of(config)
    update = perform(loaded, operations.update, UpdateRequest(_text_of(file), str(file)))
    replaced = " It replaces an earlier plan of this country." if update.replaced else ""
    say(f"{_summary(update.plan)}. It takes effect within two seconds.{replaced}")
    say_undo(update.change_id, config)


def remove(
    country: Annotated[
        str, typer.Argument(metavar="COUNTRY", help="Country code of the plan, such as FR.", show_default=False)
    ],
    own: Annotated[
        bool, typer.Option("--own", help="Remove the rows that you added to the plan, not the plan that you replaced.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Remove a plan file that you added. The plans that come with CallSieve stay."""
    removal = perform(settings_of(config), operations.remove, RemoveRequest(country, own))
    say(f"{removal.file} was removed.{' The plan that comes with CallSieve applies.' if removal.shipped else ''}")
    say_undo(removal.change_id, config)


def _text_of(file: Path) -> bytes:
    with open_named(file) as stream:
        return stream.read(MAX_BYTES + 1)


def _summary(plan: PlanFile) -> str:
    beside = "rows of your own, added to the plan of " if plan.adds else ""
    ranges = plural(plan.ranges, "range")
    return f"{beside}{plan.country}, {ranges}, of which {plan.evidence} count as evidence"


def _show_countries(plan: NumberPlan, as_json: bool) -> None:
    shipped = set(shipped_plans())
    if as_json:
        print_json([views.ListedPlan(file, file in shipped) for file in plan.files])
        return
    rows: list[list[Cell]] = [
        [
            file.country,
            f"+{file.calling_code}",
            f"{file.ranges:,}",
            f"{file.evidence:,}",
            f"{file.read}",
            "comes with CallSieve"
            if file in shipped
            else "rows added by you"
            if file.adds
            else "replaces the shipped plan",
        ]
        for file in sorted(plan.files, key=lambda file: (file.country, file.adds))
    ]
    print_table(("country", "code", "ranges", "evidence", "read on", "origin"), rows, keep=(0, 1, 2, 3, 4))


def _show_country(plan: NumberPlan, country: str, as_json: bool) -> None:
    country = views.country_with_plan(plan, country)
    rows = views.rows_of(plan, country)
    if as_json:
        print_json(rows)
        return
    if not rows:
        known = ", ".join(sorted({file.country for file in plan.files}))
        raise CommandError(f"no plan for {country}; plans exist for {known}")
    sources = list({page: None for row in rows for page in (row.source, row.law) if page is not None})
    pairs: list[tuple[str, Cell]] = []
    for prefixes, row in views.ranges_of(rows):
        place = f"[{sources.index(row.source) + 1}]" if row.source else "no source"
        label = "" if row.is_evidence or not row.source else "shown only, not evidence"
        law = f"the law forbids blocking [{sources.index(row.law) + 1}]" if row.law else ""
        about = (views.digits_of(row), views.days_of(row), row.note, law, label, place)
        pairs.append((str(views.PURPOSE_WORDS[row.purpose]), ", ".join(f"{prefix}*" for prefix in prefixes)))
        pairs.append(("", dim("; ".join(filter(None, about)))))
    print_pairs(pairs)
    say()
    unverified = views.unverified_of(plan, country)
    print_pairs([("not verified" if text is unverified[0] else "", text) for text in unverified])
    if unverified:
        say()
    places = [f"[{number}]" for number in range(1, len(sources) + 1)]
    widest = max(map(len, places), default=0)
    for place, source in zip(places, sources, strict=True):
        _say_page(f"{place:<{widest}}", f"{source.title}, read {source.read}", source.url)


def _show_number(plan: NumberPlan, text: str, loaded: Loaded, as_json: bool) -> None:
    number = number_argument(text, loaded)
    row = plan.row_of(number, time.time())
    if as_json:
        print_json({"number": number, "plan": row})
    elif row is None:
        say(bold(number), "  ", dim("no plan describes the number's range"))
    else:
        say(bold(number), "  ", str(views.PURPOSE_WORDS[row.purpose]))
        print_pairs([(f"{name:<{LABEL}}", text) for name, text in _about(row)])
        if row.source is not None:
            _say_page(f"{'source':<{LABEL}}", f"{row.source.title}, read {row.source.read}", row.source.url)
        if row.law is not None:
            _say_page(f"{'law':<{LABEL}}", f"the law forbids blocking: {row.law.title}", row.law.url)


def _about(row: PlanRow) -> list[tuple[str, Cell]]:
    pairs: list[tuple[str, Cell]] = [
        ("range", f"{range_of(row)}, {row.country}{', a row added by you' if row.is_own else ''}")
    ]
    if days := views.days_of(row):
        pairs.append(("days", days))
    if row.note:
        pairs.append(("note", row.note))
    if not row.is_evidence:
        pairs.append(("weight", Text("no source: shown only, not evidence")))
    if row.source is None:
        pairs.append(("source", Text("none")))
    return pairs


def _say_page(label: str, title: str, url: str) -> None:
    print_pairs([(label, title)])
    say(dim(f"{'':{len(label)}}  {url}"))  # on a line of its own, to be copied
