"""examples/freeswitch/callsieve.lua, run by Lua with a stub in FreeSWITCH's place: what it asks and does."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec
import pytest

from callsieve.decide.call_facts import CallFacts
from lab.lua import ensure_lua
from tests.office import CALLER

SCRIPT = Path(__file__).resolve().parents[3] / "examples/freeswitch/callsieve.lua"
# What mod_lua gives a script, as far as this one uses it. A value of Lua's is written as JSON writes it, but for names.
STUB = """\
local VARIABLES, GLOBALS, SAID, ANSWER = %s, %s, %s, %s
argv = { [1] = "freeswitch/carrier" }
local function told(...) print(table.concat({ ... }, "\\t")) end
session = {
    getVariable = function(_, name) return VARIABLES[name] end,
    setVariable = function(_, name, value) told("set", name, value) end,
    execute = function(_, name, data) told("execute", name, data) end,
    hangup = function(_, cause) told("hangup", cause) end,
}
local function quoted(text)
    return '"' .. text:gsub('[%%c"\\\\]', function(c) return string.format("\\\\u%%04x", c:byte()) end) .. '"'
end
local decoded = { SAID, ANSWER }
freeswitch = {
    getGlobalVariable = function(name) return GLOBALS[name] end,
    consoleLog = function(_, text) told("log", (text:gsub("%%s+$", ""))) end,
    API = function() return { execute = function(_, name, question) told("ask", name, question); return "" end } end,
    JSON = function()
        return {
            encode = function(_, values)
                local parts = {}
                for key, value in pairs(values) do
                    local text = type(value) == "string" and quoted(value) or tostring(value)
                    parts[#parts + 1] = quoted(key) .. ":" .. text
                end
                return "{" .. table.concat(parts, ",") .. "}"
            end,
            decode = function() return table.remove(decoded, 1) end,
        }
    end,
}
dofile(%s)
"""
OK = {"status_code": 200, "body": "..."}
REJECT = {"action": "reject", "rule": "blocklist", "id": "7KQ2M4XA", "sip_code": 608}


class ScriptRun(NamedTuple):
    """The arguments of the request, and what was done: `[("execute", "respond", "608 Declined")]`."""

    question: list[str]
    done: list[tuple[str, ...]]

    @property
    def facts(self) -> CallFacts:
        """Return the facts as mod_curl sends them: the argument after `post`, URL-decoded."""
        body = unquote(self.question[self.question.index("post") + 1])
        return msgspec.convert(json.loads(body), CallFacts)


def run(
    variables: Mapping[str, str], said: object = OK, answer: object = REJECT, globals: Mapping[str, str] | None = None
) -> ScriptRun:
    settings = {"callsieve_token": "cs_secret", **(globals or {})}
    places = (*(lua_of(item) for item in (variables, settings, said, answer)), lua_of(str(SCRIPT)))
    done = subprocess.run(
        [ensure_lua(), "-"],
        input=STUB % places,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        errors="replace",
    )
    lines = [tuple(line.split("\t")) for line in done.stdout.splitlines()]
    ((_, name, question),) = (line for line in lines if line[0] == "ask")
    assert name == "curl"
    return ScriptRun(shlex.split(question), [line for line in lines if line[0] not in ("ask", "log")])


def lua_of(value: Any) -> str:
    """Return the value as a Lua literal."""
    if value is None:
        return "nil"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(f"\\x{byte:02x}" for byte in value.encode()) + '"'
    return "{" + ", ".join(f"[{lua_of(key)}] = {lua_of(item)}" for key, item in value.items()) + "}"


def test_script_sends_the_received_fields() -> None:
    ran = run(
        {
            "caller_id_number": CALLER,
            "caller_id_name": "Jane",
            "destination_number": "+442071838750",
            "sip_call_id": "a84b4c76@192.0.2.1",
            "sip_h_Diversion": "<sip:+12015550101@c.example>",
        }
    )
    assert ran.question[:8] == [
        *("http://127.0.0.1:8480/api/v1/decide", "json", "connect-timeout", "1", "timeout", "1"),
        *("content-type", "application/json"),
    ]
    assert "Authorization: Bearer cs_secret" in ran.question
    assert ran.facts == CallFacts(
        caller=CALLER,
        name="Jane",
        did="+442071838750",
        trunk="freeswitch/carrier",
        call_id="a84b4c76@192.0.2.1",
        diversion="<sip:+12015550101@c.example>",
    )


def test_hostile_caller_text_stays_one_argument() -> None:
    hostile = "x' post {} \\' append_headers \"y\n\t%41 +"
    plain, ran = run({}), run({"caller_id_name": hostile, "sip_call_id": hostile, "destination_number": hostile})
    assert len(ran.question) == len(plain.question)
    assert (ran.facts.name, ran.facts.did, ran.facts.call_id) == (hostile, hostile, hostile)


@pytest.mark.parametrize(
    ("asserted", "caller"),
    [
        pytest.param(CALLER, CALLER, id="user"),
        pytest.param(f"{CALLER}@c.example", CALLER, id="user-and-domain"),
        pytest.param(f'"sip:1@x <sip:2@x>" <sip:{CALLER};verstat=x@c.example>', CALLER, id="verbatim"),
        pytest.param(f"<tel:{CALLER}>", CALLER, id="telephone"),
        pytest.param("", "+12015550199", id="none"),
    ],
)
def test_caller_comes_from_the_asserted_identity(asserted: str, caller: str) -> None:
    ran = run({"sip_P-Asserted-Identity": asserted, "caller_id_number": "+12015550199"})
    assert ran.facts.caller == caller


@pytest.mark.parametrize(
    ("verstat", "said"),
    [
        ("TN-Validation-Passed-A", ("passed", "A")),
        ("TN-Validation-Failed-C", ("failed", "C")),
        ("No-TN-Validation", ("none", "none")),
    ],
)
def test_verstat_of_freeswitch_is_passed_on(verstat: str, said: tuple[str, str]) -> None:
    facts = run({"sip_verstat_detailed": verstat, "sip_Privacy": "id"}).facts
    assert (facts.verification, facts.attestation) == said
    assert facts.withheld


AWAY = {"callsieve_away": "7000 XML default"}


@pytest.mark.parametrize(
    ("answer", "globals", "done"),
    [
        pytest.param(REJECT, {}, [("execute", "respond", "608 Declined"), ("hangup", "CALL_REJECTED")], id="reject"),
        pytest.param({"action": "route"}, AWAY, [("execute", "transfer", "7000 XML default")], id="route"),
        pytest.param({"action": "challenge"}, {}, [], id="challenge-without-a-place"),
        pytest.param({"action": "allow", "name": "x"}, {}, [], id="allow"),
        pytest.param(
            {"action": "warn", "name": 'SPAM? ${x} "y"'},
            {},
            [
                ("set", "alert_info", "<http://localhost>;info=callsieve-warn"),
                ("set", "effective_caller_id_name", "SPAM?   x   y "),
            ],
            id="warn",
        ),
    ],
)
def test_script_applies_the_answer(answer: object, globals: Mapping[str, str], done: list[tuple[str, ...]]) -> None:
    ran = run({}, answer=answer, globals=globals)
    assert [item for item in ran.done if not item[1].startswith("callsieve_")] == done


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        pytest.param(None, None, id="no-answer"),
        pytest.param({"status_code": 0}, None, id="timed-out"),
        pytest.param({"status_code": 401, "body": "..."}, REJECT, id="refused"),
        pytest.param(OK, None, id="no-json"),
    ],
)
def test_call_goes_on_without_an_answer(said: object, answer: object) -> None:
    assert run({}, said, answer).done == [
        ("set", "callsieve_action", "allow"),
        ("set", "callsieve_rule", "fail-open"),
        ("set", "callsieve_id", ""),
    ]
