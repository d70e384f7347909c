"""`callsieve mark` and `unmark`: what one of our people says about a number."""

from __future__ import annotations

import shlex
import sqlite3
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, any_store, print_json, settings_of
from callsieve.cli.store import changing
from callsieve.settings import Loaded
from reputation.model import MarkChannel, Verdict

if TYPE_CHECKING:
    from reputation.marking import MarkResult

# What a person can say here; taking back is `unmark`.
SAID = {"spam": Verdict.SPAM, "ok": Verdict.OK}

NumberArgument = Annotated[str, typer.Argument(help="As it is dialled here, or +12015550123.", show_default=False)]
PersonOption = Annotated[
    str, typer.Option("--as", metavar="PERSON", help="Who says it: an extension.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Add `mark` and `unmark`."""
    app.command("mark")(mark_number)
    app.command("unmark")(unmark_number)


def mark_number(
    number: NumberArgument,
    verdict: Annotated[str, typer.Argument(metavar="spam|ok", help="What the number is.", show_default=False)],
    person: PersonOption,
    category: Annotated[str | None, typer.Option(help="What kind of spam: scam, telemarketing, survey.")] = None,
    reason: Annotated[str, typer.Option(help="Why; a verified business is marked with one only.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Mark a number as spam, or as not spam, in the name of one of our people. Spam is blocked for that person."""
    said = SAID.get(verdict)
    if said is None:
        raise CommandError(f"mark: say spam or ok, not {verdict[:40]!r} (to take a mark back: callsieve unmark)")
    if category is not None and said is not Verdict.SPAM:
        raise CommandError("--category is what kind of spam it is: not with ok")
    result = _say(settings_of(config), number, said, person, category=category, reason=reason)
    _show(result, config, person, as_json=as_json)


def unmark_number(
    number: NumberArgument, person: PersonOption, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Take back what a person said about a number: as if it had never been said."""
    result = _say(settings_of(config), number, Verdict.RETRACTED, person)
    _show(result, config, person, as_json=as_json)


def _say(
    loaded: Loaded, number: str, verdict: Verdict, person: str, *, category: str | None = None, reason: str = ""
) -> MarkResult:
    from reputation.marking import MarkStatus, Statement, mark

    statement = Statement(
        number=number,
        reporter=person,
        verdict=verdict,
        at=time.time(),
        channel=MarkChannel.CLI,
        region=loaded.settings.numbers.region,
        category=category,
        reason=reason,
    )
    with any_store(loaded) as db:
        _check_person(db, loaded, person)
        with changing(db, "unmark" if verdict is Verdict.RETRACTED else "mark") as change:
            result = mark(db, statement)
            if result.status in (MarkStatus.REFUSED, MarkStatus.NOTHING):
                raise CommandError(result.message)
            change.number, change.before, change.after = result.number, result.before, result.mark
    return result


def _check_person(db: sqlite3.Connection, loaded: Loaded, person: str) -> None:
    """Marks are counted by person, so a slip of the pen must not make another one."""
    from callsieve.wiring import people_of
    from policies.hints import nearest
    from reputation.store.people import all_people

    people = {one.extension for one in (*all_people(db), *people_of(loaded.settings))}
    if person not in people:
        raise CommandError(f"--as {person[:40]}: there is no such person{nearest(person, people) if people else ''}")


def _show(result: MarkResult, config: Path | None, person: str, *, as_json: bool) -> None:
    from callsieve.cli.output import say

    if as_json:
        print_json(asdict(result))
        return
    say(f"{result.message[0].upper()}{result.message[1:]}.")
    say("To undo it:")
    say(f"  {undo(result, config, person)}")


def undo(result: MarkResult, config: Path | None, person: str) -> str:
    """The command after which it is as it was before."""
    number, before = result.number or "", result.before
    if before is None:
        words = ["callsieve", "unmark", number, "--as", person]
    else:
        words = ["callsieve", "mark", number, before.verdict.value, "--as", person]
        words += ["--category", before.category] if before.category and before.verdict is Verdict.SPAM else []
        words += ["--reason", before.reason] if before.reason else []
    return shlex.join([*words, "--config", str(config)] if config else words)
