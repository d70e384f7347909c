"""Sum the evidence rows of a number in an auth class into a few decaying sums, which are read in constant time.

In each epoch (a period with one owner) a reporter has one mark, a callee one signal per category and one answer. If a
witness has rows of several epochs, only the latest row is used. All rows are from one site; fold.py combines sites.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from math import fsum, inf
from typing import NamedTuple, Protocol, TypeVar

from reputation.formulas import decayed
from reputation.model import (
    NEVER_CHALLENGED,
    Answered,
    AuthClass,
    Challenged,
    ChallengeHistory,
    ChallengeResult,
    Mark,
    SignalCategory,
    TrapCall,
    Verdict,
)
from reputation.outcome import Signal
from reputation.signals import SPAMWARD, counts_for, kind_of
from reputation.weights import DAY_SECONDS, CountWeights, Weights, WitnessWeights

HOUR_SECONDS = 3600.0
UNANSWERED = SignalCategory.UNANSWERED  # until Python 3.12 a member costs ten times as much as a global name
# The most passes that are counted. Each doubles how many people it takes to end the next one, soon more than exist.
MAX_PASSES = 8
MAX_EVENTS = 16  # the most that the settings may ask for
PASSES_SECONDS = 90 * DAY_SECONDS


class Rows(NamedTuple):
    """All evidence rows of a number, of every auth class and epoch."""

    marks: Sequence[Mark] = ()
    signals: Sequence[Signal] = ()
    answered: Sequence[Answered] = ()
    challenges: Sequence[Challenged] = ()
    traps: Sequence[TrapCall] = ()


class Standing(NamedTuple):
    """The sums of a number's rows in an auth class, exact at `at`, the time of the latest row.

    Another site counts as one person, who answered if the site has marks (reputation/fold.py). `marks` and `answers`
    decay with the half-life of marks, `hung_up` to `wanted` with another half-life, and `one_ring` faster.

    Attributes:
        marks: The sum of the reporters' weights, called M in the model.
        answers: How many people answered, called D in the model. Unlike `answered`, this number decays.
        hung_up: How many callees hung up at once. `missed` to `wanted` count callees by other signals.
        reporters: How many people have a spam mark that is not retracted.
        groups: How many groups these people belong to.
        answered: How many people answered.
        silent: How many of the people who answered did not mark the number.
        signals: How many callees have a signal, by category.
        burst_at: When the latest burst of marks ended; None without a burst.
        witnessed: When each person last had evidence against the number.
        adverse: The times of marks and signals against the number, newest first, as many as the largest office needs.
        traps: The times of the latest two calls to DIDs that belong to nobody, without a passed verification.
        verified_traps: The same for calls with a passed verification.
        challenges: The number's challenges.
    """

    at: float
    marks: float = 0.0
    answers: float = 0.0
    hung_up: float = 0.0
    missed: float = 0.0
    messages: float = 0.0
    talks: float = 0.0
    wanted: float = 0.0
    one_ring: float = 0.0
    reporters: int = 0
    groups: int = 0
    answered: int = 0
    silent: int = 0
    signals: tuple[tuple[SignalCategory, int], ...] = ()
    burst_at: float | None = None
    witnessed: tuple[float, ...] = ()
    adverse: tuple[float, ...] = ()
    traps: tuple[float, ...] = ()
    verified_traps: tuple[float, ...] = ()
    challenges: ChallengeHistory = NEVER_CHALLENGED


# Which count of a standing each category of signals adds to.
HUNG_UP, MISSED, MESSAGES, TALKS, WANTED, RANG_ONCE = range(6)
COUNT_OF = {
    SignalCategory.HUNG_UP_ON: HUNG_UP,
    SignalCategory.UNANSWERED: MISSED,
    SignalCategory.VOICEMAIL: MESSAGES,
    SignalCategory.LONG_TALK: TALKS,
    SignalCategory.CALLED_BACK: WANTED,
    SignalCategory.SECOND_TALK: WANTED,
    SignalCategory.NOT_SPAM: WANTED,
    SignalCategory.ONE_RING: RANG_ONCE,
}


class _Dated(Protocol):
    @property
    def at(self) -> float: ...

    @property
    def epoch(self) -> int: ...

    @property
    def auth_class(self) -> AuthClass: ...


D = TypeVar("D", bound=_Dated)


def standing_of_people(
    rows: Rows,
    auth_class: AuthClass,
    weights: Weights,
    *,
    epoch_at: float | None = None,
    trust: Callable[[str], float] = lambda _reporter: 1.0,
) -> Standing | None:
    """Sum the rows of one site in an auth class. Return None if no row has an effect.

    `epoch_at`: since when the number has its present owner. `trust`: returns the trust in a reporter.
    """
    # Most numbers have no marks, and a row or two per witness: each part is computed only if it has rows.
    marks = _latest([m for m in rows.marks if m.auth_class is auth_class], lambda m: m.reporter) if rows.marks else []
    live = [mark for mark in marks if mark.verdict is Verdict.SPAM]
    reporters = {mark.reporter for mark in live} if live else frozenset[str]()
    shown = _latest(
        [s for s in rows.signals if s.auth_class is auth_class or counts_for(s, auth_class)],  # most are of one class
        lambda s: (s.callee, kind_of(s.category)),
    )
    answered = _latest([a for a in rows.answered if a.auth_class is auth_class], lambda a: a.callee)
    challenges = _challenges_in(rows, auth_class, live, answered, epoch_at) if rows.challenges else NEVER_CHALLENGED
    if reporters:  # one witness, one family
        shown = [s for s in shown if s.category not in SPAMWARD or s.callee not in reporters]
    counted = _within_limits(without_friends(shown), weights.counts, challenges.passed_at)
    trapped = [t for t in rows.traps if t.auth_class is auth_class and (epoch_at is None or t.at >= epoch_at)]
    if not (live or counted or answered or trapped or challenges is not NEVER_CHALLENGED):
        return None
    asked = [c for c in rows.challenges if c.auth_class is auth_class and (epoch_at is None or c.at >= epoch_at)]
    times = [row.at for group in (live, counted, answered, asked, trapped) for row in group]
    at = max(
        times, default=0.0
    )  # 0 with a pass in another class alone: nothing fades, and other sites keep their dates

    def total(dated: list[tuple[float, float]], half_life_days: float) -> float:
        half_life = half_life_days * DAY_SECONDS
        if epoch_at is not None:
            dated = [(value if when >= epoch_at else value * weights.before_epoch, when) for value, when in dated]
        return fsum([value * 2.0 ** ((when - at) / half_life) for value, when in dated])  # as `decayed`: none is later

    counts = weights.counts
    by_count: tuple[list[tuple[float, float]], ...] = ([], [], [], [], [], [])
    for signal in counted:
        by_count[COUNT_OF[signal.category]].append((1.0, signal.at))
    sums = [total(dated, counts.half_life_days) if dated else 0.0 for dated in by_count[:RANG_ONCE]]
    rang_once = by_count[RANG_ONCE]
    marked = [(trust(m.reporter) * counts.channels.of(m.channel), m.at) for m in live]
    standing = Standing(
        at=at,
        marks=total(marked, counts.marks_half_life_days) if marked else 0.0,
        answers=total([(1.0, a.at) for a in answered], counts.marks_half_life_days) if answered else 0.0,
        one_ring=total(rang_once, counts.one_ring_half_life_hours / 24) if rang_once else 0.0,
        reporters=len(live),
        groups=len({mark.group for mark in live if mark.group}) if live else 0,
        answered=len(answered),
        silent=sum([answer.callee not in reporters for answer in answered]) if reporters else len(answered),
        signals=_counted(counted),
        burst_at=_burst(live, counts) if live else None,
        witnessed=_witnessed(live, counted, epoch_at, weights.witnesses),
        adverse=_adverse(live, counted, epoch_at, weights.witnesses),
        traps=_latest_times([t.at for t in trapped if not t.verified], TRAPS),
        verified_traps=_latest_times([t.at for t in trapped if t.verified], TRAPS),
        challenges=challenges,
    )
    return with_counts(standing, sums) if any(sums) else standing


def with_counts(standing: Standing, counts: Sequence[float]) -> Standing:
    """Return the standing with these counts instead of `hung_up` to `wanted`. A sixth count replaces `one_ring`."""
    return Standing._make((*standing[:3], *counts, *standing[3 + len(counts) :]))


TRAPS = 2  # the most trap calls that are ever needed
FRIENDLY = frozenset({SignalCategory.CALLED_BACK, SignalCategory.NOT_SPAM, SignalCategory.SECOND_TALK})


def without_friends(signals: list[Signal]) -> list[Signal]:
    """Return the signals without missed calls of callees who also gave a signal in favour of the caller."""
    friends = {signal.callee for signal in signals if signal.category in FRIENDLY}
    if not friends:
        return signals
    return [signal for signal in signals if signal.category is not UNANSWERED or signal.callee not in friends]


def _latest_times(times: list[float], most: int) -> tuple[float, ...]:
    return tuple(sorted(times, reverse=True)[:most]) if times else ()


def _counted(signals: list[Signal]) -> tuple[tuple[SignalCategory, int], ...]:
    if len(signals) == 1:
        return ((signals[0].category, 1),)
    return tuple(sorted(Counter([signal.category for signal in signals]).items())) if signals else ()


def _challenges_in(
    rows: Rows, auth_class: AuthClass, live: list[Mark], answered: list[Answered], epoch_at: float | None
) -> ChallengeHistory:
    """Return the challenges in this auth class, with the passes of every class: a pass in one class counts in all."""
    asked = [c for c in rows.challenges if epoch_at is None or c.at >= epoch_at]
    # A robot's voice never counts against a caller that passed. A borrower of the number passes for itself only.
    if any(
        c.result is ChallengeResult.PASSED and c.auth_class in (auth_class, AuthClass.AUTHENTICATED, AuthClass.UNKNOWN)
        for c in asked
    ):
        asked = [c for c in asked if c.result is not ChallengeResult.ROBOT]
    if not asked:
        return NEVER_CHALLENGED
    history = challenge_history_of([c for c in asked if c.auth_class is auth_class])
    passed = [answer for answer in asked if answer.result is ChallengeResult.PASSED]
    times = {
        answer.at for answer in passed if answer.linkedid or answer.auth_class is auth_class
    }  # a proof is of its class
    if not times:
        return history
    since = max(times)
    if len({mark.auth_class for mark in rows.marks} | {row.auth_class for row in rows.answered}) > 1:
        marks = _latest(list(rows.marks), lambda mark: mark.reporter)
        live, answered = [mark for mark in marks if mark.verdict is Verdict.SPAM], list(rows.answered)
    took = {answer.callee for answer in answered if answer.at > since}
    return replace(
        history,
        of_number=_latest_times([at for at in times if at > since - PASSES_SECONDS], MAX_PASSES),
        marked=sum([mark.at > since and mark.reporter in took for mark in live]),
    )


def with_challenges(total: Standing, rows: Rows, auth_class: AuthClass, weights: Weights) -> Standing | None:
    """Return the standing after its challenges have changed; None if it must be computed from all rows."""
    spam = [mark for mark in rows.marks if mark.auth_class is auth_class and mark.verdict is Verdict.SPAM]
    answered = [row for row in rows.answered if row.auth_class is auth_class]
    challenges = _challenges_in(rows, auth_class, spam, answered, None)
    if total.one_ring and challenges.passes != total.challenges.passes:
        return None
    asked_at = max([row.at for row in rows.challenges if row.auth_class is auth_class], default=total.at)
    return standing_at(total, weights, asked_at)._replace(challenges=challenges)


def standing_at(standing: Standing, weights: Weights, now: float) -> Standing:
    """Return the standing with its sums decayed to `now`. A standing of a later time is returned unchanged."""
    if standing.at >= now:
        return standing
    counts = weights.counts
    of_marks, lasting = counts.marks_half_life_days * DAY_SECONDS, counts.half_life_days * DAY_SECONDS
    current = standing._replace(
        at=now,
        marks=decayed(standing.marks, standing.at, now, of_marks),
        answers=decayed(standing.answers, standing.at, now, of_marks),
        one_ring=decayed(standing.one_ring, standing.at, now, counts.one_ring_half_life_hours * HOUR_SECONDS),
    )
    return with_counts(current, [decayed(count, standing.at, now, lasting) for count in standing[3:8]])


def challenge_history_of(challenges: Iterable[Challenged]) -> ChallengeHistory:
    """Return the history of a number's challenges in an auth class.

    Of calls in which an automated caller was heard, only the latest counts: the caller sounds the same every time.
    """
    in_order = sorted(challenges, key=lambda challenge: (challenge.at, challenge.linkedid), reverse=True)
    if not in_order:
        return NEVER_CHALLENGED
    robot = next((challenge for challenge in in_order if challenge.result is ChallengeResult.ROBOT), None)
    in_order = [
        challenge for challenge in in_order if challenge.result is not ChallengeResult.ROBOT or challenge is robot
    ]
    passed = [challenge.at for challenge in in_order if challenge.result is ChallengeResult.PASSED]
    since = passed[0] if passed else -inf
    failed = [challenge for challenge in in_order if challenge.result in FAILURES and challenge.at > since]
    abandoned = [
        challenge.at for challenge in in_order if challenge.result is ChallengeResult.ABANDONED and challenge.at > since
    ]
    unpassed = [
        challenge
        for challenge in in_order
        if challenge.result in (*FAILURES, ChallengeResult.ABANDONED) and challenge.at > since
    ]
    return ChallengeHistory(
        passes=tuple([at for at in passed if at > since - PASSES_SECONDS][:MAX_PASSES]),
        failures=len({(challenge.did, challenge.at // DAY_SECONDS, challenge is robot) for challenge in failed}),
        failed_at=failed[0].at if failed else None,
        abandoned=len(abandoned),
        abandoned_at=abandoned[0] if abandoned else None,
        unpassed=_latest_times(
            list({(challenge.did, challenge.at // DAY_SECONDS): challenge.at for challenge in unpassed}.values()),
            MAX_EVENTS,
        ),
        robot_at=robot.at if robot is not None and robot.at > since else None,
    )


FAILURES = frozenset({ChallengeResult.SILENT, ChallengeResult.WRONG, ChallengeResult.ROBOT})


LIMITED = frozenset({SignalCategory.ONE_RING, SignalCategory.UNANSWERED})


def _within_limits(signals: list[Signal], weights: CountWeights, passed_at: float | None) -> list[Signal]:
    """Limit how many signals per hour a caller alone can cause. Drop one-ring calls before a passed challenge."""
    if not any([signal.category in LIMITED for signal in signals]):
        return signals
    left: Counter[tuple[SignalCategory, float]] = Counter()
    kept = []
    limits = {SignalCategory.ONE_RING: weights.one_ring_an_hour, SignalCategory.UNANSWERED: weights.unanswered_an_hour}
    for signal in sorted(signals, key=lambda row: (row.at, row.callee), reverse=True):
        limit = limits.get(signal.category)
        if limit is not None:
            hour = signal.category, signal.at // HOUR_SECONDS
            left[hour] += 1
            is_cleared = signal.category is SignalCategory.ONE_RING and passed_at is not None and signal.at <= passed_at
            if left[hour] > limit or is_cleared:
                continue
        kept.append(signal)
    return kept


def _witnessed(
    live: list[Mark], counted: list[Signal], epoch_at: float | None, weights: WitnessWeights
) -> tuple[float, ...]:
    latest: dict[str, float] = {}
    marked = [(mark.reporter, mark.at) for mark in live]
    seen = [(signal.callee, signal.at) for signal in counted if signal.category in SPAMWARD]
    if not marked and not seen:
        return ()
    for who, at in (*marked, *seen):
        if (epoch_at is None or at >= epoch_at) and at > latest.get(who, -inf):
            latest[who] = at
    return tuple(sorted(latest.values(), reverse=True)[: max(weights.label_most, weights.challenge_most)])


def _adverse(
    live: list[Mark], counted: list[Signal], epoch_at: float | None, weights: WitnessWeights
) -> tuple[float, ...]:
    times = [mark.at for mark in live] + [signal.at for signal in counted if signal.category in SPAMWARD]
    if epoch_at is not None:
        times = [at for at in times if at >= epoch_at]
    return _latest_times(times, weights.events)


class WitnessAccount(NamedTuple):
    """The evidence of a single witness in an auth class. Marks are not included."""

    signals: tuple[Signal, ...] = ()
    answered: Answered | None = None

    @property
    def at(self) -> float:
        """The time of the witness's latest evidence; `-inf` without any."""
        at = -inf if self.answered is None else self.answered.at
        for signal in self.signals:
            at = max(at, signal.at)
        return at

    @property
    def witnessed_at(self) -> float:
        """The time of the witness's latest evidence against the number; `-inf` without any."""
        at = -inf
        for signal in self.signals:
            if signal.category in SPAMWARD:
                at = max(at, signal.at)
        return at

    def without(self, other: WitnessAccount) -> list[Signal]:
        """Return the signals of this account that the other account does not have."""
        return [signal for signal in self.signals if signal not in other.signals]


