"""Console pages of policies: rules, drafts, trials, versions, and activation."""

import asyncio
from dataclasses import dataclass

from starlette.responses import Response

from callsieve.changes.operation import Refused
from callsieve.policy import central, operations
from callsieve.policy.catalogue import running_or_settings
from callsieve.policy.operations import DraftRequest
from callsieve.policy.records import (
    as_typed,
    digest_of,
    draft_of,
    drop_draft,
    first_draft,
    keep_draft,
    versions_of,
    writing,
)
from callsieve.policy.views import (
    DiffLine,
    DraftChecked,
    PolicyShown,
    RuleText,
    checked,
    diff_of,
    policies_shown,
    policy_named,
    preset_rules,
    resolved_text,
)
from callsieve.replay.trial import draft_of as policy_of_draft
from callsieve.replay.trial_jobs import TrialJob, TrialJobs
from callsieve.settings import Loaded
from callsieve.web.i18n import N_
from callsieve.web.request import NotFound, Page, PageRequest
from policies.loader import PRESETS, is_policy_name, load_policy, policy_text
from policies.policy import PolicyError
from reputation.store.tables.table import OUTCOME_DAYS
from reputation.users import Role


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between two policies. `is_of_files`: only their files are compared, because one is unusable."""

    before: str
    after: str
    lines: tuple[DiffLine, ...]
    is_of_files: bool


async def show(req: PageRequest) -> Response:
    """Show all policies, and the result of the latest trial (a replay of recent days with another policy)."""
    shown = await req.read(policies_shown, req.state.loaded)
    drafting = req.role >= Role.ADMINISTRATOR
    latest = req.state.service(TrialJobs).latest if drafting else None
    return req.page("policy/policies.html", policies=shown, drafting=drafting, trial=latest)


async def show_one(req: PageRequest) -> Response:
    """Show one policy."""
    shown = await asyncio.to_thread(_named, req.path("name"), req.state.loaded)
    running = running_or_settings(req.state.loaded)
    return req.page("policy/policy.html", policy=shown, is_running=shown.name == running, running=running)


async def compare(req: PageRequest) -> Response:
    """Show the differences between two policies."""
    before, after = (req.query.get(key, "") for key in ("from", "to"))
    comparison = await asyncio.to_thread(_compared, before, after, req.state.loaded)
    return req.page("policy/policy_diff.html", comparison=comparison)


def _compared(before: str, after: str, loaded: Loaded) -> Comparison:
    texts = _text(before, loaded), _text(after, loaded)
    try:
        was, now = (resolved_text(load_policy(name, loaded.policy_directories)) for name in (before, after))
    except PolicyError:
        return Comparison(before, after, diff_of(*texts), is_of_files=True)
    return Comparison(before, after, diff_of(was, now), is_of_files=False)


async def put_in_force(req: PageRequest) -> Response:
    """Activate a policy. An empty name means the policy in the settings."""
    await req.perform(operations.activate, req.form.get("name", ""))
    return req.go("/policies", "policy-activated")


async def accept(req: PageRequest) -> Response:
    """Accept a policy of another site."""
    request = central.AcceptRequest(req.form.get("name", ""), req.form.get("digest", ""))
    await req.perform(central.accept, request)
    return req.go("/policies", "policy-accepted")


async def publish(req: PageRequest) -> Response:
    """Publish the active policy to other sites."""
    request = central.PublishRequest(publish_as=req.form.get("as", ""), note=req.form.get("note", ""))
    await req.perform(central.publish, request)
    return req.go("/policies", "policy-told")


async def withdraw(req: PageRequest) -> Response:
    """Withdraw a published policy."""
    await req.perform(central.withdraw, req.form.get("name", ""))
    return req.go("/policies", "policy-withdrawn")


def _named(name: str, loaded: Loaded) -> PolicyShown:
    if not is_policy_name(name):
        raise NotFound
    try:
        return policy_named(name, loaded)
    except PolicyError as error:
        if name in {version.name for version in versions_of(loaded)}:
            raise Refused("unusable-policy", error.words) from None
        raise NotFound from None


def _text(name: str, loaded: Loaded) -> str:
    try:
        return policy_text(name, loaded.policy_directories)
    except PolicyError:
        raise NotFound from None


DAYS = (1, 7, 14, OUTCOME_DAYS)
USUAL_DAYS = 7
CHANGES_A_PAGE = 100
BUSY = N_("Another trial is running: wait for it, or stop it on the page of the trial.")


@dataclass(frozen=True, slots=True)
class DraftShown:
    """Content of the draft editor. `base`: the active policy, with which the draft is compared."""

    text: str
    digest: str
    is_kept: bool
    base: str
    checked: DraftChecked
    lines: tuple[DiffLine, ...]
    rules: tuple[RuleText, ...]
    days: tuple[int, ...] = DAYS
    usual_days: int = USUAL_DAYS


async def edit(req: PageRequest) -> Response:
    """Show the editor with the user's draft, or with an initial text."""
    loaded = req.state.loaded
    kept = draft_of(loaded, req.me.name)
    start = req.query.get("from", "")
    if kept is None or start:
        name = start or running_or_settings(loaded)
        try:
            text = first_draft(name, loaded)
        except PolicyError:
            raise NotFound from None
        return await _editor(req, text, is_kept=False)
    return await _editor(req, kept, is_kept=True)


async def check(req: PageRequest) -> Response:
    """Check a draft. While the user types, return only the result; otherwise store the draft and show the editor."""
    text = _typed(req)
    if req.is_fragment:
        return req.page("policy/_checked.html", checked=await req.read(checked, text, req.state.loaded))
    _keep(req, text)
    return await _editor(req, text, is_kept=True)


