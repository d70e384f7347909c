"""`callsieve review`: bursts of marks that weigh nothing until somebody has looked, and marks that are wrong."""

from __future__ import annotations

import shlex
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, existing_store, number_argument, print_json, settings_of
from callsieve.cli.store import changing, who

if TYPE_CHECKING:
    from callsieve.settings import Loaded

REASON_CHARACTERS = 200

NumberArgument = Annotated[str, typer.Argument(help="As it is dialled here, or +12015550123.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add `review list`, `done`, `wrong` and `undo`."""
    group = typer.Typer(help="Bursts of marks that wait for a look, and marks that are wrong.", no_args_is_help=True)
    group.command("list")(show_list)
    group.command("done")(done)
    group.command("wrong")(wrong)
    group.command("undo")(undo)
    app.add_typer(group, name="review")


def show_list(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the numbers with many marks within an hour that nobody has looked at: those marks weigh nothing yet."""
    from callsieve.cli.output import print_table, say
    from callsieve.text.times import when
    from reputation.store.reviews import numbers_to_review, reporters_of

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
    from callsieve.cli.output import say, say_command
    from reputation.store.reviews import numbers_to_review, review, review_of

    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    with existing_store(loaded) as db, changing(db, "review done", e164) as change:
        if not numbers_to_review(db, e164):
            raise CommandError(f"no marks of {e164} wait for a review: `callsieve review list`")
        before = review_of(db, e164)
        review(db, e164, time.time(), who())
        after = review_of(db, e164)
        change.before, change.after = before and before._asdict(), after and after._asdict()
    say(f"The marks of {e164} count. To undo it:")
    say_command(_undo(e164, config))


def wrong(
    number: NumberArgument,
    reporters: Annotated[list[str], typer.Argument(metavar="EXT...", help="Whose marks are wrong.")],
    reason: Annotated[str, typer.Option(help="Why.", show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Correct spam marks that are wrong: they never count, and who made them is trusted a little less."""
    from callsieve.cli.output import say, say_command
    from policies.hints import nearest
    from reputation.ids import new_id
    from reputation.store.reviews import Correction, correct, reporters_of

    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    if not reason.strip() or len(reason) > REASON_CHARACTERS or not reason.isprintable():
        raise CommandError(f"--reason takes one line of 1 to {REASON_CHARACTERS} characters")
    correction = Correction(new_id(), e164, tuple(dict.fromkeys(reporters)))
    with existing_store(loaded) as db, changing(db, "review wrong", e164) as change:
        there = reporters_of(db, e164)
        for reporter in correction.reporters:
            if reporter not in there:
                hint = nearest(reporter, there) if there else ""
                raise CommandError(f"{reporter[:40]} has no spam mark on {e164} that counts{hint}")
        correct(db, correction, time.time())
        change.after = {"reporters": ", ".join(correction.reporters), "reason": reason.strip()}
    say(f"The marks of {', '.join(correction.reporters)} on {e164} do not count. The own blocklist stays as it is.")
    say("To undo it:")
    say_command(_undo(correction.case_id, config))


def undo(
    what: Annotated[str, typer.Argument(metavar="NUMBER|ID", help="As `done` or `wrong` printed it.")],
    config: ConfigOption = None,
) -> None:
    """Take back a review of a number, or a correction by its id."""
    from callsieve.cli.output import say
    from reputation.store.reviews import forget_review, undo_correction

    loaded = settings_of(config)
    with existing_store(loaded) as db:
        corrected = _correction(db, what)
        if corrected is not None:
            case_id, number = corrected
            with changing(db, "review undo", number):
                undo_correction(db, case_id)
            say(f"The marks on {number} count again.")
            return
        number = _number(what, loaded)
        with changing(db, "review undo", number) as change:
            before = forget_review(db, number)
            if before is None:
                raise CommandError(f"nobody has reviewed {number}: `callsieve audit {number}`")
            change.before = before._asdict()
    say(f"Nobody has looked at the marks of {number}: bursts weigh nothing again.")


def _correction(db: sqlite3.Connection, text: str) -> tuple[str, str] | None:
    from reputation.ids import parse_id
    from reputation.store.reviews import corrected_by

    case_id = parse_id(text)
    number = None if case_id is None else corrected_by(db, case_id)
    return None if case_id is None or number is None else (case_id, number)


def _number(text: str, loaded: Loaded) -> str:
    from reputation.ids import parse_id

    case_id = parse_id(text)
    if case_id is not None and not case_id.isdecimal():
        raise CommandError(f"there is no correction {case_id}: `callsieve audit` has what was corrected")
    return number_argument(text, loaded)


def _undo(what: str, config: Path | None) -> str:
    words = ["callsieve", "review", "undo", what]
    return shlex.join([*words, "--config", str(config)] if config else words)
