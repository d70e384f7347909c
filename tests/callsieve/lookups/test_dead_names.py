"""A name server that does not answer: what holds a thread for a source holds up no other source."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from callsieve.lookups.client import LookUpClient
from lab.children import ends_with_us
from reputation.store.database import open_store
from reputation.store.lookups import answers_about, replace_sources
from tests.callsieve.lookups.looking_up import SPAM
from tests.callsieve.outside.servers import answer, serving
from tests.callsieve.program import Program
from tests.office import ROOT, SETTINGS
from tests.waiting import until

# The system's resolver waits for its servers in a thread, which nothing can end.
PROGRAM = """
import socket, sys, time
resolve = socket.getaddrinfo
def getaddrinfo(host, *more, **named):
    if host == "dead.example.com":
        time.sleep(3600)
    return resolve(host, *more, **named)
socket.getaddrinfo = getaddrinfo
from callsieve.main.entry import main
sys.argv = ["callsieve", "lookups", "serve"]
main()
"""
DEAD = """
[[lookup]]
name = "dead"
kind = "http"
url = "https://dead.example.com/{digits}"
send = "number"
consent = true
spam_when = ["spam == true"]
"""
WELL = DEAD.replace('"dead"', '"well"').replace("https://dead.example.com", "http://127.0.0.1:PORT")
NUMBERS = [f"+1201555010{n}" for n in range(8)]


@contextmanager
def asking(callsieve: Program) -> Iterator[None]:
    command = (*ends_with_us(), sys.executable, "-c", PROGRAM)
    with subprocess.Popen(command, env=callsieve.environment, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()  # its threads never end


async def test_dead_name_server_does_not_delay_other_sources(tmp_path: Path) -> None:
    async with serving(answer(body=SPAM)) as server:
        callsieve = Program(tmp_path, SETTINGS + DEAD + WELL.replace("PORT", str(server.port)) + "private = true\n")
        callsieve.ok("db", "migrate")
        callsieve.write(replace_sources, {"dead": True, "well": True})
        client = LookUpClient(callsieve.state / "lookups.sock", budget_seconds=1.0)
        with asking(callsieve):
            await until((callsieve.state / "lookups.sock").exists)
            for number in NUMBERS:
                client.ask_again(number)
            await until(lambda: all("well" in _answers(callsieve, number) for number in NUMBERS))
            await client.close()


def _answers(callsieve: Program, number: str) -> set[str]:
    with open_store(callsieve.store) as db:
        return set(answers_about(db, number))
