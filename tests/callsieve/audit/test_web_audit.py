"""The audit in the browser: filters, pages, escaping."""

from __future__ import annotations

import re

import pytest

from callsieve.audit.web.pages import PAGE_ROWS
from reputation.store.audit import Change, add_audit
from reputation.store.users import user_of
from reputation.users import Role
from tests.callsieve.browsing import NOW, Browser, Console, undo_of
from tests.integration.test_hostile import PAYLOADS

NUMBER = "+12015550123"


@pytest.fixture
def ada(console: Console) -> Browser:
    return console.browser("administrator")


def rows_of(page: str) -> int:
    return page.partition("<main")[2].count("<time ")


def test_empty_audit_shows_a_hint(ada: Browser) -> None:
    assert "is recorded" in ada.text("/audit")


def test_changes_are_found_by_user_kind_and_subject(console: Console, ada: Browser) -> None:
    for who, what, number, name in (
        ("joe", "list add", NUMBER, ""),
        ("extension 201", "mark", NUMBER, ""),
        ("joe", "user add", None, "bob"),
    ):
        console.office.write(add_audit, Change(what, number, name, {"level": 1}, {"level": 2}), who, NOW)
    page = ada.text("/audit")
    assert rows_of(page) == 3
    assert "level 1 -&gt; 2" in page
    assert "&#34;level&#34;: 2" in page
    for query, count in (
        ("who=joe", 2),
        ("what=mark", 1),
        ("about=201-555-0123", 2),
        ("about=bob", 1),
        ("who=joe&what=list+add&about=%2B12015550123", 1),
        ("who=nobody", 0),
        ("who=joe'--", 0),
        ("what=mark' OR '1'='1", 0),
    ):
        assert rows_of(ada.text(f"/audit?{query}")) == count, query
    assert "No change matches." in ada.text("/audit?who=nobody")


def test_change_of_a_role_is_undone_by_one_click(console: Console, ada: Browser) -> None:
    assert "/audit/undo" not in ada.text("/audit")
    ada.done("/users/vera/role", role="operator")
    ada.done("/audit/undo", id=undo_of(ada.text("/audit")))
    vera = console.office.read(user_of, "vera")
    assert vera is not None
    assert vera.role is Role.VIEWER
    assert "/audit/undo" not in ada.text("/audit")


def test_pages_of_older_changes_lose_none(console: Console, ada: Browser) -> None:
    total = 2 * PAGE_ROWS + 7
    for n in range(total):
        console.office.write(add_audit, Change("mark", name=f"change-{n:03d}"), "joe", NOW)
    seen: list[str] = []
    path = "/audit"
    for _ in range(4):
        page = ada.text(path)
        seen += re.findall(r"change-\d+", page)
        older = re.search(r'href="(/audit\?[^"]*before=\d+)"', page)
        if older is None:
            break
        path = older[1].replace("&amp;", "&")
    assert seen == [f"change-{n:03d}" for n in reversed(range(total))]


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "1;DROP TABLE audit", "٣", "1e3"])
def test_invalid_cursor_shows_the_first_page(console: Console, ada: Browser, before: str) -> None:
    console.office.write(add_audit, Change("mark", NUMBER), "joe", NOW)
    assert rows_of(ada.text("/audit", params={"before": before})) == 1


def test_hostile_text_is_escaped(console: Console, ada: Browser) -> None:
    plain = ada.text("/audit").count("<script")
    for text in ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</pre><b>", *PAYLOADS):
        shown = text.encode("utf-8", "replace").decode()
        console.office.write(add_audit, Change(shown, None, shown, {"note": shown}, {shown: shown}), shown, NOW)
    for path in ("/audit", "/audit?who=<script>alert(1)</script>&about=<b>"):
        page = ada.text(path)
        assert page.count("<script") == plain
        assert "<b>" not in page
        assert "<img" not in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            Change("list add", NUMBER, "", None, {"list_name": "block", "kind": "exact", "note": "kind, name"}),
            ["加入名单", "阻止名单，类型 单个号码，备注 kind, name"],
            id="new",
        ),
        pytest.param(
            Change("user role", None, "bob", {"role": "viewer"}, {"role": "operator"}),
            ["角色 查看者 → 操作员"],
            id="changed",
        ),
        pytest.param(
            Change("identity remove", NUMBER, "", {"name": "Acme", "level": 1}, None),
            ["（名称 Acme，级别 1）"],
            id="gone",
        ),
        pytest.param(Change("list add", NUMBER, "", {"note": "bank"}, {"note": ""}), ["备注 bank → 无"], id="emptied"),
        pytest.param(
            Change("to come", None, "", None, {"a {field}": "{value}"}),
            ["to come", "a {field} {value}"],
            id="unknown-fields",
        ),
    ],
)
def test_change_is_described_in_chinese(console: Console, ada: Browser, change: Change, said: list[str]) -> None:
    console.office.write(add_audit, change, "joe", NOW)
    page = ada.text("/audit", headers={"accept-language": "zh"})
    for text in said:
        assert text in page, text
