"""Connections between a site and its hub that fail: a loopback proxy, or a network namespace.

    with lay_cables(server, names, namespaces=True) as cables: cables["berlin"].accidents()

Namespaces are for root, with `ip` (iproute2): packets are lost as they are when a line is cut, and nobody is told.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final, Protocol

from lab.postgresql import TLS_NAME, PostgreSql
from lab.private_server import ADDRESS
from lab.proxy import Proxy

Accident = tuple[str, int, Callable[[], None]]  # its name, how often it happens beside the others, what happens
PRIVATE_NETWORKS: Final = 1 << 14  # of 256 addresses each, in 10.64.0.0/10


class Cable(Protocol):
    """`prefix`: words before a command, so that it runs at the site's end of it."""

    prefix: Sequence[str]

    def address(self, server: PostgreSql, database: str) -> str:
        """Return the hub's address for the site."""
        ...

    def accidents(self) -> Sequence[Accident]:
        """Return the possible failures."""
        ...

    def mend(self) -> None:
        """End all failures."""
        ...


class ProxyCable:
    """Connections are cut, refused, or lose data in one direction."""

    prefix: Sequence[str] = ()

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def address(self, server: PostgreSql, database: str) -> str:
        return f"postgresql://{ADDRESS}:{self._proxy.address[1]}/{database}"

    def accidents(self) -> Sequence[Accident]:
        proxy = self._proxy
        return (
            ("cut a site off", 6, lambda: proxy.cut(reset=True)),
            ("refuse a site", 3, proxy.refuse),
            ("swallow what a site says", 2, lambda: proxy.swallow(to_client=False)),
            ("swallow what a site hears", 2, lambda: proxy.swallow(to_server=False)),
            ("let a site pass", 6, self.mend),
        )

    def mend(self) -> None:
        self._proxy.refuse()
        self._proxy.cut()  # a connection that has swallowed something is of no use
        self._proxy.forward()
        self._proxy.accept()


class NamespaceCable:
    """A pair of interfaces. A partition is silent: connections stay open and packets are retransmitted."""

    def __init__(self, name: str, device: str, here: str, there: str) -> None:
        self.prefix: Sequence[str] = ("ip", "netns", "exec", name)
        self._device, self._here, self._there = device, here, there

    def address(self, server: PostgreSql, database: str) -> str:
        query = f"hostaddr={self._here}&sslrootcert={server.authority_file}"
        return f"postgresql://{TLS_NAME}:{server.port}/{database}?{query}"

    def accidents(self) -> Sequence[Accident]:
        return (
            ("take a site's line down", 6, lambda: ip("link", "set", self._device, "down")),
            ("lose what a site is told", 4, lambda: ip("route", "replace", "blackhole", f"{self._there}/32")),
            ("let a site pass", 8, self.mend),
        )

    def mend(self) -> None:
        ip("link", "set", self._device, "up")
        subprocess.run(("ip", "route", "del", "blackhole", f"{self._there}/32"), capture_output=True, check=False)
        ip("route", "replace", f"{self._there}/32", "dev", self._device, "src", self._here)


def ip(*words: str) -> None:
    """A command of iproute2. subprocess.CalledProcessError, whose `stderr` says why."""
    subprocess.run(("ip", *words), stdin=subprocess.DEVNULL, capture_output=True, check=True)


def has_namespaces() -> bool:
    """Return whether network namespaces can be created here."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"cs-try-{os.getpid()}"
    if subprocess.run(("ip", "netns", "add", name), capture_output=True, check=False).returncode != 0:
        return False
    ip("netns", "del", name)
    return True


@contextmanager
def lay_cables(names: Sequence[str], *, namespaces: bool) -> Iterator[tuple[PostgreSql, Mapping[str, Cable]]]:
    """A server, and a cable from each site to it. LabUnavailable."""
    with ExitStack() as stack:
        if not namespaces:
            server = stack.enter_context(PostgreSql())
            proxies = {name: stack.enter_context(Proxy((ADDRESS, server.port))) for name in names}
            yield server, {name: ProxyCable(proxy) for name, proxy in proxies.items()}
            return
        network = random.randrange(PRIVATE_NETWORKS)
        prefix = f"10.{64 + (network >> 8)}.{network & 255}"
        here = f"{prefix}.1"
        ip("addr", "add", f"{here}/32", "dev", "lo")  # there, whichever line is down
        stack.callback(ip, "addr", "del", f"{here}/32", "dev", "lo")
        cables: dict[str, Cable] = {}
        for place, name in enumerate(names):
            cables[name] = stack.enter_context(
                _namespace(f"cs{network}-{name}", f"cs{network}s{place}", here, prefix, place)
            )
        yield stack.enter_context(PostgreSql(tls=True, also_at=here)), cables


@contextmanager
def _namespace(name: str, device: str, here: str, prefix: str, place: int) -> Iterator[NamespaceCable]:
    there = f"{prefix}.{10 + place}"
    ip("netns", "add", name)
    try:
        ip("link", "add", device, "type", "veth", "peer", "name", "hub", "netns", name)
        ip("-n", name, "addr", "add", f"{there}/32", "dev", "hub")
        for word in ("lo", "hub"):
            ip("-n", name, "link", "set", word, "up")
        ip("-n", name, "route", "add", f"{here}/32", "dev", "hub", "src", there)
        cable = NamespaceCable(name, device, here, there)
        cable.mend()
        yield cable
    finally:
        ip("netns", "del", name)  # and the pair of interfaces with it
