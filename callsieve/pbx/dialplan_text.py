"""Parse arguments of dialplan applications: split them, and substitute variables with known values. Pure functions."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

_VARIABLE = re.compile(r"\$\{([^${}]*)}")
_SLICED = re.compile(r"(\w+)(?::(-?\d{1,9})(?::(-?\d{1,9}))?)?")
_FILTER = re.compile(r"FILTER\(([^,]*),([^,]*)\)")
_ALLOWED = re.compile(r"(\\x[0-9A-Fa-f]{2}|.)(?:-(\\x[0-9A-Fa-f]{2}|.))?")
_EXISTS = re.compile(r"DIALPLAN_EXISTS\(([^,]+),([^,]+),([^,]+)\)")
_COMPARED = re.compile(
    r"""\$\[\s*(?P<quote>"?)(?P<one>[^"]*?)(?P=quote)\s*(?P<sign>!?=)\s*(?P=quote)(?P<other>[^"]*?)(?P=quote)\s*]"""
)
# An example for each character class of a pattern.
_EXAMPLES = {"X": "5", "Z": "5", "N": "5", ".": "5550100", "!": ""}
_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
LONGEST = 4096  # as Asterisk's own buffer (VAR_BUF_SIZE): a value that grows in a loop ends here


Exists = Callable[[str, str, str], bool | None]


def nothing_known(context: str, extension: str, priority: str) -> bool | None:
    """Return None, because it is unknown whether a step of the dialplan exists."""
    return None


def substituted(text: str, variables: Mapping[str, str | None], exists: Exists = nothing_known) -> str | None:
    """Return the text with variables, slices (`${EXTEN:1}`) and two functions substituted; None if a value is unknown.

    The functions are FILTER and DIALPLAN_EXISTS, which calls `exists(context, extension, priority)`. A value with `$`
    counts as unknown: Asterisk does not substitute within values, and callers' names could contain a variable's name.
    """
    known = True

    def value(match: re.Match[str]) -> str:
        nonlocal known
        text = _value(match[1], variables, exists)
        known = known and text is not None and "$" not in text
        return text or ""

    while known and _VARIABLE.search(text):
        text = _VARIABLE.sub(value, text)
    return text if known and "$" not in text and len(text) <= LONGEST else None


def is_true(condition: str, variables: Mapping[str, str | None], exists: Exists) -> bool | None:
    """Return whether a condition that compares two known texts is true; None for other conditions."""
    single_spaced = " ".join(condition.split())  # a run of spaces would make the regular expression slow
    if compared := _COMPARED.fullmatch(single_spaced):
        one, other = (substituted(compared[side], variables, exists) for side in ("one", "other"))
        return None if one is None or other is None else (one == other) == (compared["sign"] == "=")
    known = substituted(condition.strip(), variables, exists)
    return None if known is None or not known.isdecimal() else known != "0"


def _value(inner: str, variables: Mapping[str, str | None], exists: Exists) -> str | None:
    if filtering := _FILTER.fullmatch(inner):
        return _filtered(filtering[1], filtering[2])
    if asking := _EXISTS.fullmatch(inner):
        answer = exists(asking[1], asking[2], asking[3])
        return None if answer is None else str(int(answer))
    sliced = _SLICED.fullmatch(inner)
    text = variables.get(sliced[1]) if sliced else None
    return _part(text, sliced[2], sliced[3]) if sliced and text is not None else None


def _part(text: str, offset: str | None, length: str | None) -> str:
    start = int(offset or 0)
    start = max(0, len(text) + start) if start < 0 else start
    if length is None:
        return text[start:]
    return text[start : int(length)] if int(length) < 0 else text[start : start + int(length)]


def _filtered(allowed: str, text: str) -> str:
    r"""Apply FILTER of func_strings.c, which allows characters, ranges, and escapes such as `\x2d`."""
    pairs = [(_character(first), _character(last or first)) for first, last in _ALLOWED.findall(allowed)]
    return "".join(character for character in text if any(first <= character <= last for first, last in pairs))


def _character(written: str) -> str:
    return chr(int(written[2:], 16)) if len(written) > 1 else written


def branches(arguments: str) -> tuple[str, str, str]:
    """Split `condition?yes:no` into its three parts."""
    condition, *rest = split_outside_brackets(arguments, "?", 1)
    yes, *no = split_outside_brackets(rest[0], ":", 1) if rest else ("",)
    return condition, yes.strip(), no[0].strip() if no else ""


def split_outside_brackets(text: str, separator: str, most: int = -1) -> list[str]:
    """Split a text like str.split, except within brackets."""
    parts: list[str] = []
    open_brackets: list[str] = []
    start = 0
    for index, character in enumerate(text):
        if character == separator and not open_brackets and most != len(parts):
            parts.append(text[start:index])
            start = index + 1
        elif character in _CLOSING:
            open_brackets.append(_CLOSING[character])
        elif open_brackets and character == open_brackets[-1]:
            open_brackets.pop()
    return [*parts, text[start:]]


def example_of(pattern: str) -> str | None:
    """Return a number that matches an extension pattern; None if `pattern` is an ordinary extension."""
    if not pattern.startswith("_"):
        return None
    parts = re.findall(r"\[[^]]*]|[^-]", pattern[1:])  # a dash outside brackets is decoration
    return "".join(part[1:2] if part.startswith("[") else _EXAMPLES.get(part.upper(), part) for part in parts)


@lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\[[^]]*]|[^-]", pattern)
    written = [f"[{re.escape(part[1:-1]).replace(chr(92) + '-', '-')}]" if part[0] == "[" else part for part in parts]
    try:
        return re.compile(
            "".join(_CLASSES.get(part.upper(), part if part[0] == "[" else re.escape(part)) for part in written)
        )
    except re.error:  # a class such as [z-a], which matches nothing in Asterisk
        return re.compile(r"(?!)")


def takes(extension: str, number: str) -> bool:
    """Return whether an extension or extension pattern matches the number."""
    if not extension.startswith("_"):
        return extension == number
    return _pattern(extension[1:]).fullmatch(number) is not None
