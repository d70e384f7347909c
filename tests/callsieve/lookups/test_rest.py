"""How long a source that fails is left alone."""

from __future__ import annotations

import pytest

from callsieve.lookups.service import FAILURES, FIRST_SECONDS, LONGEST_SECONDS, Rest


@pytest.mark.parametrize("at_once", [FAILURES, FAILURES + 1, 8, 200])
def test_simultaneous_failures_do_not_lengthen_the_rest(at_once: int) -> None:
    rest = Rest()
    for _ in range(at_once):
        assert rest.allows(0.0)
    for _ in range(at_once):
        rest.failed(0.0)
        rest.ended()
    assert not rest.allows(FIRST_SECONDS - 1)
    assert rest.allows(FIRST_SECONDS)


def test_each_failed_try_doubles_the_rest() -> None:
    rest, now, waits = Rest(), 0.0, []
    for _ in range(FAILURES):
        rest.failed(now)
    for _ in range(9):
        began = now
        while not rest.allows(now):
            now += 1.0
        waits.append(now - began)
        rest.failed(now)
        rest.ended()
    assert waits == [10, 20, 40, 80, 160, 320, 640, LONGEST_SECONDS, LONGEST_SECONDS]
