"""HTTP client for servers on the internet. Requests are limited in time and size, and no redirect enters our network.

Limits apply to a whole request, including redirects. A name is resolved once per connection, and the connection goes to
the checked address, so a second, different DNS answer has no effect. The certificate is still checked against the name.
Proxies in the environment are ignored, because they would connect to unchecked addresses. See decisions/outside.md.
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from io import BytesIO
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, BinaryIO, Final, Self

import httpcore2
import httpx2

from callsieve.outside.errors import OutsideError, OutsideProblem
from reputation.wording import one_line

# Addresses that some Python versions call global, or that are no single server. Source: IANA's registries of
# special-purpose addresses. IETF protocols, old relays and tunnels between IPv4 and IPv6, documentation, segment
# routing. Local NAT64 (RFC 8215) could lead to any address inside a network.
NOT_PUBLIC: Final = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4"),
        *("::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
        *("5f00::/16", "fec0::/10"),
    )
)
NAT64: Final = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address
Address = IPv4Address | IPv6Address


def is_public(text: str) -> bool:
    """Return whether the text is a public IP address."""
    address = _target(text)
    if address is None or address.is_multicast or address.is_reserved:
        return False
    return address.is_global and not _is_in_one(address)


def is_inside(text: str) -> bool:
    """Return whether an administrator may name a server with this IP address: a public, private or loopback address."""
    # Refused: link-local addresses, where clouds serve keys (169.254.169.254), broadcast and multicast.
    address = _target(text)
    if address is None or address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address.is_loopback or not (address.is_reserved or _is_in_one(address))


def _is_in_one(address: Address) -> bool:
    return any(address in network for network in NOT_PUBLIC)


def _target(text: str) -> Address | None:
    """Return the address that packets reach: for a mapped or NAT64 address, the IPv4 address in it. None if invalid."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


MOST_ADDRESSES: Final = 4  # addresses to try per host name
PIECE_BYTES: Final = 1 << 16
FOLLOWED: Final = frozenset({301, 302, 303, 307, 308})
# Headers that a redirect's target gets. They never include a key, whatever its header is called.
REDIRECT_HEADERS: Final = frozenset({"accept", "user-agent", "if-none-match", "if-modified-since"})
OUR_HEADERS: Final = {"user-agent": "CallSieve", "accept": "*/*", "accept-encoding": "gzip"}
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits of one request. `connect_seconds` applies separately to name resolution, connection and TLS.

    `body_bytes`: the largest body, compressed or unpacked. `redirects`: how many redirects a GET or HEAD may follow.
    """

    total_seconds: float = 10.0
    connect_seconds: float = 3.0
    body_bytes: int = 1 << 20
    redirects: int = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer. Header names are in lower case. If a header is repeated, only its last value is kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def addresses_of(host: str, port: int) -> Sequence[str]:
    """Return the IP addresses of a host name from the system's resolver. Raise OSError if the name has none."""
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in infos))


class OutsideClient:
    """An HTTP client that reuses connections. `resolve` looks up host names, and `network` opens the connections."""

    def __init__(
        self,
        limits: RequestLimits | None = None,
        *,
        resolve: Resolve = addresses_of,
        network: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._limits = limits or RequestLimits()
        trust = ssl.create_default_context()
        network = network or httpcore2.AnyIOBackend()
        self._pools = {
            may_be_inside: httpcore2.AsyncConnectionPool(
                ssl_context=trust,
                max_connections=100,
                max_keepalive_connections=20,
                keepalive_expiry=60.0,
                network_backend=_CheckedNetwork(network, resolve, is_inside if may_be_inside else is_public),
            )
            for may_be_inside in (False, True)
        }
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for pool in self._pools.values():
            await self._open.enter_async_context(pool)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._open.aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limits: RequestLimits | None = None,
        allow_private: bool = False,
        into: BinaryIO | None = None,
    ) -> Answer:
        """Return the answer, whatever its status, or raise OutsideError. `into`: a file to which the body is written.

        `allow_private`: allow our own network and plain HTTP, because an administrator named this server. A redirect to
        another server must still lead to a public address.
        """
        limits = limits or self._limits
        at = asked = _checked_url(url, allow_private=allow_private)
        sent = OUR_HEADERS | {name.lower(): value for name, value in (headers or {}).items()}
        try:
            async with asyncio.timeout(limits.total_seconds):
                for _ in range(limits.redirects + 1):
                    is_asked = _origin(at) == _origin(asked)
                    allowed = sent if is_asked else {name: sent[name] for name in sent.keys() & REDIRECT_HEADERS}
                    pool = self._pools[allow_private and is_asked]
                    answer = await _request_once(pool, method, at, allowed, body, limits, into)
                    place = answer.headers.get("location")
                    if answer.status not in FOLLOWED or method not in ("GET", "HEAD") or place is None:
                        return answer
                    at = _redirected(at, place)
        except TimeoutError:
            raise OutsideError(OutsideProblem.TIMEOUT, host=at.host, seconds=limits.total_seconds) from None
        raise OutsideError(OutsideProblem.TOO_MANY_REDIRECTS, host=asked.host, most=limits.redirects)


