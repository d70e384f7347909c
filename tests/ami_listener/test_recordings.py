"""Real Asterisk's own words, replayed whole, from every starting point and with every cut: nothing wrong comes out."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ami_listener import parsing
from ami_listener.framing import Names, Packet, PacketReader, fields_named, packet_of
from ami_listener.outcome import Outcome
from ami_listener.parsing import EVENTS, parse_event
from lab.recorder import load_recording
from lab.recording_scenes import SCENES
from tests.ami_listener.replaying import FOLDER, NAMES, Item, expected, items_of, outcomes_of, rounded

each_recording = pytest.mark.parametrize("name", NAMES)


def test_every_scene_is_recorded_and_has_an_expectation() -> None:
    assert set(NAMES) == set(SCENES) == {path.stem for path in FOLDER.glob("*.toml")}


@each_recording
def test_whole_recording_gives_the_expected_outcomes(name: str) -> None:
    assert [rounded(name, outcome) for outcome in outcomes_of(items_of(name))] == list(expected(name))


def may_come_of(name: str) -> set[Outcome]:
    """Complete outcomes that may come of parts: those of the whole, and a repeated offer whose first was not seen."""
    whole = {outcome for outcome in outcomes_of(items_of(name)) if outcome.complete}
    return whole | {alone for outcome in whole if outcome.earlier for alone in later_offer_alone(name, outcome)}


def later_offer_alone(name: str, outcome: Outcome) -> set[Outcome]:
    items = items_of(name)
    first = next(
        n for n, item in enumerate(items) if item.packet and f"Uniqueid: {outcome.linkedid}" in item.packet.text
    )
    return {replace(alone, earlier=()) for alone in outcomes_of(items[first:]) if alone.linkedid == outcome.linkedid}


@each_recording
def test_no_wrong_complete_outcome_from_any_starting_point(name: str) -> None:
    items, allowed = items_of(name), may_come_of(name)
    for start in range(len(items)):
        assert {outcome for outcome in outcomes_of(items[start:], gap=True) if outcome.complete} <= allowed, start


@each_recording
def test_no_wrong_complete_outcome_with_any_cut(name: str) -> None:
    items, allowed = items_of(name), may_come_of(name)
    for end in range(len(items)):
        outcomes = outcomes_of(items[:end], gap=True)
        assert {outcome for outcome in outcomes if outcome.complete} <= allowed, end


@each_recording
@pytest.mark.parametrize("listed", [pytest.param(True, id="channels listed"), pytest.param(False, id="not listed")])
def test_no_wrong_complete_outcome_with_any_gap(name: str, listed: bool) -> None:
    items, allowed = items_of(name), may_come_of(name)
    chance = random.Random(name)
    for _ in range(150):
        start, end = sorted(chance.choices(range(len(items)), k=2))
        lost = Item(items[start].at, None)
        outcomes = outcomes_of([*items[:start], lost, *items[end:]], gap=listed)
        assert {outcome for outcome in outcomes if outcome.complete} <= allowed, (start, end)


@each_recording
def test_repeated_events_do_not_change_complete_outcomes(name: str) -> None:
    whole = [outcome for outcome in outcomes_of(items_of(name)) if outcome.complete]
    twice = [item for item in items_of(name) for _ in range(2)]
    assert [outcome for outcome in outcomes_of(twice) if outcome.complete] == whole


@each_recording
def test_reading_byte_by_byte_gives_the_same_packets(name: str) -> None:
    data = b"".join(chunk.data for chunk in load_recording(FOLDER / f"{name}.ami"))
    reader = PacketReader()
    bytewise = [packet for n in range(len(data)) for packet in reader.receive_data(data[n : n + 1])]
    assert bytewise == PacketReader().receive_data(data)


@each_recording
def test_unwanted_packets_are_skipped_and_counted(name: str) -> None:
    data = b"".join(chunk.data for chunk in load_recording(FOLDER / f"{name}.ami"))
    everything = PacketReader().receive_data(data)
    wanted = [packet for packet in everything if packet.name in EVENTS or not packet.name]
    reader = PacketReader(wanted=EVENTS)
    bytewise = [packet for n in range(len(data)) for packet in reader.receive_data(data[n : n + 1])]
    assert bytewise == wanted
    assert reader.unwanted == len(everything) - len(wanted) > 0


@each_recording
def test_selected_fields_equal_those_of_the_whole_packet(name: str) -> None:
    for item in items_of(name):
        if item.packet is not None and item.packet.name:
            fields = item.packet.fields()
            del fields["Event"]
            assert item.packet.some(fields_named(*fields, "Uniqueid-of-nobody")) == fields


class WholePacket(Packet):
    """One of which all fields are read."""

    def some(self, named: Names) -> dict[str, str]:
        return self.fields()


@each_recording
def test_every_field_that_an_event_needs_is_read(name: str) -> None:
    for item in items_of(name):
        if item.packet is not None:
            assert parse_event(item.packet) == parse_event(WholePacket(*item.packet))


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_field_that_an_event_may_need_is_read(name: str) -> None:
    """With every name that the parser has, and words that some of them must be."""
    tables = [value for name, value in vars(parsing).items() if name.isupper() and isinstance(value, tuple)]
    names = sorted({row[0] for table in tables for row in table if isinstance(row, tuple)})
    assert {"Uniqueid", "DestLinkedid", "TransferTargetChannel", "Queue"} <= set(names)
    for words in ({"Result": "Success", "UserEvent": "CallSieveOutbound", "Refused": "network"}, {}):
        values = {**{item: f"{n}" for n, item in enumerate(names)}, **words}
        packet = packet_of(f"Event: {name}" + "".join(f"\r\n{item}: {value}" for item, value in values.items()))
        assert parse_event(packet) == parse_event(WholePacket(*packet))


def test_two_reads_cut_anywhere_equal_one() -> None:
    data = b"".join(chunk.data for chunk in load_recording(FOLDER / "one-ring.ami"))
    assert "王".encode() in data
    whole = PacketReader().receive_data(data)
    for cut in range(len(data)):
        reader = PacketReader()
        assert [*reader.receive_data(data[:cut]), *reader.receive_data(data[cut:])] == whole
