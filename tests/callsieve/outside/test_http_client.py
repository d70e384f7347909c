"""The HTTP client against servers that are slow, dead, lying, endless, or lead into our own network."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from callsieve.outside.errors import OutsideError
from callsieve.outside.http_client import Answer, OutsideClient, RequestLimits
from lab.certificates import Authority
from tests.callsieve.outside.servers import PUBLIC, Rerouted, answer, serving, tls_context

PATIENT = RequestLimits(total_seconds=20.0, connect_seconds=10.0, body_bytes=10_000)
SHORT = replace(PATIENT, total_seconds=0.5, connect_seconds=0.3)
NAME = "feeds.example.com"


@pytest.fixture
async def client() -> AsyncIterator[OutsideClient]:
    async with OutsideClient(PATIENT) as one:
        yield one


@pytest.fixture
async def impatient_client() -> AsyncIterator[OutsideClient]:
    async with OutsideClient(SHORT) as one:
        yield one


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that this machine trusts."""
    made = Authority.make("Lab Root")
    (tmp_path / "root.pem").write_text(made.root())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    return made


async def test_an_answer_has_status_headers_and_body(client: OutsideClient) -> None:
    async with serving(answer(200, b"hello", ETag='"1"')) as server:
        got = await client.request("GET", server.url("/a?b=c"), headers={"Accept": "text/csv"}, allow_private=True)
    assert got == Answer(200, got.headers, b"hello")
    assert got.headers["etag"] == '"1"'
    assert server.requests[0].startswith("GET /a?b=c HTTP/1.1\r\n")
    assert "accept: text/csv\r\n" in server.requests[0]
    assert f"Host: 127.0.0.1:{server.port}\r\n" in server.requests[0]


async def test_a_body_is_sent(client: OutsideClient) -> None:
    async with serving(answer(202)) as server:
        assert (await client.request("POST", server.url(), body=b"{}", allow_private=True)).status == 202
    assert "Content-Length: 2\r\n" in server.requests[0]


async def test_a_body_is_written_into_a_file(client: OutsideClient) -> None:
    file = BytesIO()
    async with serving(answer(200, gzip.compress(b"rows"), content_encoding="gzip")) as server:
        got = await client.request("GET", server.url(), into=file, allow_private=True)
    assert (got.body, file.getvalue()) == (b"", b"rows")


# Slow, dead, endless.


async def test_silent_server_is_given_up(impatient_client: OutsideClient) -> None:
    async with serving(_nothing) as server:
        assert await _code(impatient_client, server.url()) == "timeout"


