"""The document of an evidence pack as one page of HTML, which archive.py converts to PDF."""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files

from callsieve.evidence_packs.operations import Ask, Document, PackContents, Platform
from callsieve.own_numbers.figures import MEASURES, grade_words, share_words
from callsieve.settings import Outbound
from callsieve.signing.keys import PublicKey
from callsieve.text.times import day, when_exactly
from callsieve.web.i18n import TAGS, translated, translations_of
from callsieve.web.rendering import document_of
from reputation.numbers import masked
from reputation.own.daily_counts import percent
from reputation.wording import Wording, one_line

TEXT_CHARACTERS = 4000  # of one text; a longer one is cut with an ellipsis
MOST_COMPLAINTS = 20  # the table has them all
MOST_DOCUMENTS = 40
# Limits of the guard by the clock or by count, in the order shown. 0: no limit.
LIMITS = ("calls_per_person_day", "calls_per_number_hour", "calls_per_number_day", "calls_per_young_number_day")
SWITCHES = ("do_not_call", "resting", "local_rules", "follow_advice", "registers", "needs_consent")


@cache
def texts_of(language: str) -> dict[str, str]:
    """Return all texts of the document in this language, by key. Words in braces are placeholders for values."""
    text = (files("callsieve.evidence_packs") / "texts" / f"pack-{language}.toml").read_text("utf-8")
    return tomllib.loads(text)


