"""How people write a number in a note: with or without its country code, with spaces, brackets, dots, hyphens, slashes.

`+44 20 7183 8750`, `+44 (0)20-7183.8750`, `020 7183 8750` and `442071838750` are one number; `+49 201 5550143` is not
the American 201 555 0143, and neither is 312-201-555-0143.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from reputation.numbers import national_digits

MAX_DIGITS = 15  # of a number with its country code (E.164)
# U+2000 to U+206F are spaces, dashes and direction marks; U+FFxx are typed on Chinese keyboards.
_GAP = r"[\s()\[\]./\-\u00ad\u00b7\u2000-\u206f\u2212\uff08\uff09\uff0d\uff0e]{0,8}"
# Wide: to see whether a text or a file may have the number. JSON writes line ends and tabs as letters.
_WIDE_GAP = r"(?:\\[nrt]|[^0-9A-Za-z\x00]){0,16}+"


def masker(number: str, mask: str) -> Callable[[str], str]:
    """A function that replaces the number in a text. Longer numbers that contain its digits stay as they are."""
    pattern = _spelling(number)
    return lambda text: pattern.sub(lambda found: mask if found["ours"] else found[0], text)


def digits_in_text(number: str) -> re.Pattern[str]:
    """The digits that all spellings have in common, with any signs between them, also in a longer number or in JSON."""
    return re.compile(_WIDE_GAP.join(national_digits(number)))


def digits_in_file(number: str) -> re.Pattern[bytes]:
    """The same in the bytes of a file."""
    return re.compile(digits_in_text(number).pattern.encode())


def _spelling(number: str) -> re.Pattern[str]:
    """Matches the number as `ours`, or a longer number with its digits, which is passed over as a whole.

    Hyphens, dots and brackets join digits to one number. Spaces may as well stand between two numbers, or after the
    time of day, so they join only what begins like an international number. No number has more than MAX_DIGITS.
    """
    digits = national_digits(number)
    code = number.lstrip("+").removesuffix(digits)
    national = _GAP.join(digits)
    more = f"{{1,{max(1, MAX_DIGITS - len(digits))}}}"
    international = r"(?:\+|00|011)"
    return re.compile(
        rf"""(?<![0-9])(?:
            (?P<ours>
                # The bracket of (201) 555-0143 goes too, that of (2015550143) stays.
                (?:[(\[\uff08](?=[+0-9\ ]{{1,6}}[)\]\uff09]{_GAP}[0-9]))?
                (?:{international}{_GAP})? (?:{_GAP.join(code)}{_GAP})? (?:0{_GAP})? {national}
                (?![0-9]) (?![-.(][0-9]{more}(?![0-9]))
            )
            | {international} (?:{_GAP}[0-9]){more} {_GAP} {national}
            | (?:[0-9]{more}[-.()]{{1,2}}){more} {national}
        )""",
        re.VERBOSE,
    )
