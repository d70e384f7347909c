"""How the exchange is shown in the console, and what the doctor says of it."""

from __future__ import annotations

import time

from callsieve.doctor.checks import examine
from callsieve.doctor.finding import CheckContext
from callsieve.exchange.checks import CHECKS
from reputation.store.peers import switch_peer_off
from tests.callsieve.exchange.companies import DAY, SPAMMER, Company


def found_by_doctor(company: Company) -> tuple[str, str, str]:
    context = CheckContext(company.load(), lambda _command: "", time.time())
    [check] = examine(CHECKS, context)
    return check.status, str(check.detail), str(check.remedy)


def test_the_doctor_says_that_nobody_publishes(berlin: Company) -> None:
    status, _, remedy = found_by_doctor(berlin)
    assert (status, "callsieve-exchange.timer" in remedy) == ("warn", True)
    berlin.publish()
    assert found_by_doctor(berlin)[0] == "ok"
    berlin.config.write_text("")
    assert found_by_doctor(berlin)[0] == "ok", "nothing is exchanged"


def test_the_doctor_says_how_companies_are(berlin: Company, munich: Company) -> None:
    munich.publish()
    assert found_by_doctor(munich)[0] == "warn"
    munich("exchange", "fetch")
    assert "Berlin Ltd failed" in found_by_doctor(munich)[1]
    berlin.publish()
    munich.fetch("Berlin Ltd")
    status, detail = found_by_doctor(munich)[:2]
    assert (status, detail.startswith("1, the oldest "), detail.endswith(" old; numbers: 1")) == ("ok", True, True)
    munich.write(lambda db: db.execute("UPDATE peer SET came_at = came_at - ?", (2 * DAY,)))
    assert "2 d" in found_by_doctor(munich)[1]


def test_the_page_of_a_number_shows_who_says_what(berlin: Company, munich: Company) -> None:
    berlin.publish()
    munich.fetch()
    known = munich("lookup", SPAMMER, "--json").json
    assert "another company" in known["sentence"]
    assert [(peer["peer"], peer["level"], peer["witnesses"]) for peer in known["peers"]] == [("Berlin Ltd", "warn", 3)]
    munich.write(switch_peer_off, "Berlin Ltd", time.time(), "{}")
    known = munich("lookup", SPAMMER, "--json").json
    assert (known["peers"], "another company" in known["sentence"]) == ([], False)
