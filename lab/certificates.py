"""X.509 certificates from a test authority (RFC 5280), with the extension that STIR/SHAKEN needs (RFC 8226)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

TN_AUTH_LIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")  # RFC 8226, section 9
Extension = tuple[x509.ExtensionType, bool]  # and whether it is critical


def make_key() -> ec.EllipticCurvePrivateKey:
    """Return a new key on the only curve that STIR/SHAKEN allows (RFC 8225, section 8)."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: the authority's name, key and own certificate (PEM)."""

    name: str
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, name: str) -> Self:
        return cls(name, make_key())

    def root(self) -> str:
        """Return the root certificate, which relying parties must trust."""
        may_sign = x509.BasicConstraints(ca=True, path_length=None)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        extensions: list[Extension] = [(may_sign, True), (_usage(certificates=True), True), (identifier, False)]
        return self._certificate(self.name, self.key.public_key(), extensions)

    def issue(self, name: str, key: ec.EllipticCurvePublicKey, provider_code: str) -> str:
        """Issue a certificate for a carrier that signs calls, and return it as PEM.

        `provider_code`: the code of the provider for whose numbers the carrier may sign.
        """
        codes = x509.UnrecognizedExtension(TN_AUTH_LIST, _provider_codes(provider_code))
        return self._certificate(name, key, [(_usage(certificates=False), True), (codes, False)])

    def issue_server(self, name: str, key: ec.EllipticCurvePublicKey, *, days_ago: int = 0) -> str:
        """Issue a certificate for a web server, valid for 30 days. `days_ago`: how many days ago its validity began."""
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        extensions: list[Extension] = [
            (x509.SubjectAlternativeName([x509.DNSName(name)]), False),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (_usage(certificates=False), True),
            (by, False),
        ]
        return self._certificate(name, key, extensions, datetime.now(UTC) - timedelta(days=days_ago))

    def _certificate(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        extensions: Iterable[Extension],
        now: datetime | None = None,
    ) -> str:
        now = now or datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .issuer_name(_name(self.name))
            .subject_name(_name(name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM).decode()


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _usage(*, certificates: bool) -> x509.KeyUsage:
    """Return the key usage for a certificate. `certificates`: whether its key signs certificates instead of calls."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _provider_codes(code: str) -> bytes:
    """Return a TNAuthorizationList with one service provider code, in DER. Each layer's length must fit in one byte."""
    content = code.encode("ascii")
    for tag in (0x16, 0xA0, 0x30):
        content = bytes([tag, len(content)]) + content
    return content
