"""Policies, and cases that were tried, for scripts and programs."""

from __future__ import annotations

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
MOST_BYTES = 48 * 1024  # what fits into a form

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
    """What the user is writing; None: nothing."""
    try:
        return _path(loaded, user).read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def keep_draft(loaded: Loaded, user: str, text: str) -> None:
    """From now on this is what the user is writing. OSError."""
    path = _path(loaded, user)
    make_folder(path.parent.parent)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with complete_file(path, DRAFT_MODE) as file:
        file.write(text.encode())


def drop_draft(loaded: Loaded, user: str) -> None:
    """The user is writing nothing."""
    _path(loaded, user).unlink(missing_ok=True)


def first_draft(name: str, loaded: Loaded) -> str:
    """What to begin with: the text of a policy; of a preset, which stays what it is, one that builds on it."""
    return FROM_PRESET.format(name=name) if name in PRESETS else policy_text(name, loaded.policy_directories)


def as_typed(text: str) -> str:
    """A text as files have it, from how browsers send it. PolicyError for what is too large."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise PolicyError(f"larger than {MOST_BYTES // 1024} kB: put a policy of this size into a file")
    return text if not text or text.endswith("\n") else f"{text}\n"


def digest_of(text: str) -> str:
    """Tells one draft from another."""
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _path(loaded: Loaded, user: str) -> Path:
    assert NAME.fullmatch(user)  # no path: letters, digits, _ . @ and -, a letter or digit first
    return loaded.state / FOLDER / "drafts" / f"{user}.toml"


NOTE_CHARACTERS = 200
_VERSION = re.compile(r"console-([1-9][0-9]{0,8})")
_HEAD = re.compile(r"# Written by (.*) on (\d{4}-\d{2}-\d{2} \d{2}:\d{2})(?:: (.*))?")


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy that was written in the console. `head`: who wrote it when, and why."""

    number: int
    name: str
    who: str = ""
    when: str = ""
    note: str = ""


def add_version(loaded: Loaded, text: str, who: str, when: str, note: str = "") -> str:
    """Keeps the text as the next version, and returns its name. Call it where nobody else does the same. OSError."""
    folder = pointer_file(loaded).parent
    make_folder(folder)
    name = f"console-{max((one.number for one in versions_of(loaded)), default=0) + 1}"
    note = one_line(note, NOTE_CHARACTERS)
    head = f"# Written by {who} on {when}{f': {note}' if note else ''}\n"
    with complete_file(folder / f"{name}.toml", MODE) as file:
        file.write((head + without_head(text)).encode())
    return name


def is_version(name: str) -> bool:
    """Whether it is the name of one, which changes with each."""
    return _VERSION.fullmatch(name) is not None


def without_head(text: str) -> str:
    """The text of a version without the line that says whose it is."""
    first, _, rest = text.partition("\n")
    return rest if _HEAD.fullmatch(first.rstrip("\r")) else text


def versions_of(loaded: Loaded) -> list[PolicyVersion]:
    """The versions that there are, the latest first."""
    return sorted(_versions(pointer_file(loaded).parent), key=lambda one: -one.number)


def _versions(folder: Path) -> Iterator[PolicyVersion]:
    for path in folder.glob("console-*.toml"):
        found = _VERSION.fullmatch(path.stem)
        if found is None:
            continue
        with suppress(OSError), open_regular(path) as file:
            head = _HEAD.fullmatch(file.readline(1000).decode("utf-8", "replace").rstrip("\r\n"))
            yield PolicyVersion(int(found[1]), path.stem, *((head[1], head[2], head[3] or "") if head else ()))


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
REMEDY = Wording("set [actions] route, or give each [[did]] a callee who has a voicemail box")
REMEDY_ON_FREEPBX = Wording(
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
