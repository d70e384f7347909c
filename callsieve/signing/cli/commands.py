"""The commands `callsieve signing`: show or rotate the signing key, and verify statements."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, YesOption, confirmed, note_done, print_json, settings_of
from callsieve.cli.output import say, say_command
from callsieve.settings import Loaded
from callsieve.signing.keys import KeyFileError, PublicKey, SigningKey, signing_key
from callsieve.signing.statements import MOST_BYTES, OVERLAP_DAYS, HandoverUnderWay, StatementError, rotate, verify
from callsieve.text.times import day
from policies.files import open_regular
from reputation.store.audit import Change


def key(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Print the public key with which others check our signatures. The secret key stays in the state directory."""
    public = _key(settings_of(config)).public_key
    if as_json:
        print_json({"key_id": public.id, "public_key": public.text})
        return
    say(f"Key {public.id}. Give this public key to everybody who checks our statements:")
    say()
    print(public.text)  # on its own line, to be copied


def rotate_key(yes: YesOption = False, config: ConfigOption = None) -> None:
    """Sign with a new key from now on. The old key signs the change, and both keys are published for 30 days."""
    loaded = settings_of(config)
    issuer = loaded.settings.publish.name.strip() or loaded.settings.public.name.strip()
    if not issuer:
        raise CommandError("the signer's name is missing: set [publish] name")
    if not confirmed("Sign with a new key from now on?", yes=yes):
        say("Nothing was changed.")
        raise SystemExit(1)
    try:
        new = rotate(loaded.state, issuer, time.time())
    except HandoverUnderWay as error:
        raise CommandError(f"the former key is still published until {day(error.until)}: wait until then") from None
    except KeyFileError as error:
        raise CommandError(str(error)) from None
    note_done(loaded, Change("signing rotate", None, new.id))
    say(f"Key {new.id} signs from now on; the old key has signed the new one. To publish both for {OVERLAP_DAYS} days:")
    say_command("callsieve exchange publish")
    say(
        "Companies that fetch the new key within this time switch to it. Give it to everybody else who "
        "checks your statements:"
    )
    print(new.text)


def verify_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file with the signed statement.", show_default=False)
    ],
    public_key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="The signer's public key. Default: our own.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Check a statement's signature, and whether the statement is still valid."""
    loaded = settings_of(config)
    try:
        public = _key(loaded).public_key if public_key is None else PublicKey.parse(public_key)
    except KeyFileError as error:
        raise CommandError(f"--key: {error}") from None
    try:
        with open_regular(file) as opened:
            statement = verify(opened.read(MOST_BYTES + 1), public)
    except StatementError as error:
        raise CommandError(f"{file}: {error}") from None
    is_over = statement.is_over(time.time())
    if as_json:
        until = statement.valid_until
        print_json(
            {
                **{"type": statement.kind, "issuer": statement.issuer, "key_id": statement.key_id},
                **{"issued_at": statement.issued_at, "valid_until": until, "over": is_over},
                "about": statement.about,
            }
        )
        return
    if is_over:
        assert statement.valid_until is not None
        raise CommandError(f"{file}: the signature is good, but the statement expired on {day(statement.valid_until)}")
    how_long = "without an end date" if statement.valid_until is None else f"until {day(statement.valid_until)}"
    say(f"Signed by key {statement.key_id} on {day(statement.issued_at)}, valid {how_long}.")
    say(f"Statement ({statement.kind}) of {json.dumps(statement.issuer, ensure_ascii=False)}:")
    print_json(statement.about)


def _key(loaded: Loaded) -> SigningKey:
    try:
        return signing_key(loaded.state)
    except KeyFileError as error:
        raise CommandError(str(error)) from None
