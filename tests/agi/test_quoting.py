"""Asterisk parses back the value that was quoted, whatever a caller is called."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.quoting import COMMAND_LIMIT, quote, set_variables, variables_in


def words_of(line: str) -> list[str]:
    """Split an AGI command as Asterisk does (res_agi.c, parse_args)."""
    words: list[str] = []
    in_word = quoted = escaped = False
    for character in line:
        special = not escaped
        escaped = False
        if special and character == '"':
            quoted = not quoted
            if not in_word:
                words.append("")
                in_word = True
        elif special and character == "\\":
            escaped = True
        elif special and not quoted and character in " \t":
            in_word = False
        else:
            if not in_word:
                words.append("")
                in_word = True
            words[-1] += character
    assert not quoted
    assert not escaped
    return words


def commands_in(block: bytes) -> list[tuple[str, str]]:
    """Return the variables that a block sets, in order. The block must contain nothing else."""
    text = block.decode()
    assert text == "" or text.endswith("\n")
    pairs: list[tuple[str, str]] = []
    for line in text.split("\n")[:-1]:
        match words_of(line):
            case "SET", "VARIABLE", name, value:
                pairs.append((name, value))
            case "EXEC", "MSet", argument:
                pairs += set_by_mset(argument)
            case other:
                pytest.fail(f"neither SET VARIABLE nor EXEC MSet: {other}")
    return pairs


def set_by_mset(argument: str) -> list[tuple[str, str]]:
    """What MSet sets (pbx_variables.c), as long as it splits at nothing but commas and equals signs, which is all that
    may be asked of it: what it would take away or count as a bracket must not be there, but in pairs.
    """
    assert not set(re.sub(r"\([^(),=]*\)", "", argument)) & set('"\\()[]{}$'), argument
    pairs = [tuple(pair.split("=")) for pair in argument.split(",")]
    assert all(len(pair) == 2 for pair in pairs), argument
    return [(name, value) for name, value in pairs]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        pytest.param("", '""', id="empty"),
        pytest.param("allow", '"allow"', id="word"),
        pytest.param('say "hi"', r'"say \"hi\""', id="quotes"),
        pytest.param("back\\slash", r'"back\\slash"', id="backslash"),
        pytest.param('\\"', r'"\\\""', id="escaped-quote"),
        pytest.param('x"\nEXEC System "id', r'"x\" EXEC System \"id"', id="second-command"),
        pytest.param("a\r\n\0\t\x7f\x85b", '"a      b"', id="controls"),
        pytest.param("a\u2028b\u2029c", '"a b c"', id="unicode-line-ends"),
        pytest.param("${SHELL(id)}", '"${SHELL(id)}"', id="an-expression-is-just-text"),
        pytest.param("Zoë 老王", '"Zoë 老王"', id="unicode"),
    ],
)
def test_values_are_quoted(text: str, quoted: str) -> None:
    assert quote(text) == quoted


@given(st.text())
def test_asterisk_parses_the_quoted_value_back(text: str) -> None:
    (word,) = words_of(quote(text))
    assert len(word) == len(text)
    assert all(
        read == meant or (read == " " and not meant.isprintable()) for read, meant in zip(word, text, strict=True)
    )


def test_variables_are_set_in_order_in_one_block() -> None:
    block = set_variables({"CALLSIEVE_ACTION": "warn", "CALLSIEVE_NAME": 'Bob "x" \\', "CALLSIEVE_DIAL": ""})
    assert block == (
        b'SET VARIABLE CALLSIEVE_ACTION "warn"\n'
        b'SET VARIABLE CALLSIEVE_NAME "Bob \\"x\\" \\\\"\n'
        b'SET VARIABLE CALLSIEVE_DIAL ""\n'
    )
    assert set_variables([]) == b""


def test_consecutive_words_are_set_by_one_command() -> None:
    words = {
        "CALLSIEVE_RULE": "level-warn",
        "__CALLSIEVE_CALLER": "+12017421834",
        "CALLSIEVE_REASON": "no rule applied",
    }
    text, last = {"CALLSIEVE_ROUTE": "spam-box,s,1"}, {"__CALLSIEVE_ACTION": "warn"}
    assert set_variables(words | text | last) == (
        b'EXEC MSet "CALLSIEVE_RULE=level-warn,__CALLSIEVE_CALLER=+12017421834,CALLSIEVE_REASON=no rule applied"\n'
        b'SET VARIABLE CALLSIEVE_ROUTE "spam-box,s,1"\n'
        b'SET VARIABLE __CALLSIEVE_ACTION "warn"\n'
    )


@pytest.mark.parametrize(
    "value",
    [
        *("b(a", "b(a))", "b((a))", "b(a,b)", "b(a=b)", "b()", "b(a) U(b)", "b(a)U(b)b(c)", "bb(a)", "b(${A})", "b(A)"),
        *("", " warn", "a,b", "a=b", 'say "hi"', "back\\slash", "(a", "a)", "[a", "{a}", "${SHELL(id)}", "$[1]"),
        *("a\nb", "a\n", "a\tb", "a;b", "a'b", "`id`", "a|b", "a^b", "é", "１", "语", "\u202e1", "a" * 129),
    ],
)
def test_other_values_are_never_arguments_of_an_application(value: str) -> None:
    words = [("A", "1"), ("B", "2")]
    block = set_variables([*words, ("CALLSIEVE_NAME", value), *words])
    together = b'EXEC MSet "A=1,B=2"\n'
    assert block == together + f"SET VARIABLE CALLSIEVE_NAME {quote(value)}\n".encode() + together


def test_dial_options_are_set_together_with_words() -> None:
    options = {"CALLSIEVE_DIAL": "b(callsieve-phone^s^1)U(callsieve-whisper)", "CALLSIEVE_LABEL": "Scam?"}
    assert set_variables(options) == (
        b'EXEC MSet "CALLSIEVE_DIAL=b(callsieve-phone^s^1)U(callsieve-whisper),CALLSIEVE_LABEL=Scam?"\n'
    )


def test_words_are_never_truncated() -> None:
    words = [(f"CALLSIEVE_WORD_{chr(ord('A') + n)}", "w" * 128) for n in range(24)]
    block = set_variables([("CALLSIEVE_NAME", '"' * 500), *words])
    assert len(block) <= COMMAND_LIMIT
    assert commands_in(block)[1:] == words


@pytest.mark.parametrize("name", ["", "lower", "WITH SPACE", "A1", "A\nB", 'A"', "É", "CHANNEL(hangup)"])
def test_an_invalid_variable_name_is_an_error(name: str) -> None:
    for others in ({}, {"CALLSIEVE_RULE": "x"}):
        with pytest.raises(ValueError, match="A-Z and _"):
            set_variables({name: "x"} | others)


def test_too_many_variables_are_an_error() -> None:
    with pytest.raises(ValueError, match="200 variables"):
        set_variables([("CALLSIEVE_ACTION", "")] * 200)


# What is left for values beside two empty commands with names of 14 letters.
ROOM = COMMAND_LIMIT - 2 * len(b'SET VARIABLE CALLSIEVE_NAME ""\n')


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param("x" * 9999, ROOM, id="ascii"),
        pytest.param("é" * 9999, (ROOM) // 2, id="two-bytes"),
        pytest.param('"' * 9999, (ROOM) // 2, id="quotes"),
        pytest.param("\\" * 9999, (ROOM) // 2, id="backslashes"),
        pytest.param("😀" * 9999, (ROOM) // 4, id="four-bytes"),
    ],
)
def test_a_long_value_is_truncated_at_a_character(value: str, kept: int) -> None:
    block = set_variables([("CALLSIEVE_NAME", value), ("CALLSIEVE_RULE", "")])
    assert len(block) <= COMMAND_LIMIT
    assert commands_in(block) == [("CALLSIEVE_NAME", value[:kept]), ("CALLSIEVE_RULE", "")]


NAMES = st.text(alphabet="ABCXYZ_", min_size=1, max_size=20)
VALUES = (
    st.text(max_size=60)
    | st.from_regex(r"[0-9A-Za-z+*#/_.@& -]{0,140}", fullmatch=True)
    | st.text(alphabet='a"\\\né😀', max_size=50).map(lambda text: text * 100)
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=20))
def test_any_values_make_whole_commands_within_the_limit(pairs: list[tuple[str, str]]) -> None:
    block = set_variables(pairs)
    assert len(block) <= COMMAND_LIMIT
    read = commands_in(block)
    assert [name for name, _ in read] == [name for name, _ in pairs]
    assert variables_in(block) == dict(read)
    for (_, value), (_, meant) in zip(read, pairs, strict=True):
        assert quote(meant)[1:-1].startswith(quote(value)[1:-1])
