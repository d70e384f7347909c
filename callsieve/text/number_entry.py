"""Parse entries of allowlists and blocklists: a number, a prefix or a range.

+12015550123                    one number; also as dialled here (201-555-0123)
+1900*                          every number with this prefix; also 0162* in FR, and 95* in CN for service numbers
+12015550100-+12015550199       every number between the two
"""

import re
from collections.abc import Iterable

from reputation import numbers, whole_areas
from reputation.model import CallerKind, EntryKind, ListEntry, ListName
from reputation.numbers import country_of
from reputation.wording import N_, Wording

ALLOWED = "write a number (+12015550123), a prefix (+1900*) or a range (+12015550100-+12015550199)"
LONGEST_PREFIX = 14  # with all 15 digits it would be a number
SHORTEST_START = 2  # digits that a block entry must fix, unless it is forced

_SEPARATORS = re.compile(r"[ .()\[\]/-]")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,13}")
_END = re.compile(r"\+[1-9][0-9]{3,14}")
_BETWEEN_ENDS = re.compile(r"(?<=[0-9)]) ?(?:-|\u2013|\.\.) ?(?=\+)")

# The messages for texts that are clearly not a telephone number.
NOT_A_NUMBER = {
    CallerKind.WITHHELD: N_("{text!r} stands for callers who withhold their number: in a policy, use `caller_kind`"),
    CallerKind.EMERGENCY: N_("{text!r} is an emergency number: its calls are never screened"),
    CallerKind.INTERNAL: N_(
        "{text!r} is too short for a telephone number, and not a service number of {region} "
        "(write another country's like +8695588)"
    ),
}


class EntryError(ValueError):
    """Raised if a text is not a valid list entry. `words`: the allowed forms; `{text!r}` stands for the wrong text."""

    def __init__(self, template: str, text: str, **places: str | int | Wording) -> None:
        self.words = Wording(template, {"text": text, **places})
        super().__init__(str(self.words))


# Characters of dialplan patterns that no number has: without its brackets, [0-9] would be two digits.
_OF_PATTERNS = frozenset("[]{}!?")


def parse_entry(text: str, list_name: ListName, region: str) -> ListEntry:
    """Parse a list entry, without note, action and expiry. National numbers are read in the region's format."""
    text = text.strip()
    if numbers.is_emergency(text.rstrip("*"), region):
        raise EntryError(N_("{text!r} is an emergency number, which is never screened and cannot be listed"), text)
    if not _OF_PATTERNS.isdisjoint(text):
        raise EntryError(N_("{text!r} is a dialplan pattern: write a prefix (+1900*) or a range instead"), text)
    ends = _BETWEEN_ENDS.split(text)
    if len(ends) > 1:
        return ListEntry(list_name, EntryKind.RANGE, *_range(text, ends))
    if "*" in text:
        return ListEntry(list_name, EntryKind.PREFIX, _prefix(text, region))
    return ListEntry(list_name, EntryKind.EXACT, number_from(text, region))


def number_from(text: str, region: str) -> str:
    """Convert an entered number to E.164. Raise EntryError, which says why it is not a number."""
    number = numbers.number_of(text, region)
    if number is not None:
        return number
    shown = "".join(filter(str.isprintable, text))[:40]
    kind = numbers.caller_of(text, region).kind if text.strip() else CallerKind.INVALID
    otherwise = N_("{text!r} is not a telephone number: write it like +12015550123, or as dialled in {region}")
    raise EntryError(NOT_A_NUMBER.get(kind, otherwise), shown, region=region)


def _prefix(text: str, region: str) -> str:
    start = _SEPARATORS.sub("", text.removesuffix("*"))
    if start.isascii() and start.isdecimal() and len(start) <= LONGEST_PREFIX:
        try:
            start = whole_areas.prefix_of(start, region)
        except whole_areas.PrefixError as error:
            if error.words is not None:
                raise EntryError(
                    N_(
                        "{text!r}: {problem}: for all numbers, write the prefix with + and the country's "
                        "code; for service numbers only, write a range (+8695000-+8695999)"
                    ),
                    text,
                    problem=error.words,
                ) from None
    if not _PREFIX.fullmatch(start):
        words = N_("{text!r} is not a prefix: write +, 1 to {most} digits from the country's code on, and * (+1900*)")
        raise EntryError(words, text, most=LONGEST_PREFIX)
    return start


