"""To which network a range of numbers was given, by a file of the administrator's: CSV, `prefix,network` a line.

    networks_in(Path("networks.csv")).name_of("+12015551234") -> "Verizon Wireless", or None where the file has nothing

For North America, of which libphonenumber has no networks: the assignments of central office codes and of blocks of
1000 are public. The longest prefix counts."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from sys import intern

MOST_ROWS = 2_000_000
LINE_CHARACTERS = 200
NAME_CHARACTERS = 60
_PREFIX = re.compile(r"\+?([1-9][0-9]{2,13})", re.ASCII)


class NetworkFileError(ValueError):
    """The file cannot be used: which line, and why."""


class Networks:
    """Names by prefixes, which are digits without `+`."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._lengths = sorted({len(prefix) for prefix in names}, reverse=True)

    def __len__(self) -> int:
        return len(self._names)

    def name_of(self, e164: str) -> str | None:
        """The network of the longest prefix."""
        digits = e164[1:]
        return next((found for size in self._lengths if (found := self._names.get(digits[:size])) is not None), None)


NO_NETWORKS = Networks({})


def networks_in(path: Path) -> Networks:
    """What the file says. NetworkFileError, OSError."""
    if not path.is_file():
        raise NetworkFileError(f"{path}: there is no such file")
    names: dict[str, str] = {}
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for line, text in enumerate(file, 1):
            row = next(csv.reader([text[:LINE_CHARACTERS]]), [])
            match = _PREFIX.fullmatch(row[0].strip()) if len(row) > 1 else None
            name = "".join(filter(str.isprintable, row[1])).strip()[:NAME_CHARACTERS] if match else ""
            if match is None or not name:
                if not row or line == 1:  # a header, or an empty line
                    continue
                raise NetworkFileError(f"{path}: line {line}: takes prefix,network, as +1201555,Example Wireless")
            names[match[1]] = intern(name)
            if len(names) > MOST_ROWS:
                raise NetworkFileError(f"{path}: has more than {MOST_ROWS:,} lines")
    return Networks(names)
