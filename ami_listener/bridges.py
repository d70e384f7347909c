"""Who hears whom: the bridges of one Asterisk and the channels in them."""

from __future__ import annotations

from collections.abc import Iterable

from ami_listener.calls import Call, CallKind, Channel


class Bridges:
    """Bounded: beyond `limit` the oldest is forgotten, and whoever enters it then enters a bridge we do not know."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._members: dict[str, dict[str, Channel]] = {}
        self._unknown: set[str] = set()  # those of them that somebody may have entered unseen

    def __len__(self) -> int:
        return len(self._members)

    def create(self, bridge: str) -> None:
        """A bridge that is empty now."""
        self._members[bridge] = {}
        self._unknown.discard(bridge)
        if len(self._members) > self._limit:
            self.destroy(next(iter(self._members)))

    def destroy(self, bridge: str) -> None:
        """It is gone."""
        self._members.pop(bridge, None)
        self._unknown.discard(bridge)

    def clear(self) -> None:
        """Nothing is known any more."""
        self._members.clear()
        self._unknown.clear()

    def enter(self, channel: Channel, bridge: str, at: float) -> bool:
        """A channel is in a bridge; False if we cannot know who else is."""
        if bridge not in self._members:
            self.create(bridge)
            self._unknown.add(bridge)
        members = self._members[bridge]
        channel.bridge = bridge
        members[channel.uniqueid] = channel
        self._refresh(members.values(), at)
        return bridge not in self._unknown

    def leave(self, channel: Channel, at: float) -> None:
        """A channel is in no bridge any more."""
        members = self._members.get(channel.bridge or "", {})
        members.pop(channel.uniqueid, None)
        channel.bridge = None
        self._refresh([channel, *members.values()], at)

    def forget(self, channel: Channel) -> None:
        """A channel that we follow no longer."""
        self._members.get(channel.bridge or "", {}).pop(channel.uniqueid, None)

    def _refresh(self, channels: Iterable[Channel], at: float) -> None:
        """Talking may have begun or ended in every call that has a channel there."""
        for call in {channel.call.linkedid: channel.call for channel in channels}.values():
            call.set_talking(self._talks(call), at)

    def _talks(self, call: Call) -> bool:
        """Whether the outside party hears somebody: directly, or through a Local channel with a person behind it."""
        outside = call.outside
        if outside is None or outside.bridge is None:
            return False
        others = [member for member in self._members.get(outside.bridge, {}).values() if member is not outside]
        if any(member.kind is not CallKind.NOBODY for member in others):
            return True
        behind = (channel for channel in call.channels.values() if channel is not outside)
        return bool(others) and any(channel.bridge and channel.kind is not CallKind.NOBODY for channel in behind)
