"""A carrier that signs its calls (STIR/SHAKEN), with a certificate authority that the lab's Asterisk trusts.

PASSporT: RFC 8225 and 8588; the Identity header: RFC 8224. The certificate is served over HTTP on loopback, which
Asterisk allows only with `relax_x5u_port_scheme_restrictions`.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from lab.certificates import Authority, make_key

CERTIFICATE_PATH = "/carrier.pem"
INTEGER_BYTES = 32  # of the two that make up a signature (RFC 7518, section 3.4)


@dataclass(frozen=True, slots=True)
class Signer:
    """A carrier's signing key, and the URL of its certificate."""

    key: ec.EllipticCurvePrivateKey
    url: str

    def headers(self, caller: str, did: str, level: str, **claims: object) -> dict[str, str]:
        """Return the Identity and Date headers of a signed INVITE.

        `level`: the attestation (A, B or C). `claims`: replace the usual claims of the PASSporT, by name.
        """
        now = int(time.time())
        payload: dict[str, object] = {
            "attest": level,
            "dest": {"tn": [_canonical(did)]},
            "iat": now,
            "orig": {"tn": _canonical(caller)},
            "origid": "8a4b2c5e-0000-4000-8000-000000000001",
        }
        header = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": self.url}
        signed = f"{_part(header)}.{_part(payload | claims)}"
        parts = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(SHA256())))
        signature = b"".join(part.to_bytes(INTEGER_BYTES) for part in parts)
        identity = f"{signed}.{_base64(signature)};info=<{self.url}>;alg=ES256;ppt=shaken"
        return {"Identity": identity, "Date": formatdate(now, usegmt=True)}


@contextmanager
def signing_carrier(directory: Path) -> Iterator[tuple[Signer, dict[str, str]]]:
    """Yield a signing carrier, and files that make Asterisk check calls on the trunk `carrier`.

    The files are for `Asterisk(config=...)`. `directory` holds the authority's certificate.
    """
    authority, key = Authority.make("Lab Root"), make_key()
    root = directory / "root.pem"
    root.write_text(authority.root())
    with _served(authority.issue("SHAKEN 007Z", key.public_key(), "007Z").encode()) as address:
        yield Signer(key, f"http://{address}{CERTIFICATE_PATH}"), _configuration(root, directory)


def _configuration(root: Path, directory: Path) -> dict[str, str]:
    cache = directory / "cache"
    cache.mkdir()
    verification = [
        "[verification](+)",
        "global_disable = no",
        f"ca_file = {root}",
        f"cert_cache_dir = {cache}",
        "relax_x5u_port_scheme_restrictions = yes",
        "x5u_deny = 0.0.0.0/0.0.0.0",
        "x5u_permit = 127.0.0.1/255.255.255.255",
        "[signed]",
        "type = profile",
        "endpoint_behavior = verify",
    ]
    return {"stir_shaken.conf": "\n".join(verification), "pjsip.conf": "[carrier](+)\nstir_shaken_profile = signed"}


@contextmanager
def _served(certificate: bytes) -> Iterator[str]:
    """Serve one file over HTTP on loopback, and yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == CERTIFICATE_PATH else 404)
            self.send_header("Content-Length", str(len(certificate)))
            self.end_headers()
            self.wfile.write(certificate)

        def log_message(self, format: str, *arguments: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _canonical(number: str) -> str:
    """Return the digits of a number (RFC 8224, section 8.3)."""
    return number.removeprefix("+")


def _part(claims: Mapping[str, object]) -> str:
    """Encode claims with sorted keys and without spaces (RFC 8225, section 9)."""
    return _base64(json.dumps(claims, sort_keys=True, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
