"""No page shows English to somebody who reads Chinese: each page is walked, and what a person wrote is left out."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from callsieve.main.console_server import MENU
from callsieve.web.i18n import translations_of
from policies.loader import load_policy, read_policy
from reputation.wording import Wording
from tests.callsieve.browsing import Office, undo_of

# What stays English: commands, keys and rules as text; and what people wrote, which the pages mark by <bdi>.
VERBATIM = re.compile(r"<(code|pre|bdi|textarea|script|option)\b.*?</\1>", re.DOTALL)
# Three words one after the other, the last two in small letters. Words of commands have a line in COMMANDS.
ENGLISH = re.compile(r"[A-Za-z][a-z']+(?:[ ,:]+[a-z][a-z']*){2,}")
COMMANDS = re.compile(r"(?:then )?(?:callsieve|systemctl|asterisk|sudo)\b[^\n]*")
PAGES = (
    *(entry.path for entry in MENU.entries if not entry.is_central),
    *("/policies/draft", "/policies/trial", "/policies/compare?from=cautious&to=strict", "/account", "/search?q=zz"),
    *("/policies/named/strict", "/numbers/+12015550123", "/numbers/marks", "/nowhere", "/calls?view=wrong"),
)


def english_of(page: str) -> set[str]:
    """The runs of English words that a page shows."""
    shown = VERBATIM.sub("·", page.partition("<body")[2])
    text = html.unescape(re.sub(r"<[^>]*>", "\n", shown))
    return set(ENGLISH.findall(COMMANDS.sub("", text)))


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<body><p>no trunk sends its calls</p>", {"no trunk sends its calls"}),
        ("<body><p>执行 <code>callsieve off for ever</code></p>", set()),
        ("<body><p>→ callsieve doctor as root</p>", set()),
        ("<body><p>策略 cautious 生效</p>", set()),
    ],
)
def test_english_words_on_a_page_are_detected(page: str, found: set[str]) -> None:
    assert english_of(page) == found


def test_no_chinese_page_contains_english(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with office.console() as console:
        console.wait_for_health()
        ada = console.browser("administrator")
        ada.done("/lists/add", list="block", entry="+1206555*", sure="yes", expires="30d")
        ada.done("/numbers/+12015550123/allow", note="", back="/numbers/+12015550123")
        done = ada.done("/lists/undo", id=undo_of(ada.text("/lists"))).url
        ada.client.headers["accept-language"] = "zh"
        leaked = {}
        for path in (*PAGES, str(done)):
            answer = ada.get(path)
            assert '<html lang="zh-Hans"' in answer.text, path
            if found := english_of(answer.text):
                leaked[path] = sorted(found)
        assert not leaked


def test_errors_in_a_policy_are_chinese() -> None:
    wrong = 'defalt = "allow"\n[[rule]]\nname = "a"\nwhen = { level_at_least = "wrn" }\naction = "rejct"\n'
    _, problems = read_policy(wrong, "mine", load_policy)
    chinese = [
        Wording("{problem}", {"problem": problem.words}).in_language(translations_of("zh").gettext)
        for problem in problems
    ]
    assert len(problems) == 4
    assert [problem for problem in chinese if ENGLISH.search(problem)] == []