def account_of(signals: tuple[Signal, ...], answered: Answered | None) -> WitnessAccount:
    """Combine a witness's signals and answer into a WitnessAccount."""
    return WitnessAccount(signals if len(signals) < 2 else tuple(without_friends(list(signals))), answered)


def with_witness(total: Standing, before: WitnessAccount, after: WitnessAccount, weights: Weights) -> Standing | None:
    """Return the standing after a change of one witness's evidence, in constant time; None if all rows are needed.

    A standing is a sum over rows, so it changes by the rows that are added or removed. All rows are needed if marks
    change, because groups and bursts change too, and if the latest row is removed, which is rare.
    """
    come_at = after.at
    if come_at < before.at == total.at:
        return None
    at = max(total.at, come_at)
    mark_seconds = weights.counts.marks_half_life_days * DAY_SECONDS
    limits = weights.witnesses
    removed, added = before.without(after), after.without(before)
    witnessed, adverse = total.witnessed, total.adverse
    if removed or added:
        most = max(limits.label_most, limits.challenge_most)
        moved = _with_time(witnessed, before.witnessed_at, after.witnessed_at, most)
        against = _with_events(adverse, removed, added, limits.events)
        if moved is None or against is None:
            return None
        witnessed, adverse = moved, against
    sums, signals = _with_signals(total, removed, added, at, weights.counts)
    answers, more = decayed(total.answers, total.at, at, mark_seconds), 0
    if before.answered is not after.answered:
        for answered, sign in ((before.answered, -1), (after.answered, 1)):
            if answered is not None:
                answers, more = answers + sign * decayed(1.0, answered.at, at, mark_seconds), more + sign
    return Standing._make(  # by place: by keyword it takes twice as long
        (
            at,
            decayed(total.marks, total.at, at, mark_seconds) if total.marks else 0.0,
            answers,
            *sums,
            total.reporters,
            total.groups,
            total.answered + more,
            total.silent + more,
            signals,
            total.burst_at,
            witnessed,
            adverse,
            total.traps,
            total.verified_traps,
            total.challenges,
        )
    )


