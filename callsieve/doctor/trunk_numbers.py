"""The trunks in the settings and in Asterisk, the contexts where their calls arrive, and the numbers they may send."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from callsieve.doctor.finding import CheckContext
from callsieve.install.freepbx import TRUNK_CONTEXT, TRUNK_FILES
from callsieve.pbx.cli_output import Dialplan, endpoint_context_in, iax_users_in, identified_in
from callsieve.pbx.config_files import walk
from callsieve.pbx.dialplan_text import example_of, split_outside_brackets, substituted
from callsieve.settings import Settings, TrunkTable
from reputation.channels import is_phone_name, undescribed_trunk
from reputation.numbers import did_number_of, number_of, ways_to_dial

TRUNKS_ASKED = 50
# "%-15.15s" in Asterisk's chan_iax2.c, handle_cli_iax2_show_users.
IAX_COLUMN = 15

_CHANNELS = re.compile(r"(PJSIP|IAX2)/([\w.@+-]+?)-\*")
_NUMBER = re.compile(r"\+?[0-9]{3,}|s", re.ASCII)
_PASSES_ON = re.compile(r"Goto\((.*)\)", re.DOTALL)
# Asterisk's sample configuration has them for callers without an account.
_NOBODYS = frozenset({"guest", "anonymous"})
MARK = "app-callsieve-phone"  # a context that exists if the module is installed
CODES = "app-callsieve-codes"
_ROUTES = ("ext-did-0001", "ext-did-0002")
_IS_ROUTE = "Set(CDR(did)="  # in those contexts only FreePBX's inbound routes have it
_IS_SCREENED = "app-callsieve-screened,"


@dataclass(frozen=True, slots=True)
class TrunkContext:
    """A trunk and the context in which its calls arrive (None if unknown)."""

    name: str
    context: str | None
    table: TrunkTable | None = None


@dataclass(frozen=True, slots=True)
class TriedNumber:
    """A number or pattern that a trunk may send. `forms`: ways to write it. `is_named`: whether settings name it."""

    name: str
    forms: tuple[str, ...]
    is_named: bool = False


def trunks_of(context: CheckContext) -> list[TrunkContext]:
    """Return the trunks in the settings. If the settings name no trunk, ask Asterisk. Raise ConsoleError or OSError."""
    named = islice(context.loaded.settings.trunk, TRUNKS_ASKED)
    trunks = [TrunkContext(table.name, _context_of(context, table), table) for table in named] or _trunks_of_asterisk(
        context
    )
    return trunks or ([TrunkContext("FreePBX", TRUNK_CONTEXT)] if freepbx_sends_us_calls(context.place.etc) else [])


def freepbx_sends_us_calls(etc: Path) -> bool:
    """Return whether calls of a FreePBX trunk arrive in CallSieve's context."""
    return any(TRUNK_CONTEXT in line.text for name in TRUNK_FILES for line in walk(etc, etc / name))


def _context_of(context: CheckContext, table: TrunkTable) -> str | None:
    match = _CHANNELS.fullmatch(table.channels)
    if match and match[1] == "PJSIP":
        return endpoint_context_in(context.ask(f"pjsip show endpoint {match[2]}"))
    if match:
        return _iax_contexts(context).get(match[2])
    contexts = set(dahdi_contexts(context.place.etc)) if table.channels.startswith("DAHDI/") else set()
    return contexts.pop() if len(contexts) == 1 else None


def _trunks_of_asterisk(context: CheckContext) -> list[TrunkContext]:
    """Return PJSIP endpoints identified by address, IAX2 users and DAHDI lines, except phones in the settings."""
    people = context.loaded.settings.person
    phones = {person.extension for person in people} | {(person.endpoint or "").partition("/")[2] for person in people}
    phones |= _NOBODYS
    identified = identified_in(context.ask("pjsip show endpoints"))
    names = [name for name in identified if name not in phones and not is_phone_name(f"PJSIP/{name}")]
    trunks = [
        TrunkContext(name, endpoint_context_in(context.ask(f"pjsip show endpoint {name}")))
        for name in names[:TRUNKS_ASKED]
    ]
    if "chan_iax2" in context.modules:
        trunks += [
            TrunkContext(name, dialplan_context)
            for name, dialplan_context in _iax_contexts(context).items()
            if name not in phones
        ]
    if "chan_dahdi" in context.modules:
        trunks += [TrunkContext("DAHDI", dialplan_context) for dialplan_context in dahdi_contexts(context.place.etc)]
    return trunks


def undescribed_trunks(context: CheckContext, phones: Container[str]) -> list[str]:
    """Return the PJSIP endpoints with an address that no `[[trunk]]` describes, except phones. Raise ConsoleError."""
    described = [table.channels for table in context.loaded.settings.trunk]
    trunks = [
        trunk
        for name in identified_in(context.ask("pjsip show endpoints"))
        if name not in _NOBODYS and (trunk := undescribed_trunk(f"PJSIP/{name}-00000000", phones)) is not None
    ]
    return [trunk for trunk in trunks if not any(fnmatchcase(f"{trunk}-00000000", channels) for channels in described)]


def _iax_contexts(context: CheckContext) -> dict[str, str | None]:
    return {
        name: _uncut(dialplan_context, context)
        for name, dialplan_context in iax_users_in(context.ask("iax2 show users")).items()
    }


def _uncut(dialplan_context: str, context: CheckContext) -> str | None:
    """Return the whole name of a context that Asterisk's table may have shortened. None if several contexts fit."""
    if len(dialplan_context) < IAX_COLUMN:
        return dialplan_context
    whole = [loaded for loaded in context.dialplan.contexts if loaded.startswith(dialplan_context)]
    if len(whole) > 1:
        return None
    return whole[0] if whole else dialplan_context


