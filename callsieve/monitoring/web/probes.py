"""For those who watch over machines: is the console there, can it do its work, and the figures of everything.

Nobody logs in for these, so the figures are told to this machine and to whoever is logged in, and to nobody else.
"""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path

from starlette.responses import PlainTextResponse, Response

from callsieve.doctor.stored_findings import Findings, read_findings
from callsieve.hub.operations import hub_figures
from callsieve.monitoring.metrics import StoreFigures, exposition
from callsieve.receiver_health import events_shown
from callsieve.telemetry import read_telemetry
from callsieve.web.request import NotFound, PageRequest
from callsieve.web.routes import Page
from reputation.store.backup import backups_of
from reputation.store.errors import StoreError
from reputation.store.feeds import feed_sources
from reputation.store.peers import peer_states

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


async def is_alive(_req: PageRequest) -> Response:
    """The process answers."""
    return PlainTextResponse("alive\n")


async def is_ready(req: PageRequest) -> Response:
    """Its pages can be shown: the store can be read. 503 when not; calls do not depend on that."""
    try:
        await req.read(feed_sources)
    except StoreError:
        return PlainTextResponse("the store cannot be read\n", 503)
    return PlainTextResponse("ready\n")


async def metrics(req: PageRequest) -> Response:
    """The text that Prometheus reads."""
    if req.user is None and not _is_this_machine(req.address):
        raise NotFound
    loaded = req.state.loaded
    telemetry = await asyncio.to_thread(read_telemetry, loaded.state)
    stored = await asyncio.to_thread(read_findings, loaded.findings_path)
    findings = stored if isinstance(stored, Findings) else None
    return Response(exposition(telemetry, await _figures(req), findings, req.now), media_type=TEXT_FORMAT)


def _is_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


async def _figures(req: PageRequest) -> StoreFigures:
    path, table = req.state.loaded.store_path, req.state.loaded.settings.hub
    try:
        feeds = await req.read(feed_sources)
        events = await req.read(events_shown, req.state.loaded.settings, req.now)
        hub = await req.read(hub_figures, table, req.now) if table.address else None
        peers = [peer for peer in await req.read(peer_states) if peer.in_settings]
        size, backup_at = await asyncio.to_thread(_file_figures, path)
    except (StoreError, OSError):
        return StoreFigures(is_up=False)
    return StoreFigures(True, size, None if backup_at is None else req.now - backup_at, feeds, events, hub, peers)


def _file_figures(path: Path) -> tuple[int, float | None]:
    """The store's size in bytes, and when the latest backup was made."""
    return path.stat().st_size, next((backup.stat().st_mtime for backup in backups_of(path)), None)


PAGES = (
    Page("GET", "/livez", is_alive, None),
    Page("GET", "/readyz", is_ready, None),
    Page("GET", "/metrics", metrics, None),
)
