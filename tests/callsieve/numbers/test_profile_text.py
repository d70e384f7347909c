"""What is known about a number, in one sentence."""

from __future__ import annotations

import pytest

from callsieve.numbers.profile import sentence_of
from reputation.evidence import NO_CIRCUMSTANCES, Evidence
from reputation.facts import Facts
from reputation.model import (
    EntryKind,
    Family,
    Identity,
    Imported,
    ListEntry,
    ListName,
    PeerWord,
    PersonalTie,
    Reputation,
    Tie,
)
from reputation.scoring import reputation_of
from reputation.weights import DEFAULT

SPAM = Imported("ftc", "spam", "scam")
OTHER_SPAM = Imported("mine", "spam", "telemarketing")
FINE = Imported("partners", "ok")


def of_imports(*imported: Imported) -> Facts:
    return Facts(
        imported=imported, reputation=reputation_of(Evidence(imported=imported), NO_CIRCUMSTANCES, DEFAULT, 0.0)
    )


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        pytest.param(Facts(), "Nothing is known about this number.", id="nothing"),
        pytest.param(of_imports(SPAM), "One imported source lists the number as spam (scam).", id="one-source"),
        pytest.param(
            of_imports(SPAM, OTHER_SPAM, FINE),
            "2 imported sources list the number as spam (scam, telemarketing) and one imported source "
            "lists the number as fine.",
            id="three-sources",
        ),
        pytest.param(
            Facts(peers=(PeerWord("Berlin Ltd"), PeerWord("Bern Ltd"), PeerWord("Bonn Ltd", is_cleared=True))),
            "People of 2 other companies complain about the number; another company upheld an appeal for the number.",
            id="companies",
        ),
        pytest.param(
            Facts(allow=ListEntry(ListName.ALLOW, EntryKind.EXACT, "+12017421834")),
            "The number is on the allowlist.",
            id="allowed",
        ),
        pytest.param(
            Facts(block=ListEntry(ListName.BLOCK, EntryKind.PREFIX, "+1900")),
            "+1900* is on the blocklist.",
            id="prefix",
        ),
        pytest.param(
            Facts(identity=Identity("+12017421834", "Acme", 2, 9e9)),
            "The number belongs to Acme (level 2).",
            id="identity",
        ),
        pytest.param(
            Facts(ties=(PersonalTie(Tie.CONTACT, None), PersonalTie(Tie.CONTACT, "201"))),
            "The number is a contact of the company; 201 has the number as a contact.",
            id="contacts",
        ),
        pytest.param(
            Facts(ties=(PersonalTie(Tie.BLOCK, "201"), PersonalTie(Tie.BLOCK, "202"))),
            "201 and 202 blocked the number.",
            id="two",
        ),
        pytest.param(
            Facts(ties=tuple(PersonalTie(Tie.ALLOW, str(extension)) for extension in range(201, 205))),
            "4 of our people allowed the number.",
            id="many",
        ),
        pytest.param(
            Facts(ties=(PersonalTie(Tie.EXPECTED, "201"),)), "Nothing is known about this number.", id="expected"
        ),
        pytest.param(
            Facts(ties=(PersonalTie(Tie.TALKED, "201", at=1.0),)), "201 called the number and talked.", id="talked"
        ),
        pytest.param(
            Facts(own_number=True, reputation=Reputation(-1.2, families=(Family("caller", -1.2, (("passed", 1),)),))),
            "The caller passed a challenge; the number is one of our own numbers.",
            id="own-and-challenged",
        ),
        pytest.param(
            Facts(
                reputation=Reputation(1.2, families=(Family("behaviour", 1.2, (("hung-up-on", 3), ("voicemail", 1))),))
            ),
            "3 people hung up within 6 s; the caller left a message; nobody called back.",
            id="behaviour",
        ),
    ],
)
def test_sentence_names_the_evidence_that_counts(facts: Facts, sentence: str) -> None:
    assert sentence_of(facts) == sentence
