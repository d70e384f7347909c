"""Inside an operation: a policy that cannot be used, and a file that cannot be written, are Refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from callsieve.changes.operation import Refused
from callsieve.settings import Loaded
from policies.policy import PolicyError, PolicyNotFound

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