def _with_signals(
    total: Standing, removed: list[Signal], added: list[Signal], at: float, weights: CountWeights
) -> tuple[list[float], tuple[tuple[SignalCategory, int], ...]]:
    lasting_seconds = weights.half_life_days * DAY_SECONDS
    ring_seconds = weights.one_ring_half_life_hours * HOUR_SECONDS
    fading = 1.0 if at == total.at else 2.0 ** ((total.at - at) / lasting_seconds)
    sums = [value * fading if value else 0.0 for value in total[3:8]]
    sums.append(decayed(total.one_ring, total.at, at, ring_seconds) if total.one_ring else 0.0)
    if not removed and not added:
        return sums, total.signals
    counts = dict(total.signals)
    for signals, sign in ((removed, -1), (added, 1)):
        for signal in signals:
            category = signal.category
            counts[category] = counts.get(category, 0) + sign
            place = COUNT_OF[category]
            sums[place] += decayed(sign, signal.at, at, ring_seconds if place == RANG_ONCE else lasting_seconds)
    if not removed:
        return sums, tuple(sorted(counts.items()))
    left = {COUNT_OF[category] for category, count in counts.items() if count}
    exact = [value if place in left else 0.0 for place, value in enumerate(sums)]
    return exact, tuple(sorted([count for count in counts.items() if count[1]]))


