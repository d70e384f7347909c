"""Free ports for what tests start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from lab.ports import free_media_port, free_port
from tests.office import ROOT

ADDRESS, UDP = "127.0.0.1", socket.SOCK_DGRAM
DRAW = "import socket; from lab.ports import free_port; print(*(free_port('127.0.0.1', 2) for _ in range(60)))"


def test_no_port_is_given_twice_in_a_row() -> None:
    drawn = [free_port(ADDRESS, UDP) for _ in range(200)]
    assert len(set(drawn)) == 200


def test_a_port_in_use_is_left_out() -> None:
    with socket.socket(socket.AF_INET, UDP) as other:
        other.bind((ADDRESS, free_port(ADDRESS, UDP)))
        taken = other.getsockname()[1]
        assert taken not in {free_port(ADDRESS, UDP) for _ in range(800)}


def test_a_port_for_audio_has_three_neighbours_for_itself() -> None:
    drawn = [free_media_port(ADDRESS) for _ in range(40)]
    assert len({port + place for port in drawn for place in range(4)}) == 160


def test_two_processes_of_a_run_get_different_ports() -> None:
    drawn = []
    for worker in ("gw0", "gw1"):
        environment = {**os.environ, "PYTEST_XDIST_WORKER": worker}
        done = subprocess.run([sys.executable, "-c", DRAW], cwd=ROOT, env=environment, capture_output=True, check=True)
        drawn.append(set(done.stdout.split()))
    assert len(drawn[0] & drawn[1]) == 0
    assert len(drawn[0]) == 60
