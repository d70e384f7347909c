"""Descriptions of audited changes. A field is translated with its value, as a value alone is often ambiguous."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta

from callsieve.changes.operation import Context, Refused
from callsieve.text.number_entry import EntryError, number_from
from callsieve.text.times import TimeError, since_of, when
from reputation.encoding import Instant, parse_plain
from reputation.store.audit import AuditRow, value_of
from reputation.wording import Wording, listed

# Fields that are not shown. The entry has its own column. Class and epoch are internal, and the number's page shows
# their effect.
NOT_SHOWN = {
    *("first", "last", "linkedid", "auth_class", "epoch", "reference", "statement", "contact"),
    *("is_of_called", "undone", "off_why"),
    *("password_at", "case_id", "addresses", "is_over", "due_at", "rests_until"),
    "text",  # of a policy, which `callsieve policy show` shows
}
# Fields whose values are words of this program. "block" has two meanings: it is only translated with its field.
OUR_WORDS = {"kind", "action", "verdict", "channel", "state", "role", "answer", "password", "second_factor"}
WITH_THEIR_FIELD = {
    text: Wording(text) for text in ("list name allow", "list name block", "verdict allow", "verdict block")
}


def name_of(what: str) -> Wording:
    """Return the displayed name of a kind of change: `list add`, or `undo list add`."""
    undone = what.removeprefix("undo ")
    return Wording(what) if undone == what else Wording("undo {what}", {"what": Wording(undone)})


# The author of a change in the audit: a user of the console, or a person by phone or on their page.
_ACTORS = (
    (re.compile(r"(.+) \(console\)"), Wording("{name} (console)")),
    (re.compile(r"(.+) \(own page\)"), Wording("{name} (own page)")),
    (re.compile(r"phone (.+)"), Wording("phone {name}")),
)


def actor_of(who: str) -> str | Wording:
    """Return the author of a change in words: a person, token, site or program."""
    matches = ((pattern.fullmatch(who), words) for pattern, words in _ACTORS)
    return next((Wording(words.template, {"name": match[1]}) for match, words in matches if match), who)


def user_of(who: str) -> str | Wording:
    """Return the author of a change without the interface that they used: `ada` for `ada (console)`."""
    person = _ACTORS[0][0].fullmatch(who)
    return person[1] if person else actor_of(who)


def sentence_of(row: AuditRow, sentences: Mapping[str, str], who: str | Wording) -> Wording:
    """Return a sentence about a change: `ada blocked +1900* (premium rate)`. `sentences`: a template for each kind."""
    about = row.number or row.name
    if row.what.startswith("undo "):
        values = {"who": who, "what": name_of(row.what.removeprefix("undo ")), "about": about}
        if not about:
            return Wording("{who} undid a change: {what}", values)
        return Wording("{who} undid a change of {about}: {what}", values)
    side = value_of_side(row.after) or value_of_side(row.before)
    side = side if isinstance(side, dict) else {}
    kind = side.get("list_name") or side.get("verdict") or ""
    keys = (f"{row.what}/{kind} for" if side.get("person") else "", f"{row.what}/{kind}" if kind or not about else "")
    template = next((sentences[key] for key in (*keys, row.what) if key in sentences), "{who}: {what} {about}")
    person = str(side.get("person") or "")
    done = Wording(template, {"who": who, "about": about, "person": person, "what": name_of(row.what)})
    until = next((side[key] for key in ("expires_at", "until", "valid_until") if side.get(key)), None)
    if isinstance(until, str) and row.after is not None:
        done = Wording("{done} until {until}", {"done": done, "until": _value_words("until", until)})
    note = side.get("note") or side.get("reason")
    return Wording("{done} ({note})", {"done": done, "note": note}) if isinstance(note, str) and note else done


def change_of(row: AuditRow) -> str | Wording:
    """Return in words what a change altered, from the values before and after it: `level 1 -> 2`."""
    return change_in_words(value_of_side(row.before), value_of_side(row.after), row.number)


def value_of_side(text: str | None) -> Any:
    """Return the value that is stored as JSON in the column `before` or `after` of an audit row."""
    return None if text is None else value_of(text)


def change_in_words(before: Any, after: Any, about: str | None = None) -> str | Wording:
    """Return the changed fields in words: `level 1 -> 2`. A field that was empty has no arrow: `name Acme`.

    If the whole value was removed, return the old value in brackets. The number `about` is left out.
    """
    was, is_now = dict(_displayed_fields(before, about)), dict(_displayed_fields(after, about))
    if after is None:
        return Wording("({gone})", {"gone": _fields(was)}) if was else _fields({})
    changed = {
        key: Wording("{was} -> {value}", {"was": was[key], "value": value}) if key in was else value
        for key, value in is_now.items()
        if was.get(key) != value
    }
    gone = {key: Wording("{was} -> nothing", {"was": value}) for key, value in was.items() if key not in is_now}
    return _fields(changed | gone)


def _fields(values: Mapping[str, str | Wording]) -> str | Wording:
    return listed([_field(name, value) for name, value in values.items()], "{some}, {more}")


def _field(name: str, value: str | Wording) -> Wording:
    plain = name.replace("{", "{{").replace("}", "}}")
    return WITH_THEIR_FIELD.get(f"{name} {value}") or Wording(f"{plain} {{value}}", {"value": value})


def _displayed_fields(value: Any, about: str | None) -> Iterator[tuple[str, str | Wording]]:
    """Yield the fields to show, with times as text. Leave out the time of the change, which has its own column."""
    if not isinstance(value, dict):
        return
    for key, field_value in value.items():
        if key in NOT_SHOWN or field_value in (None, "", False, [], {}, about) or key in ("at", "added_at"):
            continue
        yield key.removesuffix("_at").replace("_", " "), _value_words(key, field_value)


def _value_words(key: str, value: Any) -> str | Wording:
    if isinstance(value, str) and (key.endswith("_at") or key in ("since", "until")):
        return when(parse_plain(value, Instant))
    if key in OUR_WORDS and value != "block":
        return Wording(str(value).replace("_", " "))
    if isinstance(value, dict):
        return ", ".join(f"{figure} {what}" for what, figure in value.items())
    return " | ".join(map(str, value)) if isinstance(value, list) else str(value)


REASON_CHARACTERS = 200
NUMBER_CHARACTERS = 100

# Types of fields in requests and results.
NumberText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=NUMBER_CHARACTERS,
        description="A number as E.164, or as you dial it from your phones.",
        examples=["+12015550123"],
    ),
]
ExtensionText = Annotated[
    str,
    Meta(min_length=1, max_length=64, description="The extension of a person in the organisation.", examples=["201"]),
]
NameText = Annotated[str, Meta(min_length=1, max_length=128, description="The name.", examples=["crm"])]
TimeText = Annotated[str, Meta(max_length=40, description="`2h`, `30d`, `2026-12-31` or `2026-12-31T18:00`.")]
LineText = Annotated[str, Meta(max_length=200, description="One line of text.")]
CodeText = Annotated[str, Meta(max_length=20, description="The code that the owner repeated.")]
ChangeId = Annotated[
    int,
    Meta(
        description="The id of the change in the audit, for POST /changes/{change_id}/undo. Null where nothing was "
        "changed."
    ),
]


def number_field(context: Context, text: str, field: str = "") -> str:
    """Return a phone number as E.164, read for the region in the settings. Raise Refused if it is not a number."""
    try:
        return number_from(text, context.settings.numbers.region)
    except EntryError as error:
        raise Refused("bad-number", error.words, field) from None


def about_field(context: Context, text: str) -> str | None:
    """Return what to search for in the audit: phone numbers as E.164, other texts unchanged, None for an empty text."""
    try:
        return number_from(text, context.settings.numbers.region) if text else None
    except EntryError:
        return text


def since_field(context: Context, text: str | None) -> float:
    """Return the time that a text such as `7d` or `2026-11-01` means; now for None. Raise Refused for other texts."""
    try:
        return context.at if text is None else since_of(text, context.at)
    except TimeError as error:
        raise Refused("bad-time", error.words, "since") from None


def reason_field(text: str) -> str:
    """Return a reason without spaces at the ends. Raise Refused if the reason is empty, too long or not one line."""
    reason = text.strip()
    if not reason or len(reason) > REASON_CHARACTERS or not reason.isprintable():
        words = Wording("write one line of 1 to {most} characters", {"most": REASON_CHARACTERS})
        raise Refused("bad-reason", words, "reason")
    return reason
