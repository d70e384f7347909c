"""The preset `strangers` through FreePBX's dialplan: who is challenged, what rings, and after how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import SOCK_STREAM

import pytest

from callsieve.prompts.catalogue import prompts_of
from lab import CallSpec, Carrier, Phone
from lab.phone import Answering
from lab.ports import free_port
from lab.screened import PATIENT_DEADLINE_MS
from reputation.caller_names import company_key
from reputation.model import Direction
from reputation.store.connection import open_store, transaction
from reputation.store.lists import Contact, add_contacts
from reputation.store.outcomes import record_outcome
from tests.integration.bare import Office
from tests.integration.freepbx import ALICE, GROUP, HUNT, QUEUE, FastAgiServer, freepbx
from tests.integration.office import heard_digits, install_prompts, is_asked
from tests.integration.test_freepbx import be_patient
from tests.integration.test_strangers import DAY, night
from tests.reputation.store_builders import make_outcome
from tests.waiting import wait_until

NEW, TO_GROUP, TO_QUEUE, BY_DAY, GAVE_UP, FAILED, DIALLED, COLLEAGUE, WITHHELD, FROZEN = (
    f"+120155502{n}" for n in range(10, 20)
)
CONTACT = "+12015550229"
BANK = "+8695588"
SETTINGS = f"""
[agi]
deadline_ms = {PATIENT_DEADLINE_MS}

[policy]
name = "strangers"

[reputation.first_call]
most = 0

[[scope]]
did = "{HUNT}"
policy = "day"

[[person]]
extension = "201"
endpoint = "PJSIP/201"

[[person]]
extension = "202"
endpoint = "PJSIP/202"
"""
PROMPTS = dict.fromkeys((key for key in prompts_of("en") if key.partition("-")[0] in ("challenge", "caller")), 0.3)
FROZEN_SECONDS = 3.0  # the default deadline, and a call through FreePBX on a busy machine


@contextmanager
def by_night(state: Path, settings: str, port: int, ready: Callable[[Office], None]) -> Iterator[Office]:
    """Run FreePBX with the preset, at three o'clock in the morning for the daemon."""
    with freepbx(state, settings, port=port) as office:
        (state / "policies").mkdir(parents=True)
        (state / "policies" / "day.toml").write_text(DAY.format("06:00", "07:00"))
        office.install("--freepbx", "--reload")
        ready(office)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", night())
            office.daemon.start()
        install_prompts(office, PROMPTS)
        yield office


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    state = tmp_path_factory.mktemp("strangers") / "state"
    with (
        FastAgiServer(free_port("127.0.0.1", SOCK_STREAM)) as server,
        by_night(state, SETTINGS, server.port, be_patient) as office,
    ):
        yesterday = time.time() - 86_400.0
        with open_store(office.daemon.store) as db, transaction(db):
            add_contacts(db, "crm", [Contact(CONTACT, "Jo", None, company_key("Acme Dental Supplies Ltd"))])
            called = make_outcome("out", yesterday, by="202", direction=Direction.OUTBOUND, dialled=DIALLED)
            record_outcome(db, called, yesterday)
        yield office


@pytest.fixture(autouse=True)
def _nothing_left(pbx: Office) -> Iterator[None]:
    yield
    pbx.asterisk.wait_until_idle()


def is_asked_first(pbx: Office, spec: CallSpec) -> bool:
    """Return whether a caller is challenged before the phone rings. The caller presses the digit."""
    before = len(heard_digits(pbx))
    with Phone(pbx.asterisk, "201", Answering.never()) as phone, Carrier(pbx.asterisk).start(spec) as call:
        wait_until(lambda: is_asked(pbx, before) or phone.invites(), "the question, or a ringing phone")
        if asked := not phone.invites():
            call.press(heard_digits(pbx)[-1])
        phone.wait_for_invite()
    return asked


