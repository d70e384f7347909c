"""What somebody looks for among the calls, from what was typed: the same fields on the command line and the page."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from callsieve.changes.fields import number_field, since_field
from callsieve.changes.operation import Context, Refused
from callsieve.text.times import TimeError, moment_of
from policies.decision import ACTION_BY_WORD
from policies.hints import nearest
from reputation.numbers import did_number_of
from reputation.site_names import SITE
from reputation.store.calls import ENDINGS, CallFilter

FIELDS = ("number", "callee", "did", "action", "rule", "ending", "since", "until", "site")
LONGEST = 80


def typed_fields(typed: Mapping[str, str | None]) -> dict[str, str]:
    """Each field as it was typed; empty: it was not."""
    return {name: (typed.get(name) or "").strip()[:LONGEST] for name in FIELDS}


def wanted_of(context: Context, typed: Mapping[str, str | None]) -> CallFilter:
    """What is looked for. Refused names the field."""
    text = typed_fields(typed)
    return CallFilter(
        number=number_field(context, text["number"], "number") if text["number"] else None,
        callee=text["callee"] or None,
        did=(did_number_of(text["did"], context.settings.numbers.region) or text["did"]) if text["did"] else None,
        action=_word("action", text["action"], ACTION_BY_WORD),
        rule=text["rule"] or None,
        since=since_field(context, text["since"]) if text["since"] else None,
        until=_until(text["until"], context.at) if text["until"] else None,
        ending=_word("ending", text["ending"], ENDINGS),
        site=_site(text["site"]),
    )


def _word(field: str, text: str, allowed: Collection[str]) -> str | None:
    if text and text not in allowed:
        raise Refused("unknown-word", f"unknown word {text[:40]!r}{nearest(text, allowed)}", field)
    return text or None


def _site(text: str) -> str | None:
    if text and not SITE.fullmatch(text):
        raise Refused("bad-site", f"{text[:40]!r} is no name of a site", "site")
    return text or None


def _until(text: str, now: float) -> float:
    try:
        return moment_of(text, now)
    except TimeError as error:
        raise Refused("bad-time", str(error), "until") from None
