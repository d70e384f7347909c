"""vCards as telephones and address books write them, and as nobody should."""

from __future__ import annotations

import io
from io import BufferedReader

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.text.table_errors import TableError
from callsieve.text.vcard import MOST_NUMBERS, Vcards, is_vcard

IPHONE = """\
BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//iPhone OS 17.5//EN
N:Appleseed;John;;;
FN:John Appleseed
TEL;type=CELL;type=VOICE;type=pref:(201) 742-1834
item1.TEL:+44 20 7183 8755
item1.X-ABLabel:_$!<Other>!$_
NOTE:TEL:+1 201 742 1999 is not his
PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAEBAQEBAQEBAQEBAQEB
 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAf/bAEMBAQE
END:VCARD
"""
JOHN = ("John Appleseed", ("(201) 742-1834", "+44 20 7183 8755"))
GOOGLE = """\
BEGIN:VCARD
VERSION:3.0
FN:Zoë Müller\\, M.D.
N:Müller;Zoë;;;M.D.
TEL;TYPE=CELL:+1 201-742-1835
TEL;TYPE=WORK:201.742.1836
CATEGORIES:myContacts
END:VCARD
"""
OUTLOOK = (
    b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;LANGUAGE=de;CHARSET=Windows-1252:M\xfcller;J\xf6rg\r\n"
    b"TEL;WORK;VOICE:+1 (201) 742-1837\r\nTEL;CELL;VOICE:201 742 1838\r\nX-MS-OL-DEFAULT-POSTAL-ADDRESS:0\r\n"
    b"PHOTO;TYPE=JPEG;ENCODING=BASE64:\r\n /9j/4AAQ\r\n\r\nEND:VCARD\r\n"
)
ANDROID = (
    b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=E7=8E=8B;=E5=B0=8F=E6=98=\r\n=8E;;;\r\n"
    b"FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=E7=8E=8B=E5=B0=8F=\r\n=E6=98=8E\r\nTEL;CELL:+12017421839\r\nEND:VCARD\r\n"
)
VERSION_4 = """\
BEGIN:VCARD
VERSION:4.0
FN:Simon
 Perreault
ORG:Viagenie;Dept: of things
TEL;VALUE=uri;PREF=1;TYPE="voice,home":tel:+1-201-742-1840;ext=102
TEL;VALUE=uri;TYPE="cell:main":tel:+1-201-742-1841
TEL;VALUE=text:201 742
  1842
END:VCARD
"""
NAMELESS = """\
begin:vcard
version:3.0
org:Acme Bank;Loans
tel:2017421843
end:vcard
"""


def cards_of(content: str | bytes) -> list[tuple[str, tuple[str, ...]]]:
    raw = content.encode() if isinstance(content, str) else content
    return [(card.name, card.numbers) for card in Vcards(io.BytesIO(raw), "x.vcf")]


@pytest.mark.parametrize(
    ("content", "company"),
    [(VERSION_4, "Viagenie"), (NAMELESS, "Acme Bank"), (ANDROID, "")],
    ids=["4.0", "only", "none"],
)
def test_company_of_a_contact(content: str | bytes, company: str) -> None:
    raw = content.encode() if isinstance(content, str) else content
    assert [card.company for card in Vcards(io.BytesIO(raw), "x.vcf")] == [company]


