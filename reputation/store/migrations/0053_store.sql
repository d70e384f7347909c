-- The store of version 53, as 53 steps had made it. Later steps follow in files of their own.
CREATE TABLE person (
    extension TEXT PRIMARY KEY,
    endpoint TEXT,
    grp TEXT,
    language TEXT,
    name TEXT,
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX person_endpoint ON person (endpoint) WHERE endpoint IS NOT NULL;

CREATE TABLE did (
    number TEXT PRIMARY KEY,
    grp TEXT,
    callee TEXT,
    screen INTEGER NOT NULL CHECK (screen IN (0, 1)),
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE own_number (
    number TEXT PRIMARY KEY,
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE list_entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    list TEXT NOT NULL CHECK (list IN ('allow', 'block')),
    kind TEXT NOT NULL CHECK (kind IN ('exact', 'prefix', 'range')),
    first TEXT NOT NULL,
    last TEXT NOT NULL CHECK ((kind = 'range') = (last <> '')),
    action TEXT,
    note TEXT NOT NULL,
    expires_at REAL,
    added_at REAL NOT NULL,
    UNIQUE (first, last, kind, list)
) STRICT;
CREATE INDEX list_entry_expiry ON list_entry (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE list_prefix (
    prefix TEXT NOT NULL,
    entry INTEGER NOT NULL REFERENCES list_entry (id) ON DELETE CASCADE,
    PRIMARY KEY (prefix, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX list_prefix_entry ON list_prefix (entry);

CREATE TABLE personal_entry (
    number TEXT NOT NULL,
    person TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('allow', 'block')),
    at REAL NOT NULL,
    source TEXT NOT NULL DEFAULT 'person'
    CHECK (source IN ('person', 'mark', 'mark-over-allow')),
    PRIMARY KEY (number, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX personal_entry_person ON personal_entry (person);

CREATE TABLE expected_call (
    person TEXT PRIMARY KEY,
    until REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX expected_call_until ON expected_call (until);

CREATE TABLE contact (
    number TEXT NOT NULL,
    person TEXT NOT NULL,
    source TEXT NOT NULL,
    name TEXT,
    PRIMARY KEY (number, person, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_source ON contact (source);

CREATE TABLE import_source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('spam', 'ok')),
    live INTEGER NOT NULL CHECK (live IN (0, 1)),
    imported_at REAL NOT NULL,
    touched_at REAL NOT NULL,
    numbers INTEGER NOT NULL,
    format TEXT,
    digest TEXT,
    staged_to TEXT NOT NULL DEFAULT '',
    every_seconds REAL,
    numbers_before INTEGER,
    failed_at REAL,
    failure TEXT
) STRICT;
CREATE UNIQUE INDEX import_source_live ON import_source (name) WHERE live = 1;

CREATE TABLE imported (
    number TEXT NOT NULL,
    source INTEGER NOT NULL,
    category TEXT,
    name TEXT,
    note TEXT,
    PRIMARY KEY (number, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE identity (
    number TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    level INTEGER NOT NULL CHECK (level IN (1, 2)),
    expires_at REAL NOT NULL,
    note TEXT NOT NULL,
    added_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE emergency_call (
    at REAL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    caller TEXT,
    caller_kind TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    did TEXT,
    trunk TEXT,
    callee TEXT,
    action TEXT NOT NULL,
    would_be TEXT NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    level TEXT NOT NULL,
    log_odds REAL NOT NULL,
    vector TEXT NOT NULL,
    policy TEXT NOT NULL,
    elapsed_ms REAL NOT NULL,
    caller_text TEXT NOT NULL DEFAULT '',
    first_call INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX decision_caller ON decision (caller, at) WHERE caller IS NOT NULL;
CREATE INDEX decision_linkedid ON decision (linkedid, at);
CREATE INDEX decision_at ON decision (at, would_be, caller);
CREATE INDEX decision_would_be ON decision (would_be, at) WHERE would_be <> 'allow';
CREATE INDEX decision_rule ON decision (rule, at) WHERE rule <> 'default';
CREATE INDEX decision_callee ON decision (callee, at) WHERE callee IS NOT NULL;
CREATE INDEX decision_did ON decision (did, at) WHERE did IS NOT NULL;
CREATE INDEX decision_short_code ON decision (at) WHERE caller_kind = 'short-code';
CREATE INDEX decision_elsewhere ON decision (substr(linkedid, 1, instr(linkedid, ':')), at) WHERE instr(linkedid, ':') > 0;

CREATE TABLE outcome (
    linkedid TEXT PRIMARY KEY,
    at REAL NOT NULL,
    direction TEXT NOT NULL,
    disposition TEXT NOT NULL,
    caller TEXT,
    caller_kind TEXT NOT NULL,
    did TEXT,
    dialled TEXT,
    own_number TEXT,
    trunk TEXT,
    answered_by TEXT,
    grp TEXT,
    queue TEXT,
    rung TEXT NOT NULL,
    forked INTEGER NOT NULL,
    ring_seconds REAL NOT NULL,
    talk_seconds REAL NOT NULL,
    cause INTEGER,
    sip_code INTEGER,
    ended_by TEXT,
    voicemail_left INTEGER NOT NULL,
    transferred INTEGER NOT NULL,
    parked INTEGER NOT NULL,
    conference INTEGER NOT NULL,
    challenge TEXT,
    complete INTEGER NOT NULL,
    source TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    decision_id TEXT,
    action TEXT,
    waits_since REAL,
    answered_by_pbx INTEGER NOT NULL DEFAULT 0,
    rang_by TEXT,
    blocked INTEGER NOT NULL DEFAULT 0,
    machine INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX outcome_at ON outcome (at);
CREATE INDEX outcome_caller ON outcome (caller, at) WHERE caller IS NOT NULL;
CREATE INDEX outcome_dialled ON outcome (dialled, at) WHERE dialled IS NOT NULL;
CREATE INDEX outcome_waiting ON outcome (waits_since) WHERE waits_since IS NOT NULL;
CREATE INDEX outcome_own_number ON outcome (own_number, at) WHERE own_number IS NOT NULL;
CREATE INDEX outcome_did ON outcome (did, at) WHERE did IS NOT NULL;
CREATE INDEX outcome_uncommon ON outcome (disposition) WHERE disposition NOT IN ('answered', 'no-answer');
CREATE INDEX outcome_voicemail ON outcome (voicemail_left) WHERE voicemail_left = 1;

CREATE TABLE reached (
    person TEXT NOT NULL,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    number TEXT,
    PRIMARY KEY (person, at, linkedid)
) STRICT, WITHOUT ROWID;
CREATE INDEX reached_number ON reached (number) WHERE number IS NOT NULL;
CREATE INDEX reached_at ON reached (at);

CREATE TABLE challenge_result (
    linkedid TEXT PRIMARY KEY,
    result TEXT NOT NULL CHECK (result IN ('passed', 'wrong', 'silent')),
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signal (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    callee TEXT NOT NULL,
    category TEXT NOT NULL,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, callee, category)
) STRICT, WITHOUT ROWID;
CREATE INDEX signal_at ON signal (at);
CREATE INDEX signal_elsewhere ON signal (callee, number) WHERE instr(callee, ':') > 0;

CREATE TABLE answered (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    callee TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, callee)
) STRICT, WITHOUT ROWID;
CREATE INDEX answered_at ON answered (at);
CREATE INDEX answered_elsewhere ON answered (callee, number) WHERE instr(callee, ':') > 0;

CREATE TABLE talk (
    number TEXT NOT NULL,
    person TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (number, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX talk_at ON talk (at);

CREATE TABLE inbound_talk (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    callee TEXT NOT NULL,
    first_at REAL NOT NULL,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, callee)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbound_talk_at ON inbound_talk (at);

CREATE TABLE mark (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    reporter TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('spam', 'ok', 'retracted')),
    at REAL NOT NULL,
    channel TEXT NOT NULL,
    grp TEXT NOT NULL,
    category TEXT NOT NULL,
    reason TEXT NOT NULL,
    linkedid TEXT NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, reporter)
) STRICT, WITHOUT ROWID;
CREATE INDEX mark_reporter ON mark (reporter, at);
CREATE INDEX mark_at ON mark (at);
CREATE INDEX mark_elsewhere ON mark (reporter, number) WHERE instr(reporter, ':') > 0;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    number TEXT,
    name TEXT NOT NULL,
    before TEXT,
    after TEXT
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_number ON audit (number, at) WHERE number IS NOT NULL;

CREATE TABLE standing (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    at REAL NOT NULL,
    marks REAL NOT NULL,
    answers REAL NOT NULL,
    behaviour REAL NOT NULL,
    reporters INTEGER NOT NULL,
    grps INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    silent INTEGER NOT NULL,
    signals TEXT NOT NULL,
    burst_at REAL,
    may_be_bad INTEGER NOT NULL CHECK (may_be_bad IN (0, 1)),
    one_ring REAL NOT NULL DEFAULT 0,
    witnessed TEXT NOT NULL DEFAULT '[]',
    challenges TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (number, auth_class)
) STRICT, WITHOUT ROWID;
CREATE INDEX standing_block ON standing (substr(number, 1, length(number) - 3), auth_class, at) WHERE may_be_bad = 1;
CREATE INDEX standing_burst ON standing (burst_at) WHERE burst_at IS NOT NULL;

CREATE TABLE folding (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    weights TEXT NOT NULL,
    after TEXT
) STRICT;

CREATE TABLE epoch (
    number TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    at REAL NOT NULL,
    reason TEXT NOT NULL,
    who TEXT NOT NULL,
    PRIMARY KEY (number, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE review (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    who TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settled (
    reporter TEXT NOT NULL,
    case_id TEXT NOT NULL,
    agrees INTEGER NOT NULL CHECK (agrees IN (0, 1)),
    at REAL NOT NULL,
    PRIMARY KEY (reporter, case_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE "one_ring" (
    number TEXT NOT NULL,
    at REAL NOT NULL,
    auth_class TEXT NOT NULL,
    PRIMARY KEY (number, at, auth_class)
) STRICT, WITHOUT ROWID;
CREATE INDEX one_ring_at ON one_ring (at);

CREATE TABLE own_register (
    number TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    purpose TEXT NOT NULL,
    owner TEXT NOT NULL,
    trunks TEXT NOT NULL,
    documents TEXT NOT NULL,
    registered TEXT NOT NULL,
    next_check_at REAL,
    checked_at REAL,
    state TEXT NOT NULL CHECK (state IN ('active', 'resting', 'retired')),
    since REAL NOT NULL,
    added_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE console_user (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'administrator')),
    password TEXT NOT NULL,
    extension TEXT,
    added_at REAL NOT NULL,
    password_at REAL NOT NULL,
    totp_secret TEXT,
    totp_step INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE console_session (
    token TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES console_user (name) ON DELETE CASCADE,
    began_at REAL NOT NULL,
    seen_at REAL NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX console_session_user ON console_session (user);

CREATE TABLE appeal (
    reference TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    contact TEXT NOT NULL,
    opened_at REAL NOT NULL,
    statement TEXT NOT NULL,
    decision_id TEXT,
    state TEXT NOT NULL CHECK (state IN ('open', 'in force', 'upheld', 'denied', 'withdrawn')),
    proven INTEGER NOT NULL CHECK (proven IN (0, 1)),
    in_force_at REAL,
    closed_at REAL,
    reason TEXT NOT NULL,
    category_only INTEGER NOT NULL CHECK (category_only IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX appeal_number ON appeal (number, state, closed_at);
CREATE UNIQUE INDEX appeal_live ON appeal (number) WHERE state IN ('open', 'in force');

CREATE TABLE attachment (
    appeal TEXT NOT NULL REFERENCES appeal (reference) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    added_at REAL NOT NULL,
    added_by TEXT NOT NULL,
    digest TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (appeal, place),
    UNIQUE (appeal, digest)
) STRICT;

CREATE TABLE call_back_code (
    about TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    digest BLOB NOT NULL,
    made_at REAL NOT NULL,
    tries INTEGER NOT NULL,
    name TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX call_back_code_number ON call_back_code (number);
CREATE INDEX call_back_code_made ON call_back_code (made_at);

CREATE TABLE tombstone (
    number TEXT NOT NULL,
    reporter TEXT NOT NULL,
    case_id TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (number, reporter, case_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone_case ON tombstone (case_id);
CREATE INDEX tombstone_until ON tombstone (until);

CREATE TABLE own_day (
    number TEXT NOT NULL,
    day INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    answered INTEGER NOT NULL DEFAULT 0,
    short INTEGER NOT NULL DEFAULT 0,
    unanswered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    abandoned INTEGER NOT NULL DEFAULT 0,
    outside INTEGER NOT NULL DEFAULT 0,
    people INTEGER NOT NULL DEFAULT 0,
    repeated INTEGER NOT NULL DEFAULT 0,
    most INTEGER NOT NULL DEFAULT 0,
    called_back INTEGER NOT NULL DEFAULT 0,
    talk_seconds REAL NOT NULL DEFAULT 0,
    blocked INTEGER NOT NULL DEFAULT 0,
    machine INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (number, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE own_called (
    number TEXT NOT NULL,
    callee TEXT NOT NULL,
    day INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (number, callee, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX own_called_callee ON own_called (callee, day);
CREATE INDEX own_called_day ON own_called (day);

CREATE TABLE do_not_call (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    own_number TEXT NOT NULL,
    person TEXT NOT NULL,
    note TEXT NOT NULL,
    of_called INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX do_not_call_own ON do_not_call (own_number, at);

CREATE TABLE own_complaint (
    own_number TEXT NOT NULL,
    number TEXT NOT NULL,
    at REAL NOT NULL,
    note TEXT NOT NULL,
    of_called INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (own_number, number, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX own_complaint_at ON own_complaint (at);
CREATE INDEX own_complaint_number ON own_complaint (number) WHERE number <> '';

CREATE TABLE own_grade (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    grade TEXT NOT NULL CHECK (grade IN ('healthy', 'watch', 'at risk')),
    reasons TEXT NOT NULL,
    before TEXT,
    changed_at REAL
) STRICT, WITHOUT ROWID;

CREATE TABLE housekeeping (
    job TEXT PRIMARY KEY,
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    did TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outbound_decision (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    callee TEXT,
    day INTEGER,
    own_number TEXT,
    person TEXT,
    action TEXT NOT NULL,
    would_be TEXT NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    until REAL,
    elapsed_ms REAL NOT NULL
) STRICT;
CREATE INDEX outbound_decision_at ON outbound_decision (at);
CREATE INDEX outbound_decision_callee ON outbound_decision (callee, day) WHERE callee IS NOT NULL;
CREATE INDEX outbound_decision_own ON outbound_decision (own_number, at) WHERE own_number IS NOT NULL;

CREATE TABLE "wish" (
    person TEXT NOT NULL,
    wish TEXT NOT NULL CHECK (wish IN ('no-whisper', 'quiet-hours')),
    at REAL NOT NULL,
    PRIMARY KEY (wish, person)
) STRICT, WITHOUT ROWID;

CREATE TABLE emergency_close (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  at REAL NOT NULL
) STRICT;

CREATE TABLE list_digest (
    list TEXT PRIMARY KEY,
    digest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE old_reason (
    head TEXT NOT NULL,
    tail TEXT NOT NULL,
    place TEXT NOT NULL,
    form TEXT NOT NULL,
    code TEXT NOT NULL,
    is_cap INTEGER NOT NULL,
    PRIMARY KEY (head, tail)
) STRICT;

CREATE TABLE reason_backlog (
    journal TEXT PRIMARY KEY,
    up_to INTEGER NOT NULL
) STRICT;

CREATE TABLE challenge (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    linkedid TEXT NOT NULL,
    did TEXT NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('passed', 'wrong', 'silent', 'abandoned', 'message')),
    at REAL NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, linkedid)
) STRICT, WITHOUT ROWID;
CREATE INDEX challenge_at ON challenge (at);

CREATE TABLE site (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    salt BLOB NOT NULL,
    people INTEGER NOT NULL
) STRICT;

CREATE TABLE call_import (
    source TEXT PRIMARY KEY,
    done_to REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE own_blocked (
    number TEXT NOT NULL,
    day INTEGER NOT NULL,
    country TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (number, day, country)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at REAL NOT NULL,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX event_at ON event (at);
CREATE INDEX event_subject ON event (subject);

CREATE TABLE event_wanted (
    kind TEXT NOT NULL,
    receiver TEXT NOT NULL,
    PRIMARY KEY (kind, receiver)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_delivery (
    receiver TEXT NOT NULL,
    seq INTEGER NOT NULL REFERENCES event (seq) ON DELETE CASCADE,
    attempts INTEGER NOT NULL DEFAULT 0,
    failing_since REAL,
    next_at REAL,
    error TEXT NOT NULL DEFAULT '',
    dead_at REAL,
    PRIMARY KEY (receiver, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_delivery_seq ON event_delivery (seq);

CREATE TABLE event_receiver (
    name TEXT PRIMARY KEY,
    delivered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    delivered_at REAL,
    failed_at REAL,
    error TEXT NOT NULL DEFAULT '',
    off TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE event_state (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event_weights (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    weights TEXT NOT NULL
) STRICT;

CREATE TABLE api_token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    scopes TEXT NOT NULL,
    added_at REAL NOT NULL,
    expires_at REAL,
    per_minute INTEGER,
    used_at REAL
) STRICT;

CREATE TABLE api_answer (
    token INTEGER NOT NULL REFERENCES api_token (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    at REAL NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_answer_at ON api_answer (at);

CREATE TABLE feed_fetch (
    name TEXT PRIMARY KEY,
    of TEXT NOT NULL,
    every_seconds REAL NOT NULL,
    asked_at REAL NOT NULL,
    next_at REAL NOT NULL,
    came_at REAL,
    etag TEXT,
    modified TEXT,
    file TEXT,
    signed_at INTEGER,
    failed_at REAL,
    failure TEXT,
    failures INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE lookup_source (
    name TEXT PRIMARY KEY,
    is_outside INTEGER NOT NULL CHECK (is_outside IN (0, 1)),
    in_settings INTEGER NOT NULL CHECK (in_settings IN (0, 1)),
    off_at REAL,
    off_why TEXT,
    since REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE lookup_result (
    number TEXT NOT NULL,
    source TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('spam', 'ok', 'nothing')),
    category TEXT,
    at REAL NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (number, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX lookup_result_source ON lookup_result (source);

CREATE TABLE lookup_day (
    source TEXT NOT NULL,
    day INTEGER NOT NULL,
    asked INTEGER NOT NULL DEFAULT 0,
    answered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    micros INTEGER NOT NULL DEFAULT 0,
    failure TEXT,
    PRIMARY KEY (source, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE report (
    service TEXT NOT NULL,
    number TEXT NOT NULL,
    rating TEXT NOT NULL,
    at REAL NOT NULL,
    refused INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (service, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE report_service (
    service TEXT PRIMARY KEY,
    since REAL NOT NULL,
    looked_at REAL,
    failed_at REAL,
    failure TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE consent (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    until REAL,
    proof TEXT NOT NULL,
    person TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE register_copy (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT NOT NULL,
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    file_at REAL NOT NULL,
    imported_at REAL NOT NULL,
    numbers INTEGER NOT NULL,
    complete INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX register_copy_name ON register_copy (name) WHERE complete;

CREATE TABLE register_number (
    number INTEGER NOT NULL,
    copy INTEGER NOT NULL,
    PRIMARY KEY (number, copy)
) STRICT, WITHOUT ROWID;

CREATE TABLE own_label (
    number TEXT NOT NULL,
    platform TEXT NOT NULL,
    at REAL NOT NULL,
    label TEXT NOT NULL,
    marks INTEGER,
    kind TEXT NOT NULL,
    person TEXT NOT NULL,
    proof TEXT NOT NULL,
    next_at REAL,
    PRIMARY KEY (number, platform, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE public_appeal (
    reference TEXT PRIMARY KEY REFERENCES appeal (reference) ON DELETE CASCADE,
    link TEXT NOT NULL UNIQUE,
    filed_at REAL NOT NULL,
    called_at REAL,
    cleared TEXT,
    cleared_key TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE own_suspicion (
    number TEXT NOT NULL,
    country TEXT NOT NULL,
    network TEXT NOT NULL,
    by TEXT NOT NULL,
    since REAL NOT NULL,
    at REAL NOT NULL,
    before REAL NOT NULL,
    lately REAL NOT NULL,
    calls_before INTEGER NOT NULL,
    calls_lately INTEGER NOT NULL,
    confidence REAL NOT NULL,
    PRIMARY KEY (number, country, network, by)
) STRICT, WITHOUT ROWID;

CREATE TABLE peer (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    of TEXT NOT NULL,
    in_settings INTEGER NOT NULL CHECK (in_settings IN (0, 1)),
    weight REAL NOT NULL,
    every_seconds REAL NOT NULL,
    issuer TEXT NOT NULL DEFAULT '',
    sequence INTEGER NOT NULL DEFAULT 0,
    digest TEXT NOT NULL DEFAULT '',
    issued_at REAL,
    counts_until REAL NOT NULL DEFAULT 0,
    numbers INTEGER NOT NULL DEFAULT 0,
    cleared INTEGER NOT NULL DEFAULT 0,
    came_at REAL,
    asked_at REAL,
    next_at REAL NOT NULL DEFAULT 0,
    failed_at REAL,
    failure TEXT,
    failures INTEGER NOT NULL DEFAULT 0,
    off_at REAL,
    off_why TEXT,
    since REAL NOT NULL DEFAULT 0,
    was_right INTEGER NOT NULL DEFAULT 0,
    was_told INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE peer_number (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    peer INTEGER NOT NULL,
    level INTEGER NOT NULL,
    witnesses INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    first_week INTEGER NOT NULL,
    last_week INTEGER NOT NULL,
    category TEXT NOT NULL,
    came_at REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (number, auth_class, peer)
) STRICT, WITHOUT ROWID;

CREATE TABLE own_screenshot (
    number TEXT NOT NULL,
    platform TEXT NOT NULL,
    at REAL NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (number, platform, at)
) STRICT;

CREATE TABLE hub_link (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    site TEXT NOT NULL,
    organisation TEXT NOT NULL,
    hub TEXT NOT NULL,
    row_xid INTEGER NOT NULL DEFAULT 0,
    row_id INTEGER NOT NULL DEFAULT 0,
    notice_xid INTEGER NOT NULL DEFAULT 0,
    notice_id INTEGER NOT NULL DEFAULT 0,
    clock_us INTEGER NOT NULL DEFAULT 0,
    applying INTEGER NOT NULL DEFAULT 0 CHECK (applying IN (0, 1)),
    program TEXT NOT NULL DEFAULT '',
    pushed_at REAL,
    pulled_at REAL,
    failed_at REAL,
    failure TEXT NOT NULL DEFAULT '',
    refused INTEGER NOT NULL DEFAULT 0,
    history TEXT,
    full_at INTEGER NOT NULL DEFAULT 0,
    has_twin INTEGER NOT NULL DEFAULT 0,
    is_central INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE hub_outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    number TEXT NOT NULL,
    key TEXT NOT NULL,
    UNIQUE (number, kind, key)
) STRICT;

CREATE TABLE hub_fill (
    kind TEXT PRIMARY KEY,
    after TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hub_row (
    number TEXT NOT NULL,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    payload TEXT,
    PRIMARY KEY (number, kind, origin, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE hub_erasure (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE same_person (
    person TEXT PRIMARY KEY,
    human TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX same_person_human ON same_person (human);

CREATE TABLE ignored_site (
    site TEXT PRIMARY KEY,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hub_site (
    name TEXT PRIMARY KEY,
    is_central INTEGER NOT NULL,
    joined_at REAL NOT NULL,
    expelled_at REAL,
    seen_at REAL,
    pushed_at REAL,
    pulled_at REAL,
    outbox INTEGER NOT NULL,
    rows_pushed INTEGER NOT NULL,
    program TEXT NOT NULL,
    offset_seconds REAL NOT NULL,
    now REAL NOT NULL,
    rows_kept INTEGER NOT NULL DEFAULT 0,
    most_rows INTEGER NOT NULL DEFAULT 0,
    twin_at REAL
) STRICT, WITHOUT ROWID;

CREATE TABLE published_policy (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    note TEXT NOT NULL,
    published_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE subscription (
    name TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    key TEXT NOT NULL,
    weight REAL NOT NULL,
    added_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hub_first_try (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    at REAL NOT NULL,
    failure TEXT NOT NULL DEFAULT ''
) STRICT;

INSERT INTO folding (id, weights, after) VALUES (1, '{}', '');
INSERT INTO site (id, salt, people) VALUES (1, randomblob(16), 0);
