"""The signed statement that a number was cleared: an appeal of its owner, filed on the public page, was upheld.

The statement is signed once and stored, so the process that serves the public page needs no signing key. The link in a
statement ends with a random text, so nobody can find appeals by guessing references.
"""

import secrets
import sqlite3
from dataclasses import dataclass

from callsieve.changes.operation import Context, Refused
from callsieve.signing.keys import KeyFileError, PublicKey, signing_key
from callsieve.signing.statements import NUMBER_CLEARED, SignedStatement, sign, verify
from reputation.appeals import Appeal, AppealState
from reputation.store.public_appeals import cleared_of, is_public, keep_cleared
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

KIND = NUMBER_CLEARED
VALID_DAYS = 365  # because the owner of a number may change
PROOF_BYTES = 16


@dataclass(frozen=True, slots=True)
class Cleared:
    """A stored statement that a number was cleared. `text`: the signed text. `key`: the public key of the signature."""

    statement: SignedStatement
    text: str
    key: PublicKey

    @property
    def link(self) -> str:
        """The address at which anyone can see whether the statement is still valid."""
        return str(self.statement.about["check"])

    @property
    def proof(self) -> str:
        """The random text at the end of the link. The public page shows the statement only to those who have it."""
        return self.link.rpartition("/")[2]


def state_cleared(db: sqlite3.Connection, context: Context, appeal: Appeal) -> None:
    """Sign and store the statement for an upheld appeal from the public page. Raise Refused without a signing key."""
    public = context.settings.public
    if not public.enabled or appeal.closed_at is None or not is_public(db, appeal.reference):
        return
    before = statement_of(db, appeal.reference)
    proof = secrets.token_hex(PROOF_BYTES) if before is None else before.proof  # a repeated ruling keeps its link
    about = {
        "number": appeal.number,
        "appeal": appeal.reference,
        "proven": appeal.proven,
        "category_only": appeal.category_only,
        "check": f"{public.address}/cleared/{appeal.reference}/{proof}",
    }
    until = appeal.closed_at + VALID_DAYS * DAY_SECONDS
    try:
        key = signing_key(context.loaded.state)
    except (KeyFileError, OSError) as error:
        words = Wording("the statement for the owner cannot be signed: {problem}", {"problem": str(error)})
        raise Refused("no-signing-key", words) from None
    text = sign(key, KIND, public.name, issued_at=appeal.closed_at, valid_until=until, about=about)
    keep_cleared(db, appeal.reference, text, key.public_key.text)


def statement_of(db: sqlite3.Connection, reference: str) -> Cleared | None:
    """Return the statement that was signed for an appeal, even if it is no longer valid. None if none was signed."""
    kept = cleared_of(db, reference)
    if kept is None:
        return None
    text, key = kept[0], PublicKey.parse(kept[1])
    return Cleared(verify(text, key), text, key)


def stands(cleared: Cleared, appeal: Appeal | None, now: float) -> bool:
    """Return whether the statement is still valid: the appeal is upheld, and the statement has not expired."""
    is_upheld = appeal is not None and appeal.state is AppealState.UPHELD
    return is_upheld and not cleared.statement.is_over(now)
