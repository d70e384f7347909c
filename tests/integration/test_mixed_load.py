"""Ten calls a second of all paths for a minute: no channel is left, and each call takes its path."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from callsieve.prompts.catalogue import prompts_of
from lab import Answering, Load, LoadResult, Phone
from lab.screened import ALICE, SETTINGS, ScreenedPbx
from reputation.model import EntryKind, ListEntry, ListName
from reputation.store.connection import open_store, transaction
from reputation.store.lists import add_entry
from tests.integration.office import install_prompts, journal, start_listening
from tests.waiting import wait_until

SECONDS = 60
DIGIT = 4
POLICY = """\
extends = "cautious"
[[rule]]
name = "asks-for-a-name"
when = { listed = "names" }
action = "challenge"
ask = "name"
reason = "we ask these who they are"
"""


@dataclass(frozen=True, slots=True)
class Path:
    """A path through the dialplan, its share of ten calls, and the required result of every call."""

    name: str
    action: str
    calls_in_ten: float
    code: int
    lasts: float
    rings: bool
    key: str = ""
    key_after: float = 1.0


# Answered calls end when the caller hangs up, `lasts` seconds after the answer, or after the key.
PATHS = (
    Path("allow", "allow", 2.0, 200, 1.0, True),
    Path("tag", "tag", 1.0, 200, 1.0, True),
    Path("warn", "warn", 1.0, 200, 1.0, True),
    Path("passed", "challenge", 1.5, 200, 4.0, True, key=str(DIGIT), key_after=1.5),
    Path("wrong-then-silent", "challenge", 0.5, 200, 14.0, False, key="5", key_after=1.5),
    Path("gives-up", "challenge", 1.0, 200, 3.0, False),
    Path("name", "challenge", 1.0, 200, 20.0, True),
    Path("route", "route", 1.0, 200, 3.0, False),
    Path("reject", "reject", 1.0, 603, 0.0, False),
)
FAMILIES = ("challenge", "caller", "screening", "appeal", "digit", "letter", "whisper")
PROMPTS = {key: 0.2 for key in prompts_of("en") if key.partition("-")[0] in FAMILIES}
# VoiceMail's warning about a caller without audio, as in a load test.
EXPECTED = re.compile(r"app\.c: No audio available")


def callers_of(path: Path) -> list[str]:
    """Return numbers of this path, so many that none calls twice within the minute."""
    first = 2_015_554_000 + 200 * PATHS.index(path)
    return [f"+1{number}" for number in range(first, first + 200)]


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    info = "[carrier](+)\ndtmf_mode = info\n"
    with ScreenedPbx(start_daemon=False, config={"pjsip.conf": info}, digit=DIGIT) as office:
        (office.state / "policies").mkdir()
        (office.state / "policies" / "office.toml").write_text(POLICY)
        settings = SETTINGS.replace('"cautious"', '"office"') + "\n[actions]\nappeal = true\n"
        start_listening(office, settings)
        names = "".join(f"{number}\n" for path in PATHS if path.name == "name" for number in callers_of(path))
        (office.state / "names.csv").write_text(f"number\n{names}")
        imported = office.daemon.callsieve("import", "numbers", str(office.state / "names.csv"), "--source", "names")
        assert imported.returncode == 0, imported.stderr
        with open_store(office.daemon.store) as db, transaction(db):
            for path in PATHS:
                for number in callers_of(path) if path.name != "name" else ():
                    entry = ListEntry(ListName.BLOCK, EntryKind.EXACT, number, action=path.action, added_at=time.time())
                    add_entry(db, entry)
        install_prompts(office, PROMPTS)
        yield office


def load_of(pbx: ScreenedPbx, path: Path) -> LoadResult:
    rate = path.calls_in_ten
    load = Load(
        rate=rate,
        calls=round(rate * SECONDS),
        did=ALICE,
        callers=callers_of(path),
        expected=path.code,
        talk_seconds=path.lasts,
        key=path.key,
        key_after=path.key_after,
    )
    return pbx.carrier.load(load)


@pytest.mark.load
@pytest.mark.timeout(300)
def test_ten_calls_a_second_of_all_paths_succeed(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "201", Answering(), echo=False, seconds=280.0) as alice:
        with ThreadPoolExecutor(len(PATHS)) as pool:
            results = dict(zip(PATHS, pool.map(lambda path: load_of(pbx, path), PATHS), strict=True))
        pbx.asterisk.wait_until_idle(10.0)
        invites = alice.invites()
    placed = sum(result.calls for result in results.values())
    failed = {path.name: dict(result.failures) for path, result in results.items() if result.failed}
    assert failed == {}
    assert placed >= 9.5 * SECONDS

    wait_until(lambda: len(journal(pbx.daemon.store)) >= placed, "the journal", 30.0)
    decided = Counter((record.caller, record.action) for record in journal(pbx.daemon.store))
    rang = Counter(invite.from_number for invite in invites)
    with open_store(pbx.daemon.store) as db:
        wait_until(lambda: db.execute("SELECT count(*) FROM outcome").fetchone()[0] >= placed, "the outcomes", 20.0)
        reached = db.execute("SELECT caller, answered_by FROM outcome").fetchall()
    for path, result in results.items():
        own = set(callers_of(path))
        assert {action for caller, action in decided if caller in own} == {path.action}, path.name
        assert sum(count for caller, count in rang.items() if caller in own) == (result.calls if path.rings else 0), (
            path.name
        )
        assert {who for caller, who in reached if caller in own} == {"201" if path.rings else None}, path.name
    assert [line for line in pbx.asterisk.warnings() if not EXPECTED.search(line)] == []
    peak = sum(result.peak_concurrent for result in results.values())
    print(f"{placed} calls of {len(PATHS)} paths in {SECONDS} s, {peak} at once at most, none failed, none stuck")
