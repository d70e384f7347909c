"""Signed statements: what is signed, what is refused, and that others can check it."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.signing.keys import KEY_FILE, KeyFileError, PublicKey, SigningKey, signing_key
from callsieve.signing.statements import StatementError, canonical, sign, verify
from policies.files import NotRegular
from tests.callsieve.program import Program

KEY = SigningKey(bytes(range(32)))
OTHER = SigningKey(bytes(32))
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "signed-statements.md"
AT = 1_795_600_000

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True), inner)
    ),
    max_leaves=12,
)


def text_of(about: dict[str, object], key: SigningKey = KEY, until: int | None = AT + 60) -> str:
    return sign(key, "test", "Example “Ltd” 号码", issued_at=AT, valid_until=until, about=about)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True), values, max_size=4))
def test_signed_statement_is_read_back(about: dict[str, object]) -> None:
    statement = verify(text_of(about), KEY.public_key)
    assert statement.about == about
    assert (statement.kind, statement.issuer, statement.key_id) == ("test", "Example “Ltd” 号码", KEY.public_key.id)
    assert (statement.issued_at, statement.valid_until) == (AT, AT + 60)
    assert (statement.is_over(AT + 59), statement.is_over(AT + 60)) == (False, True)


def test_statement_without_an_end_never_expires() -> None:
    assert not verify(text_of({}, until=None), KEY.public_key).is_over(2**40)


@pytest.mark.parametrize("about", [{"a": 1.0}, {"a": 2**53}, {"a b": 1}, {"号": 1}, {"a": [{"": 1}]}, {"a": b"x"}])
def test_unsupported_values_cannot_be_signed(about: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="statement"):
        canonical(about)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text.replace('"n": 1', '"n": 2'), "bad-signature"),
        (lambda text: text.replace('"n": 1', '"n": 1.0'), "bad-signature"),
        (lambda text: text.replace('"n": 1', '"n": 1, "n": 1'), "not-a-statement"),
        (lambda text: text.replace('"type": "test"', '"type": "cleared"'), "bad-signature"),
        (lambda text: text.replace("Z", "z"), "bad-signature"),
        (lambda text: re.sub('"value": "....', '"value": "AAAA', text), "bad-signature"),
        (lambda text: re.sub('"value": "[^"]*"', '"value": "?"', text), "bad-signature"),
        (lambda text: text.replace('"Ed25519"', '"none"'), "not-a-statement"),
        (lambda text: text.replace('"issuer"', '"issued_by"'), "not-a-statement"),
        (lambda text: text[:-5], "not-a-statement"),
        (lambda _: "[" * 100_000, "not-a-statement"),
        (lambda _: "[]", "not-a-statement"),
        (lambda _: " " * (5 << 20), "not-a-statement"),
        (lambda _: text_of({"n": 1}, OTHER), "other-key"),
        (lambda text: text.replace('"n": 1', '"n": "\\ud800"'), "bad-signature"),
    ],
)
def test_altered_statements_are_refused(change: object, code: str) -> None:
    assert callable(change)
    with pytest.raises(StatementError) as refused:
        verify(change(text_of({"n": 1})), KEY.public_key)
    assert refused.value.code == code


def test_different_json_layout_verifies_too() -> None:
    text = json.dumps(json.loads(text_of({"n": 1, "text": "号码"})))
    assert verify(text, KEY.public_key).about == {"n": 1, "text": "号码"}


def test_documented_code_verifies_a_statement(tmp_path: Path) -> None:
    (lines,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    file = tmp_path / "statement.json"

    def check(text: str) -> int:
        file.write_text(text, "utf-8")
        names = f"FILE, KEY = {str(file)!r}, {KEY.public_key.text!r}\n"
        return subprocess.run([sys.executable, "-I", "-c", names + lines], capture_output=True, check=False).returncode

    genuine = text_of({"n": 1, "control": "\x7f\u2028\t", "text": "号码 😀 é"})
    assert check(genuine) == 0
    assert check(genuine.replace('"n": 1', '"n": 2')) != 0


def test_key_is_made_once_and_private(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = {key.public_key.raw for key in pool.map(signing_key, [tmp_path / "state"] * 40)}
    assert len(made) == 1
    assert stat.S_IMODE((tmp_path / "state" / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("text", ["", "nonsense", "QUJD\n", "x" * 5000])
def test_broken_key_file_is_reported_and_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / KEY_FILE).write_text(text)
    with pytest.raises(KeyFileError, match=KEY_FILE):
        signing_key(tmp_path)
    assert (tmp_path / KEY_FILE).read_text() == text


def test_pipe_instead_of_the_key_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / KEY_FILE)
    with pytest.raises(NotRegular):
        signing_key(tmp_path)


def test_signing_commands_show_and_verify(tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    shown = callsieve("signing", "key", "--json").json
    assert PublicKey.parse(shown["public_key"]).id == shown["key_id"]
    assert callsieve("signing", "key").out.splitlines()[-1] == shown["public_key"]
    file = tmp_path / "statement.json"
    file.write_text(text_of({"n": 1}, until=None))
    said = callsieve("signing", "verify", file, "--key", KEY.public_key.text, "--json").json
    assert (said["about"], said["over"]) == ({"n": 1}, False)
    assert callsieve("signing", "verify", file, "--key", KEY.public_key.text).code == 0
    assert callsieve("signing", "verify", file).code == 2  # ours has not signed it
    assert callsieve("signing", "verify", file, "--key", "x").code == 2
    file.write_text(text_of({"n": 1}, until=AT - 10**8))
    assert callsieve("signing", "verify", file, "--key", KEY.public_key.text).code == 2


@pytest.mark.parametrize("depth", range(300, 1100, 20))
def test_deeply_nested_statement_is_refused(depth: int) -> None:
    text = sign(KEY, "test", "Example Ltd", issued_at=AT, valid_until=None, about={"n": 1})
    with pytest.raises(StatementError):
        verify(text.replace('"n": 1', f'"n": {"[" * depth}{"]" * depth}'), KEY.public_key)
