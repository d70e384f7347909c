"""Who shows labels of calls where: labellers.toml, each row with the page that says so.

    labellers_of(Network("GB", "EE")) -> those of the network first, then what phones and apps of the country show

In the US and Great Britain a network has its labels from one company. In China phones and apps show them, each its own,
whatever the network: there no network says which platform it was.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Literal

import msgspec

from reputation.own.suspicion import Network


class Labeller(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A platform that shows labels. `on`: on the networks whose names begin so, or on phones, of every network.

    `phones`: of which maker, "" for several or an app; `pack`: as `own pack --for` has it; `source`: an address.
    """

    country: str
    platform: str
    pack: str
    source: str
    on: Literal["network", "phone"] = "network"
    networks: tuple[str, ...] = ()
    phones: str = ""


class LabellerFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rows. `read`: when their pages were."""

    read: date
    labeller: tuple[Labeller, ...]


@lru_cache(maxsize=1)
def labellers() -> LabellerFile:
    """The file is ours: a wrong one is a bug, and raises."""
    return msgspec.toml.decode((files("reputation.own") / "labellers.toml").read_bytes(), type=LabellerFile)


def labellers_of(network: Network) -> tuple[Labeller, ...]:
    """Who may show a label there. Of a country as a whole all of its rows: the calls do not say which network it is."""
    there = [one for one in labellers().labeller if one.country == network.country]
    name = network.name.casefold()
    of_network = [
        one
        for one in there
        if one.on == "network" and (not name or any(_begins(name, known.casefold()) for known in one.networks))
    ]
    return (*of_network, *(one for one in there if one.on == "phone"))


def _begins(name: str, known: str) -> bool:
    """`Verizon` is how `Verizon Wireless` begins, and not `O2` how `O2online` does."""
    return name.startswith(known) and not name[len(known) :][:1].isalnum()
