"""Drafts and versions of policies, and results of test cases, for pages and the API."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

from msgspec import Meta

from callsieve.changes.operation import Refused
from callsieve.policy_selection import FOLDER, MODE, make_folder, pointer_file
from callsieve.settings import Loaded
from callsieve.system.files import complete_file
from policies.cases import Difference, Tried
from policies.decision import Action, Decision
from policies.files import open_regular
from policies.loader import PRESETS, policy_text
from policies.policy import Policy, PolicyError, PolicyNotFound
from reputation.users import NAME
from reputation.wording import Wording, one_line

DRAFT_MODE = 0o600
MOST_BYTES = 48 * 1024  # the limit of a form

FROM_PRESET = """\
extends = "{name}"

# Rules are tried in their order, before those of {name}; the first that holds decides. For example:
#
# [[rule]]
# name = "premium"
# when = {{ prefix = ["+1900", "+1976"] }}
# action = "reject"
# reason = "premium numbers do not call"
"""


def draft_of(loaded: Loaded, user: str) -> str | None:
    """Return a user's draft; None if the user has no draft."""
    try:
        return _path(loaded, user).read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def keep_draft(loaded: Loaded, user: str, text: str) -> None:
    """Store a user's draft. Raise OSError."""
    path = _path(loaded, user)
    make_folder(path.parent.parent)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with complete_file(path, DRAFT_MODE) as file:
        file.write(text.encode())


def drop_draft(loaded: Loaded, user: str) -> None:
    """Discard a user's draft."""
    _path(loaded, user).unlink(missing_ok=True)


def first_draft(name: str, loaded: Loaded) -> str:
    """Return the initial text of a new draft: the policy's text or, for a preset, a text that extends the preset."""
    return FROM_PRESET.format(name=name) if name in PRESETS else policy_text(name, loaded.policy_directories)


def as_typed(text: str) -> str:
    """Return a text from a browser with Unix line ends. Raise PolicyError if the text is too large."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise PolicyError(
            Wording("larger than {most} kB: put a policy of this size into a file", {"most": MOST_BYTES // 1024})
        )
    return text if not text or text.endswith("\n") else f"{text}\n"


def digest_of(text: str) -> str:
    """Return a digest that identifies the text of a draft or published policy."""
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _path(loaded: Loaded, user: str) -> Path:
    assert NAME.fullmatch(user)  # no path: letters, digits, _ . @ and -, a letter or digit first
    return loaded.state / FOLDER / "drafts" / f"{user}.toml"


NOTE_CHARACTERS = 200
_VERSION = re.compile(r"console-([1-9][0-9]{0,8})")
_HEAD = re.compile(r"# Written by (.*) on (\d{4}-\d{2}-\d{2} \d{2}:\d{2})(?:: (.*))?")


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A version of a policy, written in the console by `who` at the time `when`. `note`: what is new in it."""

    number: int
    name: str
    who: str = ""
    when: str = ""
    note: str = ""


def add_version(loaded: Loaded, text: str, who: str, when: str, note: str = "") -> str:
    """Store the text as the next version and return the version's name. Raise OSError. Not safe for concurrent use."""
    folder = pointer_file(loaded).parent
    make_folder(folder)
    name = f"console-{max((version.number for version in versions_of(loaded)), default=0) + 1}"
    note = one_line(note, NOTE_CHARACTERS)
    head = f"# Written by {who} on {when}{f': {note}' if note else ''}\n"
    with complete_file(folder / f"{name}.toml", MODE) as file:
        file.write((head + without_head(text)).encode())
    return name


def is_version(name: str) -> bool:
    """Return whether the name is the name of a version, such as `console-7`."""
    return _VERSION.fullmatch(name) is not None


def without_head(text: str) -> str:
    """Return the text of a version without its first line, which names the author."""
    first, _, rest = text.partition("\n")
    return rest if _HEAD.fullmatch(first.rstrip("\r")) else text


def versions_of(loaded: Loaded) -> list[PolicyVersion]:
    """Return the versions, latest first."""
    return sorted(_versions(pointer_file(loaded).parent), key=lambda version: -version.number)


def _versions(folder: Path) -> Iterator[PolicyVersion]:
    for path in folder.glob("console-*.toml"):
        match = _VERSION.fullmatch(path.stem)
        if match is None:
            continue
        with suppress(OSError), open_regular(path) as file:
            head = _HEAD.fullmatch(file.readline(1000).decode("utf-8", "replace").rstrip("\r\n"))
            yield PolicyVersion(int(match[1]), path.stem, *((head[1], head[2], head[3] or "") if head else ()))


TEXT_CHARACTERS = 60_000
PolicyText = Annotated[str, Meta(min_length=1, max_length=TEXT_CHARACTERS, description="TOML.")]
PolicyName = Annotated[str, Meta(max_length=128, description="The name of a policy.", examples=["cautious"])]
Note = Annotated[str, Meta(max_length=NOTE_CHARACTERS)]


class CaseTried(NamedTuple):
    """The decision about a test case.

    Attributes:
        file: The file of the case; empty if there is no file.
        name: The name of the case.
        passed: Whether the decision is as expected.
        differs: How the decision differs from the expected one.
        policy: The policy that decided.
        action: The action of the decision.
        would_be: The action without observe mode.
        rule: The rule that decided.
        reason: The reason, in English.
        step: The number of the step that decided, in the order of precedence.
        capped_by: Why a stronger action was not allowed; null if the action was not limited.
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
    """The decisions about test cases.

    Attributes:
        cases: How many cases were tested.
        failed: How many cases had an unexpected decision.
        tried: The result of each case.
    """

    cases: int
    failed: int
    tried: tuple[CaseTried, ...]


def cases_tried(tried: Iterable[tuple[str, Tried]]) -> CasesTried:
    """Return the results of test cases with their files, and how many cases failed."""
    cases = tuple(_case_tried(file, case.name, case.differs, case.decision) for file, case in tried)
    return CasesTried(len(cases), sum(not case.passed for case in cases), cases)


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
    """Run the block, and raise Refused if it cannot write a policy file."""
    try:
        yield
    except OSError as error:
        raise Refused("cannot-write", f"{error.filename or loaded.state}: {error.strerror}") from None


def usable(load: Callable[[], T], name: str = "") -> T:
    """Return the result of `load`. Raise Refused if the policy is unusable, or if no policy `name` exists."""
    try:
        return load()
    except PolicyNotFound as error:
        if error.name != name:  # what it extends
            raise Refused("unusable-policy", error.words) from None
        raise Refused("no-such-policy", error.words, "policy") from None
    except PolicyError as error:
        raise Refused("unusable-policy", error.words) from None


STOPPING = frozenset({Action.CHALLENGE, Action.ROUTE})
STOPPING_WORDS = frozenset(action.word for action in STOPPING)
REMEDY = Wording("set [actions] route, or give each [[did]] a callee who has a voicemail box")
REMEDY_ON_FREEPBX = Wording(
    "set [actions] route ({example} is the voicemail of 201), or give each [[did]] a callee who has a voicemail box",
    {"example": "ext-local,vmu201,1"},
)
# A warning when a policy stops calls that have nowhere to go.
NO_ROUTE = (
    "[actions] route is empty: calls that it stops go to the callee's voicemail; without a box a routed call rings, "
    "and a failed challenge is rejected. `callsieve doctor` names the DIDs"
)


def stops_calls(policy: Policy) -> bool:
    """Return whether the policy challenges or routes some calls. False if the policy only observes."""
    orders = {policy.default, *(rule.action for rule in policy.rules)}
    return not policy.observe and not STOPPING.isdisjoint(orders)
