"""Follows each call from its events to its outcome. Start here to see how events are assigned to calls.

No I/O and no clock. A channel belongs to the call of its first linkedid, and moves when Asterisk gives the channel
another linkedid (pick-up, parking, attended transfer). A call is over when its last channel is gone. A call that was
not seen completely is incomplete and never evidence. All memory is bounded.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ami_listener import events
from ami_listener.calls import Bridges, Call, CallKind, Channel, kind_of, outcome_of
from ami_listener.events import ChannelRef, Event
from ami_listener.outcome import CarrierRetries, Outcome, Presentation, may_be_offered_again, merge
from reputation.channels import endpoint_of
from reputation.model import Direction

CALLS_LIMIT = 10_000
AGE_LIMIT_SECONDS = 24 * 3600.0
CHANNELS_PER_CALL = 1_000
MAILBOXES_LIMIT = 10_000
RINGING, UP = 5, 6

TrunkOf = Callable[[str], str | None]


class Held(NamedTuple):
    """How many calls, channels, bridges and mailboxes a tracker has in memory. `offers`: calls that may be retried."""

    calls: int
    channels: int
    bridges: int
    mailboxes: int
    offers: int


class CallTracker:
    """Tracks all calls of one Asterisk from their events. `trunk_of` returns the name of a channel's trunk, or None."""

    def __init__(
        self, trunk_of: TrunkOf, *, calls_limit: int = CALLS_LIMIT, age_limit_seconds: float = AGE_LIMIT_SECONDS
    ) -> None:
        self._trunk_of = trunk_of
        self._calls_limit = calls_limit
        self._age_limit_seconds = age_limit_seconds
        self._calls: dict[str, Call] = {}
        self._channels: dict[str, Channel] = {}
        self._bridges = Bridges(calls_limit)
        self._mailboxes: dict[str, int] = {}
        self._offers = CarrierRetries()
        self._ended: list[Outcome] = []

    @property
    def calls_in_progress(self) -> int:
        """Return how many calls are in progress."""
        return len(self._calls)

    @property
    def held(self) -> Held:
        """Return how many objects of each kind are in memory now."""
        return Held(
            calls=len(self._calls),
            channels=len(self._channels),
            bridges=len(self._bridges),
            mailboxes=len(self._mailboxes),
            offers=len(self._offers),
        )

    def receive(self, event: Event, at: float) -> list[Outcome]:
        """Process one event that happened at `at`. Return the outcomes of calls that it ended."""
        _HANDLERS[type(event)](self, event, at)
        return self._outcomes(at)

    def tick(self, at: float) -> list[Outcome]:
        """Tell the tracker the time, about once a second. Return the outcomes of calls that have ended."""
        self._drop_old(at)
        return self._outcomes(at)

    def gap(self, at: float) -> list[Outcome]:
        """End every call in progress as incomplete, because the connection is lost or the program stops.

        After reconnecting, CallSieve does not ask for a list of calls, which needs a permission that CallSieve avoids
        (decisions/manager-rights.md). A call that continues is later seen as a call without its beginning.
        """
        for call in list(self._calls.values()):
            call.set_talking(False, at)
            self._drop(call, at)
        self._bridges.clear()
        self._ended += self._offers.give_up()
        return self._outcomes(at)

    # Channels and calls

    def _find(self, ref: ChannelRef | None) -> Channel | None:
        channel = None if ref is None else self._channels.get(ref.uniqueid)
        if channel is None or ref is None:
            return None
        if channel.linkedid != ref.linkedid:
            channel.linkedid = ref.linkedid
            self._move(channel, self._calls.get(ref.linkedid))
        return channel

    def _find_or_add(self, ref: ChannelRef, at: float) -> Channel:
        """Return the channel. Add it if it is unknown: then its beginning was not seen, so its call is incomplete."""
        channel = self._find(ref)
        if channel is not None:
            return channel
        call = self._calls.get(ref.linkedid) or self._open(ref.linkedid, at)
        call.complete = False
        channel = self._add(ref, call)
        if ref.uniqueid == ref.linkedid and call.main is None:
            call.begin(channel, "", "", "")
        return channel

    def _open(self, linkedid: str, at: float) -> Call:
        self._drop_old(at)
        if len(self._calls) >= self._calls_limit:
            self._drop(next(iter(self._calls.values())), at)
        call = self._calls[linkedid] = Call(linkedid, at, complete=True)
        return call

    def _add(self, ref: ChannelRef, call: Call) -> Channel:
        trunk = self._trunk_of(ref.name)
        kind = kind_of(ref.name, trunk)
        channel = Channel(ref.uniqueid, ref.linkedid, endpoint_of(ref.name), kind, trunk, call)
        self._channels[ref.uniqueid] = call.channels[ref.uniqueid] = channel
        if len(call.channels) > CHANNELS_PER_CALL:
            call.complete = False
            self._forget(next(iter(call.channels.values())))
        return channel

    def _move(self, channel: Channel, target: Call | None) -> None:
        """Move a channel to another call. The calling channel of an external call never moves."""
        old = channel.call
        if target is None or target is old or (channel is old.main and old.direction is not Direction.INTERNAL):
            return
        del old.channels[channel.uniqueid]
        old.ringing -= channel.ringing
        channel.ringing = False
        channel.call = target
        target.channels[channel.uniqueid] = channel
        if not old.channels:  # a phone that dialled the pick-up code is part of the call that it picked up
            self._calls.pop(old.linkedid, None)

    def _forget(self, channel: Channel) -> None:
        self._channels.pop(channel.uniqueid, None)
        channel.call.channels.pop(channel.uniqueid, None)
        self._bridges.forget(channel)

    def _drop(self, call: Call, at: float) -> None:
        call.complete = False
        for channel in list(call.channels.values()):
            self._forget(channel)
        self._finish(call, at)

    def _drop_old(self, at: float) -> None:
        while self._calls:
            oldest = next(iter(self._calls.values()))
            if at - oldest.started_at <= self._age_limit_seconds:
                return
            self._drop(oldest, at)

    def _finish(self, call: Call, at: float) -> None:
        self._calls.pop(call.linkedid, None)
        outcome = outcome_of(call, at)
        call.main = call.outside = None  # breaks the reference cycle, so that the memory is freed at once
        if call.earlier is not None:
            outcome = merge(call.earlier, outcome)
        if may_be_offered_again(outcome):
            self._ended += self._offers.hold(outcome)
        else:
            self._ended.append(outcome)

    def _outcomes(self, at: float) -> list[Outcome]:
        if len(self._offers):
            self._ended += self._offers.due(at)
        if not self._ended:
            return []
        ended, self._ended = self._ended, []
        return ended

    # Events

    def _on_new_channel(self, event: events.NewChannel, at: float) -> None:
        ref = event.channel
        if ref.uniqueid in self._channels:
            return
        if ref.uniqueid != ref.linkedid:
            call = self._calls.get(ref.linkedid)
            self._add(ref, call) if call else self._find_or_add(ref, at)
            return
        if ref.linkedid in self._calls:  # an event of its other channels came first: the start was missed
            self._find_or_add(ref, at)
            return
        call = self._open(ref.linkedid, at)
        channel = self._add(ref, call)
        if event.placed and channel.kind is CallKind.TRUNK:
            return  # Originate or a call file: there is no caller, and the called number is not known
        call.begin(channel, event.caller, event.caller_name, event.exten)
        if call.direction is Direction.INBOUND and event.caller:
            call.earlier = self._offers.take((call.caller, call.did, call.trunk), at)

    def _on_new_state(self, event: events.NewState, at: float) -> None:
        channel = self._find_or_add(event.channel, at)
        if event.state == RINGING and channel is not channel.call.main:
            channel.call.ring(channel, at)
        elif event.state == UP:
            channel.call.stop_ringing(channel, at)
            channel.up = True
            if channel is channel.call.main:
                channel.call.main_was_up = True

    def _on_new_caller_id(self, event: events.NewCallerId, at: float) -> None:
        if (channel := self._find(event.channel)) is not None:
            self._note_presentation(channel, event.presentation)

    def _note_presentation(self, channel: Channel, presentation: Presentation) -> None:
        call = channel.call
        if channel is call.main and channel.kind is CallKind.TRUNK and call.presentation is not Presentation.WITHHELD:
            call.presentation = call.presentation if presentation is Presentation.UNKNOWN else presentation

    def _on_dial_begin(self, event: events.DialBegin, at: float) -> None:
        if event.channel is not None:
            self._find_or_add(event.channel, at)
        dest = self._find_or_add(event.dest, at)
        dest.call.dial(dest, event.number, event.presented)

    def _on_dial_state(self, event: events.DialState, at: float) -> None:
        dest = self._find(event.dest)
        if dest is None:
            return
        if event.status == "RINGING":
            dest.call.ring(dest, at)
        elif event.status == "PROGRESS":
            dest.call.hear(dest, at)

    def _on_dial_end(self, event: events.DialEnd, at: float) -> None:
        dest = self._find(event.dest)
        if dest is None:
            return
        if event.status == "ANSWER":
            dest.call.answer(dest, at)
        else:
            dest.call.end_dial(dest, event.status, at)

    def _on_bridge_created(self, event: events.BridgeCreated, at: float) -> None:
        self._bridges.create(event.bridge)

    def _on_bridge_destroyed(self, event: events.BridgeDestroyed, at: float) -> None:
        self._bridges.destroy(event.bridge)

    def _on_bridge_enter(self, event: events.BridgeEnter, at: float) -> None:
        channel = self._find_or_add(event.channel, at)
        call = channel.call
        if event.holding:
            return
        if channel is call.outside and call.talked:
            call.ended_by = None  # a transfer or parking: the party that left did not end the call
        channel.up = True
        if not self._bridges.enter(channel, event.bridge, at):
            call.complete = False

    def _on_bridge_leave(self, event: events.BridgeLeave, at: float) -> None:
        channel = self._find(event.channel)
        if channel is not None and channel.bridge == event.bridge:
            self._bridges.leave(channel, at)

    def _on_hangup_request(self, event: events.HangupRequest, at: float) -> None:
        channel = self._find(event.channel)
        if channel is not None:
            channel.call.request_hangup(channel, event.cause, event.sip_code)

    def _on_hangup(self, event: events.Hangup, at: float) -> None:
        channel = self._find(event.channel)
        if channel is None:
            return
        if channel is channel.call.main:
            channel.call.cause, channel.call.sip_code = event.cause, event.sip_code
            self._note_presentation(channel, event.presentation)
        self._end(channel, at)

    def _end(self, channel: Channel, at: float) -> None:
        call = channel.call
        call.stop_ringing(channel, at)
        if channel.bridge is not None:
            self._bridges.leave(channel, at)
        if channel is call.outside:
            call.ended_at = at
        self._forget(channel)
        if not call.channels:
            self._finish(call, at)

    def _on_transfer(self, event: events.Transfer, at: float) -> None:
        for ref in event.channels:
            if (channel := self._find(ref)) is not None:
                channel.call.transferred = True

    def _on_pickup(self, event: events.Pickup, at: float) -> None:
        channel, target = self._find(event.channel), self._find(event.target)
        if channel is not None and target is not None:
            self._move(channel, target.call)
            target.call.picked_up = True

    def _on_parked(self, event: events.Parked, at: float) -> None:
        if (channel := self._find(event.channel)) is not None:
            channel.call.parked = True

    def _on_queue_joined(self, event: events.QueueJoined, at: float) -> None:
        if (channel := self._find(event.channel)) is not None:
            channel.call.queue = event.queue

    def _on_conference_joined(self, event: events.ConferenceJoined, at: float) -> None:
        if (channel := self._find(event.channel)) is not None:
            channel.call.conference = True

    def _on_network_blocked(self, event: events.NetworkBlocked, at: float) -> None:
        if (channel := self._find(event.channel)) is not None:
            channel.call.blocked = True

    def _on_machine_answered(self, event: events.MachineAnswered, at: float) -> None:
        if (channel := self._find(event.channel)) is not None:
            channel.call.machine = True

    def _on_call_id_reported(self, event: events.CallIdReported, at: float) -> None:
        if (channel := self._find(event.channel)) is not None:
            channel.call.call_id = event.call_id

    def _on_message_waiting(self, event: events.MessageWaiting, at: float) -> None:
        """Record a new message if the mailbox has more than before. Listening to messages reduces the count."""
        before = self._mailboxes.pop(event.mailbox, 0)
        self._mailboxes[event.mailbox] = event.new
        if len(self._mailboxes) > MAILBOXES_LIMIT:
            del self._mailboxes[next(iter(self._mailboxes))]
        channel = self._find(event.channel)
        if channel is not None and event.new > before:
            channel.call.voicemail_left = True