@pytest.mark.parametrize(
    ("caller", "did"),
    [
        pytest.param(NEW, ALICE, id="extension"),
        pytest.param(TO_GROUP, GROUP, id="ring-group"),
        pytest.param(TO_QUEUE, QUEUE, id="queue"),
    ],
)
def test_a_stranger_is_challenged_once_by_night(pbx: Office, caller: str, did: str) -> None:
    spec = CallSpec(caller=caller, name="Joe", did=did, hang_up_after=8.0)
    assert [is_asked_first(pbx, spec), is_asked_first(pbx, spec)] == [True, False]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(CallSpec(caller=BY_DAY, did=HUNT, hang_up_after=3.0), id="by-day"),
        pytest.param(CallSpec(caller=DIALLED, did=ALICE, hang_up_after=3.0), id="called-yesterday-in-vain"),
        pytest.param(CallSpec(caller=CONTACT, did=ALICE, hang_up_after=3.0), id="contact"),
        pytest.param(CallSpec(caller=COLLEAGUE, name="ACME DENTAL SUP", did=ALICE, hang_up_after=3.0), id="colleague"),
        pytest.param(CallSpec(caller=BANK, did=ALICE, hang_up_after=3.0), id="service-number-of-a-bank"),
    ],
)
def test_known_callers_and_calls_by_day_are_not_challenged(pbx: Office, spec: CallSpec) -> None:
    assert not is_asked_first(pbx, spec)


def test_a_withheld_caller_is_challenged_each_time(pbx: Office) -> None:
    spec = CallSpec(caller=WITHHELD, privacy=True, did=ALICE, hang_up_after=8.0)
    assert [is_asked_first(pbx, spec), is_asked_first(pbx, spec)] == [True, True]


def test_a_caller_who_hung_up_is_challenged_again(pbx: Office) -> None:
    before = len(heard_digits(pbx))
    with Phone(pbx.asterisk, "201") as phone:
        Carrier(pbx.asterisk).call(CallSpec(caller=GAVE_UP, did=ALICE, hang_up_after=1.5))
        assert is_asked(pbx, before)
        assert calls_from(GAVE_UP, phone) == 0
    assert is_asked_first(pbx, CallSpec(caller=GAVE_UP, did=ALICE, hang_up_after=8.0))


def calls_from(number: str, phone: Phone) -> int:
    """Return how often a phone rang. A phone that was off may still get an ended call."""
    return [invite.from_number for invite in phone.invites()].count(number)


def test_a_failed_caller_rings_no_phone(pbx: Office) -> None:
    with Phone(pbx.asterisk, "201") as first, Phone(pbx.asterisk, "202") as second:
        result = Carrier(pbx.asterisk).call(CallSpec(caller=FAILED, did=GROUP, hang_up_after=30.0, timeout=60.0))
        assert (result.code, result.bye_from) == (200, "asterisk")
        assert [calls_from(FAILED, first), calls_from(FAILED, second)] == [0, 0]


def test_a_frozen_daemon_lets_a_stranger_ring_soon(tmp_path: Path) -> None:
    """With the default deadline."""
    settings = SETTINGS.replace(f"[agi]\ndeadline_ms = {PATIENT_DEADLINE_MS}\n", "")
    with (
        FastAgiServer(free_port("127.0.0.1", SOCK_STREAM)) as server,
        by_night(tmp_path / "state", settings, server.port, lambda _: None) as office,
        Phone(office.asterisk, "201") as phone,
    ):
        office.daemon.freeze()
        try:
            result = Carrier(office.asterisk).call(CallSpec(caller=FROZEN, did=ALICE, hang_up_after=0.5))
        finally:
            office.daemon.thaw()
        assert (result.code, calls_from(FROZEN, phone)) == (200, 1)
        assert heard_digits(office) == []
        assert (result.ringing_seconds or 99.0) < FROZEN_SECONDS
        office.asterisk.wait_until_idle()
