"""Jinja templates. Only this module makes HTML and imports jinja2.

Every value is escaped by default, and an undefined name is an error. Viewers see numbers masked, also within texts.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any, Generic, TypeVar

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    nodes,
    pass_context,
)
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from callsieve.changes.describe import actor_of, change_of, name_of, user_of
from callsieve.text.times import ago, day, iso, iso_with_zone, span_words, when, when_exactly
from callsieve.web.i18n import LANGUAGES, translated, translations_of
from policies.reasons import Why, is_of_sample, why_of
from reputation.model import Reputation
from reputation.numbers import masked, spaced
from reputation.site_names import name_at_site, site_of
from reputation.wording import Wording

# Anything in a text that may be somebody's number: seven digits or more, whatever stands between them, or the key of a
# service number, but not the start of several (+1900*). Dates are excluded.
_NUMBER_IN_TEXT = re.compile(
    r"(?P<day>(?<![0-9])20[0-9]{2}-[01][0-9]-[0-3][0-9](?![0-9-]))"
    r"|\+?[0-9](?:[ ()./-]{0,3}[0-9]){6,}|\+[1-9][0-9]{3,5}(?![0-9*])"
)

DAY_SECONDS = 86400.0


def mask_numbers(text: str) -> str:
    """Mask everything in a text that looks like a phone number."""
    return _NUMBER_IN_TEXT.sub(lambda match: match["day"] or masked(re.sub(r"[^+0-9]", "", match[0])), readable(text))


def _mask_for(context: Context, number: str | None) -> str:
    if not number:
        return ""
    return number if context["sees_numbers"] else mask_numbers(number)


@pass_context
def _number(context: Context, number: str | None) -> str:
    return _mask_for(context, number)


@pass_context
def _spaced(context: Context, number: str | None) -> str:
    return spaced(number or "") if context["sees_numbers"] else _mask_for(context, number)


@pass_context
def _text(context: Context, text: str | Wording | None) -> str:
    if not text:
        return ""
    catalogue = context["catalogue"]
    translated_text = (
        text.in_language(partial(translated, catalogue=catalogue))
        if isinstance(text, Wording)
        else translated(text, catalogue)
    )
    if isinstance(text, Wording):
        translated_text = translated_text.replace("`", "")  # which mark commands in the terminal
    return translated_text if context["sees_numbers"] else mask_numbers(translated_text)


@pass_context
def _person(context: Context, name: str) -> str:
    """Return the name of a person, DID or source, with the name of a remote site: `305 at berlin`."""
    site = site_of(name)
    return _text(context, Wording("{name} at {site}", {"name": name_at_site(name), "site": site})) if site else name


@pass_context
def _actor(context: Context, who: str) -> str:
    return _text(context, actor_of(who))


@pass_context
def _person_of(context: Context, who: str) -> str:
    return _text(context, user_of(who))


@pass_context
def _sentence(context: Context, wording: str | Wording) -> str:
    words = _text(context, wording)
    if words.endswith((".", "。")):  # the text is a whole sentence already
        return words[:1].upper() + words[1:]
    return _text(context, Wording("{sentence}.", {"sentence": words[:1].upper() + words[1:]}))


@pass_context
def _reason(context: Context, reason: str | Why) -> str:
    """Return the reason of a decision in the visitor's language. Text that an operator wrote is not translated."""
    words = (why_of(reason) if isinstance(reason, str) else reason).words
    return _mask_for(context, words) if isinstance(words, str) else _text(context, words)


def _moment(at: float | None) -> Markup:
    """Return a time in the server's zone as `2026-12-31 18:00`. console.js replaces it by the visitor's local time."""
    return _time_element(at, when(at), "at") if at is not None else Markup()


@pass_context
def _moment_ago(context: Context, at: float | None) -> Markup:
    """Return a time within the last day as `10 min ago`, and any other time as `_moment` does."""
    if at is None or abs(context["now"] - at) >= DAY_SECONDS:
        return _moment(at)
    return _time_element(at, _text(context, ago(at, context["now"])), "ago")


def _time_element(at: float, text: str, kind: str) -> Markup:
    exactly = escape(when_exactly(at))
    return Markup(f'<time class="{kind}" datetime="{iso_with_zone(at)}" title="{exactly}">{escape(text)}</time>')


def _points(log_odds: float) -> str:
    points = Reputation(log_odds).points
    return f"{points:+d}" if points else "0"


FILTERS: Mapping[str, Any] = {
    "number": _number,
    "spaced": _spaced,
    "text": _text,
    "person": _person,
    "actor": _actor,
    "person_of": _person_of,
    "sentence": _sentence,
    "reason": _reason,
    "is_of_sample": is_of_sample,
    "when": when,
    "moment": _moment,
    "moment_ago": _moment_ago,
    "day": day,
    "change": change_of,
    "name": name_of,
    "when_exactly": when_exactly,
    "iso": iso,
    "clock": lambda at: when_exactly(at)[11:19],
    "span": span_words,
    "points": _points,
    "signed": lambda value: f"{value:+.2f}",
    "grouped": lambda count: f"{count:,}",
    "at_site": lambda name: name_at_site(name or ""),
}


