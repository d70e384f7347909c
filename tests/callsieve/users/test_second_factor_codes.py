"""The codes of a second factor: which one counts, when, and once."""

from __future__ import annotations

import pytest
from pyotp import TOTP, parse_uri

from callsieve.users.passwords import STEP_SECONDS, address_of, is_secret, new_secret, step_of

# The key of RFC 6238's appendix B, and the last six digits of its codes.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
NOW = 1_767_000_000.0
STEP = int(NOW // STEP_SECONDS)


@pytest.mark.parametrize(
    ("at", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_codes_match_the_examples_of_the_rfc(at: int, code: str) -> None:
    assert step_of(RFC_SECRET, code, at) == at // STEP_SECONDS


@pytest.mark.parametrize(("off_by", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_off(off_by: int, counts: bool) -> None:
    code = TOTP(RFC_SECRET).generate_otp(STEP + off_by)
    assert step_of(RFC_SECRET, code, NOW) == (STEP + off_by if counts else None)


def test_code_not_later_than_the_last_is_refused() -> None:
    codes = [TOTP(RFC_SECRET).generate_otp(STEP + off_by) for off_by in (-1, 0, 1)]
    assert [step_of(RFC_SECRET, code, NOW, after=STEP) for code in codes] == [None, None, STEP + 1]


@pytest.mark.parametrize("spaced", ["{} {}", " {}{} ", "{}\u00a0{}"])
def test_spaces_in_a_code_are_ignored(spaced: str) -> None:
    code = TOTP(RFC_SECRET).at(NOW)
    assert step_of(RFC_SECRET, spaced.format(code[:3], code[3:]), NOW) == STEP


@pytest.mark.parametrize(
    "text", ["", "12345", "1234567", "abcdef", "\u0661\u0662\u0663\u0664\u0665\u0666", "-12345", "9" * 60_000]
)
def test_malformed_code_is_refused(text: str) -> None:
    assert step_of(RFC_SECRET, text, NOW) is None


def test_secrets_differ_and_have_an_otpauth_address() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert is_secret(first)
    read = parse_uri(address_of(first, "ada@example.org"))
    assert (read.secret, read.name, read.issuer) == (first, "ada@example.org", "CallSieve")


@pytest.mark.parametrize("text", ["", "A" * 31, "A" * 33, "a" * 32, "1" * 32, "A" * 31 + "="])
def test_foreign_secret_is_refused(text: str) -> None:
    assert not is_secret(text)
