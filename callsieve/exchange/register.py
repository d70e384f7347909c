"""Which companies the settings name, for the store: what they published counts no longer than that."""

from __future__ import annotations

import sqlite3
from hashlib import sha256

from callsieve.exchange_settings import ExchangeTable
from callsieve.settings import Settings
from callsieve.text.times import SECONDS_BY_UNIT
from reputation.store.peers import WantedPeer, replace_peers


def register_peers(db: sqlite3.Connection, settings: Settings) -> None:
    """Makes the companies in the store those of the settings. Call it in a transaction."""
    wanted = {one.name: WantedPeer(of_key(one), one.weight, every_seconds(one)) for one in settings.exchange}
    replace_peers(db, wanted)


def of_key(table: ExchangeTable) -> str:
    """Who it is: whoever has that key, wherever the files are."""
    return sha256(table.key.encode()).hexdigest()[:32]


def every_seconds(table: ExchangeTable) -> float:
    """How often it is fetched."""
    return float(int(table.every[:-1]) * SECONDS_BY_UNIT[table.every[-1]])
