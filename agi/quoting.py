"""The one place that quotes text for Asterisk: nothing that came from the network reaches AGI another way.

Asterisk splits an AGI command on spaces, takes `"..."` as one word and `\\` as "the next character as it is"
(main: res_agi.c, parse_args); a newline ends the command and whatever follows it runs as the next one.
So both special characters are escaped and every control character becomes a space.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate

# res_agi.c reads a command into AGI_BUF_LEN bytes; of 8191 bytes or more the tail runs as a second command.
# Half of that, and exactly PIPE_BUF: a whole answer is one atomic write on a classic script's stdout.
COMMAND_LIMIT = 4096

# C0 controls (newline, NUL and TAB among them), DEL, the C1 controls and the two Unicode line ends.
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]
_ESCAPES: dict[int, str] = {**dict.fromkeys(_CONTROLS, " "), ord("\\"): "\\\\", ord('"'): '\\"'}
# Finds them faster than `translate` passes over their absence: nearly all text has none.
_SPECIAL = re.compile(f"[{re.escape(''.join(map(chr, _ESCAPES)))}]")
_NAME_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_")


def quote(text: str) -> str:
    """`text` as one AGI argument, quotes included. Control characters become spaces, the rest is kept."""
    if _SPECIAL.search(text) is None:
        return f'"{text}"'
    return f'"{text.translate(_ESCAPES)}"'


def set_variables(pairs: Mapping[str, str] | Sequence[tuple[str, str]]) -> bytes:
    """`SET VARIABLE` for each pair, in order, as one value to be sent in one write.

    At most COMMAND_LIMIT bytes in all: values are cut at a character, before they are quoted, so a command is
    always whole. The values that matter most come first: when the block is full, later values are cut to
    nothing but their commands are still sent. Raises ValueError for a name that is not [A-Z_]+ and when the
    commands do not fit even without their values: both are our own mistakes, never a caller's.
    """
    items = list(pairs.items() if isinstance(pairs, Mapping) else pairs)
    block = "".join([_command(name, quote(value)) for name, value in items])
    data = block.encode("utf-8", "replace")
    return data if len(data) <= COMMAND_LIMIT else _set_variables_cut(items)


def _command(name: str, quoted: str) -> str:
    return f"{_start_of(name)}{quoted}\n"


@lru_cache(maxsize=64)
def _start_of(name: str) -> str:
    """The command up to its value. There are some twenty names, in every answer."""
    if not name or not _NAME_ALPHABET.issuperset(name):
        raise ValueError("a channel variable of ours is written in A-Z and _")
    return f"SET VARIABLE {name} "


def _set_variables_cut(items: list[tuple[str, str]]) -> bytes:
    """The block within the limit: what the commands themselves need is set aside, values share the rest."""
    room = COMMAND_LIMIT - sum(len(_command(name, '""')) for name, _ in items)
    if room < 0:
        raise ValueError(f"{len(items)} variables do not fit in {COMMAND_LIMIT} bytes")
    commands = []
    for name, value in items:
        quoted = _quote_within(value, room)
        room -= len(quoted) - 2
        commands.append(_command(name, "").encode()[:-1] + quoted + b"\n")
    return b"".join(commands)


def _quote_within(text: str, room: int) -> bytes:
    """The longest beginning of `text` whose quoted form has at most `room` bytes between its quotes."""
    sizes = accumulate(len(quote(character).encode("utf-8", "replace")) - 2 for character in text[: room + 1])
    fitting = sum(size <= room for size in sizes)
    return quote(text[:fitting]).encode("utf-8", "replace")
