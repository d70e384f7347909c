"""A policy of head office at a branch: published, accepted, active, overridden, undone.

Only the branch activates a policy, and no policy is removed because of the hub.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from callsieve.changes.operation import Context, Refused
from callsieve.changes.undo import UndoRequest, undo
from callsieve.hub import process
from callsieve.hub.administration import write_secret
from callsieve.hub.operations import secret_path
from callsieve.main.capabilities import CHANGES
from callsieve.policy import central, operations
from callsieve.policy.catalogue import policy_files
from callsieve.policy.central import AcceptRequest, PublishRequest, SitePolicy
from callsieve.policy_selection import policy_called
from callsieve.settings import load_settings
from callsieve.site_policies import site_policy_files
from callsieve.wiring import policies_of
from lab import CallSpec, Phone, ensure_pbx
from lab.programs import COMMAND_LINE
from lab.screened import ALICE, SETTINGS, ScreenedPbx
from reputation.events import EventKind
from reputation.store.audit import audit_rows
from reputation.store.outbox import use_receivers
from reputation.store.site import PublishedPolicy, put_published
from reputation.users import Role
from tests.callsieve.hub.sites import Site, TestHub, running
from tests.integration.office import decision_on
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
OFFICE = "head-office:office"
RULE = """\
extends = "cautious"

