"""A set of numbers on disk."""

from __future__ import annotations

import tracemalloc

from reputation.store.outbound import NumberSet


def test_each_number_is_new_once() -> None:
    with NumberSet() as seen:
        assert [seen.add(word) for word in ("+12015550123", "+8695588", "+12015550123", "+999999999999999")] == [
            *(True, True, False, True)
        ]
    with NumberSet() as another:
        assert another.add("+12015550123")


def test_many_numbers_use_little_python_memory() -> None:
    with NumberSet() as seen:
        tracemalloc.start()
        try:
            assert all(seen.add(f"+1201{place:07d}") for place in range(20_000))
            assert tracemalloc.get_traced_memory()[1] < 100_000
        finally:
            tracemalloc.stop()
