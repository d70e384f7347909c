"""The one table of the model: every weight, half-life, cap and threshold, with the reason for its default.

Settings may change any of them under `[reputation]` (docs/reputation.md lists them); docs/explanation/model.md
says how they are used. Log-odds are natural. Half-lives are in days, everything else as its name says.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from math import log
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

from reputation.model import Level, MarkChannel, SignalCategory
from reputation.plan.rows import Purpose

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
    """A table of the settings below `[reputation]`. With `dict=True` it keeps what is derived of it."""


class ChannelWeights(WeightsTable, frozen=True):
    """How much a mark counts by the way it came: who dials from a handset took the call."""

    extension: Annotated[float, Meta(ge=0, le=1)] = 1.0
    web: Annotated[float, Meta(ge=0, le=1)] = 0.7  # a login may be shared or guessed
    cli: Annotated[float, Meta(ge=0, le=1)] = 1.0  # an administrator, for a person who told so
    site: Annotated[float, Meta(ge=0, le=1)] = 0.7  # all marks of another site: it may lie, and alone warns nobody


class MarkWeights(WeightsTable, frozen=True, dict=True):
    """Marks of people, against all those who answered and did not mark."""

    half_life_days: Days = 30.0  # persistent telemarketers keep their numbers for months
    marked_if_unwanted: Share = 0.10  # share of the answerers of an unwanted call who mark it
    marked_if_wanted: Share = 0.005  # and of a wanted one, by mistake or in anger
    # The family may be fabricated: bounded at +3.5, below challenge. One mark says nearly all that marks can say: spam
    # often has no second one, and people who gang up have as many as they like (docs/accuracy.md).
    contamination: Share = 0.03
    channels: ChannelWeights = ChannelWeights()
    burst_marks: Count = 5  # so many marks within `burst_minutes` and no behaviour to match: an attack, for review
    burst_minutes: Annotated[float, Meta(gt=0, le=10080)] = 60.0

    @cached_property
    def each(self) -> float:
        """Log-odds of one mark: ln(a / b)."""
        return log(self.marked_if_unwanted / self.marked_if_wanted)

    @cached_property
    def each_silent(self) -> float:
        """Log-odds of one person who answered and did not mark: ln((1 - a) / (1 - b)), below zero."""
        return log((1 - self.marked_if_unwanted) / (1 - self.marked_if_wanted))

    def of_channel(self, channel: MarkChannel) -> float:
        """The weight of a mark that came this way."""
        return float(getattr(self.channels, channel.value))


class BehaviourWeights(WeightsTable, frozen=True, dict=True):
    """What calls showed, per distinct callee and category. Keys are the categories with `_` for `-`."""

    half_life_days: Days = 14.0  # rotating spam repeats with a half-life of 5 days, callers' habits last longer
    contamination: Share = 0.03  # bounded at +-3.5
    hung_up_on: Weight = 1.2  # talk-time distributions: spam has a mean of 11 s, others 35 s
    one_ring: Weight = 0.8  # wangiri
    one_ring_half_life_hours: Annotated[float, Meta(gt=0, le=8760)] = 36.0  # such bursts are over within days
    # Of one number and hour so many count: a burst of outsiders with a borrowed number shall not label its owner long.
    one_ring_an_hour: Count = 5  # with 3 no burst is warned of within its first hour
    unanswered_an_hour: Count = 6
    unanswered: Weight = 0.2  # answer rates 9-24 % against 24-53 %
    voicemail: Weight = -0.3
    long_talk: Weight = -0.3  # fraud calls are as long as honest ones: nearly no evidence
    called_back: Weight = -2.0  # relationship beats duration
    second_talk: Weight = -1.5

    @cached_property
    def by_category(self) -> dict[SignalCategory, float]:
        """The weight of each category."""
        calls = set(SignalCategory) - {SignalCategory.NOT_SPAM}
        weights = {category: getattr(self, category.value.replace("-", "_")) for category in calls}
        return {**weights, SignalCategory.NOT_SPAM: self.called_back}


class CallerWeights(WeightsTable, frozen=True):
    """What the caller itself did when challenged. P(fail) is 0.785 for spam and 0.264 for honest callers in the
    simulated office, so ln ratios are -1.23 for a pass, +1.09 for one failure and +1.25 for two.
    """

    passed: ForFine = -1.2
    passed_half_life_days: Days = 30.0
    abandoned: ForSpam = 0.5  # honest people give up as well
    failed: ForSpam = 1.0
    failed_again: ForSpam = 1.3  # at another DID or on another day; and never more
    failed_half_life_days: Days = 14.0
    pass_days: Days = 30.0  # how long a pass caps what is done at a warning
    pass_hours: Annotated[float, Meta(ge=0, le=720)] = 24.0  # so long whatever people say
    # Who answered and marked after it: so many end the cap, and twice as many for each earlier pass.
    pass_marks: Count = 2


class WitnessWeights(WeightsTable, frozen=True):
    """How many of our people must have something against a number before the others see or hear of it.

    As shares of all people here, within bounds: of 200 people 5 for a label and 14 for a challenge. Shares of 1 to
    2.5 % for a label made no difference in the simulated office; 6 % for a challenge lost a new machine 29 % of its
    calls to 10 people who share the work, 7 % loses it 3 % (docs/accuracy.md).
    """

    days: Days = 90.0
    label_share: Share = 0.025
    label_least: Count = 2
    label_most: Count = 5
    challenge_share: Share = 0.07
    challenge_least: Count = 5
    challenge_most: Count = 16
    # All people of another site together, with all that they say: it may lie as a whole. 0: nothing of it counts.
    of_a_site: Annotated[int, Meta(ge=0, le=16)] = 1


class OutsideWeights(WeightsTable, frozen=True):
    """What sources outside must say, in log-odds of their families together."""

    convicts: Threshold = 1.5  # one good feed: no people of ours get a number routed or rejected by themselves
    speaks: Threshold = 1.0  # from here on nobody of ours need have seen anything


class SampleWeights(WeightsTable, frozen=True):
    """The control sample: a labelled call teaches nothing, so one warned call of `every` goes without. 0: none does."""

    every: Annotated[int, Meta(ge=0, le=1000)] = 4


class BlockWeights(WeightsTable, frozen=True):
    """Distinct bad numbers in the same block of 1000, the number itself left out: enough to tag, never more. Listed by
    feeds, and made bad by our own people: each by itself.
    """

    days: Days = 60.0
    some: Count = 3  # covers 25 % of complained numbers never seen before; 2 of 4,779 hospitals hit
    some_weight: ForSpam = 1.0
    many: Count = 5  # 20 %; none hit
    many_weight: ForSpam = 1.5
    bad_from: Threshold = 2.9  # marks and behaviour together (Wald, 5 %)


class FeedWeights(WeightsTable, frozen=True):
    """Imported sources. A list of numbers alone is weak: it covers 2-5 % of later complaints."""

    spam: ForSpam = 1.5
    all_spam: ForSpam = 2.5
    allow: ForFine = -1.5


class PeerWeights(WeightsTable, frozen=True):
    """Other companies' own evidence, each with the weight of the settings. A tag, never more. That one has cleared the
    number lowers what others of them say, to nothing at most.
    """

    spam: ForSpam = 1.5
    all_spam: ForSpam = 2.0
    cleared: ForFine = -1.5


class AttestationWeights(WeightsTable, frozen=True):
    """What the network says of this one call (TransNexus SHAKEN statistics)."""

    verified_a: Weight = -0.5
    b: Weight = 0.7
    c: Weight = 1.0
    failed: Weight = 1.5


class QuietWeights(WeightsTable, frozen=True):
    """An unknown caller in the quiet hours of the callee, from `first_hour` until before `last_hour`.

    `time_zone` as in `Europe/London`; empty: that of the machine.
    """

    weight: ForSpam = 0.5
    first_hour: Hour = 22
    last_hour: Hour = 8
    time_zone: str = ""


class PlanWeights(WeightsTable, frozen=True, dict=True):
    """What the number's range is for, by a numbering plan whose source was read. A tag, never more: banks and hospitals
    are spoofed by showing numbers of theirs, so no range speaks *for* a caller.
    """

    telemarketing: ForSpam = 1.5  # the range is there for calls that offer something: the label that the rule is for
    do_not_originate: ForSpam = 1.5  # whoever shows it has no right to: networks have to end such calls
    unallocated: ForSpam = 1.5  # nobody has the number; a range that is only not in the metadata yet has an end day

    @cached_property
    def by_purpose(self) -> dict[Purpose, float]:
        """The weight of each purpose that has one."""
        words = ("telemarketing", "do_not_originate", "unallocated")
        return {Purpose(word.replace("_", "-")): float(getattr(self, word)) for word in words}


class CarrierLabelWeights(WeightsTable, frozen=True):
    """The carrier's warning in the place of a name, where its word counts. A tag, never more."""

    spam: ForSpam = 1.5  # the analytics of a carrier of which nobody here knows how they came to it


