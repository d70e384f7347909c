"""What is sent about a number, to the byte, and what the answers mean."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.lookups.sources import (
    BadAnswer,
    HttpSource,
    LookupSource,
    PhoneBlock,
    SourceVerdict,
    covers,
    hash_prefix,
    sources_of,
)
from callsieve.settings import SettingsError, parse_settings
from tests.office import ROOT

CALLER = "+12015550123"
PHONEBLOCK = """
[[lookup]]
name = "phoneblock"
kind = "phoneblock"
token = "env:PHONEBLOCK_TOKEN"
"""
PAGE = ROOT / "docs" / "how-to" / "look-ups.md"


def example(name: str) -> str:
    """The settings that the page has for this source."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    [found] = [block for block in blocks if f'name = "{name}"' in block]
    return str(found)


TELNYX, TWILIO = example("telnyx"), example("twilio")


def source_of(text: str) -> LookupSource:
    [source] = sources_of(parse_settings(text, "callsieve.toml"))
    return source


def parsed_answer(source: LookupSource, document: object, status: int = 200) -> SourceVerdict:
    return source.parse_answer(CALLER, status, json.dumps(document).encode())


# PhoneBlock


def test_phoneblock_is_sent_four_characters_of_a_hash() -> None:
    request = source_of(PHONEBLOCK).request_about(CALLER, "secret")
    prefix = hashlib.sha1(CALLER.encode()).hexdigest()[:4]
    assert request.url == f"https://phoneblock.net/phoneblock/api/check-prefix?sha1={prefix}"
    assert dict(request.headers) == {"Authorization": "Bearer secret", "Accept": "application/json"}
    assert "secret" not in repr(request)


def test_hash_matches_phoneblocks_documentation() -> None:
    assert hash_prefix("+4917650642602") == "3D1D76F0C3664E1E818C6ECCFD8843AD1F4091CC"[:4].lower()


@given(st.integers(10**6, 10**14))
def test_request_to_phoneblock_does_not_contain_the_number(digits: int) -> None:
    request = source_of(PHONEBLOCK).request_about(f"+{digits}", "t")
    assert str(digits) not in request.url
    assert len(request.url.partition("sha1=")[2]) == 4


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        pytest.param([], SourceVerdict("nothing"), id="an-empty-bucket"),
        pytest.param([{"phone": "+4930123456", "votes": 99}], SourceVerdict("nothing"), id="a-neighbour-in-the-bucket"),
        pytest.param(
            [{"phone": CALLER, "votes": 3, "rating": "G_FRAUD"}], SourceVerdict("nothing"), id="too-few-votes"
        ),
        pytest.param([{"phone": CALLER, "votes": 4, "rating": "G_FRAUD"}], SourceVerdict("spam", "scam"), id="enough"),
        pytest.param(
            [{"phone": CALLER, "votes": 40, "rating": "C_PING", "label": "x"}],
            SourceVerdict("spam"),
            id="no-word-for-it",
        ),
        pytest.param(
            [{"phone": CALLER, "votes": 0, "blackListed": True}], SourceVerdict("spam"), id="blocked-by-ourselves"
        ),
        pytest.param([{"phone": CALLER, "votes": 9, "whiteListed": True}], SourceVerdict("ok"), id="fine"),
    ],
)
def test_phoneblock_answers_are_parsed(listed: list[dict[str, Any]], expected: SourceVerdict) -> None:
    document = {"numbers": listed, "range10": [], "range100": []}
    assert parsed_answer(source_of(PHONEBLOCK), document) == expected


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b"{}"),
        (500, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"numbers": {}}'),
        (200, b'{"numbers": [{"votes": 3}]}'),
        (200, b'{"numbers": [{"phone": "+1", "votes": "many"}]}'),
        (200, b'{"numbers": ' + b"[" * 100_000),
        (200, b'{"numbers": [' + b'{"phone": "+1"},' * 30_000 + b'{"phone": "+1"}]}'),
    ],
)
def test_bad_phoneblock_answers_are_rejected(status: int, body: bytes) -> None:
    with pytest.raises(BadAnswer):
        source_of(PHONEBLOCK).parse_answer(CALLER, status, body)


# Any other


def test_private_source_is_sent_the_number() -> None:
    request = source_of(TELNYX).request_about(CALLER, "KEY1")
    assert request.url == "https://api.telnyx.com/v2/number_lookup/%2B12015550123"
    assert dict(request.headers) == {"Authorization": "Bearer KEY1", "Accept": "application/json"}


def test_basic_authentication_header_is_sent() -> None:
    headers = source_of(TWILIO).request_about(CALLER, "AC1:secret").headers
    assert headers["Authorization"] == "Basic QUMxOnNlY3JldA=="


def test_custom_header_and_digits_only_url() -> None:
    text = f'{SCORES}\ntoken = "env:K"\nauth = "header"\nheader = "X-Api-Key"'
    request = source_of(text).request_about(CALLER, "KEY1")
    assert request.headers["X-Api-Key"] == "KEY1"
    assert request.url == "https://api.example.com/12015550123"


SCORES = """
[[lookup]]
name = "scores"
kind = "http"
url = "https://api.example.com/{digits}"
send = "number"
consent = true
spam_when = ["score >= 75"]
ok_when = ["score < 10"]
category = "kind"
categories = {phishing = "scam"}
"""


def twilio_says(nomorobo: object) -> object:
    """As Twilio's Lookup v1 passes an add-on's answer on."""
    return {"phone_number": CALLER, "add_ons": {"status": "successful", "results": {"nomorobo_spamscore": nomorobo}}}


