"""Signatures that the real minisign 0.12 made; its files are in the folder minisign/."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.imports.fetch import MinisignKey, SignatureError, signed_at

FOLDER = Path(__file__).parent / "minisign"
LIST, SIGNATURE = (FOLDER / "list.csv").read_bytes(), (FOLDER / "list.csv.minisig").read_bytes()
KEY_TEXT = (FOLDER / "key.pub").read_text().splitlines()[1]
KEY = MinisignKey.parse(KEY_TEXT)


def test_valid_signature_gives_its_time() -> None:
    assert signed_at(io.BytesIO(LIST), SIGNATURE, KEY) == 1764200000
    assert signed_at(io.BytesIO(LIST), SIGNATURE.replace(b"\n", b"\r\n"), KEY) == 1764200000


@pytest.mark.parametrize(
    ("file", "signature"),
    [
        pytest.param(LIST + b"\n", SIGNATURE, id="another-file"),
        pytest.param(LIST, (FOLDER / "other.minisig").read_bytes(), id="by-another-key"),
        pytest.param(LIST, (FOLDER / "legacy.minisig").read_bytes(), id="not-prehashed"),
        pytest.param(LIST, SIGNATURE.replace(b"1764200000", b"1764200001"), id="another-comment"),
        pytest.param(LIST, SIGNATURE.replace(b"trusted comment: t", b"some comment: t"), id="no-comment"),
        pytest.param(LIST, b"\n".join(SIGNATURE.split(b"\n")[:3]), id="three-lines"),
        pytest.param(LIST, b"", id="nothing"),
        pytest.param(LIST, b"\xff" * 400, id="no-text"),
        pytest.param(LIST, b"<html>not found</html>\n\n\n\n", id="a-page"),
    ],
)
def test_invalid_signature_is_refused(file: bytes, signature: bytes) -> None:
    with pytest.raises(SignatureError):
        signed_at(io.BytesIO(file), signature, KEY)


@pytest.mark.parametrize("text", ["", "RW", KEY_TEXT[:-1], KEY_TEXT.replace("RW", "RU"), "-" * 56])
def test_invalid_key_is_refused(text: str) -> None:
    with pytest.raises(SignatureError):
        MinisignKey.parse(text)


@given(st.integers(SIGNATURE.index(b"\n") + 1, len(SIGNATURE) - 1), st.integers(0, 7))
def test_changed_bit_is_refused(place: int, bit: int) -> None:
    """Unused bits of the last Base64 letter may change: then the signature is still valid."""
    changed = bytearray(SIGNATURE)
    changed[place] ^= 1 << bit
    try:
        at = signed_at(io.BytesIO(LIST), bytes(changed), KEY)
    except SignatureError:
        return
    assert at == 1764200000
