"""What the settings say about this PBX, as far as answering a call needs it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache

from agi.display import Display
from policies.outbound import OutboundRules
from policies.situation import ScreeningHours
from reputation.channels import endpoint_of
from reputation.plan.rows import NO_PLAN, NumberPlan

# What `[[trunk]] reject` takes -> SIP code (docs/reference/asterisk.md). 603: final, no other route is tried.
# 607: a person did not want it (RFC 8197). 608: an engine refused it (RFC 8688).
SIP_CODE_BY_REJECT = {"603": 603, "607": 607, "608": 608, "busy": 486, "not-in-service": 404}


@dataclass(frozen=True, slots=True)
class Trunk:
    """A trunk as the settings describe it. `channels` is a glob over channel names (`PJSIP/carrier-*`).

    `verstat`: its carrier checks callers itself, and what it says of them counts; of a trusted one it does anyway.
    """

    name: str
    channels: str
    region: str
    trusted: bool = False
    reject: str = "603"
    verstat: bool = False

    @property
    def carrier_counts(self) -> bool:
        """Whether what the carrier says of callers counts."""
        return self.trusted or self.verstat


@dataclass(frozen=True, slots=True)
class Site:
    """The PBX: how national numbers are read, its trunks, and where calls go that are not for the phones.

    `route` is `context,exten,1` or empty: the callee's voicemail as the dialplan finds it. `hours`: when screening
    holds back.
    `ask`, `language`, `appeal`: what a caller meets ([actions] of the settings). `appeal_address`: of the public page,
    if it goes with the SIP answer of a call that is turned away. `recordings`: the directory where Asterisk may record
    what callers say, empty where there is none or no room. `display`: what phones show.
    `outbound`: what the outbound guard goes by. `match_withheld`: blocklists match the number that a trunk delivers of
    a caller who withholds it. `plan`: the numbering plans of countries.
    """

    region: str = "US"
    trunks: tuple[Trunk, ...] = ()
    route: str = ""
    hours: ScreeningHours = field(default_factory=ScreeningHours)
    ask: str = "digit"
    language: str = "en"
    appeal: bool = False
    appeal_address: str = ""
    recordings: str = ""
    match_withheld: bool = False
    display: Display = field(default_factory=Display)
    outbound: OutboundRules = field(default_factory=OutboundRules)
    plan: NumberPlan = NO_PLAN
    _patterns: tuple[tuple[re.Pattern[str], Trunk], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        patterns = tuple((re.compile(translate(trunk.channels)), trunk) for trunk in self.trunks)
        object.__setattr__(self, "_patterns", patterns)

    def trunk_of(self, channel: str) -> Trunk:
        """The trunk of a channel; one that no `[[trunk]]` describes is untrusted and named as its endpoint.

        Another switch may give the trunk's name: no channel of Asterisk's is named so, for each has a slash.
        """
        for pattern, trunk in self._patterns:
            if pattern.match(channel) or trunk.name == channel:
                return trunk
        return _undescribed(endpoint_of(channel), self.region)

    def described_trunk(self, channel: str) -> str | None:
        """The name of the `[[trunk]]` that a channel belongs to, None when no `[[trunk]]` describes it."""
        return next((trunk.name for pattern, trunk in self._patterns if pattern.match(channel)), None)

    def region_of(self, trunk: str | None) -> str:
        """The region in which a trunk, by its name, writes national numbers."""
        return next((known.region for known in self.trunks if known.name == trunk), self.region)

    def reject_on(self, trunk: str | None) -> str:
        """How a call is turned away on a trunk, by its name: a key of SIP_CODE_BY_REJECT.

        A trunk that no `[[trunk]]` describes does as all described ones do, where they agree.
        """
        described = next((known.reject for known in self.trunks if known.name == trunk), None)
        if described is not None:
            return described
        ways = {known.reject for known in self.trunks}
        return ways.pop() if len(ways) == 1 else "603"


@lru_cache(maxsize=1024)
def _undescribed(endpoint: str, region: str) -> Trunk:
    return Trunk(name=endpoint[:80], channels="", region=region)
