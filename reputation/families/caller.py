"""Evidence from what the caller did when challenged. It is kept apart from what people here noticed."""

from collections.abc import Iterator

from reputation.evidence import Subject
from reputation.families.kind import Counts, FamilyKind, Prompts, Speaker
from reputation.formulas import decayed
from reputation.model import NEVER_CHALLENGED, ChallengeHistory, Family
from reputation.weights import DAY_SECONDS, CallerWeights
from reputation.wording import Counted, Wording

NAME = "caller"
NAME_OF_PROOF, NAME_OF_PASS, NAME_OF_FAILURE, NAME_OF_ABANDONED = "proven", "passed", "failed", "hung up"
NAME_OF_ROBOT = "robot"


def caller_of(history: ChallengeHistory, weights: CallerWeights, now: float, proven: float = 0.0) -> Family | None:
    """Return the evidence from challenges and proofs of control as a family, or None without any.

    `proven`: the log-odds of a proof that the caller controls the number; 0.0: no proof.
    """
    counts = _counts(history, proven != 0.0)
    if not counts:
        return None
    log_odds = min(_of_pass(history, weights, now), proven) + _of_failures(history, weights, now)
    return Family(NAME, max(weights.passed, min(weights.failed_again, log_odds)), counts)


def passed_until(history: ChallengeHistory, weights: CallerWeights) -> float | None:
    """Return until when the number's last passed challenge (in any auth class) limits what may be done with its calls.

    None: the number passed no challenge. The limit ends early if enough people answer and still mark the number. Each
    earlier pass doubles how many people are enough.
    """
    if not history.of_number:
        return None
    at = history.of_number[0]
    enough = weights.pass_marks * 2 ** (len(history.of_number) - 1)
    is_over = history.marked >= enough
    return at + (weights.pass_hours * 3600.0 if is_over else weights.pass_days * DAY_SECONDS)


def has_failed(history: ChallengeHistory, weights: CallerWeights, now: float) -> bool:
    """Return whether the number failed a challenge and passed none in the last `pass_days` days."""
    lasts = weights.pass_days * DAY_SECONDS
    passed_lately = history.passed_at is not None and now - history.passed_at < lasts
    return history.failed_at is not None and now - history.failed_at < lasts and not passed_lately


def _of_pass(history: ChallengeHistory, weights: CallerWeights, now: float) -> float:
    if history.passed_at is None:
        return 0.0
    return decayed(weights.passed, history.passed_at, now, weights.passed_half_life_days * DAY_SECONDS)


def _of_failures(history: ChallengeHistory, weights: CallerWeights, now: float) -> float:
    half_life = weights.failed_half_life_days * DAY_SECONDS
    if history.failed_at is not None:
        value = weights.failed if history.failures == 1 else weights.failed_again
        return decayed(value, history.failed_at, now, half_life)
    if history.abandoned_at is not None:
        return decayed(weights.abandoned, history.abandoned_at, now, half_life)
    return 0.0


def _counts(history: ChallengeHistory, is_proven: bool) -> tuple[tuple[str, int], ...]:
    counts = (
        (NAME_OF_PROOF, int(is_proven)),
        (NAME_OF_PASS, 0 if is_proven else len(history.passes)),
        (NAME_OF_FAILURE, history.failures - (history.robot_at is not None)),
        (NAME_OF_ROBOT, int(history.robot_at is not None)),
        (NAME_OF_ABANDONED, int(history.abandoned_at is not None)),
    )
    return tuple([(name, count) for name, count in counts if count])


_WORDS = {
    NAME_OF_PROOF: Counted("somebody has proven control of the number", "somebody has proven control of the number"),
    NAME_OF_PASS: Counted("the caller passed a challenge", "the caller passed {n} challenges"),
    NAME_OF_FAILURE: Counted("the caller failed a challenge", "the caller failed {n} challenges"),
    NAME_OF_ROBOT: Counted("the caller gave a name in a robot's voice", "the caller gave a name in a robot's voice"),
    NAME_OF_ABANDONED: Counted("the caller hung up when challenged", "the caller hung up when challenged"),
}


def _compute(subject: Subject) -> Family | None:
    history = subject.evidence.challenges
    proven = subject.weights.identity.level_1 if subject.identity_level == 1 else 0.0
    if not proven and history is NEVER_CHALLENGED:
        return None
    return caller_of(history, subject.weights.caller, subject.now, proven)


def _words(counts: Counts) -> Iterator[Wording]:
    return (words.of(counts[what]) for what, words in _WORDS.items() if what in counts)


def _spoken(counts: Counts, speaks_for: bool) -> Iterator[Prompts]:
    passed = "explain-controlled" if NAME_OF_PROOF in counts else "explain-challenge-passed"
    yield (passed if speaks_for else "explain-challenge-silent",)


CALLER = FamilyKind(NAME, Speaker.CALLER, _compute, _words, _spoken)
