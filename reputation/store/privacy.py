"""What the store knows about one number, and how it is forgotten (data protection law).

Erasing deletes: a decision without its caller would still name the call (linkedid, time, DID), and the CDRs of
the PBX would give the caller back. In texts about others the number is masked, however it is written (`spellings`).
`erasure` sees to the files. An import that lists the number brings it back. Our own lines are nobody's personal data:
what the settings and the register say of them stays, and so do the sums of their calls.
"""

from __future__ import annotations

import json
import re
import sqlite3
from base64 import b64encode
from collections.abc import Collection

from reputation.store.spellings import digits_in_text, masker

# A row about a complaint names our number, and who complains in what was written down.
OF_AUDIT = """
number = :number OR what IN ('own complaint', 'undo own complaint') AND :number IN (
    CASE WHEN json_valid(before) THEN json_extract(before, '$.from') END,
    CASE WHEN json_valid(after) THEN json_extract(after, '$.from') END)
"""
# What the network showed where that is no number may still have its digits in it.
OF_DECISION = "(caller = :number OR caller_text <> '' AND has_digits(caller_text))"
# Its deliveries go with an event. It is erased whole: what was told of another number has been told.
OF_EVENT = "(subject = :number OR has_digits(data))"
# A program may have made its key of the number.
OF_ANSWER = "(has_digits(body) OR has_digits(key))"
# A picture of somebody's phone. What it shows besides cannot be searched; that it is named so shows whom it is about.
OF_SCREENSHOT = "(number = :number OR has_digits(name) OR has_digits(platform))"
# It names the call, and the CDRs of the PBX would give the caller back.
OF_CHALLENGE_RESULT = f"""linkedid <> '' AND linkedid IN (
    SELECT linkedid FROM challenge WHERE number = :number
     UNION ALL SELECT linkedid FROM outcome WHERE caller = :number
     UNION ALL SELECT linkedid FROM decision WHERE {OF_DECISION})
"""
# Of the lists only what names this one number: a wider prefix or range is not about it.
EXPORT = {
    "list_entry": "SELECT * FROM list_entry WHERE first = :number AND last IN ('', :number)",
    "personal_entry": "SELECT * FROM personal_entry WHERE number = :number",
    "contact": "SELECT * FROM contact WHERE number = :number",
    "imported": """
        SELECT import_source.name AS source, verdict, category, imported.name, note, imported_at
          FROM imported JOIN import_source ON id = source WHERE number = :number
    """,
    "lookup_result": "SELECT * FROM lookup_result WHERE number = :number",
    "peer_number": """
        SELECT name AS peer, auth_class, level, witnesses, answered, first_week, last_week, category
          FROM peer_number JOIN peer ON peer.id = peer_number.peer WHERE number = :number
    """,
    "identity": "SELECT * FROM identity WHERE number = :number",
    "challenge_result": f"SELECT * FROM challenge_result WHERE {OF_CHALLENGE_RESULT} ORDER BY at",
    "challenge": "SELECT * FROM challenge WHERE number = :number ORDER BY at",
    "decision": f"SELECT * FROM decision WHERE {OF_DECISION} ORDER BY at",
    "outcome": "SELECT * FROM outcome WHERE caller = :number OR dialled = :number ORDER BY at",
    "reached": "SELECT * FROM reached WHERE number = :number ORDER BY at",
    "signal": "SELECT * FROM signal WHERE number = :number ORDER BY at",
    "answered": "SELECT * FROM answered WHERE number = :number ORDER BY at",
    "talk": "SELECT * FROM talk WHERE number = :number ORDER BY at",
    "inbound_talk": "SELECT * FROM inbound_talk WHERE number = :number ORDER BY at",
    "one_ring": "SELECT * FROM one_ring WHERE number = :number ORDER BY at",
    "mark": "SELECT * FROM mark WHERE number = :number ORDER BY at",
    "report": "SELECT * FROM report WHERE number = :number ORDER BY at",
    "standing": "SELECT * FROM standing WHERE number = :number",
    "attachment": """
        SELECT attachment.* FROM attachment JOIN appeal ON reference = appeal
         WHERE number = :number ORDER BY appeal, place
    """,
    "public_appeal": """
        SELECT reference, filed_at, called_at, cleared FROM public_appeal JOIN appeal USING (reference)
         WHERE number = :number ORDER BY filed_at
    """,
    "appeal": "SELECT * FROM appeal WHERE number = :number ORDER BY opened_at",
    "call_back_code": "SELECT about, number, made_at, tries FROM call_back_code WHERE number = :number",
    "tombstone": "SELECT * FROM tombstone WHERE number = :number ORDER BY until",
    "epoch": "SELECT * FROM epoch WHERE number = :number ORDER BY at",
    "review": "SELECT * FROM review WHERE number = :number",
    "hub_outbox": "SELECT * FROM hub_outbox WHERE number = :number",
    "hub_row": "SELECT * FROM hub_row WHERE number = :number",
    "hub_erasure": "SELECT * FROM hub_erasure WHERE number = :number",
    "audit": f"SELECT * FROM audit WHERE {OF_AUDIT} ORDER BY at",
    "api_answer": f"SELECT key, at, status, body FROM api_answer WHERE {OF_ANSWER} ORDER BY at",
    "did": "SELECT * FROM did WHERE number = :number",
    "own_number": "SELECT * FROM own_number WHERE number = :number",
    "own_register": "SELECT * FROM own_register WHERE number = :number",
    "own_called": "SELECT * FROM own_called WHERE callee = :number ORDER BY day",
    "do_not_call": "SELECT * FROM do_not_call WHERE number = :number",
    "consent": "SELECT * FROM consent WHERE number = :number",
    "register_number": """
        SELECT number, name, file_at FROM register_number JOIN register_copy ON id = copy
         WHERE number = CAST(substr(:number, 2) AS INTEGER)
    """,
    "own_complaint": "SELECT * FROM own_complaint WHERE number = :number ORDER BY at",
    "outbound_decision": "SELECT * FROM outbound_decision WHERE callee = :number ORDER BY at",
    "own_day": "SELECT * FROM own_day WHERE number = :number ORDER BY day",
    "own_blocked": "SELECT * FROM own_blocked WHERE number = :number ORDER BY day",
    "own_label": "SELECT * FROM own_label WHERE number = :number ORDER BY at",
    "own_screenshot": f"SELECT * FROM own_screenshot WHERE {OF_SCREENSHOT} ORDER BY at",
    "own_suspicion": "SELECT * FROM own_suspicion WHERE number = :number ORDER BY since",
    "own_grade": "SELECT * FROM own_grade WHERE number = :number",
    "event": f"SELECT * FROM event WHERE {OF_EVENT} ORDER BY seq",
}
ERASE = {
    "list_entry": "DELETE FROM list_entry WHERE first = :number AND last IN ('', :number)",
    "personal_entry": "DELETE FROM personal_entry WHERE number = :number",
    "contact": "DELETE FROM contact WHERE number = :number",
    "imported": "DELETE FROM imported WHERE number = :number",
    "lookup_result": "DELETE FROM lookup_result WHERE number = :number",
    "peer_number": "DELETE FROM peer_number WHERE number = :number",
    "identity": "DELETE FROM identity WHERE number = :number",
    "challenge_result": f"DELETE FROM challenge_result WHERE {OF_CHALLENGE_RESULT}",
    "challenge": "DELETE FROM challenge WHERE number = :number",
    "decision": f"DELETE FROM decision WHERE {OF_DECISION}",
    "outcome": "DELETE FROM outcome WHERE caller = :number OR dialled = :number",
    "reached": "DELETE FROM reached WHERE number = :number",
    "signal": "DELETE FROM signal WHERE number = :number",
    "answered": "DELETE FROM answered WHERE number = :number",
    "talk": "DELETE FROM talk WHERE number = :number",
    "inbound_talk": "DELETE FROM inbound_talk WHERE number = :number",
    "one_ring": "DELETE FROM one_ring WHERE number = :number",
    "mark": "DELETE FROM mark WHERE number = :number",
    "report": "DELETE FROM report WHERE number = :number",
    "standing": "DELETE FROM standing WHERE number = :number",
    "attachment": "DELETE FROM attachment WHERE appeal IN (SELECT reference FROM appeal WHERE number = :number)",
    "public_appeal": """
        DELETE FROM public_appeal WHERE reference IN (SELECT reference FROM appeal WHERE number = :number)
    """,
    "appeal": "DELETE FROM appeal WHERE number = :number",
    "call_back_code": "DELETE FROM call_back_code WHERE number = :number",
    "tombstone": "DELETE FROM tombstone WHERE number = :number",
    "epoch": "DELETE FROM epoch WHERE number = :number",
    "review": "DELETE FROM review WHERE number = :number",
    "own_called": "DELETE FROM own_called WHERE callee = :number",
    "outbound_decision": "DELETE FROM outbound_decision WHERE callee = :number",
    "do_not_call": "DELETE FROM do_not_call WHERE number = :number",
    "consent": "DELETE FROM consent WHERE number = :number",
    "register_number": "DELETE FROM register_number WHERE number = CAST(substr(:number, 2) AS INTEGER)",
    "own_screenshot": f"DELETE FROM own_screenshot WHERE {OF_SCREENSHOT}",
    "own_complaint": "DELETE FROM own_complaint WHERE number = :number",
    "event": f"DELETE FROM event WHERE {OF_EVENT}",
    "api_answer": f"DELETE FROM api_answer WHERE {OF_ANSWER}",
    # What is deleted above was noted for the hub; it is told of the number alone, and has it deleted everywhere.
    "hub_outbox": "DELETE FROM hub_outbox WHERE number = :number",
    "hub_row": "DELETE FROM hub_row WHERE number = :number",
    "hub_erasure": """
        INSERT INTO hub_erasure (number, at) SELECT :number, unixepoch() WHERE EXISTS (SELECT 1 FROM hub_link)
        ON CONFLICT DO NOTHING
    """,
    "audit": f"UPDATE audit SET number = NULL, name = '', before = NULL, after = NULL WHERE {OF_AUDIT}",
}
# What people or systems wrote, where a number may stand in a row about another. Attachments are not among them: what
# somebody else has shown as evidence is not ours to change.
FREE_TEXTS = {
    "list_entry": ("note",),
    "contact": ("name",),
    "imported": ("category", "name", "note"),
    "lookup_result": ("category",),
    "identity": ("name", "note"),
    "decision": ("reason",),
    "outbound_decision": ("reason",),
    "mark": ("category", "reason"),
    "epoch": ("reason",),
    "appeal": ("name", "contact", "statement", "reason"),
    "attachment": ("name",),
    "call_back_code": ("name",),
    "do_not_call": ("note",),
    "consent": ("proof", "note"),
    "own_complaint": ("note",),
    "own_label": ("platform", "label", "proof"),
    "own_register": ("name", "purpose", "owner", "documents", "registered"),
    "import_source": ("failure",),
    "feed_fetch": ("failure",),
    "peer": ("issuer", "failure"),
    "report_service": ("failure",),
    "audit": ("name", "before", "after"),
    "hub_row": ("payload",),
    "published_policy": ("text", "note"),
    "ignored_site": ("reason",),
}
# How far an import and a recomputation are is written as a number.
CURSORS = (
    """UPDATE import_source SET staged_to = coalesce(
    (SELECT max(number) FROM imported WHERE source = id AND number < :number), '') WHERE staged_to = :number""",
    "UPDATE folding SET after = '' WHERE after = :number",
    "UPDATE hub_fill SET after = '' WHERE after = :number",
)
# Of these, JSON: a figure in it is no number of anybody's.
OF_JSON = {"before", "after", "documents", "registered", "payload"}
ERASED = "[erased]"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def export_number(
    db: sqlite3.Connection, number: str, tables: Collection[str] = EXPORT.keys()
) -> dict[str, list[dict[str, object]]]:
    """Every row about the number, by table; ready for JSON, what was attached as Base64."""
    _can_find(db, number)
    return {table: _rows(db, EXPORT[table], number) for table in tables}


