"""The exchange in the doctor and on the page of a number."""

from __future__ import annotations

import time

from callsieve.doctor.checks import examine
from callsieve.doctor.finding import CheckContext
from callsieve.exchange.checks import CHECKS
from reputation.store.peers import switch_peer_off
from tests.callsieve.exchange.companies import DAY, SPAMMER, Company


def doctor_finding(company: Company) -> tuple[str, str, str]:
    context = CheckContext(company.load(), lambda _command: "", time.time())
    [check] = examine(CHECKS, context)
    return check.status, str(check.detail), str(check.remedy)


def test_doctor_warns_if_publishing_is_late(berlin: Company) -> None:
    status, _, remedy = doctor_finding(berlin)
    assert (status, "callsieve-exchange.timer" in remedy) == ("warn", True)
    berlin.publish()
    assert doctor_finding(berlin)[0] == "ok"
    berlin.config.write_text("")
    assert doctor_finding(berlin)[0] == "ok", "nothing is exchanged"


def test_doctor_reports_the_health_of_companies(berlin: Company, munich: Company) -> None:
    munich.publish()
    assert doctor_finding(munich)[0] == "warn"
    munich("exchange", "fetch")
    assert "Berlin Ltd failed" in doctor_finding(munich)[1]
    berlin.publish()
    munich.fetch("Berlin Ltd")
    status, detail = doctor_finding(munich)[:2]
    assert (status, detail.startswith("1 "), detail.endswith("numbers: 1")) == ("ok", True, True)
    munich.write(lambda db: db.execute("UPDATE peer SET came_at = came_at - ?", (2 * DAY,)))
    assert "2 d" in doctor_finding(munich)[1]


def test_number_page_shows_the_evidence_of_companies(berlin: Company, munich: Company) -> None:
    berlin.publish()
    munich.fetch()
    known = munich("lookup", SPAMMER, "--json").json
    assert "another company" in known["sentence"]
    assert [(peer["peer"], peer["level"], peer["witnesses"]) for peer in known["peers"]] == [("Berlin Ltd", "warn", 3)]
    munich.write(switch_peer_off, "Berlin Ltd", time.time(), "{}")
    known = munich("lookup", SPAMMER, "--json").json
    assert (known["peers"], "another company" in known["sentence"]) == ([], False)
