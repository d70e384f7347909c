"""Rows become numbers, contacts and people; also Asterisk's blacklist."""

from __future__ import annotations

import io

import pytest

from callsieve.imports.rows import (
    CONTACT_COLUMNS,
    NUMBER_COLUMNS,
    PEOPLE_COLUMNS,
    contacts_in,
    contacts_in_vcards,
    numbers_in,
    numbers_of_family,
    people_in,
)
from callsieve.pbx import cli_output
from callsieve.pbx.cli_output import FamilyLine, parse_family
from callsieve.text.csv_table import CsvTable
from callsieve.text.vcard import Vcards
from reputation.model import Person
from reputation.store.lists import Contact
from reputation.wording import Wording


def table_of(columns: tuple[str, ...], content: str) -> CsvTable:
    return CsvTable(io.BytesIO(content.encode()), columns, "list.csv")


def test_numbers_and_categories_are_normalised() -> None:
    table = table_of(NUMBER_COLUMNS, "number,category,name,note\n(201) 742-1834,Scam,Joe,x\n+11115550123,,,\n")
    assert list(numbers_in(table, "US")) == [
        ("+12017421834", "scam", "Joe", "x"),
        ("+11115550123", None, None, None),
    ]


@pytest.mark.parametrize(
    ("number", "says"),
    [("", "the number is missing"), ("911", "'911'"), ("1&PJSIP/x", "is not a telephone number")],
)
def test_invalid_number_is_skipped(number: str, says: str) -> None:
    table = table_of(NUMBER_COLUMNS, f"number,name\n{number},Joe\n")
    assert list(numbers_in(table, "US")) == []
    assert says in str(table.problems[0].text)


def test_vcard_number_may_be_a_uri() -> None:
    written = "tel:742-1834;phone-context=+1201", "tel:+1-201-742-1840;ext=12", "sip:+12017421835@carrier.example"
    lines = "".join(f"TEL;VALUE=uri:{item}\n" for item in written)
    cards = Vcards(io.BytesIO(f"BEGIN:VCARD\n{lines}END:VCARD\n".encode()), "x.vcf")
    assert [vcard.number for vcard in contacts_in_vcards(cards, "DE")] == [
        "+12017421834",
        "+12017421840",
        "+12017421835",
    ]
    assert cards.skipped == 0


def test_contacts_belong_to_the_company_or_a_person() -> None:
    table = table_of(CONTACT_COLUMNS, "number,name,person\n+12017421834,Acme,\n2017421835,,201\nx,,\n1,,\n")
    assert list(contacts_in(table, "US")) == [
        Contact("+12017421834", "Acme", None),
        Contact("+12017421835", None, "201"),
    ]
    assert table.skipped == 2


def test_company_of_a_contact_is_shortened() -> None:
    table = table_of(CONTACT_COLUMNS, "number,company\n+12017421834,ACME  Dental Supplies Ltd\n2017421835,AG\n")
    assert [contact.company for contact in contacts_in(table, "US")] == ["acme dental sup", None]


def test_person_of_a_contact_must_be_an_extension() -> None:
    table = table_of(CONTACT_COLUMNS, "number,person\n+12017421834,&rm\n")
    assert list(contacts_in(table, "US")) == []
    assert "'&rm' is not a valid extension" in str(table.problems[0].text)


def test_endpoint_of_a_person_is_pjsip_by_default() -> None:
    table = table_of(
        PEOPLE_COLUMNS, "extension,endpoint,group,language,name\n201,,sales,en,Alice\n202,SIP/202,,pt_BR,\n"
    )
    assert list(people_in(table)) == [
        Person("201", "PJSIP/201", "sales", "en", "Alice"),
        Person("202", "SIP/202", None, "pt_BR", None),
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (",PJSIP/201,,,", "the extension is missing"),
        ("2&1,,,,", "extension '2&1' is not valid"),
        ("201,201,,,", "PJSIP/201"),
        ("201,,a/b,,", "group 'a/b' is not valid"),
        ("201,,,english please,", "'english please'"),
    ],
)
def test_invalid_person_is_skipped(row: str, says: str) -> None:
    table = table_of(PEOPLE_COLUMNS, f"extension,endpoint,group,language,name\n{row}\n")
    assert list(people_in(table)) == []
    assert says in str(table.problems[0].text)


# As Asterisk 22 and FreePBX 16 print it.
BLACKLIST = """\
/blacklist/12017421834                            : 1
/blacklist/2017421835                             : Sells windows : daily
/blacklist/blocked                                : 1
/blacklist/dest                                   : app-blackhole,hangup,1
/blacklist/private                                : 1
5 results found.
"""


def test_blacklist_is_parsed_with_notes_of_freepbx() -> None:
    assert list(parse_family(BLACKLIST, cli_output.BLACKLIST)) == [
        FamilyLine("12017421834", ""),
        FamilyLine("2017421835", "Sells windows : daily"),
        FamilyLine("blocked", ""),
        FamilyLine("dest", "app-blackhole,hangup,1"),
        FamilyLine("private", ""),
    ]


@pytest.mark.parametrize(
    "text", ["", "0 results found.\n", "No such command 'database show'\n", "/other/1 : 1\n", "/blacklist/\n"]
)
def test_other_output_has_no_blacklist_lines(text: str) -> None:
    assert list(parse_family(text, cli_output.BLACKLIST)) == []


def test_blacklist_numbers_are_parsed_like_callers() -> None:
    refused: list[Wording] = []
    rows = numbers_of_family(parse_family(BLACKLIST, cli_output.BLACKLIST), "US", refused.append)
    assert list(rows) == [
        ("+12017421834", None, None, None),
        ("+12017421835", None, None, "Sells windows : daily"),
    ]
    assert len(refused) == 3


ALLOWLIST = """\
/allowlist/12017421836                            : Joe &amp; Sons
/allowlist/442071838755                           : 1
/allowlist/autoadd/1                              : 1
/allowlist/dest                                   : app-blackhole,hangup,1
/allowlist/did/442071838750/                      : 1
/allowlist/knowncallers                           : 1
/allowlist/pause                                  : 1767258007
/blacklist/12017421834                            : 1
8 results found.
"""


def test_freepbx_allowlist_is_parsed_without_settings() -> None:
    family = cli_output.ALLOWLIST
    lines = list(parse_family(ALLOWLIST, family))
    assert [line for line in lines if not family.is_setting(line.key)] == [
        FamilyLine("12017421836", "Joe & Sons"),
        FamilyLine("442071838755", ""),
    ]
    assert len(lines) == 7