def erase_number(db: sqlite3.Connection, number: str) -> dict[str, int]:
    """Deletes every row about the number and returns how many went, by table. Call it in a transaction.

    Of the audit stays who did what and when, without the number and all that was said about it.
    """
    _can_find(db, number)
    erased = {table: db.execute(sql, {"number": number}).rowcount for table, sql in ERASE.items()}
    for cursor in CURSORS:
        db.execute(cursor, {"number": number})
    _mask_in_texts(db, number)
    return erased


def _can_find(db: sqlite3.Connection, number: str) -> None:
    """Lets SQL find the digits of the number in a text."""
    digits = digits_in_text(number)
    db.create_function("has_digits", 1, lambda text: digits.search(text) is not None)


def _mask_in_texts(db: sqlite3.Connection, number: str) -> None:
    """Takes the number out of texts in rows that are about others."""
    masked = masker(number, ERASED)

    def masked_string(literal: re.Match[str]) -> str:
        text = json.loads(literal[0])
        return literal[0] if masked(text) == text else json.dumps(masked(text), ensure_ascii=False)

    db.create_function("masked", 1, masked)
    db.create_function("masked_json", 1, lambda text: _STRING.sub(masked_string, text))
    for table, columns in FREE_TEXTS.items():
        for column in columns:
            function = "masked_json" if column in OF_JSON else "masked"
            db.execute(
                f"UPDATE {table} SET {column} = {function}({column}) WHERE {column} <> '' AND has_digits({column})"
            )


def _rows(db: sqlite3.Connection, sql: str, number: str) -> list[dict[str, object]]:
    cursor = db.execute(sql, {"number": number})
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, map(_ready_for_json, row), strict=True)) for row in cursor]


def _ready_for_json(value: object) -> object:
    return b64encode(value).decode() if isinstance(value, bytes) else value
