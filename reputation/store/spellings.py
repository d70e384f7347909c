"""How people write a number in a note: with or without its country code, with spaces, brackets, dots, hyphens, slashes,
commas, underscores or stars between its digits, which may be full-width (Chinese keyboards), Arabic or Persian.

`+44 20 7183 8750`, `+44 (0)20-7183.8750`, `020 7183 8750` and `442071838750` are one number; `+49 201 5550143` is not
the American 201 555 0143, and neither is 312-201-555-0143.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from reputation.numbers import national_digits

MAX_DIGITS = 15  # of a number with its country code (E.164)
# The zeros of ASCII, Arabic, Persian and full-width digits; the others follow each.
_ZEROS = (0x30, 0x660, 0x6F0, 0xFF10)
_PLAIN = {zero + digit: str(digit) for zero in _ZEROS for digit in range(10)}
# U+2000 to U+206F are spaces, dashes and direction marks; U+FFxx are typed on Chinese keyboards.
_SIGNS = r"\s()\[\]./*_\-\u00ad\u00b7\u2000-\u206f\u2212\uff08\uff09\uff0a\uff0d\uff0e\uff3f"
_GAP = f"[{_SIGNS}]{{0,8}}"
_COMMAS = f"[{_SIGNS},\u060c\u3001\uff0c]{{0,8}}"  # after a country code a comma would join what is listed
# Wide: to see whether a text or a file may have the number. JSON writes line ends and tabs as letters.
_WIDE_GAP = rf"(?:\\[nrt]|[^A-Za-z\x00{''.join(map(chr, _PLAIN))}]){{0,16}}+"
_OTHER_DIGITS = rb"\xd9[\xa0-\xa9]|\xdb[\xb0-\xb9]|\xef\xbc[\x90-\x99]"  # in UTF-8
_WIDE_GAP_IN_FILE = rb"(?:\\[nrt]|(?!" + _OTHER_DIGITS + rb")[^0-9A-Za-z\x00]){0,16}+"


def masker(number: str, mask: str) -> Callable[[str], str]:
    """A function that replaces the number in a text. Longer numbers that contain its digits stay as they are."""
    pattern = _spelling(number)

    def masked(text: str) -> str:
        pieces, end = [], 0
        for found in pattern.finditer(text.translate(_PLAIN)):  # a character for a character: places stay
            if found["ours"]:
                pieces += [text[end : found.start()], mask]
                end = found.end()
        return "".join(pieces) + text[end:]

    return masked


def digits_in_text(number: str) -> re.Pattern[str]:
    """The digits that all spellings have in common, with any signs between them, also in a longer number or in JSON."""
    return re.compile(_WIDE_GAP.join(f"[{''.join(_written(digit))}]" for digit in national_digits(number)))


def digits_in_file(number: str) -> re.Pattern[bytes]:
    """The same in the bytes of a file."""
    spelled = (b"(?:" + b"|".join(map(str.encode, _written(digit))) + b")" for digit in national_digits(number))
    return re.compile(_WIDE_GAP_IN_FILE.join(spelled))


def _written(digit: str) -> list[str]:
    return [chr(zero + int(digit)) for zero in _ZEROS]


def _spelling(number: str) -> re.Pattern[str]:
    """Matches the number as `ours`, or a longer number with its digits, which is passed over as a whole.

    Hyphens, dots and brackets join digits to one number. Spaces may as well stand between two numbers, or after the
    time of day, so they join only what begins like an international number. No number has more than MAX_DIGITS.
    """
    digits = national_digits(number)
    code = number.lstrip("+").removesuffix(digits)
    national = _COMMAS.join(digits)
    more = f"{{1,{max(1, MAX_DIGITS - len(digits))}}}"
    international = r"(?:\+|00|011)"
    return re.compile(
        rf"""(?<![0-9])(?:
            (?P<ours>
                # The bracket of (201) 555-0143 goes too, that of (2015550143) stays.
                (?:[(\[\uff08](?=[+0-9\ ]{{1,6}}[)\]\uff09]{_GAP}[0-9]))?
                (?:{international}{_GAP})? (?:{_GAP.join(code)}{_GAP})? (?:0{_GAP})? {national}
                (?![0-9]) (?![-.(*_][0-9]{more}(?![0-9]))
            )
            | {international} (?:{_GAP}[0-9]){more} {_GAP} {national}
            | (?:[0-9]{more}[-.()*_]{{1,2}}){more} {national}
        )""",
        re.VERBOSE,
    )
