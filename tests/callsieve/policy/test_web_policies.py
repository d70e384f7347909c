"""Policies in the browser: read, drafted, checked at the line, tried over real calls, activated, and returned from."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from callsieve.policy.records import MOST_BYTES, add_version, as_typed, digest_of
from callsieve.policy.views import preset_rules
from callsieve.policy_selection import activated_of, running_name
from callsieve.web.rendering import readable
from callsieve.wiring import policies_of
from policies.engine import CAPS, STEPS
from policies.loader import MAX_BYTES, PRESETS, load_policy, read_policy
from policies.policy import PolicyError
from policies.reasons import PresetReason
from reputation.model import CallerKind
from reputation.outcome import OutcomeRecord
from reputation.store.audit import AuditRow, audit_rows
from reputation.store.outcomes import record_outcome
from tests.callsieve.browsing import NOW, SETTINGS, Browser, Console, Office, field_of, problem_of
from tests.integration.test_hostile import PAYLOADS
from tests.reputation.store_builders import make_outcome

DRAFT = """\
extends = "cautious"

[[rule]]
name = "anon"
when = { caller_kind = "withheld" }
action = "challenge"
reason = "the caller withholds the number"
"""
WITHHELD = 12
TRIAL_SECONDS = 120.0  # it gives way to everything else


@pytest.fixture
def ada(console: Console) -> Browser:
    return console.browser("administrator")


@pytest.fixture
def with_calls(office: Office) -> Iterator[Console]:
    """A console over a store with calls of the last days, some of them from callers who withhold their number."""
    for n in range(40):
        office.write(record_outcome, call(n), NOW)
    with office.console() as console:
        yield console


def call(n: int) -> OutcomeRecord:
    withheld: dict[str, Any] = {"caller": None, "caller_kind": CallerKind.WITHHELD} if n < WITHHELD else {}
    return make_outcome(f"c{n}", NOW - 86_400 - n * 60, talk=40.0, by="201", **withheld)


def keep(browser: Browser, text: str = DRAFT) -> str:
    """Keeps a draft, and returns its digest."""
    answer = browser.post("/policies/draft/check", text=text)
    assert answer.status_code == 200
    return field_of(answer.text, "digest")


def tried_draft(browser: Browser, text: str = DRAFT, days: str = "7") -> str:
    """The page of the trial once it is over."""
    assert browser.post("/policies/draft/try", text=text, days=days).headers["location"] == "/policies/trial"
    return end_of_trial(browser)


def end_of_trial(browser: Browser) -> str:
    give_up_at = time.monotonic() + TRIAL_SECONDS
    while time.monotonic() < give_up_at:
        page = browser.text("/policies/trial")
        if "<progress" not in page:
            return page
        time.sleep(0.05)
    raise AssertionError("the trial did not end")


def audit_of(office: Office) -> list[AuditRow]:
    return office.read(audit_rows)


# Reading.


def test_the_running_policy_is_shown_as_rules(console: Console) -> None:
    page = console.browser("viewer").text("/policies")
    assert "In force: cautious" in page
    policy = load_policy("cautious")
    for text in (
        *(rule.name for rule in policy.rules),
        *(condition.text.replace('"', "&#34;") for rule in policy.rules for condition in rule.when),
        *(step.title.replace("'", "&#39;") for step in STEPS),
        *(cap.reason for cap in CAPS),
    ):
        assert text in page, text
    assert "Write a draft" not in page
    assert "No policy was activated" in page


def test_policies_of_scopes_are_named(tmp_path: Path) -> None:
    scope = '\n[[scope]]\ngroup = "sales"\npolicy = "strict"\n'
    with Office(tmp_path, SETTINGS + scope).console() as console:
        page = console.browser("viewer").text("/policies")
    assert re.search(r"group sales.*?/policies/named/strict", page, re.DOTALL)


def test_an_unusable_policy_is_shown_beside_the_others(tmp_path: Path) -> None:
    with Office(tmp_path, '[policy]\nname = "office"\n').console() as console:
        browser = console.browser("administrator")
        page = browser.text("/policies")
        assert "&#39;office&#39;" in page
        assert "/policies/named/balanced" in page
        assert "level-route" in browser.text("/policies/named/balanced")


def test_a_policy_that_is_too_large_is_shown_with_its_problem(console: Console, ada: Browser) -> None:
    folder = console.office.state / "policies"
    folder.mkdir()
    path = folder / "huge.toml"
    path.write_text("#" * (MAX_BYTES + 1))
    assert f"{MAX_BYTES + 1} bytes" in ada.text("/policies")


def test_two_policies_are_compared_line_by_line(ada: Browser) -> None:
    page = ada.text("/policies/compare?from=cautious&to=balanced")
    assert 'class="d-added">+' in page
    assert 'class="d-' not in ada.text("/policies/compare?from=strict&to=strict")


def test_comparison_includes_inherited_rules(console: Console, ada: Browser) -> None:
    folder = console.office.state / "policies"
    folder.mkdir()
    (folder / "mine.toml").write_text('extends = "cautious"\n')
    (folder / "other.toml").write_text('extends = "balanced"\n')
    assert 'class="d-' not in ada.text("/policies/compare?from=cautious&to=mine")
    lines = re.findall(r'class="d-(?:added|removed)">([^<]*)', ada.text("/policies/compare?from=cautious&to=balanced"))
    assert lines
    assert re.findall(r'class="d-(?:added|removed)">([^<]*)', ada.text("/policies/compare?from=mine&to=other")) == lines


BAD_NAMES = [
    "../outside",
    "..",
    "drafts/ada",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "/etc/passwd",
    "nowhere",
    "CAUTIOUS",
    "a" * 200,
    "activated",
    "x\x00y",
    "é",
    *PAYLOADS,
]


def test_policy_name_never_reads_other_files(console: Console, ada: Browser) -> None:
    (console.office.state / "outside.toml").write_text("observe = true\n")
    keep(ada)
    for name in BAD_NAMES:
        text = readable(name.encode("utf-8", "replace").decode()[:300])  # as the console reads it
        for answer in (
            ada.get("/policies/compare", params={"from": text, "to": "cautious"}),
            ada.get("/policies/draft", params={"from": text or "x"}),
            ada.get(f"/policies/named/{quote(text, safe='')}") if text.strip(".") else ada.get("/nowhere"),
            ada.post("/policies/activate", name=text or "x"),
        ):
            assert answer.status_code in (400, 404, 405, 422), (text, answer.status_code)
            assert "root:" not in answer.text
    assert running_name(console.office.load()) == "cautious"
    assert audit_of(console.office) == []


# Drafting.


def test_first_draft_extends_the_preset_in_force(ada: Browser) -> None:
    page = ada.text("/policies/draft")
    assert "extends = &#34;cautious&#34;" in page
    assert "The draft is valid." in page


def test_draft_from_a_file_contains_its_text(console: Console, ada: Browser) -> None:
    add_version(console.office.load(), DRAFT, "ada", "2026-11-25 10:00")
    page = ada.text("/policies/draft?from=console-1")
    assert PresetReason.WITHHOLDS in page


def test_errors_are_shown_at_their_line_during_typing(ada: Browser) -> None:
    broken = DRAFT.replace("caller_kind", "caler_kind").replace("challenge", "challange")
    answer = ada.client.post(
        "/policies/draft/check",
        data={"form_token": field_of(ada.text("/policies/draft"), "form_token"), "text": broken},
        headers={"hx-request": "true"},
    )
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert re.search(r'data-line="5">line 5</a> <code>when = .*mean caller_kind', answer.text, re.DOTALL)
    assert "extends = &#34;cautious&#34;" in ada.text("/policies/draft")  # what is only typed is not kept


def test_without_script_the_same_button_checks_and_keeps(ada: Browser) -> None:
    broken = DRAFT.replace("challenge", "challange")
    answer = ada.post("/policies/draft/check", text=broken.replace("\n", "\r\n"))
    assert "line 6" in answer.text
    assert "did you mean challenge?" in answer.text
    assert "challange" in ada.text("/policies/draft")


def test_a_rule_of_a_preset_is_inserted_at_the_end_of_the_draft(ada: Browser) -> None:
    keep(ada)
    answer = ada.post("/policies/draft/insert", text=DRAFT.replace("\n", "\r\n"), rule="strict/level-reject")
    assert answer.status_code == 200
    assert "The draft is valid." in answer.text
    assert re.search(r"anon.*level-reject", ada.text("/policies/draft"), re.DOTALL), "it is kept"
    assert ada.post("/policies/draft/insert", text=DRAFT, rule="../strict").status_code == 404


def test_every_rule_of_a_preset_can_be_inserted_and_is_valid() -> None:
    offered = {(rule_.preset, rule_.name) for rule_ in preset_rules()}
    assert {("cautious", "withheld"), ("balanced", "level-route"), ("strangers", "stranger")} <= offered
    for rule_ in preset_rules():
        policy, problems = read_policy(f'extends = "observe"\n\n{rule_.text}', "draft", load_policy)
        assert policy is not None, problems
        assert [rule.name for rule in policy.rules][:1] == [rule_.name]


def test_condition_that_never_holds_gets_a_remark(ada: Browser) -> None:
    text = DRAFT.replace('caller_kind = "withheld"', 'trunk = "nowhere"')
    assert "[[trunk]]" in ada.post("/policies/draft/check", text=text).text


def test_draft_folder_is_not_writable_by_others(console: Console, ada: Browser) -> None:
    umask = os.umask(0o007)  # as under the unit
    try:
        keep(ada)
    finally:
        os.umask(umask)
    folder = console.office.state / "policies"
    assert [path.stat().st_mode & 0o777 for path in (folder, folder / "drafts")] == [0o750, 0o700]


def test_each_administrator_has_a_draft_of_their_own(console: Console, ada: Browser) -> None:
    keep(ada)
    assert (console.office.state / "policies" / "drafts" / "ada.toml").stat().st_mode & 0o777 == 0o600
    assert ada.done("/policies/draft/discard").status_code == 200
    assert not list((console.office.state / "policies" / "drafts").iterdir())
    assert ada.done("/policies/draft/discard").status_code == 200


def test_draft_cannot_be_used_as_a_policy(console: Console, ada: Browser) -> None:
    keep(ada)
    assert ada.get("/policies/named/ada").status_code == 404
    assert policies_of(console.office.load()).default.name == "cautious"


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 70_000])
def test_a_draft_that_is_too_large_is_refused(ada: Browser, size: int) -> None:
    assert ada.post("/policies/draft/check", text="#" * size).status_code in (413, 422)


def test_typed_text_gets_unix_line_ends_and_a_size_limit() -> None:
    assert as_typed("a = 1\r\nb = 2\r") == "a = 1\nb = 2\n"
    assert as_typed("") == ""
    with pytest.raises(PolicyError, match="larger than 48 kB"):
        as_typed("é" * MOST_BYTES)


def test_any_text_can_be_checked(ada: Browser) -> None:
    for text in ("[" * 5000, "a = " + "9" * 6000, "\x00", *PAYLOADS):
        answer = ada.post("/policies/draft/check", text=text.encode("utf-8", "replace").decode())
        assert answer.status_code == 200, text


# Presets.


def test_each_preset_has_a_card_with_sentence_and_price(console: Console, ada: Browser) -> None:
    page = ada.text("/policies")
    cards = re.findall(r'<li class="card.*?</li>', page, re.DOTALL)
    assert len(cards) == len(PRESETS)
    for card, (name, preset) in zip(cards, PRESETS.items(), strict=True):
        assert f"/policies/named/{name}" in card
        assert str(preset.sentence).replace("`", "") in card
        assert ('action="/policies/try"' in card) is (name != "cautious"), "of the one in force there is nothing to try"
        if preset.price is not None:
            assert card.index(str(preset.price)) < card.index(str(preset.sentence).replace("`", ""))
    viewer = console.browser("viewer").text("/policies")
    assert str(PRESETS["strangers"].price) in viewer
    assert 'action="/policies/try"' not in viewer


def test_trying_and_using_a_preset_keeps_the_draft(with_calls: Console) -> None:
    ada = with_calls.browser("administrator")
    keep(ada)
    assert ada.post("/policies/try", name="strangers").headers["location"] == "/policies/trial"
    page = end_of_trial(ada)
    assert "40 calls from" in page
    assert page.index('class="answer"') < page.index(str(PRESETS["strangers"].price)) < page.index('id="changes"')
    assert 'data-changed="' in ada.text("/policies"), "the answer stands beside the cards, too"
    assert 'name="name" value="strangers"' in page
    ada.done("/policies/activate", name="strangers")
    assert running_name(with_calls.office.load()) == "strangers"
    assert "anon" in ada.text("/policies/draft")


@pytest.mark.parametrize("name", ["", "console-1", "../cautious", "office"])
def test_only_presets_can_be_tried_by_name(ada: Browser, name: str) -> None:
    assert ada.post("/policies/try", name=name).status_code == 404


# Trying.


def test_a_trial_shows_the_differences_and_is_activated(with_calls: Console) -> None:
    ada = with_calls.browser("administrator")
    page = tried_draft(ada)
    assert "40 calls from" in page
    assert "0 of these calls followed an earlier call" in page
    assert "0 calls had a warning. 0 calls in the control sample" in page
    assert f'data-changed="{WITHHELD}" data-wrong="0"' in page
    assert re.search(rf"a-tag.*?→.*?a-challenge.*?<b>{WITHHELD}</b>", page, re.DOTALL)
    assert page.count('<td title="anon">anon</td>') == WITHHELD
    answer = ada.done("/policies/draft/activate", digest=field_of(page, "digest"), note="they never say who they are")
    assert "within two seconds" in answer.text
    loaded = with_calls.office.load()
    assert policies_of(loaded).default.name == "console-1"
    assert "In force: console-1" in ada.text("/policies")
    assert "they never say who they are" in ada.text("/policies")
    row = audit_of(with_calls.office)[0]
    assert (row.who, row.what, row.name) == ("ada (console)", "policy activate", "console-1")
    assert (row.before, row.after) == (
        '{"policy":"cautious"}',
        '{"policy":"console-1","note":"they never say who they are"}',
    )


def test_a_trial_that_would_stop_wanted_callers_names_them(with_calls: Console) -> None:
    for n, person in enumerate(("201", "202", "203")):
        long = make_outcome(f"long{n}", NOW - 3600 - n * 60, talk=300.0, by=person)
        with_calls.office.write(record_outcome, long, NOW)
    page = tried_draft(with_calls.browser("administrator"), DRAFT.replace("withheld", "number"))
    answer = re.search(r'data-changed="(\d+)" data-wrong="(\d+)"', page)
    assert answer
    changed, wrong = int(answer[1]), int(answer[2])
    assert 0 < wrong <= changed, answer[0]
    assert page.count('class="s-warn">looks wrong') == wrong
    assert "/numbers/" in page.partition('id="changes"')[2]


def test_calls_that_differ_are_listed_a_page_at_a_time(with_calls: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callsieve.policy.web.pages.CHANGES_A_PAGE", 5)
    ada = with_calls.browser("administrator")
    tried_draft(ada)
    rows = [ada.text(f"/policies/trial?from={first}").count('<td title="anon">anon</td>') for first in (0, 5, 10, 15)]
    assert rows == [5, 5, 2, 0]
    assert "/policies/trial?from=5#changes" in ada.text("/policies/trial")
    assert ada.get("/policies/trial?from=-1e9").status_code == 200


def test_trial_without_calls_is_reported(ada: Browser) -> None:
    assert "no inbound call" in tried_draft(ada)


def test_a_draft_with_errors_is_not_tried(ada: Browser) -> None:
    answer = ada.post("/policies/draft/try", text="extends = 7", days="7")
    assert answer.status_code == 422
    assert "extends must be a string" in answer.text


@pytest.mark.parametrize("days", ["0", "31", "-1", "x", "", "7e9", "٣"])
def test_trial_is_limited_to_the_days_kept(ada: Browser, days: str) -> None:
    assert "kept" in problem_of(ada.post("/policies/draft/try", text=DRAFT, days=days).text)


def test_one_trial_at_a_time_and_it_can_be_stopped(
    with_calls: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = with_calls.browser("administrator")
    gate = tmp_path / "gate"
    os.mkfifo(gate)  # nobody writes: the process of a trial waits here as soon as its Python starts
    (tmp_path / "sitecustomize.py").write_text(f"open({str(gate)!r})\n")
    with monkeypatch.context() as held:
        held.setenv("PYTHONPATH", str(tmp_path))
        ada.post("/policies/draft/try", text=DRAFT, days="7")
        second = ada.post("/policies/draft/try", text=DRAFT, days="7")
        assert "<progress" in ada.text("/policies/trial")
        assert "stop it" in second.text
        assert "the trial was stopped" in ada.done("/policies/trial/stop").text
    assert "40 calls from" in tried_draft(ada)


def test_trial_page_before_any_trial_says_what_to_do(ada: Browser) -> None:
    assert "No draft was tried" in ada.text("/policies/trial")


# Activating and returning.


def test_draft_changed_since_it_was_shown_is_not_activated(console: Console, ada: Browser) -> None:
    assert "You have no draft" in ada.post("/policies/draft/activate", digest="x").text
    digest = keep(ada)
    other = keep(ada, DRAFT.replace("challenge", "reject"))
    for fields in ({"digest": digest}, {"digest": ""}, {}, {"digest": other, "text": DRAFT}):
        assert "The draft has changed" in ada.post("/policies/draft/activate", **fields).text
    keep(ada, "extends = 7")
    assert "extends must be a string" in ada.post("/policies/draft/activate", digest=digest_of("extends = 7\n")).text
    assert running_name(console.office.load()) == "cautious"
    assert audit_of(console.office) == []


def test_any_version_or_the_settings_can_be_restored(console: Console, ada: Browser) -> None:
    for action in ("challenge", "reject"):
        digest = keep(ada, DRAFT.replace("challenge", action))
        ada.done("/policies/draft/activate", digest=digest, note=action)
    loaded = console.office.load()
    assert running_name(loaded) == "console-2"
    page = ada.done("/policies/activate", name="console-1").text
    assert "In force: console-1" in page
    assert "/policies/compare?from=console-2&amp;to=console-1" in page
    assert 'd-removed">-action = &#34;reject&#34;' in ada.text("/policies/compare?from=console-2&to=console-1")
    assert "In force: cautious" in ada.done("/policies/activate", name="").text
    assert activated_of(loaded) is None
    assert "In force: strict" in ada.done("/policies/activate", name="strict").text
    assert [(row.before, row.after) for row in audit_of(console.office)[:3]] == [
        ('{"policy":"cautious"}', '{"policy":"strict"}'),
        ('{"policy":"console-1"}', '{"policy":"cautious"}'),
        ('{"policy":"console-2"}', '{"policy":"console-1"}'),
    ]


def test_every_page_shows_that_the_policy_observes(console: Console, ada: Browser) -> None:
    digest = keep(ada, f"observe = true\n{DRAFT}")
    assert "Observe mode." in ada.done("/policies/draft/activate", digest=digest).text
    assert "Observe mode." in console.browser("viewer").text("/account")


def test_activation_without_write_access_explains_why(console: Console, ada: Browser) -> None:
    digest = keep(ada)
    folder = console.office.state / "policies"
    (folder / "console-1.toml").mkdir()  # a rename over a directory fails for everybody, also for root
    answer = ada.post("/policies/draft/activate", digest=digest)
    assert answer.status_code == 422
    assert running_name(console.office.load()) == "cautious"
    assert audit_of(console.office) == []


# Hostile text.


def test_a_note_is_one_line_of_text(console: Console, ada: Browser) -> None:
    notes = ["<script>alert(1)</script>", *PAYLOADS]
    for number, note in enumerate(notes, 1):
        ada.done("/policies/draft/activate", digest=keep(ada), note=note.encode("utf-8", "replace").decode())
        first, rest = (console.office.state / "policies" / f"console-{number}.toml").read_text().split("\n", 1)
        assert first.startswith("# Written by ada on "), note
        assert rest == DRAFT, note
    page = ada.text("/policies")
    assert "<script>alert" not in page
    assert page.count("Return to this version") == len(notes) - 1
    assert policies_of(console.office.load()).default.rules[0].name == "anon"


def test_viewers_see_no_number_in_a_policy(console: Console, ada: Browser) -> None:
    text = DRAFT.replace('caller_kind = "withheld"', 'number = "+12015550123"').replace("number = ", "prefix = ")
    ada.done("/policies/draft/activate", digest=keep(ada, text), note="see +12015550123")
    viewer = console.browser("viewer")
    for path in ("/policies", "/policies/named/console-1", "/policies/compare?from=cautious&to=console-1"):
        assert "2015550123" not in viewer.text(path)
        assert "2015550123" in ada.text(path)
