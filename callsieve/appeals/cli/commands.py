"""`callsieve appeal`: a number owner's case against a marking, from its filing to its decision."""

from __future__ import annotations

import shlex
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.appeals.cli import evidence, tables
from callsieve.appeals.cli.errors import refused_in_one_line
from callsieve.appeals.cli.tables import AppealArgument, found
from callsieve.cli.errors import CommandError
from callsieve.cli.options import (
    ConfigOption,
    JsonOption,
    any_store,
    existing_store,
    number_argument,
    print_json,
    settings_of,
)
from callsieve.cli.store import changing
from callsieve.identities.cli.proof import why_not_proven

if TYPE_CHECKING:
    from reputation.appeals import Appeal, AppealStep

RULINGS = {"uphold": True, "deny": False}
ReasonOption = Annotated[str, typer.Option(help="Why; whoever appealed gets to read it.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add `appeal` with all that can happen to one."""
    group = typer.Typer(help="Appeals of number owners against a marking.", no_args_is_help=True)
    group.command("open")(open_one)
    group.command("list")(tables.show_list)
    group.command("show")(tables.show)
    group.command("evidence")(evidence.evidence)
    group.command("code")(code)
    group.command("prove")(prove_control)
    group.command("accept")(accept)
    group.command("decide")(decide_on)
    group.command("withdraw")(withdraw)
    group.command("undo")(undo)
    app.add_typer(group, name="appeal")


def open_one(
    number: Annotated[str, typer.Argument(help="As it is dialled here, or +12015550123.", show_default=False)],
    name: Annotated[str, typer.Option(help="Who appeals.", show_default=False)],
    contact: Annotated[str, typer.Option(help="How the answer reaches them: a mail address.", show_default=False)],
    statement: Annotated[str, typer.Option(help="What they say.")] = "",
    decision: Annotated[
        str | None, typer.Option(metavar="ID", help="The decision that it is about, of `calls show`.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """File an appeal. It has no effect yet: control of the number must be proven, or you accept it."""
    from callsieve.cli.output import say, say_command
    from reputation.appeals import Appeal
    from reputation.ids import new_id
    from reputation.store.appeals import open_appeal

    loaded = settings_of(config)
    e164 = number_argument(number, loaded)
    filed = Appeal(
        reference=new_id(),
        number=e164,
        name=name,
        contact=contact,
        opened_at=time.time(),
        statement=statement,
    )
    with any_store(loaded) as db, refused_in_one_line(), changing(db, "appeal open", e164) as change:
        about = None if decision is None else _decision_about(db, decision, e164)
        change.after = filed = open_appeal(db, replace(filed, decision_id=about))
    if as_json:
        print_json(tables.as_json_value(filed, filed.opened_at))
        return
    say(f"Appeal {filed.reference} of {e164} is filed. It has no effect yet. Have control of the number proven:")
    say_command(_command("code", filed.reference, config))
    say("or accept it as it is:")
    say_command(_command("accept", filed.reference, config))


def code(appeal: AppealArgument, config: ConfigOption = None) -> None:
    """Make a code for a call-back: call the number, say the code, and let whoever answers give it back."""
    from callsieve.cli.output import bold, say, say_command
    from reputation.appeals import AppealStep, new_code, stepped
    from reputation.store.call_backs import keep_code

    loaded = settings_of(config)
    now, made = time.time(), new_code()
    with existing_store(loaded) as db, refused_in_one_line():
        one = found(db, appeal, loaded)
        stepped(one, AppealStep.PROVE, now)
        with changing(db, "appeal code", one.number):
            keep_code(db, one.reference, one.number, made, now)
    say("The code is ", bold(f"{made[:3]} {made[3:]}"), ". It counts for a day, and no other any more.")
    say(f"Call {one.number} and say it. When whoever answers there gives it back with the appeal:")
    say_command(_command("prove", one.reference, config, "CODE"))


def prove_control(
    appeal: AppealArgument,
    code: Annotated[str, typer.Argument(help="As it was given back: six digits.", show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Take the code that was given back: control of the number is proven, and the appeal is in force."""
    from callsieve.cli.output import say
    from reputation.appeals import Answer
    from reputation.store.appeals import appeal_of, prove

    loaded = settings_of(config)
    with existing_store(loaded) as db, refused_in_one_line():
        before = found(db, appeal, loaded)
        another = f"callsieve appeal code {before.reference}"
        with changing(db, "appeal prove", before.number) as change:
            answer = prove(db, before.reference, code, time.time())  # a wrong one is counted, and noted in the audit
            if answer not in (Answer.RIGHT, Answer.WRONG):
                raise CommandError(why_not_proven(answer, another))
            after = appeal_of(db, before.reference)
            right = answer is Answer.RIGHT
            change.before, change.after = (before, after) if right else (None, {"answer": answer})
    if not right or after is None:
        raise CommandError(why_not_proven(answer, another))
    say(f"Control of {after.number} is proven. {tables.in_force(after)}")


def accept(appeal: AppealArgument, config: ConfigOption = None) -> None:
    """Take an appeal as it is, without a proof: it is in force, and no call is rejected until it is decided."""
    from callsieve.cli.output import say
    from reputation.appeals import AppealStep

    one = _step(appeal, AppealStep.ACCEPT, config)
    say(tables.in_force(one))
    _say_undo(one, config)


def decide_on(
    appeal: AppealArgument,
    ruling: Annotated[str, typer.Argument(metavar="uphold|deny", help="Who is right.", show_default=False)],
    reason: ReasonOption,
    category_only: Annotated[
        bool, typer.Option("--category-only", help="The marks were right but for their category: it costs nobody.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Decide an appeal. Upheld, all spam marks of the number until now count as never made."""
    from callsieve.cli.output import plural, say
    from reputation.store.appeals import Ruling, decide

    if ruling not in RULINGS:
        raise CommandError(f"appeal decide: say uphold or deny, not {ruling[:40]!r}")
    upheld = RULINGS[ruling]
    if category_only and not upheld:
        raise CommandError("--category-only is a way to uphold an appeal: not with deny")
    loaded = settings_of(config)
    with existing_store(loaded) as db, refused_in_one_line():
        before = found(db, appeal, loaded)
        with changing(db, "appeal decide", before.number) as change:
            change.before = before
            decided = decide(db, before.reference, Ruling(upheld, reason, category_only), time.time())
            change.after = decided.appeal
        known = tables.known_now(db, loaded, before.number)
    one, who = decided.appeal, plural(len(decided.reporters), "person", "people")
    if upheld:
        say(f"Appeal {one.reference} is upheld: the spam marks of {one.number} until now count as never made.")
        say("New ones count less for 90 days. Who has blocked it on the own phone still does.")
        if decided.reporters:
            say(f"{who} who marked it will be trusted a little less ({', '.join(decided.reporters)}).")
    else:
        say(f"Appeal {one.reference} is denied; the next one of {one.number} can be filed in 30 days.")
    say(f"What is known of it now: {known}")
    say(f"Now tell {one.name}, {one.contact}.")
    _say_undo(one, config)


def withdraw(appeal: AppealArgument, reason: ReasonOption = "", config: ConfigOption = None) -> None:
    """End an appeal without a decision: its owner no longer wants it, or it was filed by somebody else."""
    from callsieve.cli.output import say
    from reputation.appeals import AppealStep

    one = _step(appeal, AppealStep.WITHDRAW, config, reason)
    say(f"Appeal {one.reference} of {one.number} is withdrawn.")
    _say_undo(one, config)


def undo(appeal: AppealArgument, config: ConfigOption = None) -> None:
    """Take back what was last done about an appeal in error: a decision with all its effects, an acceptance."""
    from callsieve.cli.output import say
    from reputation.store.appeals import undo_step

    loaded = settings_of(config)
    with existing_store(loaded) as db, refused_in_one_line():
        before = found(db, appeal, loaded)
        with changing(db, "appeal undo", before.number) as change:
            change.before = before
            change.after = after = undo_step(db, before.reference)
    say(f"Appeal {after.reference} of {after.number} is {after.state} again; it was {before.state}.")


def _step(text: str, step: AppealStep, config: Path | None, reason: str = "") -> Appeal:
    from reputation.store.appeals import take_step

    loaded = settings_of(config)
    with existing_store(loaded) as db, refused_in_one_line():
        before = found(db, text, loaded)
        with changing(db, f"appeal {step}", before.number) as change:
            change.before = before
            change.after = after = take_step(db, before.reference, step, time.time(), reason)
    return after


def _decision_about(db: sqlite3.Connection, text: str, number: str) -> str:
    from reputation.ids import parse_id
    from reputation.store.journal import decision_of

    wanted = parse_id(text)
    decided = None if wanted is None else decision_of(db, wanted)
    if decided is None or decided.caller != number:
        raise CommandError(
            f"--decision: there is no decision {text[:40]!r} about {number}: `callsieve calls show {number}`"
        )
    return decided.id


def _command(name: str, reference: str, config: Path | None, *more: str) -> str:
    words = ["callsieve", "appeal", name, reference, *more]
    return shlex.join([*words, "--config", str(config)] if config else words)


def _say_undo(appeal: Appeal, config: Path | None) -> None:
    from callsieve.cli.output import say, say_command

    say("To undo it:")
    say_command(_command("undo", appeal.reference, config))
