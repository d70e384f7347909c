"""The navigation of the console, and what is said after something was done: each capability has its own part."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import NamedTuple

from callsieve.capability import Entry


class Menu(NamedTuple):
    """The entries in their order.

    `messages`: what is said, by the word in `?said=`: nobody can make it say more. `on`: the capabilities that have
    pages here: templates link to no other.
    """

    entries: tuple[Entry, ...]
    messages: Mapping[str, str]
    on: Set[str]
