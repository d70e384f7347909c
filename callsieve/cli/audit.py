"""`callsieve audit`: who of us changed what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from callsieve.cli.common import ConfigOption, JsonOption, existing_store, number_argument, print_json, settings_of

MOST_SHOWN = 10_000
# The number has a column of its own; nobody asks for the inner name of a class or an epoch that is 0.
NOT_SHOWN = {"number", "first", "linkedid", "auth_class", "epoch", "reference", "statement", "contact"}


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
    from callsieve.cli.show import print_table, say
    from callsieve.times import when
    from reputation.store.audit import audit_rows

    loaded = settings_of(config)
    e164 = None if number is None else number_argument(number, loaded)
    with existing_store(loaded) as db:
        rows = audit_rows(db, e164, last)
    changes = [(row, _value(row.before), _value(row.after)) for row in rows]
    if as_json:
        print_json([{**row._asdict(), "before": before, "after": after} for row, before, after in changes])
    elif rows:
        print_table(
            ("time", "who", "did", "about", "change"),
            (
                (when(row.at), row.who, row.what, row.number or row.name, change_in_words(before, after))
                for row, before, after in changes
            ),
            keep=(0, 2, 3),
        )
    else:
        say("Nobody has changed anything yet." if e164 is None else f"Nobody has changed anything about {e164}.")


def change_in_words(before: Any, after: Any) -> str:
    """`level 1 -> 2`, `name Acme, level 1`, or in brackets what is gone."""
    was, is_now = dict(_worth_saying(before)), dict(_worth_saying(after))
    if after is None:
        return f"({_pairs(was)})" if was else ""
    changed = {
        key: f"{was[key]} -> {value}" if key in was else value for key, value in is_now.items() if was.get(key) != value
    }
    gone = {key: f"{value} -> nothing" for key, value in was.items() if key not in is_now}
    return _pairs(changed | gone)


def _value(text: str | None) -> Any:
    from callsieve.known import value_of

    return None if text is None else value_of(text)


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _worth_saying(value: Any) -> Iterator[tuple[str, str]]:
    """The fields that say something, instants as people read them. When it was done is in a column of its own."""
    from callsieve.times import when

    if not isinstance(value, dict):
        return
    for key, one in value.items():
        if key in NOT_SHOWN or one in (None, "", False) or key in ("at", "added_at"):
            continue
        is_instant = key.endswith("_at") and isinstance(one, float)
        yield key.removesuffix("_at").replace("_", " "), when(one) if is_instant else str(one)