def pack_page(contents: PackContents, platform: Platform, language: str, key: PublicKey) -> str:
    """Return the document of an evidence pack as one HTML page."""
    return _Writer(contents, platform, language, key).written()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of the page. documents/pack.html decides by `kind` how to show it. `widths`: column widths in percent."""

    kind: str
    text: str = ""
    dim: bool = False
    new_page: bool = False
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    widths: tuple[float, ...] = ()
    bars: tuple[tuple[str, float | None, str], ...] = ()


class _Page:
    def __init__(self) -> None:
        self.blocks: list[Block] = []

    def heading(self, text: str, *, new_page: bool = False) -> None:
        self.blocks.append(Block(kind="heading", text=_shown(text), new_page=new_page))

    def paragraph(self, text: str, *, dim: bool = False) -> None:
        self.blocks.append(Block(kind="paragraph", text=_shown(text), dim=dim))

    def signature(self, text: str) -> None:
        self.blocks.append(Block(kind="signature", text=_shown(text)))

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> None:
        if rows:
            shown = tuple(tuple(map(_shown, row)) for row in rows)
            shares = tuple(round(100 * width / sum(widths), 2) for width in widths)
            self.blocks.append(Block(kind="table", headings=tuple(headings), rows=shown, widths=shares))

    def bars(self, text: str, bars: Sequence[tuple[str, float | None, str]]) -> None:
        self.blocks.append(Block(kind="bars", text=text, bars=tuple(bars)))


def _shown(text: str) -> str:
    text = text if len(text) <= TEXT_CHARACTERS else f"{text[:TEXT_CHARACTERS]}\u2026"
    return one_line(text)


class _Writer:
    def __init__(self, contents: PackContents, platform: Platform, language: str, key: PublicKey) -> None:
        self._contents, self._platform, self._language, self._key = contents, platform, language, key
        self._say = texts_of(language)
        self._words: Callable[[str], str] = partial(translated, catalogue=translations_of(language))
        self._page = _Page()

    def written(self) -> str:
        self._facts()
        self._check()
        self._asks()
        self._figures()
        self._complaints()
        self._guard()
        self._documents()
        self._practice()
        if self._platform.kind == "carrier":
            self._letter()
        number = self._contents.own.number
        shown = {
            "title": self._say["title"].format(number=number),
            "footer": _shown(
                f"{number} \u00b7 {self._platform.words(self._language)} \u00b7 {day(self._contents.until)}"
            ),
            "blocks": self._page.blocks,
        }
        return document_of("evidence_packs", "pack.html", TAGS[self._language], shown)

    def _facts(self) -> None:
        say, own, identity = self._say, self._contents.own, self._contents.identity
        company = self._contents.company
        rows = [
            (say["f-number"], own.number),
            (say["f-company"], own.name),
            (say["f-address"], company.address or say["not-said"]),
            (say["f-registration"], company.registration or say["not-said"]),
            (say["f-signatory"], company.signatory or say["not-said"]),
            (say["f-traceback"], company.traceback or say["not-said"]),
            (say["f-right"], self._right_to_use()),
            (say["f-attestation"], self._attestation()),
            (say["f-purpose"], own.purpose or say["not-said"]),
            (say["f-owner"], own.owner or say["not-said"]),
            (say["f-registered"], ", ".join(own.registered) or say["not-said"]),
            (say["f-in-use"], self._in_use()),
            (say["f-grade"], self._translated(grade_words(self._contents.health.grade))),
        ]
        if identity is not None and identity.expires_at > self._contents.until:
            words = say["identity"].format(name=identity.name, level=identity.level, until=day(identity.expires_at))
            rows.append((say["f-identity"], words))
        rows.append((say["f-platform"], self._platform.words(self._language)))
        rows.append((say["f-period"], f"{day(self._contents.since)} - {day(self._contents.until)}"))
        rows.append((say["f-made"], when_exactly(self._contents.until)))
        recipient = self._contents.recipient
        rows.append((say["f-numbers"], say["unmasked"].format(recipient=recipient) if recipient else say["masked"]))
        self._page.table((), rows, (1, 3))
        self._page.paragraph(say[f"letter-{self._platform.kind}"].format(number=own.number, name=own.name))

    def _right_to_use(self) -> str:
        proofs = [proof for proof in self._contents.documents if proof.role]
        return (
            ", ".join(f"{self._say[f'role-{proof.role}']}: documents/{proof.name}" for proof in proofs)
            or (self._say["role-none"])
        )

    def _attestation(self) -> str:
        signed = [f"{trunk.name}: {trunk.attestation}" for trunk in self._contents.trunks if trunk.attestation]
        return ", ".join(signed) or self._say["attestation-none"]

    def _letter(self) -> None:
        """Add the letter of authorisation, which carriers ask for. A person prints and signs the letter."""
        say, company, own = self._say, self._contents.company, self._contents.own
        about = {"number": own.number, "name": own.name, "address": company.address or say["not-said"]}
        about |= {"registration": company.registration or say["not-said"], "traceback": company.traceback or "-"}
        self._page.heading(say["h-letter"], new_page=True)
        for key in ("loa-who", "loa-what", "loa-traceback"):
            self._page.paragraph(say[key].format(**about))
        self._page.signature(say["loa-sign"].format(signatory=company.signatory or say["not-said"]))

    def _in_use(self) -> str:
        days = self._contents.days
        return self._say["in-use"].format(days=len([each_day for each_day in days if each_day.attempts]))

    def _asks(self) -> None:
        say, platform = self._say, self._platform
        self._page.heading(say["h-asks"].format(platform=platform.words(self._language)))
        self._page.paragraph(say["asks-intro"].format(day=platform.read.isoformat()))
        rows = [
            (ask.words(self._language), say[f"where-{ask.part or 'none'}"], self._proof(ask)) for ask in platform.asks
        ]
        self._page.table((say["c-ask"], say["c-where"], say["c-source"]), rows, (4, 3, 4))
        address = say["address"].format(address=platform.address) if platform.address else say["address-none"]
        self._page.paragraph(address)

    def _proof(self, ask: Ask) -> str:
        return self._say[f"proof-{ask.proof}"].format(source=ask.source)

    def _figures(self) -> None:
        say, contents = self._say, self._contents
        self._page.heading(say["h-figures"])
        self._page.paragraph(say["figures-intro"])
        week, month = contents.health.windows[-2:]
        rows = [
            (self._words(item.words), self._shown(item.show(week)), self._shown(item.show(month))) for item in MEASURES
        ]
        self._page.table((say["c-measure"], say["c-week"], say["c-month"]), rows, (3, 2, 2))
        for reason in contents.health.reasons:
            self._page.paragraph(f"{self._words(reason.grade.words)}: {self._translated(reason.words)}", dim=True)
        total = contents.total
        answered = share_words(total.answered, total.attempts)
        self._page.paragraph(say["total"].format(calls=f"{total.attempts:,}", answered=answered))
        if not contents.weeks:
            return
        self._page.heading(say["h-weeks"])
        self._page.bars(
            say["h-weeks"],
            [
                (
                    item.label[5:],
                    item.sums.answered / item.sums.attempts if item.sums.attempts else None,
                    f"{item.sums.answered / item.sums.attempts:.0%}" if item.sums.attempts else "-",
                )
                for item in contents.weeks
            ],
        )
        self._page.paragraph(say["weeks"], dim=True)

    def _complaints(self) -> None:
        say, contents = self._say, self._contents
        complaints = contents.complaints
        self._page.heading(say["h-complaints"])
        listed = sum(handled.unlisted_at is not None for handled in complaints)
        share = percent(len(complaints) / contents.total.attempts) if contents.total.attempts else "-"
        counts = {"complaints": len(complaints), "share": share, "listed": listed, "wishes": contents.wishes}
        self._page.paragraph(say["complaints"].format(**counts, people=f"{contents.do_not_call:,}"))
        rows = [
            (
                day(handled.complaint.at),
                masked(handled.complaint.number) if handled.complaint.number else say["nobody"],
                say["yes"] if handled.complaint.is_of_called else say["no"],
                day(handled.unlisted_at) if handled.unlisted_at else say["not-listed"],
            )
            for handled in complaints[-MOST_COMPLAINTS:]
        ]
        self._page.table((say["c-day"], say["c-from"], say["c-called"], say["c-listed"]), rows, (2, 3, 3, 3))
        if len(complaints) > MOST_COMPLAINTS:
            self._page.paragraph(
                say["more"].format(most=MOST_COMPLAINTS, all=len(complaints), file="complaints.csv"), dim=True
            )

    def _guard(self) -> None:
        say, guard = self._say, self._contents.guard
        self._page.heading(say["h-guard"])
        self._page.paragraph(say["guard-observes"] if guard.observe else say["guard-acts"])
        rows = [(say[f"g-{name}"], say["yes"] if getattr(guard, name) else say["no"]) for name in SWITCHES]
        rows.append((say["g-at_risk"], say[f"at-risk-{guard.at_risk}"]))
        rows.append((say["g-hours"], say["hours"].format(first=guard.first_hour, last=guard.last_hour)))
        rows += [(say[f"g-{name}"], str(getattr(guard, name) or say["no-limit"])) for name in LIMITS]
        self._page.table((say["c-setting"], say["c-value"]), rows, (3, 2))

    def _documents(self) -> None:
        say, documents = self._say, self._contents.documents
        self._page.heading(say["h-documents"])
        if not documents:
            self._page.paragraph(say["documents-none"])
        rows = [self._document(document) for document in documents[:MOST_DOCUMENTS]]
        self._page.table((say["c-document"], say["c-day"], "SHA-256"), rows, (3, 2, 5))
        if len(documents) > MOST_DOCUMENTS:
            self._page.paragraph(
                say["more"].format(most=MOST_DOCUMENTS, all=len(documents), file="documents.csv"), dim=True
            )

    def _document(self, document: Document) -> tuple[str, str, str]:
        return (
            document.name,
            day(document.added_at) if document.added_at else "-",
            document.digest or self._say["no-file"],
        )

    def _practice(self) -> None:
        self._page.heading(self._say["h-practice"])
        for key in practice_of(self._contents.guard):
            first, last = self._contents.guard.first_hour, self._contents.guard.last_hour
            most = self._contents.guard.calls_per_person_day
            self._page.paragraph(self._say[key].format(first=first, last=last, most=most))

    def _check(self) -> None:
        say, contents = self._say, self._contents
        self._page.heading(say["h-check"])
        self._page.paragraph(say["check-detached"])
        self._page.paragraph(say["check"].format(id=self._key.id, key=self._key.text))
        self._page.paragraph(say["check-files"].format(since=day(contents.calls_since)), dim=True)

    def _shown(self, shown: str | Wording) -> str:
        return self._translated(shown) if isinstance(shown, Wording) else shown

    def _translated(self, words: Wording) -> str:
        return words.in_language(self._words)


def practice_of(guard: Outbound) -> tuple[str, ...]:
    """Return the keys of the sentences about calling practice that hold with these settings of the outbound guard."""
    sentences = ["p-record", "p-grade", "p-observes" if guard.observe else "p-acts"]
    if guard.do_not_call:
        sentences.append("p-no")
    sentences.append("p-hours-law" if guard.local_rules else "p-hours")
    if guard.calls_per_person_day:
        sentences.append("p-repeats")
    if guard.registers:
        sentences.append("p-registers")
    if guard.needs_consent:
        sentences.append("p-consent")
    return tuple(sentences)
