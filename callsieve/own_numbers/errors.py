"""What the commands of `callsieve own` say where a number cannot be kept, or changed, as it was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from callsieve.cli.errors import CommandError

OPTION_BY_FIELD = {"trunks": "--trunk", "documents": "--document", "next_check": "the next check"}


@contextmanager
def its_state() -> Iterator[None]:
    """What a number cannot go through in the state that it has, with the command that helps."""
    from reputation.own.register import NotRegistered, RegisterError, RestsStill

    try:
        yield
    except NotRegistered as error:
        raise CommandError(f"{error}: `callsieve own add {error.number}`, or `callsieve own list`") from None
    except RestsStill as error:
        raise CommandError(f"{error}; --force ends that early") from None
    except RegisterError as error:
        raise CommandError(str(error)) from None


@contextmanager
def its_fields() -> Iterator[None]:
    """What cannot be kept as it was typed, by the option that it was typed for."""
    from callsieve.own_numbers.register import FieldError

    try:
        yield
    except FieldError as error:
        raise CommandError(f"{OPTION_BY_FIELD.get(error.field, f'--{error.field}')} {error.words}") from None
