"""Inside an operation: a policy that cannot be used, and a file that cannot be written, are Refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from callsieve.changes.operation import Refused
from callsieve.settings import Loaded
from policies.policy import PolicyError

T = TypeVar("T")


@contextmanager
def writing(loaded: Loaded) -> Iterator[None]:
    """Inside, a file beside the store that cannot be written is Refused."""
    try:
        yield
    except OSError as error:
        raise Refused("cannot-write", f"{error.filename or loaded.state}: {error.strerror}") from None


def usable(load: Callable[[], T]) -> T:
    """What it loads; a policy that cannot be used is Refused."""
    try:
        return load()
    except PolicyError as error:
        raise Refused("unusable-policy", str(error)) from None
