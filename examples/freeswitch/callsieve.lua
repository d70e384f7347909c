-- CallSieve for FreeSWITCH 1.10: sends a request for each call from the dialplan. Without an answer the call goes on.
-- How to use it: docs/how-to/other-switches.md. Written from FreeSWITCH's source and documentation; not run on one.
--
--   <action application="lua" data="callsieve.lua freeswitch/carrier"/>
--
-- as the first action of the extension for calls from outside. Needs mod_lua and mod_curl. Afterwards the
-- channel has callsieve_action, callsieve_rule and callsieve_id. A rejected call has already ended.

local URL = freeswitch.getGlobalVariable("callsieve_url") or "http://127.0.0.1:8480/api/v1/decide"
local TOKEN = freeswitch.getGlobalVariable("callsieve_token") or ""
local TRUNK = argv[1] or "freeswitch"
-- The destination of routed calls, for instance "7000 XML default". Empty: the call goes on.
local AWAY = freeswitch.getGlobalVariable("callsieve_away") or ""
-- mod_curl counts in whole seconds. CallSieve itself answers within 0.55 s.
local SECONDS = 1

local function value(name)
    return session:getVariable(name) or ""
end

local function urlencoded(text)
    return (text:gsub("[^A-Za-z0-9_.~-]", function(c) return string.format("%%%02X", c:byte()) end))
end

-- The facts of the call. The JSON encoder quotes every value, and the text is URL-encoded, which mod_curl decodes:
-- so no text from a caller becomes an argument.
local function facts()
    local asserted = value("sip_P-Asserted-Identity")
    local verstat = value("sip_verstat_detailed")
    -- Only the text in the last brackets: a display name before them comes from the caller.
    local uri = asserted:match("<([^<>]*)>[^<>]*$") or asserted
    local told = {
        caller = uri:match("^%a+:([^@;]+)") or uri:match("^[^@;]+"),
        name = value("caller_id_name"),
        did = value("destination_number"),
        trunk = TRUNK,
        call_id = value("sip_call_id"),
        asserted = asserted,
        diversion = value("sip_h_Diversion"),
        priority = value("sip_h_Priority"),
    }
    if not told.caller or told.caller == "" then
        told.caller = value("caller_id_number")
    end
    if value("sip_Privacy"):find("id") then
        told.withheld = true
    end
    -- Set by the application sofia_stir_shaken_vs, if it ran before.
    if verstat:find("^TN%-Validation%-Passed") then
        told.verification = "passed"
    elseif verstat:find("^TN%-Validation%-Failed") then
        told.verification = "failed"
    end
    local level = verstat:match("%-([ABC])$")
    if level then
        told.attestation = level
    end
    return told
end

local function ask()
    local json = freeswitch.JSON()
    local body = urlencoded(json:encode(facts()))
    local question = URL .. " json connect-timeout " .. SECONDS .. " timeout " .. SECONDS
        .. " content-type application/json append_headers 'Authorization: Bearer " .. TOKEN .. "' post " .. body
    local said = json:decode(freeswitch.API():execute("curl", question))
    if type(said) ~= "table" or tonumber(said.status_code) ~= 200 then
        return { action = "allow", rule = "fail-open" }
    end
    local answer = json:decode(said.body)
    return type(answer) == "table" and answer or { action = "allow", rule = "fail-open" }
end

local asked, answer = pcall(ask)
if not asked then
    freeswitch.consoleLog("WARNING", "CallSieve cannot be asked: the call goes on\n")
    answer = { action = "allow", rule = "fail-open" }
end

local action = answer.action or "allow"
session:setVariable("callsieve_action", action)
session:setVariable("callsieve_rule", answer.rule or "")
session:setVariable("callsieve_id", type(answer.id) == "string" and answer.id or "")

if action == "reject" then
    session:execute("respond", tostring(math.floor(tonumber(answer.sip_code) or 603)) .. " Declined")
    session:hangup("CALL_REJECTED")
elseif (action == "route" or action == "challenge") and AWAY ~= "" then
    session:execute("transfer", AWAY)
elseif action == "tag" or action == "warn" then
    session:setVariable("alert_info", "<http://localhost>;info=callsieve-" .. action)
    if type(answer.name) == "string" and answer.name ~= "" then
        -- It contains text from the caller: remove FreeSWITCH's own syntax, and quotes.
        local shown = answer.name:gsub("[%c\"\\${}'<>]", " ")
        session:setVariable("effective_caller_id_name", shown)
    end
end
