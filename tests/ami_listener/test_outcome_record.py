"""From a tracked outcome to the record that is stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ami_listener.events import CallIdReported, MachineAnswered, NetworkBlocked
from ami_listener.framing import packet_of
from ami_listener.outcome import Outcome, Presentation, record_of
from ami_listener.parsing import parse_event, parse_key
from reputation import model
from reputation.model import CallerKind, Direction, Disposition, EndedBy
from reputation.outcome import OutcomeRecord
from tests.ami_listener.replaying import NAMES, items_of, outcomes_of

INBOUND = Outcome(
    linkedid="c1",
    at=100.0,
    ended_at=110.0,
    direction=Direction.INBOUND,
    disposition=Disposition.ANSWERED,
    complete=True,
    caller="2017421834",
    trunk="carrier",
    did="02071838750",
    answered_by="PJSIP/201",
    rang=("PJSIP/201", "PJSIP/202"),
    forked_to=2,
    ring_seconds=3.0,
    talk_seconds=7.0,
    ended_by=EndedBy.CALLEE,
)


def region_of(trunk: str | None) -> str:
    return "US" if trunk == "carrier" else "GB"


def recorded(outcome: Outcome) -> OutcomeRecord:
    record = record_of(outcome, region_of)
    assert record is not None
    return record


@pytest.mark.parametrize("name", NAMES)
def test_the_end_of_a_call_is_that_of_its_last_channel(name: str) -> None:
    told = [(record, outcome) for outcome in outcomes_of(items_of(name)) if (record := record_of(outcome, region_of))]
    ends = [item.ended_at for _, item in told]
    assert [record.ended_at for record, _ in told] == pytest.approx(ends, abs=0.001)


def test_an_inbound_call_is_read_in_the_region_of_its_trunk() -> None:
    record = recorded(replace(INBOUND, did="+442071838750"))
    assert (record.caller, record.caller_kind, record.did) == ("+12017421834", CallerKind.NUMBER, "+442071838750")
    assert (record.answered_by, record.rung, record.ended_by) == (
        "PJSIP/201",
        ("PJSIP/201", "PJSIP/202"),
        model.EndedBy.CALLEE,
    )


def test_a_service_number_has_its_key_and_an_extension_stays_one() -> None:
    record = recorded(replace(INBOUND, caller="411"))
    assert (record.caller, record.caller_kind, record.number) == ("+1411", CallerKind.SERVICE, "+1411")
    inside = replace(INBOUND, direction=Direction.INTERNAL, placed_by="PJSIP/201", dialled="411", trunk=None)
    assert recorded(inside).dialled == "411"


@pytest.mark.parametrize(
    ("outcome", "caller", "kind"),
    [
        pytest.param(replace(INBOUND, presentation=Presentation.WITHHELD), None, CallerKind.WITHHELD, id="withheld"),
        pytest.param(replace(INBOUND, caller=""), None, CallerKind.WITHHELD, id="no number at all"),
        pytest.param(replace(INBOUND, caller="1&PJSIP/x"), None, CallerKind.INVALID, id="not a number"),
    ],
)
def test_a_caller_without_a_number_has_none(outcome: Outcome, caller: str | None, kind: CallerKind) -> None:
    record = recorded(outcome)
    assert (record.caller, record.caller_kind, record.number) == (caller, kind, None)


def test_caller_of_an_outgoing_call_is_the_placing_phone() -> None:
    call = replace(
        INBOUND,
        direction=Direction.OUTBOUND,
        caller="+442071838750",
        placed_by="PJSIP/201",
        dialled="2017421834",
        did="",
    )
    record = recorded(call)
    assert (record.caller, record.dialled, record.number) == ("PJSIP/201", "+12017421834", "+12017421834")


def test_forwarded_call_has_no_witness() -> None:
    record = recorded(replace(INBOUND, forwarded_to="+13125550142", answered_by="PJSIP/carrier"))
    assert (record.answered_by, record.transferred) == (None, True)


def test_call_without_a_direction_is_not_recorded() -> None:
    assert record_of(replace(INBOUND, direction=None), region_of) is None


def test_partly_seen_call_is_not_complete() -> None:
    assert not recorded(replace(INBOUND, complete=False)).complete
    assert recorded(INBOUND).complete


KEY = (
    "Event: UserEvent\r\nUserEvent: CallSieveMark\r\nUniqueid: 1.1\r\nLinkedid: 1.0\r\nChannel: PJSIP/201-00000001\r\n"
)


def test_the_key_for_spam_names_its_channel() -> None:
    key = parse_key(packet_of(KEY + "Verdict: spam"))
    assert key is not None
    assert (key.channel.name, key.channel.linkedid) == ("PJSIP/201-00000001", "1.0")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(KEY + "Verdict: ok", id="another verdict"),
        pytest.param(KEY.replace("CallSieveMark", "Other") + "Verdict: spam", id="somebody else's event"),
        pytest.param(KEY.replace("Uniqueid: 1.1\r\n", "") + "Verdict: spam", id="no channel"),
        pytest.param("Event: Hangup\r\nUniqueid: 1.1", id="no user event"),
    ],
)
def test_other_events_are_not_keys(text: str) -> None:
    assert parse_key(packet_of(text)) is None


TOLD = KEY.replace("CallSieveMark", "CallSieveOutbound")


@pytest.mark.parametrize(
    ("text", "event"),
    [
        pytest.param(TOLD + "Refused: network", NetworkBlocked, id="a-network-refused"),
        pytest.param(TOLD + "Answered: machine", MachineAnswered, id="a-machine-answered"),
        pytest.param(TOLD + "Refused: person", None, id="another-word"),
        pytest.param(TOLD + "CallId: 5c1f@192.0.2.7", CallIdReported, id="a-call-id"),
        pytest.param(TOLD.replace("CallSieveOutbound", "Other") + "Refused: network", None, id="somebody-elses"),
        pytest.param(TOLD.replace("Uniqueid: 1.1\r\n", "") + "Refused: network", None, id="no-channel"),
    ],
)
def test_user_events_of_our_dialplan_are_parsed(text: str, event: type[object] | None) -> None:
    found = parse_event(packet_of(text))
    assert (None if found is None else type(found)) is event


@pytest.mark.parametrize("direction", Direction)
def test_only_outgoing_calls_are_blocked_or_answered_by_machine(direction: Direction) -> None:
    record = recorded(replace(INBOUND, direction=direction, blocked=True, machine=True))
    assert (record.blocked, record.machine) == (direction is Direction.OUTBOUND, direction is Direction.OUTBOUND)


def test_tracker_ignores_user_events() -> None:
    assert parse_event(packet_of(KEY + "Verdict: spam")) is None
