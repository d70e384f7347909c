"""From marks at one company to the phone of another, over a web server and a real Asterisk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from lab import CallSpec, Phone
from lab.programs import COMMAND_LINE
from lab.screened import ALICE, ROOT, SETTINGS, ScreenedPbx
from reputation.store.database import open_store
from reputation.store.peers import peer_states
from tests.callsieve.exchange.companies import OTHER, SPAMMER, Company, serving
from tests.integration.office import decision_on
from tests.waiting import wait_until


def test_a_number_published_by_one_company_is_tagged_at_another(tmp_path: Path) -> None:
    berlin = Company(tmp_path / "berlin", "Berlin Ltd")
    berlin.mark_as_spam()
    berlin.publish()
    with serving(berlin.web) as url:
        about = {"name": "Berlin Ltd", "url": url, "key": berlin.key}
        table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in about.items())
        settings = f"{SETTINGS}\n[reputation.sample]\nevery = 0\n[[exchange]]\n{table}private = true\n"
        with ScreenedPbx(settings=settings) as pbx, Phone(pbx.asterisk, "201"):
            wait_until(lambda: _companies(pbx), "the daemon's word on the companies")
            command = (sys.executable, "-m", COMMAND_LINE, "exchange", "fetch")
            subprocess.run(command, env=pbx.daemon.environment, cwd=ROOT, check=True, capture_output=True)
            for number, action in ((SPAMMER, "tag"), (OTHER, "allow")):
                assert pbx.carrier.call(CallSpec(caller=number, did=ALICE)).code == 200
                assert decision_on(pbx.daemon.store, number).action == action


def _companies(pbx: ScreenedPbx) -> list[str]:
    with open_store(pbx.daemon.store) as db:
        return [state.name for state in peer_states(db)]
