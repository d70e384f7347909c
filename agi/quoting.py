r"""The only module that quotes text for Asterisk. All text from the network passes through this module.

Asterisk splits an AGI command on spaces, takes `"..."` as one word and `\\` as "the next character as it is" (main:
res_agi.c, parse_args). A newline ends the command, and the rest would run as the next command. So quotation marks and
backslashes are escaped, and every control character becomes a space.

Each command costs Asterisk a read and a reply. So values of harmless characters are set together by the application
MSet. Any other text gets its own SET VARIABLE, because an application would parse it a second time.
"""

import re
from collections.abc import Sequence
from itertools import accumulate

# res_agi.c reads a command into AGI_BUF_LEN bytes. If it has 8191 bytes or more, its tail runs as a second command.
# Half of that, and exactly PIPE_BUF: a whole answer is one atomic write on a classic script's stdout.
COMMAND_LIMIT = 4096

# C0 controls (newline, NUL and TAB among them), DEL, the C1 controls and the two Unicode line ends.
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]
_ESCAPES: dict[int, str] = {**dict.fromkeys(_CONTROLS, " "), ord("\\"): "\\\\", ord('"'): '\\"'}
# Most text has none of these characters, and this search is faster than `translate`.
_SPECIAL = re.compile(f"[{re.escape(''.join(map(chr, _ESCAPES)))}]")
_NAME_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_")
# Excludes the characters that MSet splits at (comma, equals sign), removes (quote, backslash) or counts (brackets), and
# dollar signs. Options of Dial may have paired brackets. Short enough that all fixed values of an answer always
# fit.
_is_word = re.compile(
    r"[0-9A-Za-z+*#/_.@&?-][0-9A-Za-z+*#/_.@&? -]{0,127}|(?:[A-Za-z]\([a-z][0-9a-z^-]{0,39}\)){1,2}"
).fullmatch
_checked: set[str] = set()
_MOST_CHECKED = 64


def quote(text: str) -> str:
    """Return `text` as a quoted AGI argument. Control characters become spaces."""
    if _SPECIAL.search(text) is None:
        return f'"{text}"'
    return f'"{text.translate(_ESCAPES)}"'


def set_variables(pairs: dict[str, str] | Sequence[tuple[str, str]]) -> bytes:
    """Return the AGI commands that set these variables in order, for a single write.

    Consecutive values of harmless characters are set by one `EXEC MSet`, other values by `SET VARIABLE`. The result has
    at most COMMAND_LIMIT bytes: free text is shortened before quoting, the last (least important) value first.

    Raises:
        ValueError: A name is not [A-Z_]+, or the commands do not fit even with empty values. Both are bugs.
    """
    items = list(pairs.items() if isinstance(pairs, dict) else pairs)
    block = _block(items)
    return block if len(block) <= COMMAND_LIMIT else _block(_cut(items))


def _block(items: list[tuple[str, str]]) -> bytes:
    commands: list[str] = []
    words: list[tuple[str, str]] = []
    for name, value in items:
        if name not in _checked:
            _check(name)
        if _is_word(value):
            words.append((name, value))
        else:
            commands += _of_words(words)
            words.clear()
            commands.append(f"SET VARIABLE {name} {quote(value)}\n")
    commands += _of_words(words)
    return "".join(commands).encode("utf-8", "replace")


def _of_words(words: list[tuple[str, str]]) -> list[str]:
    if len(words) > 1:
        return [f'EXEC MSet "{",".join([f"{name}={value}" for name, value in words])}"\n']
    return [f"SET VARIABLE {name} {quote(value)}\n" for name, value in words]


def _check(name: str) -> None:
    """Check the name of a variable. Remember valid names, because every answer repeats the same twenty names."""
    if not name or not _NAME_ALPHABET.issuperset(name):
        raise ValueError("the name of a channel variable has characters other than A-Z and _")
    if len(_checked) < _MOST_CHECKED:
        _checked.add(name)


def _cut(items: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Shorten free-text values, the last value first, until all commands fit into COMMAND_LIMIT."""
    room = COMMAND_LIMIT - len(_block([item if _is_word(item[1]) else (item[0], "") for item in items]))
    if room < 0:
        raise ValueError(f"the AGI commands for {len(items)} variables are longer than {COMMAND_LIMIT} bytes")
    fitting = []
    for name, value in items:
        if not _is_word(value):
            value = _beginning_of(value, room)
            room -= _size_of(value)
        fitting.append((name, value))
    return fitting


def _beginning_of(text: str, room: int) -> str:
    sizes = accumulate(_size_of(character) for character in text[: room + 1])
    return text[: sum(size <= room for size in sizes)]


def _size_of(text: str) -> int:
    return len(quote(text).encode("utf-8", "replace")) - 2


_COMMAND = re.compile(rb'(?:SET VARIABLE ([A-Z_]+)|EXEC MSet) "((?:[^"\\]|\\.)*)"\n')
_ESCAPED = re.compile(r"\\(.)")


def variables_in(answer: bytes) -> dict[str, str]:
    """Return the variables that an answer of `set_variables` sets."""
    variables = {}
    for name, quoted in _COMMAND.findall(answer):
        text = _ESCAPED.sub(r"\1", quoted.decode("utf-8", "replace"))
        if name:
            variables[name.decode()] = text
        else:
            variables |= {of: value for of, _, value in (pair.partition("=") for pair in text.split(","))}
    return variables
