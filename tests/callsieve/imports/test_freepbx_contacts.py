"""`callsieve import contacts --from freepbx`: Contact Manager's tables on a real MariaDB."""

from __future__ import annotations

import pytest

from lab.mariadb import MariaDb
from reputation.store.database import open_store
from tests.callsieve.program import Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

# The columns that are read of what Contact Manager and User Manager keep, and the keys.
TABLES = {
    "contactmanager_groups": "owner INT, name VARCHAR(80), type VARCHAR(25)",
    "contactmanager_group_entries": "groupid INT, user INT, displayname VARCHAR(100), fname VARCHAR(100), "
    "lname VARCHAR(100), company VARCHAR(100)",
    "contactmanager_entry_numbers": "entryid INT, number VARCHAR(100), extension VARCHAR(100), E164 VARCHAR(100)",
    "userman_users": "username VARCHAR(150), default_extension VARCHAR(45)",
}
INTO = "INSERT INTO asterisk."


@pytest.fixture
def manager(callsieve: Program, pbx: MariaDb, freepbx_conf: str, monkeypatch: pytest.MonkeyPatch) -> MariaDb:
    """Two users, four groups: our extensions, the company's, Ann's own, and those of one without an extension."""
    monkeypatch.setenv("FREEPBX_CONF", str(callsieve.file("freepbx.conf", freepbx_conf)))
    for name, columns in TABLES.items():
        pbx.run(f"CREATE OR REPLACE TABLE asterisk.{name} (id INT AUTO_INCREMENT PRIMARY KEY, {columns})")
    pbx.run(f"{INTO}userman_users VALUES (1, 'ann', '201'), (2, 'guest', 'none')")
    groups = (
        "(1, -1, 'Us', 'internal'), (2, -1, 'Suppliers', 'external'), (3, 1, 'Ann', 'private'), (4, 2, 'G', 'private')"
    )
    pbx.run(f"{INTO}contactmanager_groups VALUES {groups}")
    entries = [
        (1, 1, 7, "Bob", "", "", ""),
        (2, 2, -1, "First Bank", "", "", "Bank"),
        (3, 2, -1, "", "Jo", "Appleton", ""),
        (4, 3, -1, "", "", "", "Ann's \x1b[2J tailor"),
        (5, 4, -1, "Somebody", "", "", ""),
    ]
    pbx.run(f"{INTO}contactmanager_group_entries VALUES (%s, %s, %s, %s, %s, %s, %s)", entries)
    numbers = [
        (1, 1, "202", "", ""),
        (2, 2, "(201) 742-1800", "", ""),
        (3, 2, "12", "", ""),
        (4, 3, "+44 20 7183 8755", "", ""),
        (5, 4, "2017421836", "", ""),
        (6, 5, "2017421837", "", ""),
        (7, 99, "2017421838", "", ""),
    ]
    pbx.run(f"{INTO}contactmanager_entry_numbers VALUES (%s, %s, %s, %s, %s)", numbers)
    return pbx


def contacts(callsieve: Program) -> list[tuple[str, str | None, str | None]]:
    with open_store(callsieve.store) as db:
        return list(db.execute("SELECT number, name, nullif(person, '') FROM contact ORDER BY number"))


@pytest.mark.usefixtures("manager")
def test_contacts_of_company_and_people_are_imported(callsieve: Program) -> None:
    result = callsieve("import", "contacts", "--from", "freepbx")
    assert result.code == 0, result.err
    assert result.out.startswith("Imported 3 contacts as freepbx: 4 rows read, 1 skipped")
    with open_store(callsieve.store) as db:
        companies = dict(db.execute("SELECT number, company FROM contact"))
    assert companies == {"+12017421800": "bank", "+12017421836": "ann's [2j tailor"[:15], "+442071838755": None}
    assert contacts(callsieve) == [
        ("+12017421800", "First Bank", None),
        ("+12017421836", "Ann's [2J tailor", "201"),
        ("+442071838755", "Jo Appleton", None),
    ]


def test_second_import_replaces_the_contacts(callsieve: Program, manager: MariaDb) -> None:
    callsieve.ok("import", "contacts", "--from", "freepbx", "--source", "pbx", "--for", "202")
    assert [person for _, _, person in contacts(callsieve)] == ["202", "201", "202"]
    manager.run("DELETE FROM asterisk.contactmanager_entry_numbers WHERE id = 2")
    assert "as pbx" in callsieve.ok("import", "contacts", "--from", "freepbx", "--source", "pbx")
    assert [number for number, _, _ in contacts(callsieve)] == ["+12017421836", "+442071838755"]


def test_contacts_are_read_in_several_pages(
    callsieve: Program, manager: MariaDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callsieve.pbx.freepbx_database.PAGE_ROWS", 2)
    callsieve.ok("import", "contacts", "--from", "freepbx")
    assert len(contacts(callsieve)) == 3


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        pytest.param("DROP TABLE asterisk.contactmanager_entry_numbers", "not installed", id="no-module"),
        pytest.param("DELETE FROM asterisk.contactmanager_entry_numbers", "no row", id="empty"),
        pytest.param("ALTER TABLE asterisk.userman_users DROP default_extension", "asterisk", id="another-table"),
    ],
)
def test_unreadable_contacts_are_reported(callsieve: Program, manager: MariaDb, statement: str, says: str) -> None:
    manager.run(statement)
    assert says in callsieve.fails("import", "contacts", "--from", "freepbx")
    assert not callsieve.store.exists()


def test_import_needs_a_file_or_freepbx(callsieve: Program) -> None:
    assert "--from freepbx" in callsieve.fails("import", "contacts", "--source", "x")
    assert "--source" in callsieve.fails("import", "contacts", callsieve.file("c.csv", "number\n"))


def test_missing_freepbx_suggests_no_mysql_address(callsieve: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEPBX_CONF", str(callsieve.folder / "nowhere.conf"))
    said = callsieve.fails("import", "contacts", "--from", "freepbx")
    assert "FREEPBX_CONF" in said
    assert "mysql://" not in said
