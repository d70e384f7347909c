"""Call-backs through the helper's call file, on a real Asterisk: who answers keys the code as tones."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.call_back.client import ask
from lab import Answering, CallSpec, Phone
from lab.screened import EXTENSIONS, ScreenedPbx
from reputation.appeals import Appeal, AppealState
from reputation.store.appeals import appeal_of, open_appeal
from reputation.store.audit import audit_rows
from reputation.store.connection import transaction
from reputation.store.identities import identity_of
from reputation.store.public_appeals import add_public_appeal, called_code, keep_code
from tests.callsieve.call_back.helping import call_files, helper_process, settings_text
from tests.integration.office import asking_office, install_prompts
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("leaves_nothing")
OWNERS = [f"+12015550{n}" for n in range(460, 470)]
PROVING = "+442071838753"
RIGHT, WRONG, TICKET = "314159", "271828", "000000000042"
DIALPLAN = EXTENSIONS.replace("[office]\n", f"[office]\nexten => {PROVING},1,Goto(callsieve-prove,s,1)\n")
HELPER = """\
channel = "PJSIP/{number}@carrier"
caller_id = "+442071838750"
seconds = 120
an_hour = 30
at_once = 30
"""


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    proving = f'\n[[did]]\nnumber = "{PROVING}"\nscreen = false\n'
    with asking_office("", proving, ("proof", "caller"), DIALPLAN) as office:
        yield office


def settings_at(pbx: ScreenedPbx, settings: str = HELPER) -> str:
    """Return the helper's settings for the spool and the sounds of this Asterisk."""
    directories = pbx.asterisk.directories
    return settings_text(directories.spool, f'{settings}sounds = "{directories.data}/sounds"\n')


@pytest.fixture
def helper_socket(pbx: ScreenedPbx, tmp_path: Path) -> Iterator[Path]:
    """The socket of a helper for the spool of this Asterisk."""
    spool = pbx.asterisk.directories.spool
    wait_until(lambda: (spool / "outgoing").is_dir(), "Asterisk's spool")
    with helper_process(tmp_path, settings_at(pbx)) as door:
        yield door
    assert call_files(spool) == [], "each file is used up"


@pytest.fixture
def owner(pbx: ScreenedPbx) -> Iterator[Phone]:
    """The phone of the number's owner, at the far end of the trunk."""
    with Phone(pbx.asterisk, "carrier", Answering(), echo=False) as phone:
        yield phone


def file_appeal(db: sqlite3.Connection, number: str, reference: str) -> str:
    """File an appeal that the code RIGHT proves in the call of TICKET."""
    appeal = Appeal(
        reference=reference, number=number, name="Carol", contact="carol@example.com", opened_at=time.time()
    )
    with transaction(db):
        open_appeal(db, appeal)
        add_public_appeal(db, reference, f"link of {reference}", time.time())
        keep_code(db, called_code(reference), number, TICKET + RIGHT, time.time())
    return reference


def state_of(db: sqlite3.Connection, reference: str) -> tuple[AppealState, bool]:
    appeal = appeal_of(db, reference)
    assert appeal is not None
    return appeal.state, appeal.proven


def heard_since(pbx: ScreenedPbx, logged: int) -> list[str]:
    lines = pbx.asterisk.log_lines()[logged:]
    return [line.split("Playing '")[1].split(".")[0].split("/")[-1] for line in lines if "Playing '" in line]


def keying(pbx: ScreenedPbx, owner: Phone, logged: int, *codes: str) -> list[str]:
    """Key each code after its question, and return the prompts until the call ended. `logged`: lines before it."""
    for count, code in enumerate(codes, start=1):
        wait_until(lambda count=count: len(heard_since(pbx, logged)) > count, "being asked")  # type: ignore[misc]
        owner.press(code)
    wait_until(lambda: "caller-goodbye" in heard_since(pbx, logged), "the end")
    pbx.asterisk.wait_until_idle()
    return heard_since(pbx, logged)


@pytest.mark.parametrize(
    ("number", "reference", "channel"),
    [
        pytest.param(OWNERS[0], "AP000010", "PJSIP/{number}@carrier", id="trunk"),
        pytest.param(OWNERS[6], "AP000016", "Local/{number}@from-internal", id="own-dialplan"),
    ],
)
def test_keying_the_code_in_the_call_back_proves_the_number(
    pbx: ScreenedPbx, db: sqlite3.Connection, tmp_path: Path, owner: Phone, number: str, reference: str, channel: str
) -> None:
    file_appeal(db, number, reference)
    logged = len(pbx.asterisk.log_lines())
    settings = HELPER.replace("PJSIP/{number}@carrier", channel)
    with helper_process(tmp_path, settings_at(pbx, settings)) as door:
        assert ask(door, number, TICKET) == "called"
    assert number in owner.wait_for_invite().start_line
    heard = keying(pbx, owner, logged, WRONG, RIGHT)
    assert heard == ["proof-hello", "proof-ask", "proof-wrong", "proof-right", "caller-goodbye"]
    assert state_of(db, reference) == (AppealState.IN_FORCE, True)
    identity = identity_of(db, number)
    assert identity is not None
    assert (identity.name, identity.level) == ("Carol", 1)
    assert [row.what for row in audit_rows(db, number)] == ["appeal prove"] * 2


