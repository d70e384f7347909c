"""`callsieve mark` and `unmark`: what one of our people says about a number."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, NumberArgument, print_json, settings_of
from callsieve.cli.output import say, say_undo
from callsieve.cli.store import perform
from callsieve.numbers.operations import MarkRequest, SavedMark, mark
from reputation.model import MarkChannel, Verdict

# What a person can say here; taking back is `unmark`.
SAID = {"spam": Verdict.SPAM, "ok": Verdict.OK}

DONE = {
    Verdict.SPAM: "{number} is marked as spam and blocked for {person}",
    Verdict.OK: "{number} is marked as not spam by {person}",
    Verdict.RETRACTED: "{person} has taken back the mark on {number}",
}

PersonOption = Annotated[
    str, typer.Option("--as", metavar="PERSON", help="Who says it: an extension.", show_default=False)
]


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
        if number in SAID:
            raise CommandError(f"mark: the number comes first: callsieve mark {verdict[:40]!r} {number}")
        raise CommandError(f"mark: say spam or ok, not {verdict[:40]!r} (to take a mark back: callsieve unmark)")
    request = MarkRequest(number, person, said, MarkChannel.CLI, category, reason)
    _show(perform(settings_of(config), mark, request), config, as_json=as_json)


def unmark_number(
    number: NumberArgument, person: PersonOption, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Take back what a person said about a number: as if it had never been said."""
    request = MarkRequest(number, person, Verdict.RETRACTED, MarkChannel.CLI)
    _show(perform(settings_of(config), mark, request), config, as_json=as_json)


def _show(marked: SavedMark, config: Path | None, *, as_json: bool) -> None:
    written = marked.result.mark
    assert written is not None
    done = DONE[written.verdict].format(number=written.number, person=written.reporter)
    if as_json:
        result = asdict(marked.result)
        del result["refusal"]
        print_json(result | {"message": done})
        return
    say(f"{done}.")
    say_undo(marked.change_id, config)
