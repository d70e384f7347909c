"""What the store refuses about an appeal, as errors of commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from callsieve.cli.errors import CommandError


@contextmanager
def refused_in_one_line() -> Iterator[None]:
    """What an appeal does not allow ends the command."""
    from reputation.appeals import AppealError

    try:
        yield
    except AppealError as error:
        raise CommandError(str(error)) from None
