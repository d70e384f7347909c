"""Pages for monitoring: probes, which need no login, and metrics, for programs on this server and logged-in users."""

import asyncio
import ipaddress
import sqlite3

from starlette.responses import PlainTextResponse, Response

from callsieve.capability import Capabilities
from callsieve.doctor.stored_findings import Findings, read_findings
from callsieve.monitoring.metrics import MetricFamily, Metrics, doctor_metrics, exposition, single
from callsieve.settings import Loaded
from callsieve.telemetry import read_telemetry
from callsieve.web.request import NotFound, Page, PageRequest
from reputation.store.errors import StoreError
from reputation.store.sources import feed_sources

STORE_UP = "1 if the console can read the store."
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


async def is_alive(_req: PageRequest) -> Response:
    """Answer 200. If this function runs, the process is alive."""
    return PlainTextResponse("alive\n")


async def is_ready(req: PageRequest) -> Response:
    """Answer 200 if the console can read the store, else 503. Calls do not depend on the console."""
    try:
        await req.read(feed_sources)
    except StoreError:
        return PlainTextResponse("the store cannot be read\n", 503)
    return PlainTextResponse("ready\n")


async def metrics(req: PageRequest) -> Response:
    """Return the metrics for Prometheus. Raise NotFound if a request from another computer has no login."""
    if req.user is None and not _is_this_machine(req.address):
        raise NotFound
    loaded = req.state.loaded
    telemetry = await asyncio.to_thread(read_telemetry, loaded.state)
    stored = await asyncio.to_thread(read_findings, loaded.findings_path)
    families = await _of_store(req)
    families += doctor_metrics(stored, req.now) if isinstance(stored, Findings) else []
    return Response(exposition(telemetry, families, req.now), media_type=TEXT_FORMAT)


def _is_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


async def _of_store(req: PageRequest) -> list[MetricFamily]:
    metrics: list[Metrics] = req.state.service(Capabilities).load("metrics")

    def all_of_them(db: sqlite3.Connection, loaded: Loaded, now: float) -> list[MetricFamily]:
        return [family for collect in metrics for family in collect(db, loaded, now)]

    try:
        families = await req.read(all_of_them, req.state.loaded, req.now)
    except (StoreError, OSError):
        return [single("store_up", STORE_UP, value=0)]
    return [single("store_up", STORE_UP, value=1), *families]


PAGES = (
    Page("GET", "/livez", is_alive, None),
    Page("GET", "/readyz", is_ready, None),
    Page("GET", "/metrics", metrics, None),
)
