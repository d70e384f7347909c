"""How long to wait, and what is said about why."""

from __future__ import annotations

import errno
import socket

import pytest

from ami_listener.errors import Trouble, TroubleKind, error_of
from ami_listener.supervisor import reconnect_seconds
from reputation.backoff import LONGEST_SECONDS, wait_seconds


@pytest.mark.parametrize(("failures", "least", "most"), [(1, 0.25, 0.5), (2, 0.5, 1), (3, 1, 2), (5, 4, 8), (6, 5, 10)])
def test_delay_doubles_with_random_spread(failures: int, least: float, most: float) -> None:
    assert (reconnect_seconds(failures, 0.0), reconnect_seconds(failures, 1.0)) == (least, most)
    assert least < reconnect_seconds(failures, 0.5) < most


def test_delay_has_a_maximum() -> None:
    assert reconnect_seconds(10**9, 1.0) == LONGEST_SECONDS


def test_first_and_longest_delay_are_arguments() -> None:
    assert [wait_seconds(failures, 2.0, 15.0) for failures in (1, 2, 3, 4, 1000)] == [2, 4, 8, 15, 15]


@pytest.mark.parametrize("failures", [1, 2, 1000])
@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_after_a_refused_login_a_minute_passes(failures: int, chance: float) -> None:
    assert 60.0 <= reconnect_seconds(failures, chance, login_refused=True) <= 66.0


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(ConnectionRefusedError(errno.ECONNREFUSED, "refused"), TroubleKind.REFUSED, id="refused"),
        pytest.param(socket.gaierror(socket.EAI_NONAME, "unknown"), TroubleKind.NO_HOST, id="no-such-host"),
        pytest.param(TimeoutError(errno.ETIMEDOUT, "timed out"), TroubleKind.TIMED_OUT, id="timed-out"),
        pytest.param(OSError(errno.EHOSTUNREACH, "no route"), TroubleKind.UNREACHABLE, id="no-route"),
        pytest.param(OSError("something"), TroubleKind.UNREACHABLE, id="without-a-number"),
    ],
)
def test_system_errors_become_kinds_of_trouble(error: OSError, kind: TroubleKind) -> None:
    assert error_of(error).kind is kind


def test_every_trouble_has_its_own_text_and_remedy() -> None:
    assert len({kind.words for kind in TroubleKind}) == len({kind.remedy for kind in TroubleKind}) == len(TroubleKind)


def test_a_trouble_reads_as_one_line() -> None:
    assert str(Trouble(0.0, TroubleKind.NO_HOST, "pbx:5038")) == "pbx:5038: no such host: correct `host` in [ami]"
    assert "(no route)" in str(Trouble(0.0, TroubleKind.UNREACHABLE, "pbx:5038", "no route"))
