"""`callsieve review`: bursts of marks that weigh nothing until somebody has looked, and marks that are wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from callsieve.cli.options import ConfigOption, JsonOption, NumberArgument, existing_store, print_json, settings_of
from callsieve.cli.output import print_table, say, say_undo
from callsieve.cli.store import perform
from callsieve.numbers.operations import CorrectionRequest, correct, forget_review, review
from callsieve.text.times import when
from reputation.store.reviews import numbers_to_review, reporters_of


def show_list(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the numbers with many marks within an hour that nobody has looked at: those marks weigh nothing yet."""
    with existing_store(settings_of(config)) as db:
        found = [(burst, reporters_of(db, burst.number)) for burst in numbers_to_review(db)]
    if as_json:
        print_json([{**burst._asdict(), "reporters": reporters} for burst, reporters in found])
    elif found:
        rows = (
            (burst.number, when(burst.at), str(burst.reporters), burst.auth_class.value, ", ".join(reporters))
            for burst, reporters in found
        )
        print_table(("number", "burst until", "marks", "signed", "by"), rows, keep=(0, 1, 3), right=(2,))
    else:
        say("No marks wait for a review.")


def done(number: NumberArgument, config: ConfigOption = None) -> None:
    """Say that you have looked at the marks of a number: they are what people think, and count."""
    reviewed = perform(settings_of(config), review, number, existing=True)
    say(f"The marks of {reviewed.number} count.")
    say_undo(reviewed.change_id, config)


def wrong(
    number: NumberArgument,
    reporters: Annotated[list[str], typer.Argument(metavar="EXT...", help="Whose marks are wrong.")],
    reason: Annotated[str, typer.Option(help="Why.", show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Correct spam marks that are wrong: they never count, and who made them is trusted a little less."""
    request = CorrectionRequest(number, tuple(reporters), reason)
    corrected = perform(settings_of(config), correct, request, existing=True)
    whose = ", ".join(corrected.reporters)
    say(f"The marks of {whose} on {corrected.number} do not count. The own blocklist stays as it is.")
    say_undo(corrected.change_id, config)


def undo(number: NumberArgument, config: ConfigOption = None) -> None:
    """Say that nobody has looked at the marks of a number."""
    reviewed = perform(settings_of(config), forget_review, number, existing=True)
    say(f"Nobody has looked at the marks of {reviewed.number}: bursts weigh nothing again.")
    say_undo(reviewed.change_id, config)