async def insert(req: PageRequest) -> Response:
    """Append a rule of a preset to the draft."""
    rule = next((preset_rule for preset_rule in preset_rules() if preset_rule.key == req.form.get("rule")), None)
    if rule is None:
        raise NotFound
    text = as_typed(f"{_typed(req).rstrip()}\n\n{rule.text}")
    _keep(req, text)
    return await _editor(req, text, is_kept=True)


async def try_out(req: PageRequest) -> Response:
    """Start a trial: replay recent days with the draft and with the active policy, to compare the results."""
    loaded, text = req.state.loaded, _typed(req)
    _keep(req, text)
    days = req.form.get("days", "")
    if not days.isascii() or not days.isdigit() or not 1 <= int(days) <= OUTCOME_DAYS:
        raise Refused("bad-days", f"choose 1 to {OUTCOME_DAYS} days: calls are kept no longer")
    try:
        policy_of_draft(text, loaded)
    except PolicyError:
        return await _editor(req, text, is_kept=True, status=422)
    job = TrialJob(req.me.name, digest_of(text), int(days), running_or_settings(loaded), req.now)
    if not req.state.service(TrialJobs).start(loaded, job, text):
        raise Refused("busy", BUSY)
    return req.go("/policies/trial")


async def try_preset(req: PageRequest) -> Response:
    """Start a trial: replay recent days with a preset and with the active policy, to compare the results."""
    loaded, name = req.state.loaded, req.form.get("name", "")
    if name not in PRESETS:
        raise NotFound
    text = first_draft(name, loaded)
    job = TrialJob(req.me.name, digest_of(text), OUTCOME_DAYS, running_or_settings(loaded), req.now, name)
    if not req.state.service(TrialJobs).start(loaded, job, text):
        raise Refused("busy", BUSY)
    return req.go("/policies/trial")


async def trial(req: PageRequest) -> Response:
    """Show the progress or the result of the trial."""
    trials, text = req.state.service(TrialJobs), draft_of(req.state.loaded, req.me.name)
    latest = trials.latest
    is_mine = latest is not None and text is not None and latest.digest == digest_of(text)
    template = "policy/_trial.html" if req.is_fragment else "policy/trial.html"
    price = PRESETS[latest.preset].price if latest is not None and latest.preset else None
    start = req.query.get("from", "")
    first = int(start) if start.isascii() and start.isdigit() and len(start) < 8 else 0
    shown = slice(first, first + CHANGES_A_PAGE)
    return req.page(template, trial=latest, is_mine=is_mine, running=trials.is_running, price=price, shown=shown)


async def stop(req: PageRequest) -> Response:
    """Stop a running trial."""
    await req.state.service(TrialJobs).close()
    return req.go("/policies/trial")


async def activate_draft(req: PageRequest) -> Response:
    """Store the user's draft as the next version, and activate it."""
    form = req.form
    typed = _typed(req) if "text" in form else None
    request = DraftRequest(req.me.name, form.get("digest", ""), form.get("note", ""), typed)
    await req.perform(operations.activate_draft, request)
    return req.go("/policies", "policy-activated")


async def discard(req: PageRequest) -> Response:
    """Discard the draft."""
    await asyncio.to_thread(drop_draft, req.state.loaded, req.me.name)
    return req.go("/policies", "draft-gone")


async def _editor(req: PageRequest, text: str, *, is_kept: bool, status: int = 200) -> Response:
    loaded = req.state.loaded
    base = running_or_settings(loaded)
    result = await req.read(checked, text, loaded)
    try:
        before = policy_text(base, loaded.policy_directories)
    except PolicyError:
        before = ""
    lines = await asyncio.to_thread(diff_of, before, text)
    shown = DraftShown(text, digest_of(text), is_kept, base, result, lines, preset_rules())
    return req.page("policy/draft.html", status, draft=shown)


def _typed(req: PageRequest) -> str:
    try:
        return as_typed(req.form.get("text", ""))
    except PolicyError as error:
        raise Refused("draft-too-large", error.words) from None


def _keep(req: PageRequest, text: str) -> None:
    with writing(req.state.loaded):
        keep_draft(req.state.loaded, req.me.name, text)


PAGES = (
    Page("GET", "/policies", show, Role.VIEWER),
    Page("GET", "/policies/named/{name}", show_one, Role.VIEWER),
    Page("GET", "/policies/compare", compare, Role.VIEWER),
    Page("POST", "/policies/activate", put_in_force, Role.ADMINISTRATOR),
    Page("POST", "/policies/accept", accept, Role.ADMINISTRATOR),
    Page("POST", "/policies/publish", publish, Role.ADMINISTRATOR),
    Page("POST", "/policies/withdraw", withdraw, Role.ADMINISTRATOR),
    Page("GET", "/policies/draft", edit, Role.ADMINISTRATOR),
    Page("POST", "/policies/draft/check", check, Role.ADMINISTRATOR),
    Page("POST", "/policies/draft/insert", insert, Role.ADMINISTRATOR),
    Page("POST", "/policies/draft/try", try_out, Role.ADMINISTRATOR),
    Page("POST", "/policies/try", try_preset, Role.ADMINISTRATOR),
    Page("POST", "/policies/draft/activate", activate_draft, Role.ADMINISTRATOR),
    Page("POST", "/policies/draft/discard", discard, Role.ADMINISTRATOR),
    Page("GET", "/policies/trial", trial, Role.ADMINISTRATOR),
    Page("POST", "/policies/trial/stop", stop, Role.ADMINISTRATOR),
)
