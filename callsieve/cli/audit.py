"""`callsieve audit`: who of us changed what."""

from __future__ import annotations

from typing import Annotated

import typer

from callsieve.cli.common import ConfigOption, JsonOption, existing_store, number_argument, print_json, settings_of

MOST_SHOWN = 10_000


def add_to(app: typer.Typer) -> None:
    """Add `audit`."""
    app.command("audit")(show)


def show(
    number: Annotated[str | None, typer.Argument(help="Only what concerns this number.", show_default=False)] = None,
    last: Annotated[int, typer.Option(min=1, max=MOST_SHOWN, help="How many, the latest first.")] = 50,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show who changed what and when: lists, marks, identities, appeals, imports. The latest first."""
    from callsieve.changed import change_in_words, value_of_side
    from callsieve.cli.show import print_table, say
    from callsieve.times import when
    from reputation.store.audit import audit_rows

    loaded = settings_of(config)
    e164 = None if number is None else number_argument(number, loaded)
    with existing_store(loaded) as db:
        rows = audit_rows(db, e164, last)
    changes = [(row, value_of_side(row.before), value_of_side(row.after)) for row in rows]
    if as_json:
        print_json([{**row._asdict(), "before": before, "after": after} for row, before, after in changes])
    elif rows:
        print_table(
            ("time", "who", "did", "about", "change"),
            (
                (when(row.at), row.who, row.what, row.number or row.name, str(change_in_words(before, after)))
                for row, before, after in changes
            ),
            keep=(0, 2, 3),
        )
    else:
        say("Nobody has changed anything yet." if e164 is None else f"Nobody has changed anything about {e164}.")
