"""`callsieve exchange`: publish, fetch, subscriptions and pauses."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from callsieve.exchange.cli.commands import LOCK_FILE
from callsieve.exchange.health import companies_of, register_peers
from callsieve.exchange.operations import pause_the_bad
from callsieve.system.service_process import only_process
from policies.decision import Action
from reputation.model import Verdict
from reputation.store.marks import add_mark
from reputation.store.peers import Subscription, peer_states, put_subscription, subscriptions
from tests.callsieve.exchange.companies import DAY, SPAMMER, Company
from tests.reputation.store_builders import make_mark


def test_publish_prints_the_counts(berlin: Company) -> None:
    assert berlin.ok("exchange", "publish") == (
        f"{berlin.web}: 1 number published (1 added, 0 changed, 0 withdrawn).\n"
    )
    again = berlin("exchange", "publish", "--json").json
    assert (again["is_full"], again["numbers"]) == (False, 1)
    assert "20 hours" in berlin.ok("exchange", "publish", "--purge")


def test_dry_run_shows_rows_and_writes_nothing(berlin: Company) -> None:
    said = berlin.ok("exchange", "publish", "--dry-run")
    assert said.startswith(f"{SPAMMER},u,warn,3,0,")
    [row] = berlin("exchange", "publish", "--dry-run", "--json").json
    assert (row["number"], row["level"], row["witnesses"]) == (SPAMMER, "warn", 3)
    assert not berlin.web.exists()
    berlin.retract_marks(SPAMMER, time.time())
    assert SPAMMER not in berlin.ok("exchange", "publish", "--dry-run")


def test_publish_needs_directory_and_name(berlin: Company) -> None:
    berlin.config.write_text("")
    result = berlin("exchange", "publish")
    assert (result.code, "directory" in result.err) == (2, True)
    result = berlin("exchange", "publish", str(berlin.web))
    assert (result.code, "set `name` in [publish]" in result.err) == (2, True)


def test_run_publishes_and_fetches(berlin: Company, munich: Company) -> None:
    assert "1 number published" in berlin.ok("exchange", "run")
    assert berlin.ok("exchange", "run") == "", "not before a day has passed"
    assert "Berlin Ltd: 1 row changed." in munich.ok("exchange", "run")


def test_run_fetches_even_if_publishing_fails(berlin: Company, munich: Company) -> None:
    berlin.publish()
    munich.web.write_text("a file in the place of the directory")
    result = munich("exchange", "run")
    assert result.code == 2
    assert "nothing was published" in result.err
    assert "Berlin Ltd: 1 row changed." in result.out


def test_erase_names_the_command_to_purge(berlin: Company) -> None:
    berlin.publish()
    assert "callsieve exchange publish --purge" in berlin.ok("privacy", "erase", SPAMMER, "--yes")
    berlin.ok("exchange", "publish", "--purge")
    assert berlin("exchange", "status", "--json").json["published"]["numbers"] == 0


def test_status_shows_both_sides(berlin: Company, munich: Company) -> None:
    assert "Nothing is published yet" in berlin.ok("exchange", "status")
    berlin.publish()
    assert "1 number, just now" in berlin.ok("exchange", "status").replace("1 s ago", "just now")
    assert "callsieve-exchange.timer" in munich.ok("exchange", "status")
    munich.fetch()
    out = munich.ok("exchange", "status")
    assert "Berlin Ltd  ok" in out
    found = munich("exchange", "status", "--json").json
    assert found["companies"][0]["numbers"] == 1
    assert found["published"]["is_late"] is True
    shown = munich.ok("exchange", "show", "Berlin Ltd")
    assert str(berlin.web) in shown
    assert "signs as Berlin Ltd" in shown


@pytest.mark.parametrize(
    "command", [("fetch", "Berlin"), ("show", "Berlin"), ("resume", "Berlin"), ("pause", "Berlin")]
)
def test_unknown_company_suggests_the_nearest(munich: Company, command: tuple[str, ...]) -> None:
    munich("exchange", "fetch")
    result = munich("exchange", *command)
    assert result.code != 0
    assert "did you mean Berlin Ltd" in result.err


def test_failed_fetch_exits_with_2(munich: Company) -> None:
    result = munich("exchange", "fetch")
    assert (result.code, result.out) == (2, "")
    assert "Berlin Ltd: " in result.err


def test_concurrent_fetch_is_refused(berlin: Company, munich: Company) -> None:
    """The slower could put an older index in the place of a newer one."""
    berlin.publish()
    with only_process(munich.state / LOCK_FILE, "held"):
        for command in ("fetch", "run"):
            got = munich("exchange", command)
            assert (got.code, "already" in got.err) == (2, True)
        assert munich.facts().peers == ()
    munich.ok("exchange", "fetch")


def test_company_is_paused_and_resumed(berlin: Company, munich: Company) -> None:
    berlin.publish()
    munich.fetch()
    munich.ok("exchange", "pause", "Berlin Ltd")
    assert munich.action() is Action.ALLOW
    assert "No fetch is due" in munich.ok("exchange", "fetch")
    assert "already paused" in munich("exchange", "pause", "Berlin Ltd").err
    [row] = [item for item in munich("audit", "--json").json if item["what"] == "exchange pause"]
    munich.ok("undo", str(row["id"]))
    assert munich.action() is Action.TAG
    munich.ok("exchange", "pause", "Berlin Ltd")
    munich.ok("exchange", "resume", "Berlin Ltd")
    assert munich.action() is Action.TAG


def test_company_worse_than_chance_is_paused(berlin: Company, munich: Company) -> None:
    """Berlin lists honest callers of Munich, and none of its spammers."""
    for n in range(60):
        berlin.mark_as_spam(f"+1202555{n:04}", people=3)
    berlin.publish()
    munich.fetch()
    now = time.time()

    def judge(db: object) -> None:
        for n in range(60):
            add_mark(db, make_mark(f"+1202555{n:04}", at=now, verdict=Verdict.OK))  # type: ignore[arg-type]
            add_mark(db, make_mark(f"+1203555{n:04}", at=now, verdict=Verdict.SPAM))  # type: ignore[arg-type]

    munich.write(judge)
    assert munich.read(lambda db: pause_the_bad(db, munich.context(now))) == ["Berlin Ltd"]
    assert munich.facts(SPAMMER).peers == ()
    [state] = munich.read(peer_states)
    assert state.off_at == round(now, 6)
    assert "worse than chance: right about 0 of 60" in munich.ok("exchange", "status")
    munich.ok("exchange", "resume", "Berlin Ltd")
    assert munich.read(lambda db: pause_the_bad(db, munich.context(now + DAY))) == [], "it is measured anew"


# Subscribing without the settings. -----------------------------------------------------------------------------

URL = "https://example.com/callsieve/"


@pytest.fixture
def hamburg(tmp_path: Path) -> Company:
    """A company without subscriptions."""
    return Company(tmp_path / "hamburg", "Hamburg Ltd")


def added(company: Company) -> list[tuple[str, str, float]]:
    return [(subscription.name, subscription.url, subscription.weight) for subscription in company.read(subscriptions)]


def change_of(company: Company, what: str) -> str:
    return str(next(item["id"] for item in company("audit", "--json").json if item["what"] == what))


def test_company_is_added_and_removed(berlin: Company, hamburg: Company) -> None:
    hamburg.ok("exchange", "add", "berlin", URL, "--key", berlin.key, "--weight", "0.5")
    assert added(hamburg) == [("berlin", URL, 0.5)]
    [one] = hamburg("exchange", "status", "--json").json["companies"]
    assert (one["name"], one["where"], one["weight"], one["of_settings"]) == ("berlin", URL, 0.5, False)
    hamburg.ok("exchange", "remove", "berlin")
    assert hamburg("exchange", "status", "--json").json["companies"] == []
    hamburg.ok("undo", change_of(hamburg, "exchange remove"))
    assert added(hamburg) == [("berlin", URL, 0.5)]
    hamburg.ok("undo", change_of(hamburg, "exchange add"))
    assert added(hamburg) == []


def test_adding_again_changes_the_company(berlin: Company, hamburg: Company) -> None:
    hamburg.ok("exchange", "add", "berlin", URL, "--key", berlin.key)
    hamburg.ok("exchange", "add", "berlin", URL + "new/", "--key", berlin.key, "--weight", "0.2")
    assert added(hamburg) == [("berlin", URL + "new/", 0.2)]
    hamburg.ok("undo", change_of(hamburg, "exchange add"))
    assert added(hamburg) == [("berlin", URL, 1.0)]


def test_private_server_needs_an_option(berlin: Company, hamburg: Company) -> None:
    berlin.publish()
    inside = ("exchange", "add", "berlin", "http://10.77.0.9/callsieve/", "--key", berlin.key)
    assert hamburg(*inside).code != 0
    hamburg.ok(*inside, "--private")
    assert [company.private for company in hamburg.read(companies_of, hamburg.load().settings)] == [True]
    hamburg.ok("exchange", "add", "berlin", URL, "--key", berlin.key)
    assert [company.private for company in hamburg.read(companies_of, hamburg.load().settings)] == [False]


def test_evidence_of_a_removed_company_stops_counting(berlin: Company, hamburg: Company) -> None:
    """The files are read from the directory in the settings."""
    berlin.publish()
    hamburg.subscribe_to(berlin)
    hamburg.fetch()
    hamburg.write_settings("")
    one = Subscription("Berlin Ltd", URL, berlin.key, 1.0, time.time())
    hamburg.write(put_subscription, one)
    hamburg.write(lambda db: register_peers(db, hamburg.load().settings))
    assert hamburg.facts().peers, "the settings name it no more, and it is subscribed to"
    hamburg.ok("exchange", "remove", "Berlin Ltd")
    assert hamburg.facts().peers == ()
    hamburg.ok("undo", change_of(hamburg, "exchange remove"))
    [state] = hamburg.read(peer_states)
    assert (state.in_settings, state.sequence, state.next_at) == (True, 0, 0.0), "it is fetched anew, whole"


@pytest.mark.parametrize(
    ("name", "url", "key", "said"),
    [
        pytest.param("-b", URL, "theirs", "letters, digits", id="bad-name"),
        pytest.param("b", "http://example.com/", "theirs", "https", id="no-tls"),
        pytest.param("b", "ftp://example.com/", "theirs", "url", id="no-web-server"),
        pytest.param("b", "https://192.168.1.1/", "theirs", "", id="inside-is-for-the-settings"),
        pytest.param("b", URL, "abc", "44 characters", id="no-key"),
        pytest.param("b", URL, "ours", "our own", id="our-own-key"),
        pytest.param("partner", URL, "theirs", "partner", id="name-used-in-settings"),
        pytest.param("b", URL, "partners", "partner", id="key-used-in-settings"),
    ],
)
def test_invalid_company_is_refused(
    berlin: Company, hamburg: Company, munich: Company, name: str, url: str, key: str, said: str
) -> None:
    keys = {"theirs": berlin.key, "ours": hamburg.key, "partners": munich.key}
    hamburg.write_settings(f'[[exchange]]\nname = "partner"\nurl = "{URL}"\nkey = "{munich.key}"\n')
    got = hamburg("exchange", "add", "--key", keys.get(key, key), "--", name, url)
    if said:
        assert got.code == 2
        assert said in got.err
        assert added(hamburg) == []
    else:
        assert got.code == 0
        assert hamburg.fetch("b")["failure"]["code"] == "forbidden-address"


def test_company_of_the_settings_is_removed_there(munich: Company) -> None:
    munich("exchange", "fetch")
    assert "Berlin Ltd" in munich("exchange", "remove", "Berlin Ltd").err
    assert "'berlin'" in munich("exchange", "remove", "berlin").err


def test_company_needs_a_key(hamburg: Company) -> None:
    got = hamburg("exchange", "add", "berlin", "https://127.0.0.1/")
    assert got.code == 2
    assert "--key" in got.err
    assert added(hamburg) == []