[[rule]]
name = "{name}"
when = {{ prefix = ["+12015550"] }}
action = "reject"
reason = "as head office says"
"""
FIRST, SECOND = RULE.format(name="first"), RULE.format(name="second")
BROKEN = FIRST.replace("prefix", "prefx")


def context(site: Site) -> Context:
    return Context("ada", Role.ADMINISTRATOR, time.time(), site.loaded, changes=CHANGES)


def publish(site: Site, text: str) -> None:
    folder = site.folder / "policies"
    folder.mkdir(exist_ok=True)
    (folder / "office.toml").write_text(text)
    site.write(central.publish, context(site), PublishRequest("office"))


def publish_unchecked(site: Site, name: str, text: str) -> None:
    """Publish without checks, as a hostile or newer site can."""
    site.write(put_published, PublishedPolicy(name, text, "", time.time()))


def accept(site: Site, name: str = OFFICE) -> int:
    done = site.write(central.accept, context(site), AcceptRequest(name))
    assert done.change_id is not None
    return done.change_id


def published_policies(site: Site) -> dict[str, SitePolicy]:
    return {policy.name: policy for policy in site.read(central.site_policies, site.loaded)}


def rules(site: Site, name: str = OFFICE) -> list[str]:
    return [rule.name for rule in policy_called(name, site.loaded).rules if rule.name in ("first", "second")]


def names(site: Site) -> set[str]:
    return set(site_policy_files(site.loaded))


@pytest.fixture
def head_office(hub: TestHub) -> Site:
    return hub.join("head-office")


@pytest.fixture
def branch(hub: TestHub, head_office: Site) -> Site:
    return hub.join("berlin", follow=["head-office"])


@pytest.fixture
def accepted(hub: TestHub, head_office: Site, branch: Site) -> Site:
    publish(head_office, FIRST)
    hub.settle()
    accept(branch)
    branch.write(operations.activate, context(branch), OFFICE)
    return branch


def policy_events(site: Site) -> list[tuple[object, ...]]:
    """Return state, policy, previous policy and user of each event."""
    path = ("$.state", "$.policy", "$.before", "$.by")
    columns = ", ".join(f"json_extract(data, '{item}')" for item in path)
    return site.rows(f"SELECT {columns} FROM event WHERE kind = 'policy.changed' ORDER BY seq")


def test_policy_events_are_sent(hub: TestHub, head_office: Site, branch: Site) -> None:
    branch.write(use_receivers, {"crm": (EventKind.POLICY_CHANGED,)})
    publish(head_office, FIRST)
    hub.settle()
    hub.settle()
    accept(branch)
    activated = branch.write(operations.activate, context(branch), OFFICE).change_id
    publish(head_office, SECOND)
    hub.settle()
    undone = accept(branch)
    branch.write(undo, context(branch), UndoRequest(undone))
    publish_unchecked(head_office, "office", BROKEN)
    hub.settle()
    hub.settle()
    assert activated is not None
    branch.write(undo, context(branch), UndoRequest(activated))
    assert policy_events(branch) == [
        ("waiting", OFFICE, "", "hub"),
        ("in-force", OFFICE, "cautious", "ada"),
        ("waiting", OFFICE, "", "hub"),
        ("in-force", OFFICE, OFFICE, "ada"),
        ("in-force", OFFICE, OFFICE, "ada"),
        ("unusable", OFFICE, "", "hub"),
        ("in-force", "cautious", OFFICE, "ada"),
    ]


def test_published_policy_waits_for_acceptance(hub: TestHub, head_office: Site, branch: Site) -> None:
    publish(head_office, FIRST)
    hub.settle()
    assert names(branch) == {f"{OFFICE}.new"}
    assert policies_of(branch.loaded).default.name == "cautious"
    assert rules(branch, f"{OFFICE}.new") == ["first"]  # it can be looked at, compared and tried
    assert (published_policies(branch)[OFFICE].waits, published_policies(branch)[OFFICE].is_accepted) == (True, False)
    accept(branch)
    assert names(branch) == {OFFICE}
    assert policies_of(branch.loaded).default.name == "cautious"  # the settings do not name it
    branch.write(operations.activate, context(branch), OFFICE)
    assert policies_of(branch.loaded).default.name == OFFICE
    assert [row.what for row in branch.read(audit_rows)][:2] == ["policy activate", "policy accept"]
    there = {file_.name: (file_.site, file_.in_force_for) for file_ in policy_files(branch.loaded)}
    assert there[OFFICE] == ("head-office", ("all calls",))


def test_new_version_waits_and_acceptance_is_undone(hub: TestHub, head_office: Site, accepted: Site) -> None:
    publish(head_office, SECOND)
    hub.settle()
    assert (rules(accepted), rules(accepted, f"{OFFICE}.new")) == (["first"], ["second"])
    change = accept(accepted)
    assert (rules(accepted), rules(accepted, f"{OFFICE}.old")) == (["second"], ["first"])
    accepted.write(undo, context(accepted), UndoRequest(change))
    assert (rules(accepted), names(accepted)) == (["first"], {OFFICE, f"{OFFICE}.new"})
    hub.settle()
    assert rules(accepted) == ["first"]


def test_policy_is_accepted_automatically_if_settings_say_so(hub: TestHub, head_office: Site) -> None:
    branch = hub.join("berlin", follow=["head-office"], accept_policies=True)
    publish(head_office, FIRST)
    hub.settle()
    assert (rules(branch), names(branch)) == (["first"], {OFFICE})
    (row,) = branch.read(audit_rows)
    assert (row.what, row.who, row.name) == ("policy accept", "hub head-office", OFFICE)
    publish(head_office, SECOND)
    hub.settle()
    assert rules(branch) == ["second"]
    latest = branch.rows("SELECT max(id) FROM audit")[0][0]
    assert isinstance(latest, int)
    branch.write(undo, context(branch), UndoRequest(latest))
    hub.settle()
    assert rules(branch) == ["first"]  # an undone acceptance is not repeated automatically
    publish(head_office, SECOND + "# and anew\n")
    hub.settle()
    assert rules(branch) == ["second"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BROKEN, id="broken"),
        pytest.param('version = 2\nextends = "cautious"\n', id="newer-version"),
        pytest.param('extends = "house"\n', id="extends-a-file-of-its-site"),
        pytest.param('extends = "berlin-house"\n', id="extends-a-file-of-this-site"),
        pytest.param(FIRST + "#" * 50_000, id="too-large"),
        pytest.param(FIRST + "# \x07\n", id="a-control-character"),
    ],
)
@pytest.mark.parametrize("at_once", [False, True])
def test_unusable_version_is_refused_and_the_old_one_stays(
    hub: TestHub, head_office: Site, accepted: Site, text: str, at_once: bool
) -> None:
    (accepted.folder / "policies").mkdir()
    (accepted.folder / "policies" / "berlin-house.toml").write_text('extends = "strict"\n')
    accepted.write_settings({"follow": ["head-office"], "accept_policies": at_once})
    publish_unchecked(head_office, "office", text)
    hub.settle()
    assert (rules(accepted), names(accepted)) == (["first"], {OFFICE})
    assert policies_of(accepted.loaded).default.name == OFFICE
    if "\x07" not in text:  # a forged row
        assert published_policies(accepted)[OFFICE].problem
        with pytest.raises(Refused) as refused:
            accept(accepted)
        assert refused.value.code == "unusable-policy"


@pytest.mark.parametrize("name", ["../../evil", "office.new", "Office", "a/b", "..", "x" * 80])
def test_unsafe_policy_name_creates_no_file(hub: TestHub, head_office: Site, branch: Site, name: str) -> None:
    publish_unchecked(head_office, name, FIRST)
    hub.settle()
    assert names(branch) == set()
    assert published_policies(branch) == {}


def test_policy_of_an_unfollowed_site_is_ignored(hub: TestHub, branch: Site) -> None:
    publish(hub.join("paris"), FIRST)
    hub.settle()
    assert (names(branch), published_policies(branch)) == (set(), {})
    with pytest.raises(Refused) as refused:
        accept(branch, "paris:office")
    assert refused.value.code == "no-such-policy"


def test_accepted_policy_stays_whatever_its_site_does(hub: TestHub, head_office: Site, accepted: Site) -> None:
    """Also if its site withdraws it, leaves, or the hub is gone."""

    def stays() -> bool:
        return policies_of(accepted.loaded).default.name == OFFICE and rules(accepted) == ["first"]

    publish(head_office, SECOND)
    hub.settle()
    head_office.write(central.withdraw, context(head_office), "office")
    hub.settle()
    assert stays()
    assert names(accepted) == {OFFICE}  # the waiting version was withdrawn, too
    assert published_policies(accepted)[OFFICE].published_at is None
    publish(head_office, SECOND)
    hub.settle()
    hub.run("SELECT callsieve.expel('main', 'head-office', true)")
    accepted.exchange()
    assert stays()
    assert names(accepted) == {OFFICE}
    accepted.write_settings({"follow": []})
    assert stays()
    accepted.write(operations.activate, context(accepted), "")  # one command, and it is the site's own again
    assert policies_of(accepted.loaded).default.name == "cautious"


def test_policy_in_force_cannot_be_undone(hub: TestHub, accepted: Site) -> None:
    (change,) = [id for id, what in accepted.rows("SELECT id, what FROM audit") if what == "policy accept"]
    assert isinstance(change, int)
    with pytest.raises(Refused) as refused:
        accepted.write(undo, context(accepted), UndoRequest(change))
    assert refused.value.code == "in-force"
    accepted.write(operations.activate, context(accepted), "")
    accepted.write(undo, context(accepted), UndoRequest(change))
    assert names(accepted) == {f"{OFFICE}.new"}


def test_only_usable_policies_are_published(hub: TestHub, head_office: Site) -> None:
    folder = head_office.folder / "policies"
    folder.mkdir()
    (folder / "house.toml").write_text('extends = "strict"\n')
    (folder / "office.toml").write_text('extends = "house"\n')

    def code(request: PublishRequest) -> str:
        with pytest.raises(Refused) as refused:
            head_office.write(central.publish, context(head_office), request)
        return refused.value.code

    assert code(PublishRequest("office")) == "unusable-policy"
    assert code(PublishRequest("nowhere")) == "unusable-policy"
    assert code(PublishRequest()) == "unusable-name"  # cautious, which every site has
    done = head_office.write(operations.activate_text, context(head_office), operations.TextRequest(FIRST))
    assert code(PublishRequest()) == "unusable-name"  # console-1 is another the next time
    head_office.write(central.publish, context(head_office), PublishRequest(publish_as="office", note="new"))
    ((name, text),) = head_office.rows("SELECT name, text FROM published_policy")
    assert (name, text, done.policy) == ("office", FIRST, "console-1")  # without who wrote it
    assert code(PublishRequest(publish_as="head-office:x")) == "unusable-name"


def test_publishing_is_undone(hub: TestHub, head_office: Site, branch: Site) -> None:
    publish(head_office, FIRST)
    publish(head_office, SECOND)
    hub.settle()
    latest = head_office.rows("SELECT max(id) FROM audit")[0][0]
    assert isinstance(latest, int)
    head_office.write(undo, context(head_office), UndoRequest(latest))
    hub.settle()
    assert rules(branch, f"{OFFICE}.new") == ["first"]


def test_number_of_published_policies_is_limited(hub: TestHub, head_office: Site, branch: Site) -> None:
    for n in range(50):
        publish_unchecked(head_office, f"office-{n}", FIRST)
    with pytest.raises(Refused) as refused:
        publish(head_office, FIRST)
    assert refused.value.code == "too-many"
    hub.settle()
    assert len(published_policies(branch)) == 50

    def lie(db: sqlite3.Connection) -> None:
        db.executemany(
            "INSERT INTO published_policy VALUES (?, ?, '', ?)", ((f"more-{n}", FIRST, 1e9) for n in range(5))
        )

    head_office.write(lie)
    hub.settle()
    assert len(published_policies(branch)) == 50


class TestCommands:
    """The commands of an administrator."""

    def run(self, site: Site, *words: str) -> tuple[int, str]:
        environment = {**os.environ, "CALLSIEVE_STATE": str(site.loaded.state)}
        command = [sys.executable, "-m", COMMAND_LINE, *words, "--config", str(site.config)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_policy_goes_from_head_office_to_branch_by_command(
        self, hub: TestHub, head_office: Site, branch: Site
    ) -> None:
        (head_office.folder / "policies").mkdir()
        (head_office.folder / "policies" / "office.toml").write_text(FIRST)
        code, said = self.run(head_office, "policy", "publish", "office", "--note", "premium numbers")
        assert (code, OFFICE in said) == (0, True)
        again = "callsieve policy publish office"
        assert again not in self.run(head_office, "policy", "list")[1]
        (head_office.folder / "policies" / "office.toml").write_text(SECOND)
        assert again in self.run(head_office, "policy", "list")[1]
        with running(head_office), running(branch):
            wait_until(lambda: names(branch) == {f"{OFFICE}.new"}, "it has come")
            assert self.run(branch, "policy", "accept", OFFICE)[0] == 0
            assert self.run(branch, "policy", "accept", OFFICE)[0] != 0
            assert self.run(branch, "policy", "activate", OFFICE)[0] == 0
            assert self.run(head_office, "policy", "withdraw", "office")[0] == 0
            wait_until(lambda: published_policies(branch)[OFFICE].published_at is None, "it was withdrawn")
        code, said = self.run(branch, "policy", "list", "--json")
        found = {load["name"]: load for load in json.loads(said)}
        assert (found[OFFICE]["site"], found[OFFICE]["in_force_for"]) == ("head-office", ["all calls"])


def test_calls_are_decided_by_the_accepted_policy(hub: TestHub, head_office: Site, tmp_path: Path) -> None:
    """The daemon of a branch, before and after, with an override, and after a broken one."""
    ensure_pbx()
    callers = (f"+120155504{n:02d}" for n in range(100))
    address = f"postgresql://127.0.0.1:{hub.server.port}/{hub.database}"
    table = f'\n[hub]\naddress = "{address}"\nsite = "berlin"\nfollow = ["head-office"]\n'
    table += "\n[reputation.sample]\nevery = 0\n"
    with ScreenedPbx(settings=SETTINGS + table, patient=True) as pbx:
        loaded = load_settings(pbx.daemon.config, pbx.daemon.environment)
        write_secret(secret_path(loaded), hub.login("berlin"))

        def decided() -> tuple[str, str, str, int | None]:
            caller = next(callers)
            with Phone(pbx.asterisk, "201"):
                result = pbx.carrier.call(CallSpec(caller=caller, did=ALICE))
            found = decision_on(pbx.daemon.store, caller)
            return found.policy, found.rule, found.action, result.code

        def exchange() -> None:
            head_office.exchange()
            process.run_once(loaded)

        publish(head_office, FIRST)
        exchange()
        assert decided()[:3] == ("cautious", "default", "allow")
        for words in (("accept", OFFICE), ("activate", OFFICE)):
            done = pbx.daemon.callsieve("policy", *words)
            assert done.returncode == 0, done.stderr
        pbx.daemon.wait_for_log(f"policy activated: {OFFICE}")
        policy, rule, action, code = decided()
        assert (policy, rule, action) == (OFFICE, "first", "reject")
        assert code != 200
        publish_unchecked(head_office, "office", BROKEN)
        exchange()
        assert pbx.daemon.callsieve("policy", "accept", OFFICE).returncode != 0
        assert decided()[:2] == (OFFICE, "first")
        own = f'extends = "{OFFICE}"\n' + FIRST.partition("\n\n")[2].replace("first", "ours").replace("reject", "allow")
        loaded.policy_directories[1].mkdir(exist_ok=True)
        (loaded.policy_directories[1] / "berlin.toml").write_text(own)
        assert pbx.daemon.callsieve("policy", "activate", "berlin").returncode == 0
        pbx.daemon.wait_for_log("policy activated: berlin")
        assert decided()[:3] == ("berlin", "ours", "allow")
        hub.run("SELECT callsieve.expel('main', 'head-office', true)")
        process.run_once(loaded)
        assert decided()[:3] == ("berlin", "ours", "allow")
        assert pbx.daemon.callsieve("policy", "activate").returncode == 0
        wait_until(lambda: decided()[0] == "cautious", "activate a policy again")
