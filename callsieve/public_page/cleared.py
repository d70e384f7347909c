"""The statement that a number was cleared: for its owner, to be shown elsewhere. Signed JSON, and a page to print.

Both name a link where anybody sees whether the ruling still stands. Its last part is made from our signature of the
appeal's reference, so that nobody can try references there.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from callsieve.signing.keys import SigningKey
from callsieve.signing.statements import sign
from callsieve.text.pdf import PdfDocument
from callsieve.text.times import day
from callsieve.web.words import N_
from reputation.appeals import Appeal, AppealState
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

KIND = "number-cleared"
VALID_DAYS = 365  # a number has another owner some day
TITLE = N_("Statement: a number was cleared")
SAYS = N_("{issuer} has decided an appeal of the owner of {number} and found that the owner is right.")
MEANS = N_(
    "Spam marks that were made here until {day} count as never made. It is about our own screening of calls alone."
)
REASON = N_("The reason: {reason}")
PROVEN = N_("Control of the number was proven by a signed call or a call-back.")
ACCEPTED = N_("Control of the number was not proven by a call: our people accepted the appeal.")
CHECK = N_("Whether it still stands, and the key that the file is signed with: {link}")
UNTIL = N_("It counts until {day}. Appeal {reference}.")


@dataclass(frozen=True, slots=True)
class Cleared:
    """What is stated. `closed_at`: when it was decided, in UTC seconds; `address`: of the public page."""

    appeal: Appeal
    closed_at: float
    issuer: str
    address: str
    key: SigningKey

    @property
    def until(self) -> float:
        """From when on it counts no longer."""
        return self.closed_at + VALID_DAYS * DAY_SECONDS

    @property
    def link(self) -> str:
        """Where anybody sees whether it still stands."""
        return f"{self.address}/cleared/{self.appeal.reference}/{_proof(self.key, self.appeal.reference)}"

    def text(self) -> str:
        """The signed file."""
        about = {
            "number": self.appeal.number,
            "appeal": self.appeal.reference,
            "proven": self.appeal.proven,
            "category_only": self.appeal.category_only,
            "check": self.link,
        }
        return sign(self.key, KIND, self.issuer, issued_at=self.closed_at, valid_until=self.until, about=about)

    def document(self, language: str, say: Callable[[str], str]) -> bytes:
        """The page to print, as PDF. `say` translates a text of ours."""
        about = {
            "issuer": self.issuer,
            "number": self.appeal.number,
            "day": day(self.closed_at),
            "reason": self.appeal.reason,
            "link": self.link,
            "reference": self.appeal.reference,
        }

        def said(text: str, **more: str) -> str:
            return Wording(text, about | more).said(say)

        page = PdfDocument(say(TITLE), language=language, footer=self.issuer)
        page.paragraph(said(SAYS))
        page.paragraph(said(MEANS))
        page.paragraph(said(REASON))
        page.paragraph(say(PROVEN if self.appeal.proven else ACCEPTED))
        page.paragraph(said(UNTIL, day=day(self.until)))
        page.qr_code(self.link)
        page.paragraph(said(CHECK), dim=True)
        return page.made()


def is_cleared(appeal: Appeal) -> bool:
    """Whether its owner may have the statement."""
    return appeal.state is AppealState.UPHELD and appeal.closed_at is not None


def is_link_of(key: SigningKey, reference: str, proof: str) -> bool:
    """Whether the link is one of ours."""
    return hmac.compare_digest(proof.encode(), _proof(key, reference).encode())


def _proof(key: SigningKey, reference: str) -> str:
    """Ed25519 signs the same text always alike."""
    return sha256(key.sign(f"callsieve {KIND} {reference}".encode())).hexdigest()[:32]