def dahdi_contexts(etc: Path) -> list[str]:
    """Return the contexts of the outside lines in chan_dahdi.conf. Channels with FXO signalling are phones."""
    contexts: dict[str, None] = {}
    values = {"context": "default"}
    for line in walk(etc, etc / "chan_dahdi.conf"):
        key, equals, value = (part.strip() for part in line.text.replace("=>", "=").partition("="))
        if equals and key in ("channel", "channels"):
            if not values.get("signalling", "").startswith("fxo"):
                contexts[values["context"]] = None
        elif equals:
            values[key] = value
    return list(contexts)


def numbers_to_try(
    context: CheckContext,
    trunk: TrunkContext,
    dialplan_context: str,
    variables: Mapping[str, str],
    dialled: Sequence[str],
) -> list[TriedNumber]:
    """Return the numbers to follow from a trunk's context: those in settings and dialplan, and `dialled` DIDs.

    A number that is an extension in the dialplan is tried only in that form. DIDs with `screen = false` are left out.
    """
    patterns, extensions = numbers_in_dialplan(context.dialplan, dialplan_context, variables)
    settings = context.loaded.settings
    exempt = {form for did in settings.did if not did.screen for form in _forms(did.number, settings.numbers.region)}
    named = [TriedNumber(text, forms, is_named=True) for text, forms in _of_settings(settings, trunk.table)]
    numbers = [*named, *patterns, *(TriedNumber(text, (text,)) for text in extensions)]
    numbers += [TriedNumber(text, ways_to_dial(text)) for text in dialled]
    by_forms: dict[tuple[str, ...], TriedNumber] = {}
    for number in numbers:
        forms = tuple(form for form in number.forms if form in extensions) or number.forms
        if exempt.isdisjoint(forms):
            by_forms.setdefault(forms, replace(number, forms=forms))
    return list(by_forms.values())


def _of_settings(settings: Settings, table: TrunkTable | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    region = (table.region if table else None) or settings.numbers.region
    texts = [did.number for did in settings.did] + list(table.own_numbers if table else ())
    return ((text, _forms(text, region)) for text in dict.fromkeys(texts))


def _forms(text: str, region: str) -> tuple[str, ...]:
    e164 = number_of(text, region)
    return ways_to_dial(e164) if e164 else (text,)


def numbers_in_dialplan(
    dialplan: Dialplan, context: str, variables: Mapping[str, str]
) -> tuple[list[TriedNumber], dict[str, None]]:
    """Return the patterns, and the plain numbers, in a trunk's context and in contexts that get its dialled numbers."""
    behind = _passed_on(dialplan, context, variables)
    names = dict.fromkeys(step.extension for step in dialplan.steps if step.context in behind)
    examples = ((name, example_of(name)) for name in names)
    patterns = [TriedNumber(name, (example,)) for name, example in examples if example is not None]
    return patterns, {name: None for name in names if _NUMBER.fullmatch(name)}


def _passed_on(dialplan: Dialplan, context: str, variables: Mapping[str, str]) -> frozenset[str]:
    reached: frozenset[str] = frozenset()
    waiting = {context}
    while waiting:
        new = dialplan.reached_from(waiting.pop()) - reached
        reached |= new
        waiting |= {
            target for step in dialplan.steps if step.context in new for target in _target(step.application, variables)
        }
        waiting -= reached
    return reached


def _target(application: str, variables: Mapping[str, str]) -> list[str]:
    match = _PASSES_ON.fullmatch(application)
    parts = split_outside_brackets(match[1], ",") if match else []
    if len(parts) != 3 or "${EXTEN" not in parts[1]:
        return []
    target = substituted(parts[0], variables)
    return [target] if target else []


class InboundRoutes(NamedTuple):
    """FreePBX's inbound routes. `screened`: extensions that CallSieve screens. `left_out`: extensions not to screen."""

    screened: tuple[str, ...]
    left_out: tuple[str, ...]


def is_module_installed(dialplan: Dialplan) -> bool:
    """Return whether CallSieve's FreePBX module has written to this dialplan."""
    return MARK in dialplan.contexts


def inbound_routes(dialplan: Dialplan) -> InboundRoutes:
    """Return the inbound routes that CallSieve's module screens, and the routes that are excluded."""
    steps: dict[str, list[str]] = {}
    for step in dialplan.steps:
        if step.context in _ROUTES:
            steps.setdefault(step.extension, []).append(step.application)
    routes = {
        extension: any(_IS_SCREENED in step for step in applications)
        for extension, applications in steps.items()
        if any(step.startswith(_IS_ROUTE) for step in applications)
    }
    return InboundRoutes(
        tuple(extension for extension, screened in routes.items() if screened),
        tuple(extension for extension, screened in routes.items() if not screened),
    )


def takes_calls_of(dialplan: Dialplan, context: str) -> bool:
    """Return whether calls that arrive in this context reach FreePBX's inbound routes."""
    return not dialplan.reached_from(context).isdisjoint(_ROUTES)


def numbers_left_out(dialplan: Dialplan, regions: Iterable[str]) -> frozenset[str]:
    """Return the numbers of routes excluded from screening, as FreePBX writes them and as CallSieve records them.

    `regions`: the countries in whose format a route's number may be written, with or without `+`.
    """
    routes = inbound_routes(dialplan).left_out
    read = (did_number_of(text, region) for region in regions for route in routes for text in (route, f"+{route}"))
    return frozenset(routes) | {number for number in read if number is not None}
