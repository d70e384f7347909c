"""Where the PBX's database is: addresses as they are typed, and FreePBX's own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.pbx.freepbx_database import read_conf
from callsieve.pbx.mysql import Address, DatabaseError, parse_address, quoted


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mysql://reader@pbx/calls", Address("reader", "pbx", database="calls")),
        ("mysql://reader@pbx", Address("reader", "pbx")),
        ("mariadb://a%40b:p%3Aw%2F@10.0.0.1:3307/calls/", Address("a@b", "10.0.0.1", 3307, "calls", "p:w/")),
        ("mysql://reader:@[::1]/calls", Address("reader", "::1", database="calls", password="")),
    ],
)
def test_database_addresses_are_parsed(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("mysql://secret-host", id="no-user"),
        pytest.param("mysql://me:secret@", id="no-host"),
        pytest.param("mysql://me:secret@host:port/x", id="no-port"),
        pytest.param("mysql://me:secret@[host/x", id="bracket"),
        pytest.param("mysql://me:secret@host/a b;DROP", id="database"),
        pytest.param("http://me:secret@host/x", id="scheme"),
    ],
)
def test_bad_address_is_not_repeated_in_the_error(text: str) -> None:
    with pytest.raises(DatabaseError) as error:
        parse_address(text)
    assert "secret" not in str(error.value)


def test_an_address_is_shown_without_its_password() -> None:
    address = parse_address("mysql://me:secret@pbx:3307/calls")
    assert str(address) == "mysql://me@pbx:3307/calls"
    assert "secret" not in repr(address)


def test_only_plain_names_enter_sql_statements() -> None:
    assert quoted("cdr") == "`cdr`"
    with pytest.raises(DatabaseError):
        quoted("cdr` WHERE 1 --")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param("$amp_conf['AMPDBPASS'] = 'plain';", "plain", id="single"),
        pytest.param('$amp_conf["AMPDBPASS"]="plain" ;', "plain", id="double"),
        pytest.param(r"$amp_conf['AMPDBPASS'] = 'it\'s \\ a $x';", r"it's \ a $x", id="escaped"),
        pytest.param(r'$amp_conf["AMPDBPASS"] = "a\"b\$c\\d";', r'a"b$c\d', id="escaped-double"),
        pytest.param("$amp_conf['AMPDBPASS'] = '';", "", id="empty"),
        pytest.param("// $amp_conf['AMPDBPASS'] = 'old';", None, id="comment"),
        pytest.param("$amp_conf['AMPDBPASS'] = getenv('X');", None, id="code"),
        pytest.param("$amp_conf['AMPDBPASS'] = 'never closed", None, id="broken"),
    ],
)
def test_freepbx_settings_are_parsed_not_executed(tmp_path: Path, line: str, found: str | None) -> None:
    conf = tmp_path / "freepbx.conf"
    conf.write_text(f"<?php\n$amp_conf['AMPDBUSER'] = 'freepbxuser';\n{line}\nrequire_once('x');\n?>\n")
    assert read_conf(conf) == {"AMPDBUSER": "freepbxuser", **({} if found is None else {"AMPDBPASS": found})}
