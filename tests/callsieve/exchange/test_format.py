"""docs/reference/exchange-format.md: its code reads what CallSieve publishes, and the test vectors.

`python -m tests.callsieve.exchange.test_format` writes the vectors.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.exchange.rows import (
    ANSWERED_STEPS,
    CATEGORY,
    INDEX_FILE,
    KEY_FILE,
    LEVELS,
    PEOPLE_STEPS,
    BadRow,
    IndexContents,
    PreviousIndex,
    PublishedDelta,
    PublishedFile,
    changes_in,
    delta_head,
    read_index,
    removal_line,
    row_line,
    rows_in,
    sign_index,
    snapshot_head,
    step_of,
    unpacked_lines,
)
from callsieve.signing.keys import SigningKey
from callsieve.signing.statements import NUMBER_CLEARED, StatementError, canonical, sign
from reputation.formulas import monday_of, monday_text, week_of
from reputation.model import AuthClass
from reputation.store.peers import PeerNumber
from tests.office import ROOT

PAGE = ROOT / "docs" / "reference" / "exchange-format.md"
VECTORS = Path(__file__).with_name("vectors")
KEY = SigningKey(bytes(range(32)))
AT = 1_795_776_660.0
BEFORE, NOW = 29_928_171, 29_929_611
ROWS = (
    PeerNumber("+12015550123", "unknown", 2, 5, 10, 2948, 2960, "scam"),
    PeerNumber("+12015550124", "unauthenticated", 3, 20, 0, 2951, 2960),
    PeerNumber("+12015550124", "unknown", 2, 3, 0, 2960, 2960),
    PeerNumber("+8695588", "authenticated", 2, 50, 100, 2900, 2960, "debt-collection"),
)
CHANGES = (row_line(ROWS[1]), removal_line(("+12015550199", "unknown")))
CLEARED = "+442071838755"


def _placed(folder: Path, kind: str, lines: list[str]) -> PublishedFile:
    raw = "".join(f"{line}\n" for line in lines).encode()
    packed = gzip.compress(raw, mtime=0)
    name = f"{kind}-{sha256(packed).hexdigest()}.rows"
    (folder / name).write_bytes(packed)
    rows = len(lines) if kind == "cleared" else len(lines) - 1
    return PublishedFile(file=name, bytes=len(packed), unpacked=len(raw), rows=rows)


def write_vectors(folder: Path) -> None:
    """Write a published directory."""
    folder.mkdir(exist_ok=True)
    snapshot = _placed(folder, "snapshot", [snapshot_head(NOW), *map(row_line, ROWS)])
    delta = _placed(folder, "delta", [delta_head(BEFORE, NOW), *CHANGES])
    about = {"number": CLEARED, "appeal": "AP9E4100", "proven": True, "category_only": False, "check": ""}
    text = sign(KEY, NUMBER_CLEARED, "Example Ltd", issued_at=AT, valid_until=AT + 365 * 86_400, about=about)
    cleared = _placed(folder, "cleared", [canonical(json.loads(text)).decode()])
    contents = IndexContents(
        sequence=NOW,
        listed_at=int(AT),
        least_people=3,
        snapshot=snapshot,
        deltas=(
            PublishedDelta(
                before=BEFORE, sequence=NOW, file=delta.file, bytes=delta.bytes, unpacked=delta.unpacked, rows=2
            ),
        ),
        cleared=cleared,
        previous=(PreviousIndex(sequence=BEFORE, digest="ab" * 32),),
    )
    (folder / KEY_FILE).write_text(f"{KEY.public_key.text}\n")
    (folder / INDEX_FILE).write_text(sign_index(KEY, "Example Ltd", contents, AT, AT + 7 * 86_400))


def run_page(folder: Path, key: str) -> subprocess.CompletedProcess[str]:
    """Run the code of the page in a Python without our packages."""
    [lines] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    program = f"FOLDER, KEY = {str(folder)!r}, {key!r}\n{lines}"
    return subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False, cwd="/")


def test_page_code_reads_the_vectors() -> None:
    done = run_page(VECTORS, (VECTORS / KEY_FILE).read_text().strip())
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "+12015550123 u warn 5 scam",
        "+12015550124 n challenge 20 ",
        "+12015550124 u warn 3 ",
        "+8695588 a warn 50 debt-collection",
        f"cleared {CLEARED}",
    ]


def test_page_code_refuses_a_changed_index(tmp_path: Path) -> None:
    folder = shutil.copytree(VECTORS, tmp_path / "changed")
    index = folder / INDEX_FILE
    index.write_text(index.read_text().replace('"least_people": 3', '"least_people": 2'))
    assert "InvalidSignature" in run_page(folder, KEY.public_key.text).stderr


def test_callsieve_reads_the_vectors() -> None:
    index = read_index((VECTORS / INDEX_FILE).read_bytes(), KEY.public_key)
    contents = index.contents
    assert (contents.sequence, contents.previous[0].sequence) == (NOW, BEFORE)
    with (VECTORS / contents.snapshot.file).open("rb") as file:
        assert tuple(rows_in(unpacked_lines(file, contents.snapshot.unpacked), snapshot_head(NOW))) == ROWS
    [delta] = contents.deltas
    with (VECTORS / delta.file).open("rb") as file:
        changes = dict(changes_in(unpacked_lines(file, delta.unpacked), delta_head(BEFORE, NOW)))
    assert changes == {ROWS[1].key: ROWS[1], ("+12015550199", "unknown"): None}


def test_callsieve_writes_the_vectors(tmp_path: Path) -> None:
    """But for how gzip packs, which is another with another zlib."""
    write_vectors(tmp_path / "again")
    again = {path.name.partition("-")[0]: path for path in (tmp_path / "again").iterdir()}
    for path in VECTORS.iterdir():
        if path.suffix == ".rows":
            other = again[path.name.partition("-")[0]]
            assert gzip.decompress(path.read_bytes()) == gzip.decompress(other.read_bytes())


def test_page_has_the_steps_and_a_valid_index() -> None:
    text = PAGE.read_text()
    for steps in (PEOPLE_STEPS, ANSWERED_STEPS):
        assert f"{', '.join(map(str, steps[:-1]))} or {steps[-1]}" in text
    [index] = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert json.loads(index).keys() == set(IndexContents.__struct_fields__)


ROW = st.builds(
    PeerNumber,
    st.from_regex(r"\+[1-9][0-9]{5,14}", fullmatch=True),
    st.sampled_from([class_.value for class_ in AuthClass]),
    st.sampled_from(sorted(LEVELS.values())),
    st.sampled_from(PEOPLE_STEPS),
    st.sampled_from(ANSWERED_STEPS),
    st.integers(1, 99_999),
    st.integers(1, 99_999),
    st.just("") | st.from_regex(CATEGORY, fullmatch=True),
)


@given(st.lists(ROW, max_size=20, unique_by=lambda row: row.key))
def test_rows_round_trip(rows: list[PeerNumber]) -> None:
    rows.sort(key=lambda row: row.key)
    lines = [snapshot_head(7), *map(row_line, rows)]
    assert lines == [snapshot_head(7), *sorted(lines[1:], key=lambda line: line.split(",")[:2])]
    assert list(rows_in([line.encode() for line in lines], snapshot_head(7))) == rows


@given(st.binary(max_size=60))
def test_invalid_line_is_refused(line: bytes) -> None:
    try:
        found = list(changes_in([b"head", line], "head"))
    except BadRow:
        return
    [(key, row)] = found
    assert line == (removal_line(key) if row is None else row_line(row)).encode()


@pytest.mark.parametrize(("count", "step"), [(3, 3), (4, 3), (5, 5), (9, 5), (49, 20), (50, 50), (5000, 50)])
def test_counts_are_rounded_down_to_steps(count: int, step: int) -> None:
    assert step_of(count, PEOPLE_STEPS) == step


@given(st.integers(0, 4_000_000_000))
def test_week_begins_on_monday(at: int) -> None:
    week = week_of(at)
    assert monday_of(week) <= at < monday_of(week + 1)
    assert week == (at + 259_200) // 604_800
    assert monday_text(2970) == "2026-11-30"


@pytest.mark.parametrize("change", [b'"sequence": -1', b'"sequence": 1.5', b'"sequence": "x"', b'"sequence": null'])
def test_invalid_index_is_refused(change: bytes) -> None:
    raw = (VECTORS / INDEX_FILE).read_bytes().replace(f'"sequence": {NOW}'.encode(), change)
    with pytest.raises(StatementError):
        read_index(raw, KEY.public_key)


if __name__ == "__main__":
    shutil.rmtree(VECTORS, ignore_errors=True)
    write_vectors(VECTORS)
