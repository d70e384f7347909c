"""Packages that apt fetches from a repository of the test's own, which stands in a folder.

It is signed, since apt looks at the age of signed package lists only.
"""

from __future__ import annotations

import shutil
import subprocess
from base64 import encodebytes
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha1, sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from lab.debian import VERSIONS, Bundle, LabUnavailable, unpacked

TOOLS = ("apt-get", "dpkg", "dpkg-deb")
PACKAGE = Bundle("one", ("callsieve-test",))
CONTROL = """\
Package: callsieve-test
Version: 2:1.5+dfsg-1
Architecture: all
Maintainer: Nobody <nobody@example.com>
Description: a package of a test
"""


class Signer:
    """An OpenPGP key of version 4 (RFC 4880). `certificate` is its public part, with a name that it signed itself."""

    def __init__(self) -> None:
        self._key: RSAPrivateKey = generate_private_key(65537, 2048)
        self._made = int((datetime.now(UTC) - timedelta(days=90)).timestamp())
        public = self._key.public_key().public_numbers()
        body = b"\x04" + self._made.to_bytes(4) + b"\x01" + _mpi(public.n) + _mpi(public.e)
        framed, name = b"\x99" + len(body).to_bytes(2) + body, b"callsieve test"
        self._fingerprint = sha1(framed, usedforsecurity=False).digest()
        named = framed + b"\xb4" + len(name).to_bytes(4) + name
        self.certificate = _packet(6, body) + _packet(13, name) + self.signature(named, kind=0x13)

    def signature(self, data: bytes, kind: int = 0) -> bytes:
        """Return a signature packet: of a file, or of a name (0x13)."""
        parts = (b"\x02" + self._made.to_bytes(4), b"\x1b\x03", b"\x21\x04" + self._fingerprint)
        hashed = b"".join(bytes([len(part)]) + part for part in parts)
        head = bytes([4, kind, 1, 8]) + len(hashed).to_bytes(2) + hashed
        digest = sha256(data + head + b"\x04\xff" + len(head).to_bytes(4)).digest()
        signed = self._key.sign(digest, PKCS1v15(), Prehashed(SHA256()))
        return _packet(2, head + b"\x00\x00" + digest[:2] + _mpi(int.from_bytes(signed)))


def _mpi(number: int) -> bytes:
    return number.bit_length().to_bytes(2) + number.to_bytes((number.bit_length() + 7) // 8)


def _packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4) + body


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signer: Signer) -> Path:
    """Return the folder of a repository with one package, which apt uses in place of this machine's."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise LabUnavailable(f"there is no {missing[0]}")
    folder = tmp_path / "repository"
    content = tmp_path / "content"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "DEBIAN/control").write_text(CONTROL)
    (content / "file").write_text("inside")
    folder.mkdir()
    name = "callsieve-test_2%3a1.5+dfsg-1_all.deb"
    subprocess.run(("dpkg-deb", "--build", str(content), str(folder / name)), check=True, capture_output=True)
    package = (folder / name).read_bytes()
    entry = f"Filename: ./{name}\nSize: {len(package)}\nSHA256: {sha256(package).hexdigest()}\n"
    (folder / "Packages").write_text(CONTROL + entry)
    (tmp_path / "key.gpg").write_bytes(signer.certificate)
    (tmp_path / "sources.list").write_text(f"deb [signed-by={tmp_path}/key.gpg] copy:{folder} ./\n")
    settings = {"SourceList": tmp_path / "sources.list", "SourceParts": "/dev/null", "Parts": "/dev/null"}
    lines = (f'Dir::Etc::{key} "{value}";\n' for key, value in settings.items())
    (tmp_path / "apt.conf").write_text("".join(lines))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setenv("CALLSIEVE_LAB_CACHE", str(tmp_path / "cache"))
    return folder


def write_release(repository: Path, signer: Signer, valid_for: timedelta) -> None:
    packages = (repository / "Packages").read_bytes()
    now = datetime.now(UTC)
    dates = {"Date": now - timedelta(days=30), "Valid-Until": now + valid_for}
    lines = [f"{key}: {format_datetime(date).replace('+0000', 'UTC')}" for key, date in dates.items()]
    lines += ["SHA256:", f" {sha256(packages).hexdigest()} {len(packages)} Packages"]
    release = "\n".join((*lines, "")).encode()
    (repository / "Release").write_bytes(release)
    armoured = encodebytes(signer.signature(release)).decode()
    text = f"-----BEGIN PGP SIGNATURE-----\n\n{armoured}-----END PGP SIGNATURE-----\n"
    (repository / "Release.gpg").write_text(text)


@pytest.mark.parametrize(
    ("valid_for", "warnings"),
    [
        pytest.param(timedelta(days=3), 0, id="in-time"),
        pytest.param(timedelta(days=-3), 1, id="three-days-late"),
    ],
)
def test_expired_index_is_used_with_a_warning(
    repository: Path, signer: Signer, valid_for: timedelta, warnings: int
) -> None:
    write_release(repository, signer, valid_for)
    lines: list[str] = []
    root = unpacked(PACKAGE, lines.append)
    assert (root / "file").read_text() == "inside"
    assert sum(line.startswith("warning: ") for line in lines) == warnings


def test_versions_of_unpacked_packages_are_recorded(repository: Path, signer: Signer) -> None:
    write_release(repository, signer, timedelta(days=1))
    root = unpacked(PACKAGE, lambda line: None)
    assert (root / VERSIONS).read_text().split() == ["callsieve-test_2:1.5+dfsg-1_all"]
