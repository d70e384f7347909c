"""`[hub]` of the settings: the PostgreSQL through which PBXs share what they know, and which of them this is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

import msgspec

from callsieve.setting_types import Organisation, Secret, SettingsTable, Site

# The database, without a user or a password: those are in the secret that `callsieve hub join` writes.
_ADDRESS = re.compile(
    r"postgres(ql)?://(?P<login>[^@/]*@)?(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[A-Za-z0-9_.-]+)?"
    r"(\?[A-Za-z0-9_=&./%:-]*)?",
    re.ASCII,
)
PollSeconds = Annotated[int, msgspec.Meta(ge=1, le=3600)]
MOST_FOLLOWED = 100


class HubTable(SettingsTable, frozen=True):
    """An empty address: nothing is shared. `follow`: sites whose lists and identities are in force here, too.
    `accept_policies`: a new version of a policy of theirs is accepted as it comes, without `callsieve policy accept`.

    `private`: what only a standby of this site and a central site need is told as well. `standby`: this is the second
    PBX of the site. `secret`: what `hub join` wrote, by default a file in the state directory.
    """

    address: str = ""
    site: Site = ""
    organisation: Organisation = "main"
    follow: tuple[Site, ...] = ()
    accept_policies: bool = False
    private: bool = False
    standby: bool = False
    poll_seconds: PollSeconds = 5
    secret: Secret = ""


def hub_problems(table: HubTable) -> Iterator[tuple[str, str]]:
    """What a type cannot say, by key."""
    if len(table.follow) > MOST_FOLLOWED or table.site in table.follow or "" in table.follow:
        yield "hub.follow", f"takes at most {MOST_FOLLOWED} names of other sites"
    if not table.address:
        return
    found = _ADDRESS.fullmatch(table.address)
    if found is None:
        yield "hub.address", "write it as postgresql://hub.example.com:5432/callsieve"
    elif found["login"]:
        yield "hub.address", "has no user and no password in it: `callsieve hub join` writes those to a file"
    if not table.site:
        yield "hub.site", 'is required with an address: the name of this PBX among the others, such as "berlin"'
