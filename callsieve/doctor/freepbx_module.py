"""Our FreePBX module, as the doctor sees it in the dialplan that is loaded: which inbound routes it screens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from callsieve.pbx.cli_output import Dialplan
from reputation.numbers import did_number_of

MARK = "app-callsieve-phone"  # a context that is there where the module is
CODES = "app-callsieve-codes"
_ROUTES = ("ext-did-0001", "ext-did-0002")
_IS_ROUTE = "Set(CDR(did)="  # each inbound route of FreePBX has it, and nothing else in those contexts
_IS_SCREENED = "Gosub(app-callsieve-screened,"


class InboundRoutes(NamedTuple):
    """FreePBX's inbound routes by their extensions: those that are screened, and those that somebody left out."""

    screened: tuple[str, ...]
    left_out: tuple[str, ...]


def is_installed(dialplan: Dialplan) -> bool:
    """Whether the module has written into this dialplan."""
    return MARK in dialplan.contexts


def inbound_routes(dialplan: Dialplan) -> InboundRoutes:
    """What the module has done with each inbound route."""
    steps: dict[str, list[str]] = {}
    for step in dialplan.steps:
        if step.context in _ROUTES:
            steps.setdefault(step.extension, []).append(step.application)
    routes = {
        extension: any(one.startswith(_IS_SCREENED) for one in applications)
        for extension, applications in steps.items()
        if any(one.startswith(_IS_ROUTE) for one in applications)
    }
    return InboundRoutes(
        tuple(extension for extension, screened in routes.items() if screened),
        tuple(extension for extension, screened in routes.items() if not screened),
    )


def takes_calls_of(dialplan: Dialplan, context: str) -> bool:
    """Whether calls that arrive in this context come to FreePBX's inbound routes."""
    return not dialplan.reached_from(context).isdisjoint(_ROUTES)


def numbers_left_out(dialplan: Dialplan, regions: Iterable[str]) -> frozenset[str]:
    """The numbers whose route is not screened, as calls to them are recorded: a route may have a number as trunks in
    these `regions` write it, with or without `+`.
    """
    routes = inbound_routes(dialplan).left_out
    read = (did_number_of(text, region) for region in regions for route in routes for text in (route, f"+{route}"))
    return frozenset(routes) | {number for number in read if number is not None}