async def test_slow_body_is_given_up_after_the_total_time(impatient_client: OutsideClient) -> None:
    async def drip(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as server:
        assert await _code(impatient_client, server.url()) == "timeout"


async def test_refused_connection_is_reported(client: OutsideClient) -> None:
    async with serving(answer()) as server:
        pass
    assert await _code(client, server.url()) == "no-connection"


async def test_name_look_up_without_answer_is_given_up() -> None:
    async def never(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with OutsideClient(SHORT, resolve=never) as client:
        assert await _code(client, f"https://{NAME}/", allow_private=False) == "timeout"


async def test_unknown_name_is_reported() -> None:
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError

    async with OutsideClient(PATIENT, resolve=unknown) as client:
        assert await _code(client, f"https://{NAME}/", allow_private=False) == "unknown-name"


async def test_endless_body_is_too_large(client: OutsideClient) -> None:
    async def endless(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()

    async with serving(endless) as server:
        assert await _code(client, server.url()) == "too-large"


async def test_endless_header_is_a_bad_answer(client: OutsideClient) -> None:
    async def endless(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: " + b"y" * 4096 + b"\r\n")
            await writer.drain()

    async with serving(endless) as server:
        assert await _code(client, server.url()) == "bad-answer"


# Lying.


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(answer(200, b"short", content_length="500"), id="less-than-it-says"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another-protocol"),
        pytest.param(b"", id="nothing-at-all"),
        pytest.param(answer(200, b"not packed", content_encoding="gzip"), id="not-packed"),
        pytest.param(answer(200, gzip.compress(b"x" * 100)[:-9], content_encoding="gzip"), id="packed-and-cut-off"),
        pytest.param(answer(200, gzip.compress(b"x") + b"more", content_encoding="gzip"), id="something-after-it"),
        pytest.param(answer(200, b"x", content_encoding="gzip, gzip"), id="packed-twice"),
        pytest.param(answer(200, b"x", content_encoding="br"), id="packed-as-nobody-asked"),
    ],
)
async def test_malformed_answer_is_rejected(client: OutsideClient, sent: bytes) -> None:
    async with serving(sent) as server:
        assert await _code(client, server.url()) == "bad-answer"


async def test_bytes_beyond_the_content_length_are_not_read(client: OutsideClient) -> None:
    async with serving(answer(200, b"hello and more", content_length="5")) as server:
        assert (await client.request("GET", server.url(), allow_private=True)).body == b"hello"


@pytest.mark.parametrize(("size", "fits"), [(10_000, True), (10_001, False)])
@pytest.mark.parametrize("packed", [True, False])
async def test_size_limit_applies_to_the_unpacked_body(
    client: OutsideClient, size: int, fits: bool, packed: bool
) -> None:
    body = b"x" * size
    sent = answer(200, gzip.compress(body), content_encoding="gzip") if packed else answer(200, body)
    async with serving(sent) as server:
        if fits:
            assert len((await client.request("GET", server.url(), allow_private=True)).body) == size
        else:
            assert await _code(client, server.url()) == "too-large"


async def test_gzip_bomb_is_cut_at_the_size_limit(client: OutsideClient) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join([packer.compress(bytes(1 << 20)) for _ in range(64)]) + packer.flush()
    file = BytesIO()
    async with serving(answer(200, bomb, content_encoding="gzip")) as server:
        with pytest.raises(OutsideError) as refused:
            await client.request("GET", server.url(), into=file, allow_private=True)
    assert refused.value.code == "too-large"
    assert len(file.getvalue()) <= PATIENT.body_bytes


async def test_packed_bytes_that_unpack_to_nothing_are_counted(client: OutsideClient) -> None:
    async def empty_blocks(_head: str, writer: asyncio.StreamWriter) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packer.compress(b""))
        while True:
            writer.write(packer.flush(zlib.Z_FULL_FLUSH) or b"\x00\x00\x00\xff\xff" * 100)
            await writer.drain()

    async with serving(empty_blocks) as server:
        assert await _code(client, server.url()) == "too-large"


# Into our own network.


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0177.0.0.1", "0.0.0.0"]
)
async def test_public_urls_never_connect_to_the_local_host(client: OutsideClient, host: str) -> None:
    async with serving(answer()) as server:
        url = server.url(host=host, scheme="https")
        assert await _code(client, url, allow_private=False) in ("forbidden-address", "unknown-name", "bad-url")
    assert server.requests == []


@pytest.mark.parametrize("address", ["169.254.169.254", "[fe80::1]", "[ff02::1]", "0.0.0.0", "255.255.255.255"])
async def test_special_addresses_are_forbidden_even_if_named(client: OutsideClient, address: str) -> None:
    assert await _code(client, f"http://{address}/") == "forbidden-address"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254"])
async def test_redirect_to_a_private_address_is_refused(client: OutsideClient, host: str) -> None:
    async with serving(answer()) as inside:
        to = inside.url("/secret", host=host, scheme="https")
        async with serving(answer(302, location=to)) as server:
            assert await _code(client, server.url()) == "forbidden-address"
    assert inside.requests == []


async def test_dns_rebinding_does_not_reach_a_private_address(tmp_path: Path, authority: Authority) -> None:
    """DNS rebinding: what a name was when it was checked is connected to."""
    answers = [[PUBLIC], ["127.0.0.1"]]

    async def resolve(host: str, _port: int) -> Sequence[str]:
        assert host == NAME
        return answers.pop(0)

    network = Rerouted()
    async with (
        serving(answer(200, b"public"), tls_context(tmp_path, authority, NAME)) as server,
        OutsideClient(PATIENT, resolve=resolve, network=network) as client,
    ):
        url = server.url(host=NAME, scheme="https")
        assert (await client.request("GET", url)).body == b"public"
        assert await _code(client, url, allow_private=False) == "forbidden-address"
    assert network.asked == [PUBLIC]
    assert f"Host: {NAME}:{server.port}\r\n" in server.requests[0]


async def test_forbidden_addresses_are_skipped_and_dead_ones_passed(tmp_path: Path, authority: Authority) -> None:
    network = Rerouted(dead=["2606:4700::1111"])

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["10.0.0.1", "2606:4700::1111", PUBLIC]

    async with (
        serving(answer(200, b"ok"), tls_context(tmp_path, authority, NAME)) as server,
        OutsideClient(PATIENT, resolve=resolve, network=network) as client,
    ):
        assert (await client.request("GET", server.url(host=NAME, scheme="https"))).body == b"ok"
    assert network.asked == ["2606:4700::1111", PUBLIC]


# Redirects.


async def test_redirect_on_the_same_server_is_followed(client: OutsideClient) -> None:
    async def once(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, b"there") if "/new" in head else answer(301, b"moved", location="/new"))

    file = BytesIO()
    async with serving(once) as server:
        await client.request("GET", server.url("/old"), headers={"X-Key": "k"}, into=file, allow_private=True)
    assert file.getvalue() == b"there"
    assert ["x-key: k" in head for head in server.requests] == [True, True]


