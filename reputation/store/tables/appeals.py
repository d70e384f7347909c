"""Appeals of the owners of numbers. What belongs to an appeal is erased before it."""

from __future__ import annotations

from reputation.appeals import Appeal
from reputation.store.tables.table import AUDIT_DAYS, Kept, Kind, SharedWith, Table

PUBLIC_APPEAL_DAYS = 7  # of one that was only filed: it had no effect, and nobody has proven or accepted it
CODE_DAYS = 1.0

ATTACHMENT = Table(
    name="attachment",
    label=("attachment of appeals", "attachments of appeals"),
    about="appeal IN (SELECT reference FROM appeal WHERE number = :number)",
    order="appeal, place",
)
PUBLIC_APPEAL = Table(
    name="public_appeal",
    label=("appeal sent to the public page", "appeals sent to the public page"),
    about="reference IN (SELECT reference FROM appeal WHERE number = :number)",
    shown="SELECT reference, filed_at, called_at, cleared FROM public_appeal",
    order="filed_at",
    kept=Kept(
        PUBLIC_APPEAL_DAYS,
        "state = 'open' AND reference IN (SELECT reference FROM public_appeal WHERE filed_at < ?)",
        table="appeal",
    ),
)
APPEAL = Table(
    name="appeal",
    label=("appeal", "appeals"),
    numbers=("number",),
    order="opened_at",
    kept=Kept(AUDIT_DAYS, "coalesce(closed_at, opened_at) < ? AND state <> 'in force'"),
    row=Appeal,
    shared=Kind(scope=SharedWith.STANDBY, at="opened_at"),
    is_folded=True,
)
CALL_BACK_CODE = Table(
    name="call_back_code",
    label=("code of a call-back", "codes of call-backs"),
    numbers=("number",),
    shown="SELECT about, number, made_at, tries FROM call_back_code",
    kept=Kept(CODE_DAYS, "made_at <= ?"),
)
APPEALS = (ATTACHMENT, PUBLIC_APPEAL, APPEAL, CALL_BACK_CODE)
