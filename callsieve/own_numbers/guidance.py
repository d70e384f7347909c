"""Guidance on how not to be marked, filled with this company's own figures, and a leaflet for its customers. Pure.

guidance_page(company, "en", made_at) -> str      a page of HTML that needs nothing else
leaflet_page("zh", 8, 21) -> str                          one page to print
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from callsieve.own_numbers.guidance_texts import RULES, texts_of
from callsieve.text.markup import Markup, element, joined
from callsieve.text.times import day
from reputation.own.figures import Window, percent
from reputation.own.health import Health

OWN_STYLE = Markup("""
.healthy { --of: #4f9a63; } .watch { --of: #d9a013; } .risk { --of: #c8372d; }
.grade::before { content: ""; display: inline-block; width: .7em; height: .7em; margin-right: .4em; border-radius: 50%;
  background: var(--of); }
.rule { border: 1px solid var(--line); border-radius: .5rem; background: var(--card); padding: .75rem 1rem;
  margin: .75rem 0; }
.rule h3 { font-size: 1.05rem; margin: 0 0 .25rem; }
.rule p { margin: 0 0 .4rem; }
.you { border-left: .25rem solid var(--of, var(--line)); padding-left: .6rem; font-weight: 600; }
@media print { .rule { break-inside: avoid; } }
""")
STYLE_OF_PAGES = joined(Markup((files("callsieve.web") / "documents/document.css").read_text()), OWN_STYLE)
CLASS_BY_GRADE = {"healthy": "healthy", "watch": "watch", "at risk": "risk"}
# Which measure of the health a rule of the guidance is about: its colour is that of the worst number.
MEASURE_BY_RULE = {
    "hours": ("outside",),
    "repeats": ("repeated",),
    "patience": ("abandoned",),
    "short": ("short",),
    "answer": ("unanswered",),
    "slowly": ("young", "burst", "spike"),
    "no": ("unwanted",),
}


@dataclass(frozen=True, slots=True)
class Company:
    """What the guidance is filled with: the health of each number that called within 28 days, how many of them are
    registered and how many due for a check, how many people are on the do-not-call list, and the usual hours in which
    people may be called.
    """

    numbers: Sequence[Health]
    registered: int = 0
    due: int = 0
    do_not_call: int = 0
    first_hour: int = 8
    last_hour: int = 21

    def total(self, name: str) -> int:
        """The sum over all numbers in 28 days."""
        return int(sum(getattr(_month(one), name) for one in self.numbers))


def guidance_page(company: Company, language: str, made_at: float) -> str:
    """The page for those who lead a call centre."""
    say = texts_of(language)
    body: list[object] = [element("h1", say["title"]), element("p", say["intro"])]
    if company.numbers:
        made = say["made"].format(
            date=day(made_at), calls=f"{company.total('attempts'):,}", numbers=len(company.numbers)
        )
        body += [element("p", made, class_="dim"), _table(company, say), _seen(company, say), _rules(company, say)]
    else:
        body.append(element("p", say["nothing"], class_="dim"))
    return _page(say["title"], body, language)


def leaflet_page(language: str, first_hour: int, last_hour: int, *, appeal: bool) -> str:
    """The page for customers: what they may meet when they call, and what they can expect when they are called.

    `appeal`: whether who is turned away hears a reference, and so can be promised an answer.
    """
    hours = {"first": first_hour, "last": last_hour}
    say = texts_of(language)
    met = ("leaflet-check", "leaflet-name", "leaflet-voicemail", "leaflet-appeal" if appeal else "leaflet-declined")
    ours = ("leaflet-calls", "leaflet-warned")
    body = [element("h1", say["leaflet-title"]), element("p", say["leaflet-intro"])]
    body += [_card(say[key], [element("p", say[f"{key}-why"].format(**hours))]) for key in (*met, *ours)]
    return _page(say["leaflet-title"], body, language)


def figures_of(company: Company) -> dict[str, dict[str, object]]:
    """The figures of each rule, by the names that stand in its text."""
    calls, answered = company.total("attempts"), company.total("answered")

    def of(part: str, whole: int) -> dict[str, object]:
        count = company.total(part)
        share = percent(count / whole) if whole else "0%"
        return {part: f"{count:,}", "share": share, "calls": f"{calls:,}", "answered": f"{answered:,}"}

    most = max((_month(one).most for one in company.numbers), default=0)
    bursting = sum(
        any(reason.measure in MEASURE_BY_RULE["slowly"] for reason in one.reasons) for one in company.numbers
    )
    return {
        "hours": of("outside", calls) | {"first": company.first_hour, "last": company.last_hour},
        "repeats": {"repeated": f"{company.total('repeated'):,}", "most": most},
        "patience": of("abandoned", calls),
        "short": of("short", answered),
        "answer": of("answered", calls) | {"failed": f"{company.total('failed'):,}"},
        "slowly": {"young": bursting},
        "no": {"unwanted": f"{company.total('unwanted'):,}", "listed": f"{company.do_not_call:,}"},
        "back": {"called_back": f"{company.total('called_back'):,}"},
        "name": {"registered": company.registered, "numbers": len(company.numbers), "due": company.due},
    }


def _page(title: str, body: Sequence[object], language: str) -> str:
    head = joined(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="robots", content="noindex"),
        element("title", title),
        element("style", STYLE_OF_PAGES),
    )
    html = element("html", element("head", head), element("body", element("main", *body)), lang=language)
    return f"<!doctype html>\n{html}\n"


def _table(company: Company, say: Mapping[str, str]) -> Markup:
    columns = ("number", "grade", "calls", "answered", "short", "outside", "repeated", "unwanted")
    heads = [element("th", say[f"h-{name}"], scope="col") for name in columns]
    rows = []
    for one in company.numbers:
        month = _month(one)
        cells = [
            (one.facts.number, "nowrap"),
            (_grade(one, say), "nowrap"),
            (f"{month.attempts:,}", "figure"),
            (_share(month.answered, month.attempts), "figure"),
            (_share(month.short, month.answered), "figure"),
            (_share(month.outside, month.attempts), "figure"),
            (_share(month.repeated, month.person_days), "figure"),
            (_share(month.unwanted, month.people), "figure"),
        ]
        labelled = zip(columns, cells, strict=True)
        rows.append(
            element(
                "tr", *(element("td", cell, class_=of, data_label=say[f"h-{name}"]) for name, (cell, of) in labelled)
            )
        )
    return joined(
        element("h2", say["numbers"]),
        element(
            "table",
            element("caption", say["numbers-caption"]),
            element("thead", element("tr", *heads)),
            element("tbody", *rows),
            class_="stack",
        ),
    )


def _seen(company: Company, say: Mapping[str, str]) -> Markup:
    """What our own model says of each number, from the other side."""
    items = [
        element("li", f"{one.facts.number}: {say[f'seen-{view.level.word}']} ({view.points:+d})")
        for one in company.numbers
        if (view := one.facts.view) is not None
    ]
    return joined(element("h2", say["seen"]), element("p", say["seen-why"]), element("ul", *items))


def _rules(company: Company, say: Mapping[str, str]) -> Markup:
    figures = figures_of(company)
    cards = []
    for rule in RULES:
        why, yours = (say[f"{rule}-{part}"].format(**figures[rule]) for part in ("why", "you"))
        worst = _worst(company, MEASURE_BY_RULE.get(rule, ()))
        you = element("p", say["you"], " ", yours, class_=f"you {worst}".strip())
        cards.append(_card(say[rule], [element("p", why), you]))
    return joined(element("h2", say["rules"]), *cards)


def _card(title: str, children: Sequence[object]) -> Markup:
    return element("section", element("h3", title), *children, class_="rule")


def _worst(company: Company, measures: Sequence[str]) -> str:
    """The class of the worst grade that a number has for one of these; nothing was measured: no colour."""
    found = {reason.grade.value for one in company.numbers for reason in one.reasons if reason.measure in measures}
    is_measured = measures and any(one.grade for one in company.numbers)
    return next(
        (CLASS_BY_GRADE[grade] for grade in ("at risk", "watch") if grade in found), "healthy" if is_measured else ""
    )


def _grade(health: Health, say: Mapping[str, str]) -> Markup:
    if health.grade is None:
        return element("span", say["grade-none"])
    return element("span", say[f"grade-{health.grade}"], class_=f"grade {CLASS_BY_GRADE[health.grade]}")


def _share(part: int | None, whole: int) -> str:
    return f"{part:,} ({percent(part / whole)})" if whole and part is not None else "-"


def _month(health: Health) -> Window:
    return health.windows[-1]