async def test_redirect_loop_ends(client: OutsideClient) -> None:
    async with serving(answer(302, location="/again")) as server:
        assert await _code(client, server.url()) == "too-many-redirects"
    assert len(server.requests) == 1 + PATIENT.redirects


async def test_post_is_not_repeated_at_a_redirect(client: OutsideClient) -> None:
    async with serving(answer(307, location="/new")) as server:
        got = await client.request("POST", server.url(), body=b"{}", allow_private=True)
    assert got.status == 307
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("location", "code"),
    [
        pytest.param("http://{name}/", "plain-http", id="to-http"),
        pytest.param("file:///etc/passwd", "bad-url", id="to-a-file"),
        pytest.param("https://user:pass@{name}/", "password-in-url", id="with-a-password"),
        pytest.param("https://[::1", "bad-redirect", id="nowhere"),
    ],
)
async def test_redirect_to_a_forbidden_url_is_refused(
    tmp_path: Path, authority: Authority, location: str, code: str
) -> None:
    sent = answer(302, location=location.format(name=NAME))
    async with (
        serving(sent, tls_context(tmp_path, authority, NAME)) as server,
        OutsideClient(PATIENT, resolve=_public, network=Rerouted()) as client,
    ):
        url = server.url(host=NAME, scheme="https")
        assert await _code(client, url, allow_private=False) == code


async def test_secret_headers_are_not_sent_to_a_redirect_target(tmp_path: Path, authority: Authority) -> None:
    other = "other.example.com"
    async with serving(answer(200, b"there"), tls_context(tmp_path / "b", authority, other)) as second:
        to = second.url("/", host=other, scheme="https")
        async with (
            serving(answer(302, location=to), tls_context(tmp_path / "a", authority, NAME)) as first,
            OutsideClient(PATIENT, resolve=_public, network=Rerouted()) as client,
        ):
            headers = {"Authorization": "Bearer k", "X-Api-Key": "k", "Cookie": "k", "If-None-Match": '"1"'}
            await client.request("GET", first.url(host=NAME, scheme="https"), headers=headers)
    assert "Bearer k" in first.requests[0]
    told = second.requests[0].lower()
    assert not any(name in told for name in ("authorization", "x-api-key", "cookie"))
    assert 'if-none-match: "1"' in told


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://user:pass@example.com/", "password-in-url"),
        ("http://example.com/", "plain-http"),
        ("ftp://example.com/", "bad-url"),
        ("file:///etc/passwd", "bad-url"),
        ("/path", "bad-url"),
        ("https://", "bad-url"),
        ("https://exa\x00mple.com/", "bad-url"),
    ],
)
async def test_unacceptable_urls_are_refused(client: OutsideClient, url: str, code: str) -> None:
    with pytest.raises(OutsideError) as refused:
        await client.request("GET", url)
    assert refused.value.code == code
    assert "pass@" not in str(refused.value)


async def test_header_with_a_line_break_is_not_sent(client: OutsideClient) -> None:
    async with serving(answer()) as server:
        with pytest.raises(OutsideError) as refused:
            await client.request("GET", server.url(), headers={"X-A": "b\r\nX-C: d"}, allow_private=True)
    assert refused.value.code == "bad-answer"
    assert server.requests == []


# TLS.


async def test_bad_certificates_are_refused(tmp_path: Path, authority: Authority) -> None:
    strangers = Authority.make("Nobody")
    bad = {
        "of a stranger": tls_context(tmp_path / "a", strangers, NAME),
        "of another name": tls_context(tmp_path / "b", authority, "other.example.com"),
        "past its time": tls_context(tmp_path / "c", authority, NAME, days_ago=60),
    }
    async with OutsideClient(PATIENT, resolve=_public, network=Rerouted()) as client:
        for what, context in bad.items():
            async with serving(answer(), context) as server:
                url = server.url(host=NAME, scheme="https")
                assert await _code(client, url, allow_private=False) == "tls", what
                assert server.requests == []


async def test_proxies_of_the_environment_are_not_used(client: OutsideClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving(answer(200, b"ok")) as server:
        assert (await client.request("GET", server.url(), allow_private=True)).body == b"ok"


async def test_a_connection_is_kept_for_the_next_request() -> None:
    connections, over = [], asyncio.Event()

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(kept, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with OutsideClient(PATIENT) as client:
        for _ in range(3):
            assert (await client.request("GET", url, allow_private=True)).body == b"ok"
    await over.wait()
    server.close()
    assert len(connections) == 1


async def _public(_host: str, _port: int) -> Sequence[str]:
    return [PUBLIC]


async def _nothing(_head: str, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


async def _code(client: OutsideClient, url: str, *, allow_private: bool = True) -> str:
    with pytest.raises(OutsideError) as refused:
        await client.request("GET", url, allow_private=allow_private)
    return refused.value.code
