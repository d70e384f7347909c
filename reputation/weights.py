"""The weights of the model: every weight, half-life, limit and threshold, with the reason for its default.

Settings may change the weights in SETTABLE under `[reputation]` (evidence.md lists these settings). model.md explains
how the weights are used. Log-odds are natural. Half-lives are in days, other units are in the names.
"""

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct
from msgspec.structs import fields

from reputation.model import Level, MarkChannel

DAY_SECONDS = 86_400.0

Days = Annotated[float, Meta(gt=0, le=3650)]
Weight = Annotated[float, Meta(ge=-10, le=10)]
ForSpam = Annotated[float, Meta(ge=0, le=10)]
ForFine = Annotated[float, Meta(ge=-10, le=0)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Threshold = Annotated[float, Meta(gt=0, le=100)]
Count = Annotated[int, Meta(ge=1, le=1000)]
Hour = Annotated[int, Meta(ge=0, le=24)]


class WeightsTable(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base of each table of the settings below `[reputation]`. With `dict=True`, a table caches derived values."""


class ChannelWeights(WeightsTable, frozen=True):
    """The weight of a mark by the way in which it was made.

    A mark dialled on a handset has full weight, because the person took the call.
    """

    extension: Annotated[float, Meta(ge=0, le=1)] = 1.0
    web: Annotated[float, Meta(ge=0, le=1)] = 0.7  # a login may be shared or guessed
    cli: Annotated[float, Meta(ge=0, le=1)] = 1.0  # an administrator, for a person who told so
    site: Annotated[float, Meta(ge=0, le=1)] = 0.7  # all marks of another site: it may lie, and alone warns nobody

    def of(self, channel: MarkChannel) -> float:
        """Return the weight of a mark that was made through this channel."""
        return float(getattr(self, channel.value))


class CountWeights(WeightsTable, frozen=True):
    """The weights of the counts of what people noticed, each `weight * ln(1 + count)`, and of one-ring calls.

    People are counted once each, and the counts fade by half in their half-life (docs/contributing/model.md).

    Source: a fit to a simulated office, with four random seeds. The weight of voicemail messages was lowered
    afterwards. On 2026-11-30 `python -m benchmarks.accuracy fit` found no better weights
    (benchmarks/accuracy/RESULTS.md). The intercept of the fit, -2.24, is part of the thresholds of the levels.
    """

    marked: ForSpam = 4.87
    unmarked: ForFine = -1.78  # answered, and did not mark
    hung_up: ForSpam = 1.34
    missed: ForSpam = 4.07  # did not answer, and did not call back
    messages: ForFine = -0.3
    talks: ForFine = -4.05
    wanted: ForFine = -4.21  # called back, second talks, challenges passed, "not spam"
    marks_half_life_days: Days = 30.0  # persistent telemarketers keep their numbers for months
    half_life_days: Days = 14.0  # rotating spam repeats with a half-life of 5 days, callers' habits last longer
    one_ring: ForSpam = 0.8  # wangiri
    one_ring_half_life_hours: Annotated[float, Meta(gt=0, le=8760)] = 36.0  # such bursts are over within days
    # The most that count per number and hour: a burst with a borrowed number must not label its owner for long.
    one_ring_an_hour: Count = 5  # with 3 no burst is warned of within its first hour
    unanswered_an_hour: Count = 6
    burst_marks: Count = 5  # so many marks within `burst_minutes` and no behaviour to match: an attack, for review
    burst_minutes: Annotated[float, Meta(gt=0, le=10080)] = 60.0
    channels: ChannelWeights = ChannelWeights()


class CallerWeights(WeightsTable, frozen=True):
    """The weights of the caller's answers to challenges.

    In the simulated office, a spam caller fails with probability 0.785 and an honest caller with 0.264. The logarithms
    of the ratios are -1.23 for a pass, +1.09 for one failure and +1.25 for two.
    """

    passed: ForFine = -1.2
    passed_half_life_days: Days = 30.0
    abandoned: ForSpam = 0.5  # honest people give up as well
    failed: ForSpam = 1.0
    failed_again: ForSpam = 1.3  # at another DID or on another day; and never more
    failed_half_life_days: Days = 14.0
    pass_days: Days = 30.0  # how long a pass caps what is done at a warning
    pass_hours: Annotated[float, Meta(ge=0, le=720)] = 24.0  # so long whatever people say
    # So many people who answered and marked after it end the cap, and twice as many for each earlier pass.
    pass_marks: Count = 2


class WitnessWeights(WeightsTable, frozen=True):
    """How many witnesses against a number are needed before its calls get a label or a challenge.

    The limits are shares of all people here, within bounds. With 200 people, a label needs 5 witnesses and a challenge
    14. In the simulated office, it made no difference whether a label needed 1 or 2.5 % of the people. If a challenge
    needed 6 %, 10 attackers who worked together cost a new automated caller 2.5 % of its calls; with 7 %, 0.4 %
    (benchmarks/accuracy/RESULTS.md).
    """

    days: Days = 90.0
    label_share: Share = 0.025
    label_least: Count = 2
    label_most: Count = 5
    challenge_share: Share = 0.07
    challenge_least: Count = 4
    challenge_most: Count = 16
    # A label and a challenge take marks and hang-ups of this share of those who answered, and at least one.
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.15
    # A challenge also takes marks, hang-ups and missed calls within days, as many as this share of the people.
    event_share: Share = 0.03
    event_least: Annotated[int, Meta(ge=0, le=16)] = 2
    events: Annotated[int, Meta(ge=0, le=16)] = 6  # the most
    event_days: Days = 3.0
    # All people of another site count as so many witnesses, because the site may lie. 0: none.
    of_a_site: Annotated[int, Meta(ge=0, le=16)] = 1


class OutsideWeights(WeightsTable, frozen=True):
    """Limits for outside evidence. Each `Threshold` is a limit for the log-odds of all outside families together."""

    convicts: Threshold = 1.5  # one good feed: people here cannot get a number routed or rejected by themselves
    trap: ForSpam = 1.5  # a call to a DID that nobody has
    # So many independent signs ask from the first call: two sources or trap calls, one proven right, one call signed.
    asks: Count = 2
    storm: Annotated[int, Meta(ge=0, le=9)] = 3  # so many new numbers, or our DIDs in a row, are a storm; 0: none are
    proven_callers: Count = 30  # of so many callers that a source lists, seen here, it was right about
    proven_share: Share = 0.9  # this share
    speaks: Threshold = 1.0  # from here on no witness here is needed


class SampleWeights(WeightsTable, frozen=True):
    """The control sample: one of `every` calls due for a tag or warning gets neither; 0: no call is in the sample.

    Calls that do get a tag or warning give little evidence, because the label influences what people do.
    """

    every: Annotated[int, Meta(ge=0, le=1000)] = 4


class BlockWeights(WeightsTable, frozen=True):
    """The weights of other bad numbers in a number's block of 1000. They are enough for a tag, never for more.

    Numbers that are bad on feeds and numbers that are bad by evidence here are counted separately.
    """

    days: Days = 60.0
    some: Count = 3  # covers 25 % of complained numbers never seen before; 2 of 4,779 hospitals hit
    some_weight: ForSpam = 1.0
    many: Count = 5  # 20 %; none hit
    many_weight: ForSpam = 1.5
    bad_from: Threshold = 4.24  # what people here saw, as for a label


class FeedWeights(WeightsTable, frozen=True):
    """The weights of imported sources, which are weak evidence: listed numbers cause only 2-5 % of later complaints."""

    spam: ForSpam = 1.5
    all_spam: ForSpam = 2.5
    allow: ForFine = -1.5


class AttestationWeights(WeightsTable, frozen=True):
    """The weights of a call's signature and of the result of its verification (TransNexus SHAKEN statistics)."""

    verified_a: Weight = -0.5
    b: Weight = 0.7
    c: Weight = 1.0
    failed: Weight = 1.5


class QuietWeights(WeightsTable, frozen=True):
    """The weight of a stranger's call in the callee's quiet hours: from `first_hour` until before `last_hour`.

    `time_zone`: a name such as `Europe/London`; empty: the server's time zone.
    """

    weight: ForSpam = 0.5
    first_hour: Hour = 22
    last_hour: Hour = 8
    time_zone: str = ""


class IdentityWeights(WeightsTable, frozen=True):
    """The weights of a proven owner of a number, by identity level."""

    level_1: ForFine = -0.5
    level_2: ForFine = -1.5
    level_3: ForFine = -3.0


class AppealWeights(WeightsTable, frozen=True):
    """The factor by which marks weigh less after an appeal was upheld, and for how many days."""

    marks: Annotated[float, Meta(ge=0, le=1)] = 0.25
    days: Days = 90.0


class TrustWeights(WeightsTable, frozen=True):
    """The parameters of the trust in a reporter: a distribution Beta(agree, disagree), and the least trust.

    The trust is relative to that in an unknown reporter. Only decided cases, such as appeals, change it.
    """

    agree: Annotated[float, Meta(gt=0, le=1000)] = 8.0
    disagree: Annotated[float, Meta(gt=0, le=1000)] = 2.0
    least: Annotated[float, Meta(ge=0, le=1)] = 0.1


class Thresholds(WeightsTable, frozen=True, dict=True):
    """The log-odds that justify each level, and further conditions for a challenge and a rejection.

    A number without evidence has log-odds 0, because the fit's intercept, -2.24, is part of the thresholds above tag.
    """

    tag: Threshold = 1.5  # one source
    warn: Threshold = 4.24  # 2 and the intercept
    # If nobody marked it or hung up, but the calls go on: many people missed it, and hardly any answered.
    warn_unspoken: Threshold = 8.5
    challenge: Threshold = 5.74  # 3.5 and the intercept
    challenge_seen: Threshold = 1.0  # the part without marks: no family alone leads to a challenge
    ringing: Threshold = 2.4  # one-ring calls alone: a warning
    route: Threshold = 7.7
    reject: Threshold = 9.0
    reject_marks: Threshold = 1.5
    reject_seen: Threshold = 1.5
    reject_reporters: Count = 2
    reject_groups: Count = 2
    reject_reporters_without_groups: Count = 3

    @cached_property
    def strongest_first(self) -> tuple[tuple[float, Level], ...]:
        """Each level except `none` with its threshold, the strongest level first."""
        return tuple((getattr(self, level.word), level) for level in reversed(Level) if level is not Level.NONE)


class Weights(WeightsTable, frozen=True, eq=False):
    """All weights of the model. Each reading of the settings makes a new object.

    Objects are compared by identity, so they are fast keys for cached results.
    """

    counts: CountWeights = CountWeights()
    caller: CallerWeights = CallerWeights()
    witnesses: WitnessWeights = WitnessWeights()
    outside: OutsideWeights = OutsideWeights()
    sample: SampleWeights = SampleWeights()
    block: BlockWeights = BlockWeights()
    feeds: FeedWeights = FeedWeights()
    attestation: AttestationWeights = AttestationWeights()
    quiet: QuietWeights = QuietWeights()
    identity: IdentityWeights = IdentityWeights()
    appeal: AppealWeights = AppealWeights()
    trust: TrustWeights = TrustWeights()
    levels: Thresholds = Thresholds()
    before_epoch: Annotated[float, Meta(ge=0, le=1)] = (
        0.25  # the weight of evidence from before the number's present owner
    )


DEFAULT = Weights()


def zone_of(name: str) -> ZoneInfo | None:
    """Return the time zone with this name; None (the server's zone) for an empty name. Raise ValueError or OSError."""
    try:
        return ZoneInfo(name) if name else None
    except ZoneInfoNotFoundError:
        raise ValueError(f"unknown time zone {name!r}") from None


def problems_of(weights: Weights) -> list[tuple[str, str]]:
    """Return the conflicts between weights that are valid on their own, each as a key and what to do about the key."""
    levels, block = weights.levels, weights.block
    problems = []
    names = ("tag", "warn", "challenge", "route", "reject")
    for weaker, stronger in pairwise(names):
        if getattr(levels, weaker) >= getattr(levels, stronger):
            problems.append((f"levels.{stronger}", f"must be above `levels.{weaker}`"))
    for name in ("label", "challenge"):
        if getattr(weights.witnesses, f"{name}_least") > getattr(weights.witnesses, f"{name}_most"):
            problems.append((f"witnesses.{name}_most", f"must not be below `witnesses.{name}_least`"))
    for part in ("share", "least", "most"):
        if getattr(weights.witnesses, f"challenge_{part}") < getattr(weights.witnesses, f"label_{part}"):
            problems.append((f"witnesses.challenge_{part}", f"must not be below `witnesses.label_{part}`"))
    if block.some >= block.many:
        problems.append(("block.many", "must be above `block.some`"))
    try:
        zone_of(weights.quiet.time_zone)
    except (ValueError, OSError):
        problems.append(("quiet.time_zone", "is not a time zone: write a name such as Europe/London"))
    if weights.feeds.all_spam < weights.feeds.spam:
        problems.append(("feeds.all_spam", "must not be below `feeds.spam`"))
    return problems


# The keys of [reputation] in the settings, by table. The other weights were fitted together with the model: no operator
# can know what another value would do, and measurements found no difference (docs/contributing/model.md).
_SETTABLE = {
    "counts": "marked unmarked hung_up missed messages talks wanted one_ring marks_half_life_days half_life_days",
    "witnesses": "label_share label_least label_most challenge_share challenge_least challenge_most"
    " share events event_share event_least event_days of_a_site",
    "levels": "tag warn challenge route reject",
    "outside": "asks convicts storm",
    "sample": "every",
    "feeds": "spam all_spam allow",
    "quiet": "weight first_hour last_hour time_zone",
}
SETTABLE = {table: set(keys.split()) for table, keys in _SETTABLE.items()}
# Tables and keys of older versions, and the keys that replaced them; empty: none.
SUCCESSORS: Mapping[str, str] = {
    "marks": "[reputation.counts] marked, unmarked and marks_half_life_days",
    "behaviour": "[reputation.counts] hung_up, missed, messages, talks, wanted, one_ring and half_life_days",
    "plan": "policy rules with the conditions `purpose` and `nobodys_range`",
    "carrier_label": "a policy rule with the condition `carrier_warns`",
    "first_call": "[reputation.outside] storm, and a policy rule with the condition `storm`",
    "peers": "a policy rule with the condition `companies_complain`",
    "outside.speaks": "[reputation.outside] asks",
    "levels.challenge_seen": "[reputation.levels] challenge",
    "levels.challenge_unseen": "[reputation.levels] challenge",
}


class RemovedSetting(NamedTuple):
    """A key of [reputation] that has no effect any longer. `successor`: the key that replaced it; empty without one."""

    key: str
    successor: str

    @property
    def words(self) -> str:
        """The warning about the key, with what to do."""
        instead = f"use {self.successor}" if self.successor else "remove the setting: the model now has a fixed value"
        return f"reputation.{self.key} is no longer a setting and has no effect: {instead}"


def without_removed(table: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[RemovedSetting, ...]]:
    """Return a [reputation] table without the keys of older versions, and the removed keys. Unknown keys are kept."""
    kept: dict[str, Any] = {}
    removed = []
    for name, value in table.items():
        if name in SUCCESSORS or (name in Weights.__struct_fields__ and name not in SETTABLE):
            removed.append(RemovedSetting(name, SUCCESSORS.get(name, "")))
        elif name in SETTABLE and isinstance(value, dict):
            known = {field.name for field in fields(type(getattr(DEFAULT, name)))} - SETTABLE[name]
            old = [key for key in value if key in known or f"{name}.{key}" in SUCCESSORS]
            removed += [RemovedSetting(f"{name}.{key}", SUCCESSORS.get(f"{name}.{key}", "")) for key in old]
            kept[name] = {key: setting for key, setting in value.items() if key not in old}
        else:
            kept[name] = value
    return kept, tuple(removed)
