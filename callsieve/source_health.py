"""The health of an outside source (a feed, a company of the exchange, the hub) or of a receiver of events.

Doctor, status, digest, metrics, scheduled checks, pages and the API show the same SourceHealth. For each kind of source
one function computes it from the source's row in the store. The row holds the cause of a failure as a code with values.
"""

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from callsieve.outside.errors import OutsideProblem, keep_failure
from callsieve.text.times import SECONDS_BY_UNIT
from reputation.store.errors import StoreError
from reputation.wording import Places, Wording

OVERDUE_SECONDS = 3600.0  # the timers run every quarter of an hour


class SourceStatus(StrEnum):
    """The state of a source. If several apply, the worst counts.

    `waiting`: nothing has been received or sent yet. `off`: the source is switched off. `failed`: the last attempt
    failed. `stale`: nothing was received or sent for too long. `shrank`: the last file was much smaller than the file
    before. `expired`: the source's data is too old to count.
    """

    OK = "ok"
    WAITING = "waiting"
    OFF = "off"
    FAILED = "failed"
    STALE = "stale"
    SHRANK = "shrank"
    EXPIRED = "expired"

    @property
    def words(self) -> str:
        """The state as text."""
        return "switched off" if self is SourceStatus.OFF else self.value


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """The health of a source. `health`: the state of the source. `detail`: the reason as text; null if all is well."""

    health: SourceStatus
    detail: Wording | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the source works and has data."""
        return self.health is SourceStatus.OK

    @property
    def is_well(self) -> bool:
        """Whether nobody needs to act."""
        return self.health in (SourceStatus.OK, SourceStatus.WAITING, SourceStatus.OFF)

    @property
    def brings_nothing(self) -> bool:
        """Whether the source's data does not arrive or does not count. Events report such a source."""
        return self.health in (SourceStatus.OFF, SourceStatus.FAILED, SourceStatus.STALE, SourceStatus.EXPIRED)

    @property
    def summary(self) -> Wording:
        """The state and its reason as translatable text."""
        state = Wording(self.health.words)
        return Wording("{state}: {detail}", {"state": state, "detail": self.detail}) if self.detail else state

    def __str__(self) -> str:
        return str(self.summary)


def nobody_fetches(due: Iterable[float | None], now: float) -> bool:
    """Return whether a source is so overdue that no timer runs. `due`: when each source is due; None: never fetched."""
    return any(at is None or now > at + OVERDUE_SECONDS for at in due)


def every_seconds(every: str) -> float:
    """Parse the setting `every`, such as `6h`, into seconds."""
    return float(int(every[:-1]) * SECONDS_BY_UNIT[every[-1]])


class SourceProblem(StrEnum):
    """Reasons why an outside source delivered nothing, common to all kinds of sources."""

    NO_FILE = "{file}: file not found"
    UNREADABLE = "{file}: cannot be read ({error})"
    STORE = "the store could not be written: `callsieve doctor` shows why"
    REFUSED = "the data was refused: run the import again to see why"

    @property
    def code(self) -> str:
        """The code for programs, such as `no-file`."""
        return self._name_.lower().replace("_", "-")


def templates_of(*problems: Iterable[StrEnum]) -> dict[str, str]:
    """Return the messages of these problems and of the problems common to all sources, by code."""
    every = chain(SourceProblem, OutsideProblem, *problems)
    return {problem.name.lower().replace("_", "-"): problem.value for problem in every}


def failure_of(error: Exception, templates: Mapping[str, str], file: str = "") -> str:
    """Return the error as JSON for the store. `read_kept_failure` parses it with the same templates."""
    return keep_failure(*_code_and_places(error, templates, file), templates)


def _code_and_places(error: Exception, templates: Mapping[str, str], file: str) -> tuple[str, Places]:
    code, words = getattr(error, "code", None), getattr(error, "words", None)
    if code in templates:
        return str(code), words.places if isinstance(words, Wording) else {}
    if isinstance(error, OSError) and not isinstance(error, StoreError):
        is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        trouble = errno.errorcode.get(error.errno or 0, type(error).__name__)
        problem = SourceProblem.NO_FILE if is_missing else SourceProblem.UNREADABLE
        return problem.code, {"file": str(error.filename or file), "error": trouble}
    return (SourceProblem.STORE if isinstance(error, StoreError) else SourceProblem.REFUSED).code, {}
