"""The settings of the PBX that are needed to answer a call."""

import re
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache

from agi.display import Display
from policies.outbound import OutboundRules
from policies.situation import ScreeningHours
from reputation.channels import endpoint_of
from reputation.plan.rows import NO_PLAN, NumberPlan

# `[[trunk]] reject` -> SIP code (docs/contributing/asterisk.md). 603 is final, so the carrier tries no other route.
# 607: a person did not want the call (RFC 8197). 608: an engine refused it (RFC 8688).
SIP_CODE_BY_REJECT = {"603": 603, "607": 607, "608": 608, "busy": 486, "not-in-service": 404}


@dataclass(frozen=True, slots=True)
class Trunk:
    """A trunk from the settings. `channels`: a glob over channel names (`PJSIP/carrier-*`).

    `verstat`: whether the settings count the carrier's check of callers as evidence. On a trusted trunk this check
    always counts.
    """

    name: str
    channels: str
    region: str
    trusted: bool = False
    reject: str = "603"
    verstat: bool = False

    @property
    def carrier_counts(self) -> bool:
        """Return whether the carrier's own check of callers counts as evidence."""
        return self.trusted or self.verstat


@dataclass(frozen=True, slots=True)
class Site:
    """The settings of the PBX: its region, its trunks, and the treatment of stopped calls.

    Attributes:
        route: `context,exten,1` for routed calls; empty for the callee's voicemail.
        ask: The kind of challenge (one of decision.ASKS) if the rule names none, from [actions].
        language: The language of prompts for callers from countries without a language of their own, from [actions].
        appeal: Whether callers who are rejected or sent to voicemail hear how to appeal, from [actions].
        appeal_address: The address of the public page, which the SIP answer of a rejected call carries; empty for none.
        recordings: The directory for recordings of callers; empty if Asterisk cannot record there.
        hears: Whether speech recognition of callers is on.
        match_withheld: Whether blocklists match the withheld number that a trunk delivers.
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
    hears: bool = False
    match_withheld: bool = False
    display: Display = field(default_factory=Display)
    outbound: OutboundRules = field(default_factory=OutboundRules)
    plan: NumberPlan = NO_PLAN
    _patterns: tuple[tuple[re.Pattern[str], Trunk], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        patterns = tuple((re.compile(translate(trunk.channels)), trunk) for trunk in self.trunks)
        object.__setattr__(self, "_patterns", patterns)

    def trunk_of(self, channel: str) -> Trunk:
        """Return the trunk of a channel. A trunk without settings is untrusted and named after its endpoint.

        Switches other than Asterisk pass the name of a trunk as `channel`. Only channel names contain a slash.
        """
        for pattern, trunk in self._patterns:
            if pattern.match(channel) or trunk.name == channel:
                return trunk
        return _undescribed(endpoint_of(channel), self.region)

    def described_trunk(self, channel: str) -> str | None:
        """Return the name of the trunk in the settings (`[[trunk]]`) to which a channel belongs, or None."""
        return next((trunk.name for pattern, trunk in self._patterns if pattern.match(channel)), None)

    def region_of(self, trunk: str | None) -> str:
        """Return the region in whose format a trunk writes national numbers; the PBX's region if it is unknown."""
        return next((known.region for known in self.trunks if known.name == trunk), self.region)

    def reject_on(self, trunk: str | None) -> str:
        """Return a trunk's key of SIP_CODE_BY_REJECT; for an unknown trunk, the key that all trunks share, or 603."""
        described = next((known.reject for known in self.trunks if known.name == trunk), None)
        if described is not None:
            return described
        answers = {known.reject for known in self.trunks}
        return answers.pop() if len(answers) == 1 else "603"


@lru_cache(maxsize=1024)
def _undescribed(endpoint: str, region: str) -> Trunk:
    return Trunk(name=endpoint[:80], channels="", region=region)