@pytest.mark.parametrize(
    ("content", "card"),
    [
        pytest.param(IPHONE, ("John Appleseed", ("(201) 742-1834", "+44 20 7183 8755")), id="iphone"),
        pytest.param(
            IPHONE.replace("\n", "\r\n"), ("John Appleseed", ("(201) 742-1834", "+44 20 7183 8755")), id="crlf"
        ),
        pytest.param("\ufeff" + GOOGLE, ("Zoë Müller, M.D.", ("+1 201-742-1835", "201.742.1836")), id="google"),
        pytest.param(OUTLOOK, ("Jörg Müller", ("+1 (201) 742-1837", "201 742 1838")), id="outlook"),
        pytest.param(ANDROID, ("王小明", ("+12017421839",)), id="android"),
        pytest.param(
            VERSION_4,
            ("SimonPerreault", ("tel:+1-201-742-1840;ext=102", "tel:+1-201-742-1841", "201 742 1842")),
            id="4.0",
        ),
        pytest.param(NAMELESS, ("Acme Bank", ("2017421843",)), id="company"),
        pytest.param("BEGIN:VCARD\nTEL:1\n", ("", ("1",)), id="no-end"),
        pytest.param(b"BEGIN:VCARD\nFN:J\xf6rg\nTEL:1\nEND:VCARD\n", ("Jörg", ("1",)), id="windows-undeclared"),
        pytest.param("BEGIN:VCARD\nFN;CHARSET=nonsense:J\nTEL:1\nEND:VCARD\n", ("J", ("1",)), id="no-such-charset"),
        pytest.param("BEGIN:VCARD\nFN:a\\nb\\;c\\\\d\x1b[2J\nTEL:1\nEND:VCARD", ("a b;c\\d [2J", ("1",)), id="escapes"),
        pytest.param('BEGIN:VCARD\nTEL:\nTEL;A\nTEL;A="b:c\n:1\nTEL:2\nEND:VCARD', ("", ("2",)), id="broken-lines"),
    ],
)
def test_cards_of_common_programs_are_read(content: str | bytes, card: tuple[str, tuple[str, ...]]) -> None:
    assert cards_of(content) == [card]


def test_text_between_cards_is_ignored() -> None:
    between = b"TEL:+12017421999", b"", b"BEGIN:VCARD\n"
    together = b"\n".join((IPHONE.encode(), between[0], OUTLOOK, between[1], ANDROID, between[2], NAMELESS.encode()))
    found = Vcards(io.BytesIO(together), "x.vcf")
    begins = [n for n, line in enumerate(together.split(b"\n"), 1) if line.upper().startswith(b"BEGIN")]
    assert [card.line for card in found] == begins
    assert (found.read, found.without_number) == (5, 1)


@pytest.mark.parametrize("place", range(13, 60, 4))
def test_a_line_may_be_folded_anywhere(place: int) -> None:
    lines = [f"{line[:place]}\n {line[place:]}" if len(line) > place else line for line in IPHONE.splitlines()]
    assert cards_of("\n".join(lines)) == [JOHN]


@given(st.binary(max_size=300), st.lists(st.sampled_from((IPHONE.encode(), OUTLOOK, ANDROID)), max_size=3))
def test_any_bytes_are_cards_or_an_error(noise: bytes, cards: list[bytes]) -> None:
    raw = noise.join((b"", *cards, b""))
    try:
        found = list(Vcards(io.BytesIO(raw), "x.vcf"))
    except TableError:
        return
    assert all(card.name.isprintable() and all(number.isprintable() for number in card.numbers) for card in found)


class TestBounds:
    def test_long_photograph_line_is_skipped(self) -> None:
        photograph = b"PHOTO:data:image/jpeg;base64," + b"A" * (1 << 22) + b"\n"
        assert cards_of(b"BEGIN:VCARD\n" + photograph + b"TEL:1\nEND:VCARD\n") == [("", ("1",))]

    def test_endless_value_is_cut(self) -> None:
        endless = (
            b"BEGIN:VCARD\nFN:"
            + b"".join(b" x\n" for _ in range(200_000))
            + b"TEL:"
            + b"9" * 100_000
            + b"\nEND:VCARD\n"
        )
        [(name, numbers)] = cards_of(endless)
        assert (len(name), [len(number) for number in numbers]) == (200, [200])

    def test_numbers_of_one_card_are_bounded(self) -> None:
        [(_, numbers)] = cards_of(b"BEGIN:VCARD\n" + b"TEL:1\n" * 5000 + b"END:VCARD\n")
        assert len(numbers) == MOST_NUMBERS


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"BEGIN:VCARD\n", True),
        (b"\xef\xbb\xbf\r\n begin:vcard\r\n", True),
        (b"number,name\n", False),
        (b"BEGIN:VCALENDAR\n", False),
        (b"", False),
    ],
)
def test_vcard_files_are_recognised(raw: bytes, expected: bool) -> None:
    stream = BufferedReader(io.BytesIO(raw))
    assert is_vcard(stream) is expected
    assert stream.read() == raw


def test_a_file_without_a_card_is_an_error() -> None:
    with pytest.raises(TableError, match=r"x\.vcf"):
        cards_of("BEGIN:VCALENDAR\nEND:VCALENDAR\n")
