"""`callsieve own comply`: proof of what was checked on a day."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from callsieve.call_lists.comply import DayProof, day_bounds, masked_proof, proof_of_day, proof_page, signed_proof
from callsieve.call_lists.registers import CopyAge
from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, JsonOption, check_new, existing_store, json_text, settings_of
from callsieve.cli.output import plural, print_pairs, print_table, say
from callsieve.settings import Loaded
from callsieve.signing.keys import KeyFileError, signing_key
from callsieve.system.files import complete_file
from callsieve.text.times import day, when, when_exactly
from reputation.numbers import masked

PRIVATE = 0o600


def comply(
    of_day: Annotated[str, typer.Argument(metavar="DAY", help="2026-11-25, by the clock here.", show_default=False)],
    html: Annotated[bool, typer.Option("--html", help="A page of its own, to print or send on.")] = False,
    numbers: Annotated[bool, typer.Option("--numbers", help="With the whole called numbers, not masked.")] = False,
    signature: Annotated[
        Path | None,
        typer.Option(
            "--signature", metavar="FILE", help="Sign what is printed: the statement goes there.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Print what the outbound guard checked on a day, by which rules, sources and files, and what it did not see."""
    loaded, now = settings_of(config), time.time()
    bounds = day_bounds(of_day)
    if bounds is None:
        raise CommandError(f"{of_day[:40]!r} is no day: write it as 2026-12-31")
    with existing_store(loaded) as db:
        proof = proof_of_day(db, loaded.settings, *bounds, now)
    if not as_json and not html:
        if signature is not None:
            raise CommandError("--signature: signs a file: add --html or --json")
        _print(proof, numbers)
        return
    text = json_text(proof if numbers else masked_proof(proof)) if as_json else proof_page(proof, whole_numbers=numbers)
    if signature is not None:
        _sign(loaded, proof, f"{text}\n".encode(), signature)
    print(text)


def _sign(loaded: Loaded, proof: DayProof, printed: bytes, path: Path) -> None:
    """A statement about what is printed, in a file that is not there yet."""
    issuer = loaded.settings.company.name or loaded.settings.public.name
    if not issuer:
        raise CommandError("--signature: nobody knows in whose name: set [company] name")
    check_new(path)
    try:
        key = signing_key(loaded.state)
    except KeyFileError as error:
        raise CommandError(str(error)) from None
    with complete_file(path, PRIVATE) as file:
        file.write(signed_proof(key, issuer, proof, printed).encode())


def _print(proof: DayProof, numbers: bool) -> None:
    acts = "the guard only observes" if proof.observe else "the guard acts"
    print_pairs(
        [
            ("day", day(proof.first)),
            ("asked about", f"{plural(proof.asked, 'call')}: {proof.went_out:,} went out ({acts})"),
            ("failed open", f"{proof.failed_open:,} went out undecided"),
            ("without the guard", f"{plural(proof.without_guard, 'call')} went out unasked"),
            ("do-not-call list", f"{plural(proof.do_not_call, 'number')}"),
            ("consent", f"{plural(proof.consents, 'number')}"),
            *(("register", _register(one)) for one in proof.registers),
            *(("law", f"{one.country}, read {one.read}, sha256 {one.sha256[:12]}") for one in proof.laws),
            ("made", f"{when_exactly(proof.made_at)} by CallSieve {proof.version}"),
        ]
    )
    if proof.rules:
        say()
        rows = [
            (one.rule, f"{one.held:,}", f"{one.refused:,}", f"{one.observed:,}", one.source, one.url)
            for one in proof.rules
        ]
        print_table(("rule", "held", "refused", "would have", "source", "page"), rows, keep=(0, 1, 2, 3))
    if proof.unguarded:
        say()
        unasked = [
            (when(one.at), _shown(one.callee, numbers), one.own_number or "", one.trunk or "")
            for one in proof.unguarded[:20]
        ]
        print_table(("without the guard", "to", "from", "trunk"), unasked, keep=range(4))
    say()
    say("Each call with its checks: --html or --json.")


def _register(one: CopyAge) -> str:
    old = ", too old" if one.is_too_old else ""
    numbers, file_of = f"{one.copy.numbers:,} numbers", f"file of {day(one.copy.file_at)}{old}"
    return f"{one.copy.name}: {numbers}, {file_of}, sha256 {one.copy.sha256[:12]}"


def _shown(number: str | None, whole: bool) -> str:
    return (number if whole else masked(number)) if number else ""
