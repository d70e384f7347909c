"""Policies, and cases that were tried, for scripts and programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, NamedTuple, TypeVar

from msgspec import Meta

from callsieve.changes.operation import Refused
from callsieve.policy.drafts import NOTE_CHARACTERS
from callsieve.settings import Loaded
from policies.cases import Difference, Tried
from policies.decision import Action, Decision
from policies.policy import Policy, PolicyError, PolicyNotFound
from reputation.wording import Wording

TEXT_CHARACTERS = 60_000
PolicyText = Annotated[str, Meta(min_length=1, max_length=TEXT_CHARACTERS, description="TOML.")]
PolicyName = Annotated[str, Meta(max_length=128, description="The name of a policy.", examples=["cautious"])]
Note = Annotated[str, Meta(max_length=NOTE_CHARACTERS)]


class CaseTried(NamedTuple):
    """What is decided about a case.

    Attributes:
        file: The file that it is from; empty for none.
        name: Its name.
        passed: It is decided as it expects.
        differs: What differs.
        policy: The policy that decided.
        action: What is done.
        would_be: The same without observe mode.
        rule: The rule that decided.
        reason: Why, in English.
        step: The step of the order of precedence that decided.
        capped_by: Why it is no more, null where nothing speaks for the caller.
    """

    file: str
    name: str
    passed: bool
    differs: tuple[Difference, ...]
    policy: str
    action: Action
    would_be: Action
    rule: str
    reason: str
    step: int
    capped_by: str | None


class CasesTried(NamedTuple):
    """What is decided about cases.

    Attributes:
        cases: How many there are.
        failed: How many are decided otherwise than they expect.
        tried: The cases.
    """

    cases: int
    failed: int
    tried: tuple[CaseTried, ...]


def cases_tried(tried: Iterable[tuple[str, Tried]]) -> CasesTried:
    """Return cases with the file that each is from, and how many differ from what is expected."""
    cases = tuple(_case_tried(file, one.name, one.differs, one.decision) for file, one in tried)
    return CasesTried(len(cases), sum(not one.passed for one in cases), cases)


def _case_tried(file: str, name: str, differs: Sequence[Difference], decision: Decision) -> CaseTried:
    return CaseTried(
        file=file,
        name=name,
        passed=not differs,
        differs=tuple(differs),
        policy=decision.policy,
        action=decision.action,
        would_be=decision.would_be,
        rule=decision.rule,
        reason=str(decision.reason),
        step=decision.step,
        capped_by=None if decision.capped_by is None else str(decision.capped_by),
    )


T = TypeVar("T")


@contextmanager
def writing(loaded: Loaded) -> Iterator[None]:
    """Inside, a file beside the store that cannot be written is Refused."""
    try:
        yield
    except OSError as error:
        raise Refused("cannot-write", f"{error.filename or loaded.state}: {error.strerror}") from None


def usable(load: Callable[[], T], name: str = "") -> T:
    """What it loads; a policy that cannot be used, or that is not there (`name`), is Refused."""
    try:
        return load()
    except PolicyNotFound as error:
        if error.name != name:  # what it extends
            raise Refused("unusable-policy", str(error)) from None
        raise Refused("no-such-policy", error.words, "policy") from None
    except PolicyError as error:
        raise Refused("unusable-policy", str(error)) from None


STOPPING = frozenset({Action.CHALLENGE, Action.ROUTE})
STOPPING_WORDS = frozenset(action.word for action in STOPPING)
WAY_OUT = Wording("set [actions] route, or give each [[did]] a callee who has a voicemail box")
WAY_OUT_ON_FREEPBX = Wording(
    "set [actions] route ({example} is the voicemail of 201), or give each [[did]] a callee who has a voicemail box",
    {"example": "ext-local,vmu201,1"},
)
# What a command says that makes calls stop without a place for them.
NO_ROUTE = (
    "[actions] route is empty: calls that it stops go to the callee's voicemail; without a box a routed call rings on, "
    "and a failed challenge is turned away. `callsieve doctor` names the DIDs"
)


def stops_calls(policy: Policy) -> bool:
    """Whether it acts, and challenges or routes some calls."""
    orders = {policy.default, *(rule.action for rule in policy.rules)}
    return not policy.observe and not STOPPING.isdisjoint(orders)