def loader_of(capabilities: Iterable[str]) -> BaseLoader:
    """Return a loader for the shared templates, and for each capability's templates under the capability's name."""
    below = {name: PackageLoader(f"callsieve.{name}.web") for name in capabilities}
    return ChoiceLoader([PackageLoader("callsieve.web"), PrefixLoader(below)])


# Control characters except tabs and line breaks, and the marks of a writing direction. Copied numbers often have those.
_UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def readable(text: str) -> str:
    """Return a text without control characters and without marks of a writing direction."""
    return _UNREADABLE.sub("", text)


class Templates:
    """Templates of the console and its capabilities, in every language. `filters`: extra Jinja filters."""

    def __init__(self, capabilities: Iterable[str], filters: Mapping[str, Callable[..., Any]]) -> None:
        self._catalogues = {language: translations_of(language) for language in LANGUAGES}
        self._environments = {
            language: _environment(language, tuple(capabilities), tuple(filters.items())) for language in LANGUAGES
        }

    def render(self, name: str, language: str, shown: Mapping[str, Any]) -> str:
        """Render a template in a language. The page is readable, also where names come from other sites or imports."""
        template = self._environments[language].get_template(name)
        return readable(template.render(shown, catalogue=self._catalogues[language], ago=ago))

    def say(self, text: str, language: str) -> str:
        """Translate one of the program's own texts."""
        return translated(text, self._catalogues[language])


def document_of(capability: str, name: str, language: str, shown: Mapping[str, Any]) -> str:
    """Render a self-contained page, such as a report, from the folder `documents` of a capability."""
    return _documents(capability).get_template(name).render(shown, language=language)


@cache
def _documents(capability: str) -> Environment:
    loader = ChoiceLoader(
        [PackageLoader(package, "documents") for package in ("callsieve.web", f"callsieve.{capability}")]
    )
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_printable,
    )
    environment.filters.update(FILTERS)
    return environment


def _printable(value: Any) -> Any:
    """Replace unprintable characters with U+FFFD, because they would make the page invalid."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in value)


class _TextTranslator(NodeTransformer):
    """The step that replaces `_("text")` in a parsed template by its translation, once for all later requests.

    `_("text", a=b)` becomes `translation % {"a": b}`. `_(value)` becomes `value|text`, which is escaped, because the
    value may come from another site.
    """

    def __init__(self, language: str) -> None:
        self._catalogue = translations_of(language)

    def visit_Call(self, node: nodes.Call) -> nodes.Expr:
        self.generic_visit(node)
        match node:
            case nodes.Call(node=nodes.Name(name="_"), args=[nodes.Const(value=str(text))]):
                places = [nodes.Pair(nodes.Const(place.key), place.value) for place in node.kwargs]
                template = nodes.TemplateData(translated(text, self._catalogue))
                return nodes.Mod(template, nodes.Dict(places), lineno=node.lineno)
            case nodes.Call(node=nodes.Name(name="_"), args=[text]):
                return nodes.Filter(text, "text", [], [], None, None, lineno=node.lineno)
        return node


class _TranslatedEnvironment(Environment):
    language = ""

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        parsed = super()._parse(source, name, filename)
        _TextTranslator(self.language).visit(parsed)
        return parsed


@cache
def _environment(
    language: str, capabilities: tuple[str, ...], filters: tuple[tuple[str, Callable[..., Any]], ...]
) -> Environment:
    environment = _TranslatedEnvironment(
        loader=loader_of(capabilities),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.language = language
    environment.filters.update({**FILTERS, **dict(filters)})
    environment.install_gettext_translations(translations_of(language), newstyle=True)  # type: ignore[attr-defined]
    plural_of = environment.globals["ngettext"]
    assert callable(plural_of)
    environment.globals["ngettext"] = _grouping(plural_of)
    return environment


def _grouping(plural_of: Callable[..., str]) -> Callable[..., str]:
    """Return a function like `ngettext` that writes counts with group separators: 1,025."""

    @pass_context
    def grouping(context: Context, singular: str, plural: str, count: int, **variables: Any) -> str:
        return plural_of(context, singular, plural, count, num=f"{count:,}", **variables)

    return grouping


T = TypeVar("T")

logger = logging.getLogger("callsieve.web")

STALE_SECONDS = 3600.0


class Cache(Generic[T]):
    """A cache for a few keys. A value is used for `seconds`.

    After that, `get` returns the old value and computes a new one in the background. If the old value is older than
    STALE_SECONDS, callers wait.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._cached: dict[str, tuple[float, T]] = {}
        self._finding: dict[str, asyncio.Task[T]] = {}

    async def get(self, key: str, find: Callable[[], Awaitable[T]]) -> T:
        """Return the cached value, or compute it with `find`. Raise the error of `find` if there is no old value."""
        at, value = self._cached.get(key, (-STALE_SECONDS, None))
        age = time.monotonic() - at
        if age < self._seconds and value is not None:
            return value
        task = self._finding.get(key)
        if task is None or task.done():
            task = self._finding[key] = asyncio.ensure_future(self._find(key, find))
            task.add_done_callback(_log)
        if value is not None and age < STALE_SECONDS:
            return value
        return await asyncio.shield(task)

    async def _find(self, key: str, find: Callable[[], Awaitable[T]]) -> T:
        value = await find()
        self._cached[key] = (time.monotonic(), value)
        return value


def _log(task: asyncio.Task[T]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("%s", error)