# What the two are documented to answer, cut to what is looked at.
@pytest.mark.parametrize(
    ("text", "document", "expected"),
    [
        (
            TELNYX,
            {"data": {"valid_number": True, "fraud": None, "carrier": {"type": "voip"}}},
            SourceVerdict("nothing"),
        ),
        (TELNYX, {"data": {"valid_number": False}}, SourceVerdict("spam")),
        (TELNYX, {"data": None}, SourceVerdict("nothing")),
        (TELNYX, {}, SourceVerdict("nothing")),
        (TWILIO, twilio_says({"status": "successful", "result": {"score": 1}}), SourceVerdict("spam")),
        (TWILIO, twilio_says({"status": "successful", "result": {"score": 0}}), SourceVerdict("nothing")),
        (TWILIO, twilio_says({"status": "failed", "code": 61001, "result": {}}), SourceVerdict("nothing")),
        (TWILIO, {"phone_number": CALLER, "add_ons": None}, SourceVerdict("nothing")),
        (SCORES, {"score": 90, "kind": "phishing"}, SourceVerdict("spam", "scam")),
        (SCORES, {"score": 90, "kind": "Mo\u202ede\x00rate " * 20}, SourceVerdict("spam", ("mo de rate " * 20)[:60])),
        (SCORES, {"score": 90, "kind": 7}, SourceVerdict("spam")),
        (SCORES, {"score": 4}, SourceVerdict("ok")),
        (SCORES, {"score": True}, SourceVerdict("nothing")),
    ],
)
def test_http_source_answers_are_parsed(text: str, document: object, expected: SourceVerdict) -> None:
    assert parsed_answer(source_of(text), document) == expected


def test_unknown_number_is_a_valid_answer() -> None:
    assert source_of(TWILIO).parse_answer(CALLER, 404, b'{"code": 20404}') == SourceVerdict("nothing")


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"{"), (200, b"\xff\xfe"), (429, b"{}"), (302, b""), (200, b"[" * 99_999)]
)
def test_bad_http_source_answers_are_rejected(status: int, body: bytes) -> None:
    with pytest.raises(BadAnswer):
        source_of(TWILIO).parse_answer(CALLER, status, body)


def test_source_covers_its_regions_only() -> None:
    table = source_of(PHONEBLOCK + 'regions = ["de", "AT"]').table
    assert [covers(table, number) for number in ("+4930123456", "+431234567", CALLER)] == [True, True, False]
    assert covers(source_of(PHONEBLOCK).table, CALLER)


def test_each_settings_table_makes_its_kind_of_source() -> None:
    kinds = [type(source) for source in sources_of(parse_settings(PHONEBLOCK + TELNYX + TWILIO, "x"))]
    assert kinds == [PhoneBlock, HttpSource, HttpSource]


@pytest.mark.parametrize(
    ("text", "change", "error"),
    [
        (
            PHONEBLOCK,
            ('token = "env:PHONEBLOCK_TOKEN"', ""),
            r"lookup 'phoneblock'.token: ",
        ),
        (PHONEBLOCK, ("env:PHONEBLOCK_TOKEN", "abc"), r"secrets are not written into the settings"),
        (
            PHONEBLOCK,
            ('kind = "phoneblock"', 'kind = "phoneblock"\nsend = "number"'),
            r"\.send: ",
        ),
        (
            PHONEBLOCK,
            ('kind = "phoneblock"', 'kind = "phoneblock"\nbudget_ms = 301'),
            r"\.budget_ms: .*300",
        ),
        (
            PHONEBLOCK,
            ('kind = "phoneblock"', 'kind = "phoneblock"\nspam_when = ["a > 1"]'),
            r"\.spam_when: ",
        ),
        (PHONEBLOCK, ('kind = "phoneblock"', 'kind = "phoneblock"\nregions = ["DEU"]'), r"\.regions: 'DEU' is not"),
        (PHONEBLOCK, ('kind = "phoneblock"', 'kind = "phoneblock"\nfresh_hours = 400'), r"\.fresh_hours: "),
        (TELNYX, ("consent = true", ""), r"lookup 'telnyx'.consent: "),
        (TELNYX, ('send = "number"', ""), r"\.send: "),
        (TELNYX, ("{number}", ""), r"\.url: .*\{number\}"),
        (TELNYX, ("https://", "http://"), r"\.url: .*http"),
        (TELNYX, ("https://api", "https://{number}.api"), r"\.url: .*server name"),
        (TELNYX, ("https://api", "https://me:pw@api"), r"\.url: .*password"),
        (TELNYX, ('spam_when = ["data.valid_number == false"]', ""), r"\.spam_when: "),
        (TELNYX, ("== false", "is false"), r"\.spam_when: 'data.valid_number is false'"),
        (TELNYX, ("daily_spend = 1.0", ""), r"\.daily_spend: "),
        (TELNYX, ("consent = true", 'consent = true\nheader = "X"'), r"\.header: "),
        (TELNYX, ("consent = true", 'consent = true\ncategory = "a..b"'), r"\.category: 'a..b'"),
        (PHONEBLOCK + PHONEBLOCK, ("", ""), r"\[\[lookup\]\]: 'phoneblock' appears twice"),
    ],
)
def test_invalid_source_settings_are_refused(text: str, change: tuple[str, str], error: str) -> None:
    with pytest.raises(SettingsError, match=error):
        parse_settings(text.replace(*change), "callsieve.toml")