class FirstCallWeights(WeightsTable, frozen=True):
    """What strangers did shortly before the first call of a number. A tag, never more: a company with several lines
    does the same on its first day.
    """

    one_neighbour: ForSpam = 1.0  # alone nothing: callers of a small town share its few blocks
    some: Count = 3
    some_neighbours: ForSpam = 1.5
    next_did: ForSpam = 1.0  # alone nothing: chance
    long: Annotated[int, Meta(ge=3, le=9)] = 3
    walk: ForSpam = 1.5
    most: ForSpam = 2.5


class IdentityWeights(WeightsTable, frozen=True):
    """Proven owners: how much it speaks for the caller, and how little marks may then do."""

    level_1: ForFine = -0.5
    level_2: ForFine = -1.5
    level_3: ForFine = -3.0
    marks_contamination_1: Share = 0.05
    marks_contamination_2: Share = 0.10
    marks_contamination_3: Share = 0.20  # marks bounded at +1.6


class AppealWeights(WeightsTable, frozen=True):
    """After an appeal was upheld, marks are doubted for a while."""

    marks_contamination: Share = 0.20
    days: Days = 90.0


class TrustWeights(WeightsTable, frozen=True):
    """Trust in a reporter, from settled cases only: Beta(agree, disagree) against what is expected of anybody."""

    agree: Annotated[float, Meta(gt=0, le=1000)] = 8.0
    disagree: Annotated[float, Meta(gt=0, le=1000)] = 2.0
    least: Annotated[float, Meta(ge=0, le=1)] = 0.1