def _with_events(
    times: tuple[float, ...], removed: list[Signal], added: list[Signal], most: int
) -> tuple[float, ...] | None:
    """Return the latest `most` times of signals against the number after a change; None if an older time is needed."""
    left = [signal.at for signal in removed if signal.category in SPAMWARD]
    new = [signal.at for signal in added if signal.category in SPAMWARD]
    kept: tuple[float, ...] | None = times
    for place in range(max(len(left), len(new))):
        if kept is None:
            return None
        out = left[place] if place < len(left) else -inf
        kept = _with_time(kept, out, new[place] if place < len(new) else -inf, most)
    return kept


def _with_time(times: tuple[float, ...], removed: float, added: float, most: int) -> tuple[float, ...] | None:
    if removed == added:
        return times
    left = list(times)
    if removed in left:
        if len(left) == most and added <= removed:
            return None
        left.remove(removed)
    if added > -inf:
        left.append(added)
    return tuple(sorted(left, reverse=True)[:most])


def _latest(rows: list[D], key: Callable[[D], Hashable]) -> list[D]:
    if len(rows) <= 1 or len({(row.epoch, row.auth_class) for row in rows}) == 1:  # nearly always
        return rows
    latest: dict[Hashable, D] = {}
    for row in rows:
        other = latest.get(key(row))
        if other is None or row.at > other.at:
            latest[key(row)] = row
    return list(latest.values())


def _burst(live: list[Mark], weights: CountWeights) -> float | None:
    if len(live) < weights.burst_marks:
        return None
    times = sorted(mark.at for mark in live)
    ends = zip(times, times[weights.burst_marks - 1 :], strict=False)
    return max((last for first, last in ends if last - first <= 60 * weights.burst_minutes), default=None)