def test_three_wrong_codes_end_the_call(
    pbx: ScreenedPbx, db: sqlite3.Connection, helper_socket: Path, owner: Phone
) -> None:
    reference = file_appeal(db, OWNERS[1], "AP000011")
    logged = len(pbx.asterisk.log_lines())
    assert ask(helper_socket, OWNERS[1], TICKET) == "called"
    owner.wait_for_invite()
    heard = keying(pbx, owner, logged, WRONG, WRONG, WRONG)
    assert heard == ["proof-hello", "proof-ask", *["proof-wrong"] * 2, "proof-sorry", "caller-goodbye"]
    assert state_of(db, reference) == (AppealState.OPEN, False)
    assert identity_of(db, OWNERS[1]) is None


def test_calling_in_with_a_call_back_code_proves_nothing(pbx: ScreenedPbx, db: sqlite3.Connection) -> None:
    """Whoever filed the appeal has the code and can forge the number, so only our own call is proof."""
    reference = file_appeal(db, OWNERS[2], "AP000012")
    logged = len(pbx.asterisk.log_lines())
    with pbx.carrier.start(CallSpec(caller=OWNERS[2], did=PROVING, hang_up_after=None, timeout=60.0)) as call:
        for count in (1, 2, 3):
            wait_until(lambda count=count: len(heard_since(pbx, logged)) >= count, "being asked")  # type: ignore[misc]
            call.press(RIGHT)
        call.result()
    assert "proof-right" not in heard_since(pbx, logged)
    assert state_of(db, reference) == (AppealState.OPEN, False)


def test_the_call_back_ends_at_its_time_limit(
    pbx: ScreenedPbx, db: sqlite3.Connection, tmp_path: Path, owner: Phone
) -> None:
    """The owner answers and says nothing. Asterisk hangs up during a question, after 20 s."""
    reference, settings = file_appeal(db, OWNERS[3], "AP000013"), HELPER.replace("= 120", "= 20")
    install_prompts(pbx, {"proof-ask": 40.0})
    with helper_process(tmp_path, settings_at(pbx, settings)) as door:
        assert ask(door, OWNERS[3], TICKET) == "called"
    owner.wait_for_invite()
    pbx.asterisk.wait_until_idle(60)
    install_prompts(pbx, {"proof-ask": 0.2})
    assert any(not message.sent and message.method == "BYE" for message in owner.messages())
    assert state_of(db, reference) == (AppealState.OPEN, False)


def test_a_frozen_daemon_proves_no_number(
    pbx: ScreenedPbx, db: sqlite3.Connection, helper_socket: Path, owner: Phone
) -> None:
    reference = file_appeal(db, OWNERS[4], "AP000014")
    logged = len(pbx.asterisk.log_lines())
    assert ask(helper_socket, OWNERS[4], TICKET) == "called"
    owner.wait_for_invite()
    pbx.daemon.freeze()
    try:
        heard = keying(pbx, owner, logged, RIGHT, RIGHT, RIGHT)
    finally:
        pbx.daemon.thaw()
    assert "proof-right" not in heard
    assert state_of(db, reference)[1] is False


def test_a_busy_number_is_called_back_once(pbx: ScreenedPbx, helper_socket: Path) -> None:
    with Phone(pbx.asterisk, "carrier", Answering.busy()) as engaged:
        assert ask(helper_socket, OWNERS[5], TICKET) == "called"
        engaged.wait_for_invite()
        wait_until(lambda: call_files(pbx.asterisk.directories.spool) == [], "the file to go")
        pbx.asterisk.wait_until_idle()
        assert len(engaged.invites()) == 1


def test_numbers_used_for_fraud_are_not_called_back(pbx: ScreenedPbx, helper_socket: Path, owner: Phone) -> None:
    fraud = ["+19005551234", "+18095551234", "+18765551234", "+12129761234", "+449061234567", "+881612345678"]
    assert "called" not in {ask(helper_socket, number, TICKET) for number in fraud}
    assert call_files(pbx.asterisk.directories.spool) == []
    assert owner.invites() == []