class Thresholds(WeightsTable, frozen=True, dict=True):
    """From which log-odds each level is justified (Wald, beta 0.1), and what challenge and reject need besides."""

    tag: Threshold = 1.5  # alpha 20 %
    warn: Threshold = 2.4  # 8 %; that it takes several witnesses keeps honest callers from it
    challenge: Threshold = 3.9  # 2 %, where behaviour and the caller itself make up `challenge_seen` of it
    challenge_seen: Threshold = 1.0  # marks alone are bounded at 3.5: no family asks by itself
    challenge_unseen: Threshold = 4.5  # 1 %, where they make up less
    route: Threshold = 5.5  # 0.4 %
    reject: Threshold = 6.8  # 0.1 %
    reject_marks: Threshold = 1.5
    reject_behaviour: Threshold = 1.5
    reject_reporters: Count = 2
    reject_groups: Count = 2
    reject_reporters_without_groups: Count = 3

    @cached_property
    def strongest_first(self) -> tuple[tuple[float, Level], ...]:
        """Each level with the log-odds it takes."""
        return tuple((getattr(self, level.word), level) for level in reversed(Level) if level is not Level.NONE)


class Weights(WeightsTable, frozen=True, eq=False):
    """All of it. Compared by identity: one is made when the settings are read, and results are kept by it."""

    marks: MarkWeights = MarkWeights()
    behaviour: BehaviourWeights = BehaviourWeights()
    caller: CallerWeights = CallerWeights()
    witnesses: WitnessWeights = WitnessWeights()
    outside: OutsideWeights = OutsideWeights()
    sample: SampleWeights = SampleWeights()
    block: BlockWeights = BlockWeights()
    feeds: FeedWeights = FeedWeights()
    peers: PeerWeights = PeerWeights()
    attestation: AttestationWeights = AttestationWeights()
    quiet: QuietWeights = QuietWeights()
    plan: PlanWeights = PlanWeights()
    carrier_label: CarrierLabelWeights = CarrierLabelWeights()
    first_call: FirstCallWeights = FirstCallWeights()
    identity: IdentityWeights = IdentityWeights()
    appeal: AppealWeights = AppealWeights()
    trust: TrustWeights = TrustWeights()
    levels: Thresholds = Thresholds()
    before_epoch: Annotated[float, Meta(ge=0, le=1)] = 0.25  # what evidence older than the number's owner still weighs


DEFAULT = Weights()


def zone_of(name: str) -> ZoneInfo | None:
    """The time zone of that name; None for an empty one, the machine's own. ValueError, OSError: there is none."""
    try:
        return ZoneInfo(name) if name else None
    except ZoneInfoNotFoundError:
        raise ValueError(f"no time zone {name!r}") from None


def problems_of(weights: Weights) -> list[tuple[str, str]]:
    """What is wrong between keys that are each allowed: the key, and what to do."""
    levels, marks, block = weights.levels, weights.marks, weights.block
    found = []
    names = ("tag", "warn", "challenge", "route", "reject")
    for weaker, stronger in pairwise(names):
        if getattr(levels, weaker) >= getattr(levels, stronger):
            found.append((f"levels.{stronger}", f"must be above levels.{weaker}"))
    if marks.marked_if_unwanted <= marks.marked_if_wanted:
        found.append(("marks.marked_if_unwanted", "must be above marks.marked_if_wanted"))
    if -log(marks.contamination) >= levels.challenge:
        found.append(("marks.contamination", "is too small: marks alone must stay below levels.challenge"))
    if levels.challenge > levels.challenge_unseen:
        found.append(("levels.challenge_unseen", "must not be below levels.challenge"))
    for name in ("label", "challenge"):
        if getattr(weights.witnesses, f"{name}_least") > getattr(weights.witnesses, f"{name}_most"):
            found.append((f"witnesses.{name}_most", f"must not be below witnesses.{name}_least"))
    for part in ("share", "least", "most"):
        if getattr(weights.witnesses, f"challenge_{part}") < getattr(weights.witnesses, f"label_{part}"):
            found.append((f"witnesses.challenge_{part}", f"must not be below witnesses.label_{part}"))
    if block.some >= block.many:
        found.append(("block.many", "must be above block.some"))
    try:
        zone_of(weights.quiet.time_zone)
    except (ValueError, OSError):
        found.append(("quiet.time_zone", "is no time zone: write it as Europe/London"))
    if weights.feeds.all_spam < weights.feeds.spam:
        found.append(("feeds.all_spam", "must not be below feeds.spam"))
    if weights.peers.all_spam < weights.peers.spam:
        found.append(("peers.all_spam", "must not be below peers.spam"))
    return found