async def _request_once(
    pool: httpcore2.AsyncConnectionPool,
    method: str,
    url: httpx2.URL,
    headers: Mapping[str, str],
    body: bytes | None,
    limits: RequestLimits,
    into: BinaryIO | None,
) -> Answer:
    host = url.host
    asked = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    extensions = {"timeout": {"connect": limits.connect_seconds}}
    try:
        # A header can only contain Latin-1. h11 refuses line ends in it.
        sent = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
        async with pool.stream(method, asked, headers=sent, content=body, extensions=extensions) as response:
            received = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            is_body = response.status not in FOLLOWED  # the body of a redirect is ignored
            file = into if into is not None and is_body else BytesIO()
            await _copy(response.aiter_stream(), received.get("content-encoding", ""), host, limits.body_bytes, file)
            return Answer(response.status, received, b"" if file is into else file.getvalue())  # type: ignore[attr-defined]
    except httpcore2.TimeoutException:
        raise OutsideError(OutsideProblem.TIMEOUT, host=host, seconds=limits.connect_seconds) from None
    except (httpcore2.NetworkError, OSError) as error:
        problem = OutsideProblem.TLS if _is_of_tls(error) else OutsideProblem.NO_CONNECTION
        raise OutsideError(problem, host=host, error=_in_a_line(error)) from None
    except (httpcore2.ProtocolError, UnicodeEncodeError) as error:
        raise OutsideError(OutsideProblem.BAD_ANSWER, host=host, error=_in_a_line(error)) from None


async def _copy(pieces: AsyncIterable[bytes], encoding: str, host: str, most: int, file: BinaryIO) -> None:
    """Write the unpacked body to a file piece by piece, so that a small compressed answer cannot fill the memory."""
    coding = encoding.strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise OutsideError(OutsideProblem.BAD_ANSWER, host=host, error=f"encoding {encoding[:40]!r}")
    unpacker = None if coding in ("", "identity") else zlib.decompressobj(zlib.MAX_WBITS | 16)
    arrived = written = 0
    async for piece in pieces:
        arrived += len(piece)
        for part in _unpacked(piece, unpacker, host):
            written += len(part)
            if max(arrived, written) > most:
                raise OutsideError(OutsideProblem.TOO_LARGE, host=host, most=most)
            file.write(part)
    if unpacker is not None and arrived and not unpacker.eof:
        raise OutsideError(OutsideProblem.BAD_ANSWER, host=host, error="the compressed body is truncated")


def _unpacked(piece: bytes, unpacker: Any, host: str) -> Iterable[bytes]:
    """Yield the unpacked parts of a piece: at least one part, so that the caller checks the limit after every piece."""
    if unpacker is None:
        yield piece
        return
    try:
        yield unpacker.decompress(piece, PIECE_BYTES)
        while unpacker.unconsumed_tail:
            yield unpacker.decompress(unpacker.unconsumed_tail, PIECE_BYTES)
    except zlib.error as error:
        raise OutsideError(OutsideProblem.BAD_ANSWER, host=host, error=_in_a_line(error)) from None
    if unpacker.unused_data:
        raise OutsideError(OutsideProblem.BAD_ANSWER, host=host, error="unexpected data after the compressed body")


def _checked_url(url: str, *, allow_private: bool) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError):
        raise OutsideError(OutsideProblem.BAD_URL, host="") from None
    if parsed.scheme not in ("https", "http") or not parsed.host or parsed.port == 0:
        raise OutsideError(OutsideProblem.BAD_URL, host=parsed.host)
    if parsed.userinfo:
        raise OutsideError(OutsideProblem.PASSWORD_IN_URL, host=parsed.host)
    if parsed.scheme == "http" and not allow_private:
        raise OutsideError(OutsideProblem.PLAIN_HTTP, host=parsed.host)
    return parsed


def _redirected(at: httpx2.URL, place: str) -> httpx2.URL:
    """Check and return the address to which a redirect leads. Plain HTTP is allowed only within the same server."""
    try:
        # Headers are decoded as Latin-1, but non-ASCII addresses are written in UTF-8.
        to = at.join(place.encode("latin-1").decode("utf-8", "replace"))
    except (httpx2.InvalidURL, ValueError):
        raise OutsideError(OutsideProblem.BAD_REDIRECT, host=at.host) from None
    return _checked_url(str(to), allow_private=at.scheme == "http" and _origin(to) == _origin(at))


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _is_of_tls(error: Exception) -> bool:
    """Return whether TLS caused the error. The connection pool keeps the cause of an error only in `args`."""
    return any(isinstance(cause, ssl.SSLError) for cause in error.args)


def _in_a_line(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__, 100)


class _CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """A network backend that resolves host names itself and connects only to allowed addresses."""

    def __init__(
        self, network: httpcore2.AsyncNetworkBackend, resolve: Resolve, is_allowed: Callable[[str], bool]
    ) -> None:
        self._network = network
        self._resolve = resolve
        self._is_allowed = is_allowed

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 as the pool calls it
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first allowed address that accepts.

        Each address gets an equal share of `timeout`, because an IPv6 route may be dead.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise httpcore2.ConnectTimeout from None
        except (OSError, UnicodeError):
            raise OutsideError(OutsideProblem.UNKNOWN_NAME, host=host) from None
        allowed = [address for address in addresses if self._is_allowed(address)][:MOST_ADDRESSES]
        if not allowed:
            raise OutsideError(OutsideProblem.FORBIDDEN_ADDRESS, host=host, address=next(iter(addresses), "none"))
        seconds = None if timeout is None else timeout / len(allowed)
        for address in allowed[:-1]:
            with suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return await self._network.connect_tcp(address, port, seconds, local_address, socket_options)
        return await self._network.connect_tcp(allowed[-1], port, seconds, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)