def _range(text: str, ends: list[str]) -> tuple[str, str]:
    first, last = (_SEPARATORS.sub("", end) for end in (ends[0], ends[-1]))
    if len(ends) != 2 or not (_END.fullmatch(first) and _END.fullmatch(last)):
        raise EntryError(
            N_("{text!r} is not a range: write two complete numbers with - between them (+12015550100-+12015550199)"),
            text,
        )
    if len(first) != len(last):
        raise EntryError(N_("{text!r} is not a range: its two numbers must have the same number of digits"), text)
    if first > last:
        raise EntryError(N_("{text!r} is not a range: its first number comes after its last; swap them"), text)
    return first, last


def covers(entry: ListEntry, number: str) -> bool:
    """Return whether the entry matches the number, by the same rules as the facts query in SQL."""
    if entry.kind is EntryKind.EXACT:
        return entry.first == number
    if entry.kind is EntryKind.PREFIX:
        return number.startswith(entry.first)
    return entry.last is not None and len(number) == len(entry.first) and entry.first <= number <= entry.last


def coverage(entry: ListEntry) -> Wording:
    """Return a text that says which numbers the entry matches."""
    if entry.kind is EntryKind.PREFIX:
        ordinary = whole_areas.ordinary_beside_services(entry.first)
        if ordinary is None:
            return Wording("every number that begins with {start}", {"start": entry.first})
        return Wording(
            "every number that begins with {start}, not only service numbers but also {ordinary}...",
            {"start": entry.first, "ordinary": ordinary},
        )
    if entry.kind is EntryKind.RANGE and entry.last is not None:
        count = int(entry.last) - int(entry.first) + 1
        return Wording(
            "{count:,} numbers, {first} to {last}",
            {"count": count, "first": entry.first, "last": f"{entry.last}{_in(country_of(entry.first))}"},
        )
    return Wording("the number {number}", {"number": with_country(entry.first)})


def with_country(number: str) -> Wording:
    """Return a number with its country: `+442071838750 (GB, fixed)`, `+8695588 (service number 95588 in CN)`.

    So the administrator notices when an entered number belongs to an unexpected country.
    """
    if (service := numbers.service_number_of(number)) is not None:
        return Wording(
            "{number} (service number {digits} in {country})",
            {"number": number, "digits": service.digits, "country": service.country},
        )
    kind = Wording(numbers.number_type_of(number).words if numbers.is_valid(number) else "in no allocated block")
    country = country_of(number) or Wording("no country")
    return Wording("{number} ({country}, {kind})", {"number": number, "country": country, "kind": kind})


def _in(country: str | None) -> str:
    return f" ({country})" if country and country != "001" else ""


def objections_to(entry: ListEntry, own_numbers: Iterable[str]) -> list[Wording]:
    """Return reasons against adding the entry, which `--force` overrides; empty for allowlist entries."""
    if entry.list_name is ListName.ALLOW:
        return []
    objections = []
    fixed = len(_shared_start(entry))
    if fixed < SHORTEST_START:
        template = N_("{entry} would block whole countries: write at least {digits} digits")
        objections.append(Wording(template, {"entry": entry.text, "digits": SHORTEST_START}))
    own = sorted(number for number in own_numbers if covers(entry, number))
    if own:
        template = N_("{entry} would block calls from our own numbers, also by our people who call in: {numbers}")
        shown = ", ".join(own[:3]) + (f", ... ({len(own)})" if len(own) > 3 else "")
        objections.append(Wording(template, {"entry": entry.text, "numbers": shown}))
    return objections


def area_covered(entry: ListEntry) -> whole_areas.WholeArea | None:
    """Return the country (`+33*`), territory (`+5999*`) or service (`+1800*`) that the entry matches completely."""
    return None if entry.kind is EntryKind.EXACT else whole_areas.whole_area(_shared_start(entry))


def objection_to_part(entry: ListEntry) -> list[Wording]:
    """Return a reason against the entry if it is a single number that is only the beginning of longer numbers."""
    start = whole_areas.start_of_longer(entry.first) if entry.kind is EntryKind.EXACT else None
    if start is None:
        return []
    template = N_(
        "{number} is not a complete number, so nobody calls from it: write all its digits, "
        "or {start}* for all numbers that begin with it"
    )
    return [Wording(template, {"number": entry.first, "start": start})]


def _shared_start(entry: ListEntry) -> str:
    first, last = entry.first[1:], (entry.last or entry.first)[1:]
    same = 0
    while same < len(first) and first[same] == last[same]:
        same += 1
    return first[:same]