_HANDLERS: dict[type[object], Callable[[CallTracker, Any, float], None]] = {
    events.NewChannel: CallTracker._on_new_channel,
    events.NewState: CallTracker._on_new_state,
    events.NewCallerId: CallTracker._on_new_caller_id,
    events.DialBegin: CallTracker._on_dial_begin,
    events.DialState: CallTracker._on_dial_state,
    events.DialEnd: CallTracker._on_dial_end,
    events.BridgeCreated: CallTracker._on_bridge_created,
    events.BridgeDestroyed: CallTracker._on_bridge_destroyed,
    events.BridgeEnter: CallTracker._on_bridge_enter,
    events.BridgeLeave: CallTracker._on_bridge_leave,
    events.HangupRequest: CallTracker._on_hangup_request,
    events.Hangup: CallTracker._on_hangup,
    events.Transfer: CallTracker._on_transfer,
    events.Pickup: CallTracker._on_pickup,
    events.Parked: CallTracker._on_parked,
    events.QueueJoined: CallTracker._on_queue_joined,
    events.ConferenceJoined: CallTracker._on_conference_joined,
    events.MessageWaiting: CallTracker._on_message_waiting,
    events.NetworkBlocked: CallTracker._on_network_blocked,
    events.MachineAnswered: CallTracker._on_machine_answered,
    events.CallIdReported: CallTracker._on_call_id_reported,
}
