"""Reading a log while it is written."""

from __future__ import annotations

from pathlib import Path

from lab.growing_log import GrowingLog

WHOLE = "one\ntwö\r\nthr\u2028ee\nfour\n".encode() + b"\xff five\nsi"


def test_every_cut_gives_the_same_lines(tmp_path: Path) -> None:
    for size in (1, 2, 3, 7, len(WHOLE)):
        path = tmp_path / str(size)
        log = GrowingLog(path)
        assert log.lines() == []
        for begin in range(0, len(WHOLE), size):
            with path.open("ab") as file:
                file.write(WHOLE[begin : begin + size])
            assert log.lines() == path.read_text(errors="replace").splitlines()
        assert log.lines()[-1] == "si"


def test_a_restarted_log_gives_its_new_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\ntwo\n")
    log = GrowingLog(path)
    assert log.lines() == ["one", "two"]
    path.write_text("three\n")
    assert log.lines() == ["three"]
    path.unlink()
    assert log.lines() == []
