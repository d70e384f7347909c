"""The administrator's file of networks: the longest prefix counts, and a wrong line is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from reputation.own.daily_counts import NetworkFileError, networks_in
from reputation.own.suspicion import Network
from reputation.store.database import open_store
from reputation.store.outcomes import record_outcomes
from reputation.store.own_health import find_suspicions, main
from reputation.store.transaction import transaction
from tests.reputation.own_campaigns import OWN
from tests.reputation.test_own_suspicions import NOW, calls

FILE = 'prefix,network\n+1201555,Example Wireless\n12015551,Block Mobile\n\n+1415555,"Coast, Inc."\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "networks.csv"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("+12015550123", "Example Wireless"),
        ("+12015551123", "Block Mobile"),
        ("+14155550123", "Coast, Inc."),
        ("+442071838750", None),
        ("+1201", None),
    ],
)
def test_the_longest_prefix_counts(file: Path, number: str, name: str | None) -> None:
    assert networks_in(file).name_of(number) == name


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("prefix,network\n201555\n", "line 2"),
        ("+1201555,A\nx,B\n", "line 2"),
        ("+1201555,A\n+1201556,\n", "line 2"),
        ("\x00\n\x00\n", "line 2"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "networks.csv"
    path.write_text(text)
    with pytest.raises(NetworkFileError, match=line):
        networks_in(path)


def test_a_network_of_the_file_is_suspected(tmp_path: Path, file: Path) -> None:
    with open_store(tmp_path / "store.db") as db:
        with transaction(db):
            for prefix, lately in (("+12015", 2), ("+14155", 6)):
                record_outcomes(db, calls(prefix, range(8, 28), 6), NOW)
                record_outcomes(db, calls(prefix, range(1, 7), lately), NOW)
        file.write_text("+12015,Verizon Wireless\n+14155,AT&T\n")
        (found,) = find_suspicions(db, OWN, NOW, networks_in(file))
    assert found.network == Network("US", "Verizon Wireless")


def test_a_faulty_network_file_does_not_stop_grading(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(tmp_path / "store.db"):
        pass
    assert main([str(tmp_path / "store.db"), "{}", str(file)]) == 0
    assert capsys.readouterr().out == "0\n"
    assert main([str(tmp_path / "store.db"), "{}", str(tmp_path / "none.csv")]) == 0
    assert capsys.readouterr().out == f"0\n{tmp_path / 'none.csv'}: there is no such file"
