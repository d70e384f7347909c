"""Which companies' evidence is taken: those of the settings, and those that were subscribed to."""

from __future__ import annotations

import sqlite3

from callsieve.exchange_settings import ExchangeTable
from callsieve.settings import Settings
from callsieve.text.times import SECONDS_BY_UNIT
from reputation.store.peers import WantedPeer, key_digest, replace_peers, subscriptions


def companies_of(db: sqlite3.Connection, settings: Settings) -> tuple[ExchangeTable, ...]:
    """All of them. One of the settings comes before one of the same name or key that was subscribed to."""
    names, keys = ({getattr(one, field) for one in settings.exchange} for field in ("name", "key"))
    added = [one for one in subscriptions(db) if one.name not in names and one.key not in keys]
    tables = [
        ExchangeTable(name=one.name, url=one.url, key=one.key, weight=one.weight, private=bool(one.private))
        for one in added
    ]
    return (*settings.exchange, *tables)


def register_peers(db: sqlite3.Connection, settings: Settings) -> None:
    """Makes the companies in the store those. Call it in a transaction."""
    companies = companies_of(db, settings)
    replace_peers(db, {one.name: WantedPeer(of_key(one), one.weight, every_seconds(one)) for one in companies})


def of_key(table: ExchangeTable) -> str:
    """Who it is: whoever has that key, wherever the files are."""
    return key_digest(table.key)


def every_seconds(table: ExchangeTable) -> float:
    """How often it is fetched."""
    return float(int(table.every[:-1]) * SECONDS_BY_UNIT[table.every[-1]])
