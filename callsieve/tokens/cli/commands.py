"""The commands `callsieve token`: manage the tokens of programs that use the API."""

import time
from typing import Annotated

import typer

from callsieve.cli.options import ConfigOption, JsonOption, existing_store, perform, print_json, settings_of
from callsieve.cli.output import print_table, say, say_undo
from callsieve.text.times import ago, day
from callsieve.tokens import operations
from callsieve.tokens.operations import NewToken, is_over, token_shown
from reputation.store.users import KeptToken, all_tokens
from reputation.users import Scope

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name of the token.", show_default=False)]
ROLES = "viewer, operator or administrator"
SCOPES = ", ".join(Scope)


def add(
    name: NameArgument,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help=f"{ROLES}.")] = "operator",
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help=f"Scope of the token: one of {SCOPES}; may be repeated.",
            show_default="read",
        ),
    ] = None,
    expires: Annotated[
        str, typer.Option("--expires", metavar="TIME", help="When the token expires: 30d, 2026-12-31 or never.")
    ] = "1y",
    per_minute: Annotated[
        int | None,
        typer.Option(
            "--per-minute",
            metavar="COUNT",
            help="Maximum requests per minute. Default: as in the settings.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Create an API token. The token's secret is shown only once and not stored."""
    loaded = settings_of(config)
    wanted = NewToken(name, role, scopes or [Scope.READ.value], expires, per_minute)
    added = perform(loaded, operations.add, wanted)
    token = added.token
    if as_json:
        print_json(added)
        return
    until = "without an expiry date" if token.expires_at is None else f"until {day(token.expires_at)}"
    say(f"{name} may use the API as {token.role.word} ({', '.join(token.scopes)}) {until}. Its token, shown once:")
    say()
    print(added.secret)  # alone on its line: to be copied
    say()
    if not loaded.settings.api.enabled:
        say("The API is off: set `enabled = true` in [api] of the settings.")
    say_undo(added.change_id, config)


def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the API tokens."""
    now = time.time()
    with existing_store(settings_of(config)) as db:
        tokens = all_tokens(db)
    if as_json:
        print_json([token_shown(token, now) for token in tokens])
    elif tokens:
        headings = ("name", "role", "scopes", "added", "expires", "last used")
        print_table(headings, [_row(token, now) for token in tokens], keep=(0, 1, 3, 4))
    else:
        say("There are no tokens yet. To add one: callsieve token add NAME --scope read")


def revoke(name: NameArgument, config: ConfigOption = None) -> None:
    """Revoke a program's token, effective from its next request. This cannot be undone."""
    perform(settings_of(config), operations.revoke, name, existing=True)
    say(f"The token {name} is revoked.")


def _row(kept: KeptToken, now: float) -> tuple[str, ...]:
    token = kept.token
    expires = "never" if token.expires_at is None else day(token.expires_at)
    used = "never" if kept.used_at is None else str(ago(kept.used_at, now))
    over = " (ended)" if is_over(token, now) else ""
    return (token.name, token.role.word, ", ".join(token.scopes), day(token.added_at), expires + over, used)
