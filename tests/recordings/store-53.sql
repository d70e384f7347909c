BEGIN TRANSACTION;
CREATE TABLE answered (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    callee TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, callee)
) STRICT, WITHOUT ROWID;
INSERT INTO "answered" VALUES('+12015550123','unknown',0,'201',1767000041.0);
INSERT INTO "answered" VALUES('+12015550999','unknown',0,'201',1767000041.0);
CREATE TABLE api_answer (
    token INTEGER NOT NULL REFERENCES api_token (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    at REAL NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "api_answer" VALUES(1,'a1767000000.0-123','digest',1767000000.0,201,'{"number": "+12015550123"}');
INSERT INTO "api_answer" VALUES(1,'a1767000000.0-999','digest',1767000000.0,201,'{"number": "+12015550999"}');
INSERT INTO "api_answer" VALUES(1,'mark-+12015550123-1767000000.0','digest',1767000000.0,201,'{"change_id": 7}');
INSERT INTO "api_answer" VALUES(1,'mark-+12015550999-1767000000.0','digest',1767000000.0,201,'{"change_id": 7}');
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
INSERT INTO "api_token" VALUES(1,'crm','digest','operator','["write"]',1767000000.0,NULL,NULL,NULL);
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
INSERT INTO "appeal" VALUES('AP550123','+12015550123','Carol Ltd','carol@example.com',1767000000.0,'',NULL,'upheld',0,1767000000.0,1767000000.0,'they were right',0);
INSERT INTO "appeal" VALUES('AP550999','+12015550999','Carol Ltd','carol@example.com',1767000000.0,'',NULL,'upheld',0,1767000000.0,1767000000.0,'they were right',0);
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
INSERT INTO "attachment" VALUES('AP550123',1,'letter.txt',1767000000.0,'joe','52761923bfc5dc5af2c325b8a888f5a6c3564cf036a4b4dc91b538d6d93dd132',X'497420776173206E6F74202B3132303135353530313233');
INSERT INTO "attachment" VALUES('AP550999',1,'letter.txt',1767000000.0,'joe','09dc71a08ec2fd4ac0e30450057c6fdfa1179eaed047f82ff5b677d058f84dea',X'497420776173206E6F74202B3132303135353530393939');
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
INSERT INTO "audit" VALUES(1,1767000000.0,'joe','mark','+12015550123','',NULL,'{"number":"+12015550123"}');
INSERT INTO "audit" VALUES(2,1767000000.0,'joe','own complaint','+442071838750','',NULL,'{"from":"+12015550123","note":"by letter","at":1767000000.0}');
INSERT INTO "audit" VALUES(3,1767000000.0,'joe','mark','+12015550999','',NULL,'{"number":"+12015550999"}');
INSERT INTO "audit" VALUES(4,1767000000.0,'joe','own complaint','+442071838750','',NULL,'{"from":"+12015550999","note":"by letter","at":1767000000.0}');
CREATE TABLE call_back_code (
    about TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    digest BLOB NOT NULL,
    made_at REAL NOT NULL,
    tries INTEGER NOT NULL
, name TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;
INSERT INTO "call_back_code" VALUES('AP550123','+12015550123',X'849905AEE8E89B4D117C79485A1CD51D24CA4946F880E87CCD55A83C60FD3B9F',1767000000.0,0,'');
INSERT INTO "call_back_code" VALUES('AP550999','+12015550999',X'006C59A7159D51115117EA7AB79EBFA4C9A8FC6A1F35F67C13755E8B8A6932CB',1767000000.0,0,'');
CREATE TABLE call_import (
    source TEXT PRIMARY KEY,
    done_to REAL NOT NULL
) STRICT, WITHOUT ROWID;
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
INSERT INTO "challenge" VALUES('+12015550123','unknown',0,'challenged-+12015550123-1767000000.0','','passed',1767000000.0);
INSERT INTO "challenge" VALUES('+12015550123','unknown',0,'sip:+12015550123@sbc','','wrong',1767000000.0);
INSERT INTO "challenge" VALUES('+12015550999','unknown',0,'challenged-+12015550999-1767000000.0','','passed',1767000000.0);
INSERT INTO "challenge" VALUES('+12015550999','unknown',0,'sip:+12015550999@sbc','','wrong',1767000000.0);
CREATE TABLE challenge_result (
    linkedid TEXT PRIMARY KEY,
    result TEXT NOT NULL CHECK (result IN ('passed', 'wrong', 'silent')),
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "challenge_result" VALUES('challenged-+12015550123-1767000000.0','passed',1767000000.0);
INSERT INTO "challenge_result" VALUES('challenged-+12015550999-1767000000.0','passed',1767000000.0);
INSERT INTO "challenge_result" VALUES('sip:+12015550123@sbc','wrong',1767000000.0);
INSERT INTO "challenge_result" VALUES('sip:+12015550999@sbc','wrong',1767000000.0);
CREATE TABLE consent (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    until REAL,
    proof TEXT NOT NULL,
    person TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "consent" VALUES('+12015550123',1767000000.0,NULL,'contract 7','201','by letter');
INSERT INTO "consent" VALUES('+12015550999',1767000000.0,NULL,'contract 7','201','by letter');
CREATE TABLE console_session (
    token TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES console_user (name) ON DELETE CASCADE,
    began_at REAL NOT NULL,
    seen_at REAL NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE console_user (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'administrator')),
    password TEXT NOT NULL,
    extension TEXT,
    added_at REAL NOT NULL,
    password_at REAL NOT NULL
, totp_secret TEXT, totp_step INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE contact (
    number TEXT NOT NULL,
    person TEXT NOT NULL,
    source TEXT NOT NULL,
    name TEXT,
    PRIMARY KEY (number, person, source)
) STRICT, WITHOUT ROWID;
INSERT INTO "contact" VALUES('+12015550123','','crm','Carol');
INSERT INTO "contact" VALUES('+12015550999','','crm','Carol');
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
    elapsed_ms REAL NOT NULL
, caller_text TEXT NOT NULL DEFAULT '', first_call INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "decision" VALUES('+120155501231',1767000000.0,'1767000000.1','+12015550123','number','unknown','+442071838750','carrier',NULL,'allow','allow','default','nothing speaks against this number','none',0.0,'[]','cautious',0.4,'',0);
INSERT INTO "decision" VALUES('+120155501232',1767000000.0,'1767000000.1','+12015550123','number','unknown','+442071838750','carrier',NULL,'allow','allow','default','nothing speaks against this number','none',0.0,'[]','cautious',0.4,'',0);
INSERT INTO "decision" VALUES('+120155509991',1767000000.0,'1767000000.1','+12015550999','number','unknown','+442071838750','carrier',NULL,'allow','allow','default','nothing speaks against this number','none',0.0,'[]','cautious',0.4,'',0);
INSERT INTO "decision" VALUES('+120155509992',1767000000.0,'1767000000.1','+12015550999','number','unknown','+442071838750','carrier',NULL,'allow','allow','default','nothing speaks against this number','none',0.0,'[]','cautious',0.4,'',0);
CREATE TABLE did (
    number TEXT PRIMARY KEY,
    grp TEXT,
    callee TEXT,
    screen INTEGER NOT NULL CHECK (screen IN (0, 1)),
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE do_not_call (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    own_number TEXT NOT NULL,
    person TEXT NOT NULL,
    note TEXT NOT NULL
, of_called INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO "do_not_call" VALUES('+12015550123',1767000000.0,'+442071838750','201','',0);
INSERT INTO "do_not_call" VALUES('+12015550999',1767000000.0,'+442071838750','201','',0);
CREATE TABLE emergency_call (
    at REAL PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TABLE emergency_close (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  at REAL NOT NULL
) STRICT;
CREATE TABLE epoch (
    number TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    at REAL NOT NULL,
    reason TEXT NOT NULL,
    who TEXT NOT NULL,
    PRIMARY KEY (number, epoch)
) STRICT, WITHOUT ROWID;
INSERT INTO "epoch" VALUES('+12015550123',1,1766913600.0,'reassigned','admin');
INSERT INTO "epoch" VALUES('+12015550999',1,1766913600.0,'reassigned','admin');
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at REAL NOT NULL,
    data TEXT NOT NULL
) STRICT;
INSERT INTO "event" VALUES(1,'evt_019B696846003BC2A13EAF6DFF','appeal.due','+12015550123',1767000000.0,'{"reference":"AP000000","number":"+12015550123","due_at":1767000000.0,"overdue":false}');
INSERT INTO "event" VALUES(2,'evt_019B69684600B27E35C2F31F98','emergency.opened','emergency',1767000000.0,'{"by":"0012015550123"}');
INSERT INTO "event" VALUES(3,'evt_019B69684600557A4440FB4DD0','appeal.due','+12015550999',1767000000.0,'{"reference":"AP000000","number":"+12015550999","due_at":1767000000.0,"overdue":false}');
INSERT INTO "event" VALUES(4,'evt_019B6968460094DCC79A4A3C71','emergency.opened','emergency',1767000000.0,'{"by":"0012015550999"}');
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
INSERT INTO "event_delivery" VALUES('crm',1,0,NULL,NULL,'',NULL);
INSERT INTO "event_delivery" VALUES('crm',2,0,NULL,NULL,'',NULL);
INSERT INTO "event_delivery" VALUES('crm',3,0,NULL,NULL,'',NULL);
INSERT INTO "event_delivery" VALUES('crm',4,0,NULL,NULL,'',NULL);
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
INSERT INTO "event_receiver" VALUES('crm',0,0,0,0,NULL,NULL,'','');
CREATE TABLE event_state (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE event_wanted (
    kind TEXT NOT NULL,
    receiver TEXT NOT NULL,
    PRIMARY KEY (kind, receiver)
) STRICT, WITHOUT ROWID;
INSERT INTO "event_wanted" VALUES('appeal.due','crm');
INSERT INTO "event_wanted" VALUES('emergency.opened','crm');
CREATE TABLE event_weights (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    weights TEXT NOT NULL
) STRICT;
INSERT INTO "event_weights" VALUES(1,'{"marks":{"half_life_days":30.0,"marked_if_unwanted":0.1,"marked_if_wanted":0.005,"contamination":0.03,"channels":{"extension":1.0,"web":0.7,"cli":1.0,"site":0.7},"burst_marks":5,"burst_minutes":60.0},"behaviour":{"half_life_days":14.0,"contamination":0.03,"hung_up_on":1.2,"one_ring":0.8,"one_ring_half_life_hours":36.0,"one_ring_an_hour":5,"unanswered_an_hour":6,"unanswered":0.2,"voicemail":-0.3,"long_talk":-0.3,"called_back":-2.0,"second_talk":-1.5},"caller":{"passed":-1.2,"passed_half_life_days":30.0,"abandoned":0.5,"failed":1.0,"failed_again":1.3,"failed_half_life_days":14.0,"pass_days":30.0,"pass_hours":24.0,"pass_marks":2},"witnesses":{"days":90.0,"label_share":0.025,"label_least":2,"label_most":5,"challenge_share":0.07,"challenge_least":5,"challenge_most":16,"of_a_site":1},"outside":{"convicts":1.5,"speaks":1.0},"sample":{"every":4},"block":{"days":60.0,"some":3,"some_weight":1.0,"many":5,"many_weight":1.5,"bad_from":2.9},"feeds":{"spam":1.5,"all_spam":2.5,"allow":-1.5},"peers":{"spam":1.5,"all_spam":2.0,"cleared":-1.5},"attestation":{"verified_a":-0.5,"b":0.7,"c":1.0,"failed":1.5},"quiet":{"weight":0.5,"first_hour":22,"last_hour":8,"time_zone":""},"plan":{"telemarketing":1.5,"do_not_originate":1.5,"unallocated":1.5},"carrier_label":{"spam":1.5},"first_call":{"one_neighbour":1.0,"some":3,"some_neighbours":1.5,"next_did":1.0,"long":3,"walk":1.5,"most":2.5},"identity":{"level_1":-0.5,"level_2":-1.5,"level_3":-3.0,"marks_contamination_1":0.05,"marks_contamination_2":0.1,"marks_contamination_3":0.2},"appeal":{"marks_contamination":0.2,"days":90.0},"trust":{"agree":8.0,"disagree":2.0,"least":0.1},"levels":{"tag":1.5,"warn":2.4,"challenge":3.9,"challenge_seen":1.0,"challenge_unseen":4.5,"route":5.5,"reject":6.8,"reject_marks":1.5,"reject_behaviour":1.5,"reject_reporters":2,"reject_groups":2,"reject_reporters_without_groups":3},"before_epoch":0.25}');
CREATE TABLE expected_call (
    person TEXT PRIMARY KEY,
    until REAL NOT NULL
) STRICT, WITHOUT ROWID;
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
CREATE TABLE folding (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    weights TEXT NOT NULL,
    after TEXT
) STRICT;
INSERT INTO "folding" VALUES(1,'{}','');
CREATE TABLE housekeeping (
    job TEXT PRIMARY KEY,
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    did TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE hub_erasure (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE hub_fill (
    kind TEXT PRIMARY KEY,
    after TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE hub_first_try (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    at REAL NOT NULL,
    failure TEXT NOT NULL DEFAULT ''
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
    refused INTEGER NOT NULL DEFAULT 0
, history TEXT, full_at INTEGER NOT NULL DEFAULT 0, has_twin INTEGER NOT NULL DEFAULT 0, is_central INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE hub_outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    number TEXT NOT NULL,
    key TEXT NOT NULL,
    UNIQUE (number, kind, key)
) STRICT;
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
INSERT INTO "hub_row" VALUES('+12015550123','identity','berlin','[]',1,1,0,0,0,'{}');
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
    now REAL NOT NULL
, rows_kept INTEGER NOT NULL DEFAULT 0, most_rows INTEGER NOT NULL DEFAULT 0, twin_at REAL) STRICT, WITHOUT ROWID;
CREATE TABLE identity (
    number TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    level INTEGER NOT NULL CHECK (level IN (1, 2)),
    expires_at REAL NOT NULL,
    note TEXT NOT NULL,
    added_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "identity" VALUES('+12015550123','Carol Ltd',1,1767086400.0,'',1767000000.0);
INSERT INTO "identity" VALUES('+12015550999','Carol Ltd',1,1767086400.0,'',1767000000.0);
CREATE TABLE ignored_site (
    site TEXT PRIMARY KEY,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE import_source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('spam', 'ok')),
    live INTEGER NOT NULL CHECK (live IN (0, 1)),
    imported_at REAL NOT NULL,
    touched_at REAL NOT NULL,
    numbers INTEGER NOT NULL
, format TEXT, digest TEXT, staged_to TEXT NOT NULL DEFAULT '', every_seconds REAL, numbers_before INTEGER, failed_at REAL, failure TEXT) STRICT;
INSERT INTO "import_source" VALUES(1,'feed','spam',1,1767000000.0,1767000000.0,2,NULL,'c2d7832bbd3446dfbcbcd461667a93a9','+12015550999',NULL,NULL,NULL,NULL);
CREATE TABLE imported (
    number TEXT NOT NULL,
    source INTEGER NOT NULL,
    category TEXT,
    name TEXT,
    note TEXT,
    PRIMARY KEY (number, source)
) STRICT, WITHOUT ROWID;
INSERT INTO "imported" VALUES('+12015550123',1,'scam',NULL,NULL);
INSERT INTO "imported" VALUES('+12015550999',1,NULL,NULL,NULL);
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
INSERT INTO "inbound_talk" VALUES('+12015550123','unknown',0,'201',1767000041.0,1767000041.0,'+12015550123b');
INSERT INTO "inbound_talk" VALUES('+12015550999','unknown',0,'201',1767000041.0,1767000041.0,'+12015550999b');
CREATE TABLE list_digest (
    list TEXT PRIMARY KEY,
    digest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "list_digest" VALUES('allow',0);
INSERT INTO "list_digest" VALUES('block',33692018966300103);
INSERT INTO "list_digest" VALUES('personal',872876100201848);
INSERT INTO "list_digest" VALUES('prefixes',37726110641293611);
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
INSERT INTO "list_entry" VALUES(1,'block','exact','+12015550123','',NULL,'',NULL,1767000000.0);
INSERT INTO "list_entry" VALUES(2,'block','exact','+12015550999','',NULL,'',NULL,1767000000.0);
INSERT INTO "list_entry" VALUES(3,'block','prefix','+1201','',NULL,'all of New Jersey',NULL,1767000000.0);
CREATE TABLE list_prefix (
    prefix TEXT NOT NULL,
    entry INTEGER NOT NULL REFERENCES list_entry (id) ON DELETE CASCADE,
    PRIMARY KEY (prefix, entry)
) STRICT, WITHOUT ROWID;
INSERT INTO "list_prefix" VALUES('+12015550123',1);
INSERT INTO "list_prefix" VALUES('+12015550999',2);
INSERT INTO "list_prefix" VALUES('+1201',3);
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
CREATE TABLE lookup_result (
    number TEXT NOT NULL,
    source TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('spam', 'ok', 'nothing')),
    category TEXT,
    at REAL NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (number, source)
) STRICT, WITHOUT ROWID;
CREATE TABLE lookup_source (
    name TEXT PRIMARY KEY,
    is_outside INTEGER NOT NULL CHECK (is_outside IN (0, 1)),
    in_settings INTEGER NOT NULL CHECK (in_settings IN (0, 1)),
    off_at REAL,
    off_why TEXT,
    since REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
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
INSERT INTO "mark" VALUES('+12015550123','unknown',0,'201','spam',1767000000.0,'cli','','','','');
INSERT INTO "mark" VALUES('+12015550999','unknown',0,'201','spam',1767000000.0,'cli','','','','');
CREATE TABLE migration (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    at REAL NOT NULL
) STRICT
;
INSERT INTO "migration" VALUES(1,'0001_first','d475db5794b0064eb52032e684e0edf5d92765d657972c30506c0240b094f9a6',1.79599983852419424e+09);
INSERT INTO "migration" VALUES(2,'0002_outcomes','478be9421d201d42082049db450b80b0997b71db4873ddedd07bc660954982ad',1.79599983856702661e+09);
INSERT INTO "migration" VALUES(3,'0003_audit','2af8be0d3abc57ba1e8a915b42af08c237a4226e0f804ebc9eeb39883461ca13',1.79599983856762647e+09);
INSERT INTO "migration" VALUES(4,'0004_standing','c6f11ed83898498c1831e62aa684ec9188ab4429de872bee8df228c2b8bfa9bc',1.79599983858511352e+09);
INSERT INTO "migration" VALUES(5,'0005_feeds','21c9103a6b25fa7ffbc1f4840786a2ec775587f88081b8b808e9b9093b23f9dd',1795999838.58808);
INSERT INTO "migration" VALUES(6,'0006_one_ring_class','1ca3cfee75ed7bef28c9dce78f7d9c93fc9b768a7679468dc1a95a71b3afbea0',1.7959998386321671e+09);
INSERT INTO "migration" VALUES(7,'0007_wishes','bc7fda432041cb12b0872381618a8a631a397ac15e2292cdeff78dfe6a1dd144',1.79599983863256907e+09);
INSERT INTO "migration" VALUES(8,'0008_own_register','85a5251b1232f32a2c3421c81e2397e4e58178efe2562d2b27a8a576fa2bd320',1.79599983863284277e+09);
INSERT INTO "migration" VALUES(9,'0009_console','5cbd597d4414d64e81a4c3a9c3a2747917aa4215b12e9e49fe2d8bc196becaa3',1.79599983863313817e+09);
INSERT INTO "migration" VALUES(10,'0010_appeals','29d888661f0aea70a4ee094592a3a6b49a4961bed95dad3dc1f0d2605ce0ef40',1.79599983864667153e+09);
INSERT INTO "migration" VALUES(11,'0011_own_days','0bdc4c701a975fe3d535bb49104233f246385b7df2730b98e16fc6a6d1803d52',1.79599983864808225e+09);
INSERT INTO "migration" VALUES(12,'0012_housekeeping','aa615719878c8b5d0619860011568b6851a579e7363cf16f2e68fbb41fdbd9e4',1.79599983864833378e+09);
INSERT INTO "migration" VALUES(13,'0013_outbound','fe8039a9f0e8e0ab91e9ac9c123f5693845e32bbb520acb6cf670cbfa06c43cc',1.79599983865864014e+09);
INSERT INTO "migration" VALUES(14,'0014_quiet_hours','8b56f1c09f1952f955d6cd6b8f6fa3c458638c34d95e27b9e8ee7d75d14c8416',1.79599983867018938e+09);
INSERT INTO "migration" VALUES(15,'0015_calls_index','cfaa9459ed2f200c3472126ebd4ce151ef763c022320a066db0d3ff4d9d320d5',1.79599983867095255e+09);
INSERT INTO "migration" VALUES(16,'0016_of_called','8156b99f603860342d3b71e0c6c0e177da3df2b574ca2b69721ee723671f7b20',1.79599983869589042e+09);
INSERT INTO "migration" VALUES(17,'0017_answered_by_pbx','210296571d0a8d6922ea29e671205323c13a59bc307a82326b5232cbf59e4cc8',1.79599983869704365e+09);
INSERT INTO "migration" VALUES(18,'0018_emergency_close','9f39f0f65810fbb8001f5c90085a138946eb0c7d07513eb7761403e1a050676e',1.79599983869725656e+09);
INSERT INTO "migration" VALUES(19,'0019_caller_text','adf4f5b17b03cc2eb6526a778ce987e5fe09a186d5f2e5a7bfec166088e3ee79',1.79599983869801211e+09);
INSERT INTO "migration" VALUES(20,'0020_not_spam','2d24bbfb20502f64d488ad8fcad4aa1fd94988eee1540d11762e968fad53bfac',1.7959998386981492e+09);
INSERT INTO "migration" VALUES(21,'0021_list_digest','751b0c18d42872880d4e357d10305902a51f57b7421c6a9f4a410305abf09b84',1.79599983869828677e+09);
INSERT INTO "migration" VALUES(22,'0022_second_factor','9de1926b24e56cb9c5436402304dff57a88a16202fcf931ca7435f95bb75a097',1795999838.71224);
INSERT INTO "migration" VALUES(23,'0023_reason_codes','b908682574f24c10d2073d55e6ca4f53310d661d5d1cfa8f9edcfbe18755cc64',1.79599983871323394e+09);
INSERT INTO "migration" VALUES(24,'0024_grade_codes','4a211f7771c8dc2523088166a5a45150085e48a41752f60192d978455a4a8cd7',1.79599983871352863e+09);
INSERT INTO "migration" VALUES(25,'0025_challenges','0f2661fe6020be0aa9e9a5644954bc03a569a3a16aadc00d23bd11b39170cacf',1.79599983873833012e+09);
INSERT INTO "migration" VALUES(26,'0026_code_name','730bf4daf6e84c9981ab7dcb8343436d9016175226d7ba8bb8466c1ce25d88f3',1.79599983873943781e+09);
INSERT INTO "migration" VALUES(27,'0027_call_import','56b873f3a372cd31706f1830605c5f40294d6d8389e919883dd3551edcd5d9d3',1.79599983876131176e+09);
INSERT INTO "migration" VALUES(28,'0028_service_numbers','dc40c1ffe742cfa2879251f4c3173beb83d4acb3f276a75d4aef97dd4428fbbf',1.79599983876158785e+09);
INSERT INTO "migration" VALUES(29,'0029_blocked_calls','905e22dd676046d0a42546f6056c42309c583abc7f60242cfe35bd74dd3dc036',1.79599983878745388e+09);
INSERT INTO "migration" VALUES(30,'0030_outbox','02d6a84f6912e1f0fe22cedbafa2adb2e944d80c95c7e1aa2141f2ddfd41f434',1.79599983878835582e+09);
INSERT INTO "migration" VALUES(31,'0031_grade_changes','396449a14c2af6fb50cf619a83ecfa97f83389a52cd4593d33f73a6205ab2da3',1.79599983879838347e+09);
INSERT INTO "migration" VALUES(32,'0032_api','19a72c3d513c844bf1269ec3e37e4eb9ea162f8c98d0fc689d6cde5fb8c8da3a',1.79599983879878497e+09);
INSERT INTO "migration" VALUES(33,'0033_feed_fetch','4f97b7ac2a6f6bcadfc421c119a4ba1f788a9b6d09430064ef441b1d437adfa8',1.79599983879901075e+09);
INSERT INTO "migration" VALUES(34,'0034_lookups','94d65dec868884558e8a0d9f4126e369138ec0b7be09deb556d30bbdf3ba71f0',1.79599983879941844e+09);
INSERT INTO "migration" VALUES(35,'0035_reports','9b28bc7ad810de843105bb6616225ef977177a5174153dcc9fede3455df19415',1.79599983881702375e+09);
INSERT INTO "migration" VALUES(36,'0036_first_calls','f84f80588197eb7ffa44a09a976706a375dfd5904247647271c5f616fb418738',1.7959998388182168e+09);
INSERT INTO "migration" VALUES(37,'0037_consent','4ba65112462d98bf8fbae4ed0b7629079341f45b415cbcc4897df13687a3af47',1.79599983881866788e+09);
INSERT INTO "migration" VALUES(38,'0038_own_labels','8df9560df13541db67e0008304693b7935ee512fe15e4bb4b1eca6409c431542',1.79599983881890392e+09);
INSERT INTO "migration" VALUES(39,'0039_public_appeal','e2c827d0050acd8ed2077b4e44497e0e7fdd3bcb8aa7a3db8f285efbeed9ca93',1.79599983881910967e+09);
INSERT INTO "migration" VALUES(40,'0040_called_in','35bf8dfaddcd07e1bbf68598375b8f4ed77560a0088f43e3c30a9802045420a1',1.79599983882933282e+09);
INSERT INTO "migration" VALUES(41,'0041_own_suspicion','5634988d3b37aa7c9279e0983bae8dde62ec9a617dd4bc98f5e6ab20a4d5e2b8',1795999838.83013);
INSERT INTO "migration" VALUES(42,'0042_peers','b01d8b3e2afb11d2f9e1313cf98bd75485048b85714cb6460940d948b1be3ab8',1.79599983883052587e+09);
INSERT INTO "migration" VALUES(43,'0043_cleared','97dc069288687e828fc37977e78208d781a38cec88695263dca154473dd1318c',1.79599983884965372e+09);
INSERT INTO "migration" VALUES(44,'0044_own_screenshot','a50e61bdffe4372147ac76923202aa8ed73ed5adaf67c46c7b0495e186e09201',1.79599983885740518e+09);
INSERT INTO "migration" VALUES(45,'0045_hub','8da57513cd13cacc0e180bb48b16c7c040968e1e8eade5f09e3300887f95db58',1.79599983885805845e+09);
INSERT INTO "migration" VALUES(46,'0046_other_sites','6959b336b331cab44f5b23ffa39df6d25f9884994526ea55339e5125d4d3e02a',1.79599983885879063e+09);
INSERT INTO "migration" VALUES(47,'0047_calls_of_sites','80ba125766f36d6d2518b8f5369d353bb47af312e8e836830edc17fc1af57e77',1.79599983885900092e+09);
INSERT INTO "migration" VALUES(48,'0048_hub_sites','026e136e277fe35eda2ac2f7ba565f99b39cef793e46c1f9f8f39dc761ce5b0d',1.79599983885922217e+09);
INSERT INTO "migration" VALUES(49,'0049_peer_times','951b0a8a7c57f23d6184bd1781b31f9d8e65a4cc60506f7e27fb814f9235f270',1.79599983887406325e+09);
INSERT INTO "migration" VALUES(50,'0050_published_policies','1922dfd206702409b1f0b4993290ab7635256331ae273929099f8eebacd48780',1.79599983887439703e+09);
INSERT INTO "migration" VALUES(51,'0051_subscriptions','f2fb473edef4eb074e96439ed1136b62a43fe00799240e401658fff9c2bb9ba1',1.7959998388970344e+09);
INSERT INTO "migration" VALUES(52,'0052_hub_trouble','92ceb6bedfef1b3f1a3dea2d298fbaed3b32fa78ed8033fdd222f50b575248de',1.79599983893699049e+09);
INSERT INTO "migration" VALUES(53,'0053_central','aa0849a9f5cc2b1e038a82a016bc87c1491e008e5342e4e9acb76c4b0a54a7b9',1.79599983895354747e+09);
CREATE TABLE old_reason (
    head TEXT NOT NULL,
    tail TEXT NOT NULL,
    place TEXT NOT NULL,
    form TEXT NOT NULL,
    code TEXT NOT NULL,
    is_cap INTEGER NOT NULL,
    PRIMARY KEY (head, tail)
) STRICT;
INSERT INTO "old_reason" VALUES('the call comes from one of our own endpoints','','','','internal',0);
INSERT INTO "old_reason" VALUES('an emergency number is calling','','','','emergency-number',0);
INSERT INTO "old_reason" VALUES('the dialled number is set not to be screened','','','','unscreened-did',0);
INSERT INTO "old_reason" VALUES('an emergency call was made from here a short while ago','','','','emergency-window',0);
INSERT INTO "old_reason" VALUES('a trusted trunk marks this as an emergency call-back','','','','emergency-callback',0);
INSERT INTO "old_reason" VALUES('the callee has allowed this caller','','','','callee-allows',0);
INSERT INTO "old_reason" VALUES('the callee has blocked this caller','','','','callee-blocks',0);
INSERT INTO "old_reason" VALUES('the callee expects a call','','','','callee-expects',0);
INSERT INTO "old_reason" VALUES('',' is on the allowlist','entry','[+0-9]*','on-allowlist',0);
INSERT INTO "old_reason" VALUES('',' is on the blocklist','entry','[+0-9]*','on-blocklist',0);
INSERT INTO "old_reason" VALUES('the caller withholds a number that is on the blocklist','','','','withholds-blocked',0);
INSERT INTO "old_reason" VALUES('the callee has this caller as a contact','','','','contact-of-callee',0);
INSERT INTO "old_reason" VALUES('the caller is a contact of the company','','','','contact-of-company',0);
INSERT INTO "old_reason" VALUES('the callee has called this number and talked','','','','callee-talked',0);
INSERT INTO "old_reason" VALUES('the callee has quiet hours and does not know the caller','','','','quiet-hours',0);
INSERT INTO "old_reason" VALUES('no rule of the policy holds','','','','default',0);
INSERT INTO "old_reason" VALUES('somebody here has allowed the caller or expects a call','','','','somebody-invites',1);
INSERT INTO "old_reason" VALUES('somebody here has the caller as a contact','','','','somebody-knows',1);
INSERT INTO "old_reason" VALUES('somebody here has called this number and talked','','','','somebody-talked',1);
INSERT INTO "old_reason" VALUES('shows one of our own numbers','','','','shows-own-number',1);
INSERT INTO "old_reason" VALUES('the caller is verified','','','','verified',1);
INSERT INTO "old_reason" VALUES('the caller passed a challenge','','','','passed-challenge',1);
INSERT INTO "old_reason" VALUES('the caller called again within 3 min','','','','redialled',1);
INSERT INTO "old_reason" VALUES('an appeal is in force','','','','appealed',1);
INSERT INTO "old_reason" VALUES('very strong evidence against this number','','','','very-strong-evidence',0);
INSERT INTO "old_reason" VALUES('strong evidence against this number, some of it from how its calls went','','','','strong-evidence',0);
INSERT INTO "old_reason" VALUES('others have complained about this number','','','','complaints',0);
INSERT INTO "old_reason" VALUES('the call shows one of our own numbers but comes from outside','','','','spoofs-us',0);
INSERT INTO "old_reason" VALUES('the number''s signature does not check out','','','','bad-signature',0);
INSERT INTO "old_reason" VALUES('there is some evidence against this number','','','','some-evidence',0);
INSERT INTO "old_reason" VALUES('what the network shows is not a telephone number','','','','no-telephone-number',0);
INSERT INTO "old_reason" VALUES('the caller withholds the number','','','','withholds',0);
INSERT INTO "old_reason" VALUES('overwhelming evidence against this number, from several groups of people','','','','overwhelming-evidence',0);
INSERT INTO "old_reason" VALUES('timed out','','','','timed-out',0);
INSERT INTO "old_reason" VALUES('failed','','','','failed',0);
INSERT INTO "old_reason" VALUES('protocol error','','','','protocol',0);
INSERT INTO "old_reason" VALUES('incomplete request','','','','header',0);
INSERT INTO "old_reason" VALUES('too many calls','','','','over-limit',0);
INSERT INTO "old_reason" VALUES('stopping','','','','stopping',0);
INSERT INTO "old_reason" VALUES('not asked by Asterisk','','','','stranger',0);
INSERT INTO "old_reason" VALUES('an emergency call is never held up','','','','emergency',0);
INSERT INTO "old_reason" VALUES('what was dialled is no telephone number','','','','not-a-number',0);
INSERT INTO "old_reason" VALUES('the called person asked on ',' not to be called again','day','*[0-9]*','do-not-call',0);
INSERT INTO "old_reason" VALUES('the number it would go out with was given back','','','','retired',0);
INSERT INTO "old_reason" VALUES('the number it would go out with rests until ','','day','*[0-9]*','resting',0);
INSERT INTO "old_reason" VALUES('the number it would go out with is at risk of being marked','','','','at-risk',0);
INSERT INTO "old_reason" VALUES('the number it would go out with is at risk of being marked: ','','why','*','at-risk-for',0);
INSERT INTO "old_reason" VALUES('it is no time to call where the called person is','','','','bad-hours',0);
INSERT INTO "old_reason" VALUES('the person was called once today already','','','','person-once',0);
INSERT INTO "old_reason" VALUES('the person was called twice today already','','','','person-twice',0);
INSERT INTO "old_reason" VALUES('the person was called ',' times today already','calls','[0-9]*','person-day',0);
INSERT INTO "old_reason" VALUES('',' calls went out with the number within an hour','calls','[0-9]*','number-hour',0);
INSERT INTO "old_reason" VALUES('',' calls went out with the number today','calls','[0-9]*','number-day',0);
INSERT INTO "old_reason" VALUES('',' calls went out today with a number that has been in use for less than 30 days','calls','[0-9]*','young-number-day',0);
INSERT INTO "old_reason" VALUES('nothing speaks against the call','','','','nothing-against',0);
INSERT INTO "old_reason" VALUES('an appeal is in force: ','','reference','????????','appealed',1);
CREATE TABLE "one_ring" (
    number TEXT NOT NULL,
    at REAL NOT NULL,
    auth_class TEXT NOT NULL,
    PRIMARY KEY (number, at, auth_class)
) STRICT, WITHOUT ROWID;
INSERT INTO "one_ring" VALUES('+12015550123',1767000003.0,'unknown');
INSERT INTO "one_ring" VALUES('+12015550999',1767000003.0,'unknown');
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
INSERT INTO "outbound_decision" VALUES('o+120155501231767000000.0',1767000000.0,'1.1','+12015550123',20000,'+442071838750','PJSIP/201','allow','hold','hours','it is no time to call where the called person is',1767000060.0,0.4);
INSERT INTO "outbound_decision" VALUES('o+120155509991767000000.0',1767000000.0,'1.1','+12015550999',20000,'+442071838750','PJSIP/201','allow','hold','hours','it is no time to call where the called person is',1767000060.0,0.4);
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
    waits_since REAL
, answered_by_pbx INTEGER NOT NULL DEFAULT 0, rang_by TEXT, blocked INTEGER NOT NULL DEFAULT 0, machine INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO "outcome" VALUES('+12015550123a',1767000000.0,'inbound','no-answer','+12015550123','number','+442071838750',NULL,NULL,NULL,NULL,NULL,NULL,'[]',0,3.0,0.0,NULL,NULL,'caller',0,0,0,0,NULL,1,'cdr','unknown',NULL,NULL,NULL,0,'contact',0,0);
INSERT INTO "outcome" VALUES('+12015550123b',1767000000.0,'inbound','answered','+12015550123','number','+442071838750',NULL,NULL,NULL,'201',NULL,NULL,'[]',0,10.0,31.0,NULL,NULL,'caller',0,0,0,0,NULL,1,'cdr','unknown',NULL,NULL,NULL,0,'contact',0,0);
INSERT INTO "outcome" VALUES('+12015550123c',1767000000.0,'outbound','answered','201','number',NULL,'+12015550123','+442071838750',NULL,NULL,NULL,NULL,'[]',0,10.0,31.0,NULL,NULL,'caller',0,0,0,0,NULL,1,'cdr','unknown',NULL,NULL,NULL,0,NULL,0,0);
INSERT INTO "outcome" VALUES('+12015550999a',1767000000.0,'inbound','no-answer','+12015550999','number','+442071838750',NULL,NULL,NULL,NULL,NULL,NULL,'[]',0,3.0,0.0,NULL,NULL,'caller',0,0,0,0,NULL,1,'cdr','unknown',NULL,NULL,NULL,0,'contact',0,0);
INSERT INTO "outcome" VALUES('+12015550999b',1767000000.0,'inbound','answered','+12015550999','number','+442071838750',NULL,NULL,NULL,'201',NULL,NULL,'[]',0,10.0,31.0,NULL,NULL,'caller',0,0,0,0,NULL,1,'cdr','unknown',NULL,NULL,NULL,0,'contact',0,0);
INSERT INTO "outcome" VALUES('+12015550999c',1767000000.0,'outbound','answered','201','number',NULL,'+12015550999','+442071838750',NULL,NULL,NULL,NULL,'[]',0,10.0,31.0,NULL,NULL,'caller',0,0,0,0,NULL,1,'cdr','unknown',NULL,NULL,NULL,0,NULL,0,0);
CREATE TABLE own_blocked (
    number TEXT NOT NULL,
    day INTEGER NOT NULL,
    country TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (number, day, country)
) STRICT, WITHOUT ROWID;
CREATE TABLE own_called (
    number TEXT NOT NULL,
    callee TEXT NOT NULL,
    day INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (number, callee, day)
) STRICT, WITHOUT ROWID;
INSERT INTO "own_called" VALUES('+442071838750','+12015550123',20451,1);
INSERT INTO "own_called" VALUES('+442071838750','+12015550999',20451,1);
CREATE TABLE own_complaint (
    own_number TEXT NOT NULL,
    number TEXT NOT NULL,
    at REAL NOT NULL,
    note TEXT NOT NULL, of_called INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (own_number, number, at)
) STRICT, WITHOUT ROWID;
INSERT INTO "own_complaint" VALUES('+442071838750','+12015550123',1767000000.0,'by letter',0);
INSERT INTO "own_complaint" VALUES('+442071838750','+12015550999',1767000000.0,'by letter',0);
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
    talk_seconds REAL NOT NULL DEFAULT 0, blocked INTEGER NOT NULL DEFAULT 0, machine INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (number, day)
) STRICT, WITHOUT ROWID;
INSERT INTO "own_day" VALUES('+442071838750',20451,2,2,0,0,0,0,2,2,0,1,0,62.0,0,0);
CREATE TABLE own_grade (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    grade TEXT NOT NULL CHECK (grade IN ('healthy', 'watch', 'at risk')),
    reasons TEXT NOT NULL
, before TEXT, changed_at REAL) STRICT, WITHOUT ROWID;
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
CREATE TABLE own_number (
    number TEXT PRIMARY KEY,
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID;
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
INSERT INTO "own_screenshot" VALUES('+442071838750','an app of 0123',1767000000.0,'0012015550123.png','png','796120837694d3f3f29259cfeb25091698c2a0aa87873658d840b4993ee889b3',X'504E47');
INSERT INTO "own_screenshot" VALUES('+442071838750','an app of 0999',1767000000.0,'0012015550999.png','png','796120837694d3f3f29259cfeb25091698c2a0aa87873658d840b4993ee889b3',X'504E47');
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
    since REAL NOT NULL DEFAULT 0
, was_right INTEGER NOT NULL DEFAULT 0, was_told INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE peer_number (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    peer INTEGER NOT NULL,
    level INTEGER NOT NULL,
    witnesses INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    first_week INTEGER NOT NULL,
    last_week INTEGER NOT NULL,
    category TEXT NOT NULL, came_at REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (number, auth_class, peer)
) STRICT, WITHOUT ROWID;
CREATE TABLE person (
    extension TEXT PRIMARY KEY,
    endpoint TEXT,
    grp TEXT,
    language TEXT,
    name TEXT,
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE personal_entry (
    number TEXT NOT NULL,
    person TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('allow', 'block')),
    at REAL NOT NULL, source TEXT NOT NULL DEFAULT 'person'
    CHECK (source IN ('person', 'mark', 'mark-over-allow')),
    PRIMARY KEY (number, person)
) STRICT, WITHOUT ROWID;
INSERT INTO "personal_entry" VALUES('+12015550123','201','block',1767000000.0,'person');
INSERT INTO "personal_entry" VALUES('+12015550999','201','block',1767000000.0,'person');
CREATE TABLE public_appeal (
    reference TEXT PRIMARY KEY REFERENCES appeal (reference) ON DELETE CASCADE,
    link TEXT NOT NULL UNIQUE,
    filed_at REAL NOT NULL
, called_at REAL, cleared TEXT, cleared_key TEXT) STRICT, WITHOUT ROWID;
INSERT INTO "public_appeal" VALUES('AP550123','link AP550123',1767000000.0,NULL,NULL,NULL);
INSERT INTO "public_appeal" VALUES('AP550999','link AP550999',1767000000.0,NULL,NULL,NULL);
CREATE TABLE published_policy (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    note TEXT NOT NULL,
    published_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE reached (
    person TEXT NOT NULL,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    number TEXT,
    PRIMARY KEY (person, at, linkedid)
) STRICT, WITHOUT ROWID;
INSERT INTO "reached" VALUES('201',1767000000.0,'+12015550123b','+12015550123');
INSERT INTO "reached" VALUES('201',1767000000.0,'+12015550999b','+12015550999');
CREATE TABLE reason_backlog (
    journal TEXT PRIMARY KEY,
    up_to INTEGER NOT NULL
) STRICT;
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
INSERT INTO "register_copy" VALUES(1,'us-dnc','US','dnc.csv','',1767000000.0,1767000000.0,0,0);
INSERT INTO "register_copy" VALUES(2,'us-dnc','US','dnc.csv','',1767000000.0,1767000000.0,0,0);
CREATE TABLE register_number (
    number INTEGER NOT NULL,
    copy INTEGER NOT NULL,
    PRIMARY KEY (number, copy)
) STRICT, WITHOUT ROWID;
INSERT INTO "register_number" VALUES(12015550123,1);
INSERT INTO "register_number" VALUES(12015550999,2);
CREATE TABLE report (
    service TEXT NOT NULL,
    number TEXT NOT NULL,
    rating TEXT NOT NULL,
    at REAL NOT NULL,
    refused INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (service, number)
) STRICT, WITHOUT ROWID;
INSERT INTO "report" VALUES('phoneblock','+12015550123','G_FRAUD',1767000000.0,0);
INSERT INTO "report" VALUES('phoneblock','+12015550999','G_FRAUD',1767000000.0,0);
CREATE TABLE report_service (
    service TEXT PRIMARY KEY,
    since REAL NOT NULL,
    looked_at REAL,
    failed_at REAL,
    failure TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE review (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    who TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "review" VALUES('+12015550123',1767000000.0,'admin');
INSERT INTO "review" VALUES('+12015550999',1767000000.0,'admin');
CREATE TABLE same_person (
    person TEXT PRIMARY KEY,
    human TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE settled (
    reporter TEXT NOT NULL,
    case_id TEXT NOT NULL,
    agrees INTEGER NOT NULL CHECK (agrees IN (0, 1)),
    at REAL NOT NULL,
    PRIMARY KEY (reporter, case_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "settled" VALUES('201','AP550123',0,1767000000.0);
INSERT INTO "settled" VALUES('201','AP550999',0,1767000000.0);
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
INSERT INTO "signal" VALUES('+12015550123','unknown',0,'201','called-back',1767000041.0,'+12015550123c');
INSERT INTO "signal" VALUES('+12015550999','unknown',0,'201','called-back',1767000041.0,'+12015550999c');
CREATE TABLE site (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    salt BLOB NOT NULL,
    people INTEGER NOT NULL
) STRICT;
INSERT INTO "site" VALUES(1,X'6A9653459122E15C6C6F516D04AD1E2E',0);
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
    may_be_bad INTEGER NOT NULL CHECK (may_be_bad IN (0, 1)), one_ring REAL NOT NULL DEFAULT 0, witnessed TEXT NOT NULL DEFAULT '[]', challenges TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (number, auth_class)
) STRICT, WITHOUT ROWID;
INSERT INTO "standing" VALUES('+12015550123','authenticated',1767000000.0,0.0,0.0,0.0,0,0,0,0,'{}',NULL,0,0.0,'[]','[[1767000000.0], 0, null, null, 0]');
INSERT INTO "standing" VALUES('+12015550123','unknown',1767000041.0,0.0,1.0,0.0,0,0,1,1,'{}',NULL,0,0.0,'[]','[[1767000000.0, 1767000000.0], 0, null, null, 0]');
INSERT INTO "standing" VALUES('+12015550999','authenticated',1767000000.0,0.0,0.0,0.0,0,0,0,0,'{}',NULL,0,0.0,'[]','[[1767000000.0], 0, null, null, 0]');
INSERT INTO "standing" VALUES('+12015550999','unknown',1767000041.0,0.0,1.0,0.0,0,0,1,1,'{}',NULL,0,0.0,'[]','[[1767000000.0, 1767000000.0], 0, null, null, 0]');
CREATE TABLE subscription (
    name TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    key TEXT NOT NULL,
    weight REAL NOT NULL,
    added_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE talk (
    number TEXT NOT NULL,
    person TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (number, person)
) STRICT, WITHOUT ROWID;
INSERT INTO "talk" VALUES('+12015550123','201',1767000041.0);
INSERT INTO "talk" VALUES('+12015550999','201',1767000041.0);
CREATE TABLE tombstone (
    number TEXT NOT NULL,
    reporter TEXT NOT NULL,
    case_id TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (number, reporter, case_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "tombstone" VALUES('+12015550123','','AP550123',1767000000.0);
INSERT INTO "tombstone" VALUES('+12015550999','','AP550999',1767000000.0);
CREATE TABLE "wish" (
    person TEXT NOT NULL,
    wish TEXT NOT NULL CHECK (wish IN ('no-whisper', 'quiet-hours')),
    at REAL NOT NULL,
    PRIMARY KEY (wish, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_endpoint ON person (endpoint) WHERE endpoint IS NOT NULL;
CREATE INDEX list_entry_expiry ON list_entry (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX list_prefix_entry ON list_prefix (entry);
CREATE INDEX personal_entry_person ON personal_entry (person);
CREATE INDEX expected_call_until ON expected_call (until);
CREATE INDEX contact_source ON contact (source);
CREATE UNIQUE INDEX import_source_live ON import_source (name) WHERE live = 1;
CREATE INDEX decision_caller ON decision (caller, at) WHERE caller IS NOT NULL;
CREATE INDEX decision_linkedid ON decision (linkedid, at);
CREATE INDEX outcome_at ON outcome (at);
CREATE INDEX outcome_caller ON outcome (caller, at) WHERE caller IS NOT NULL;
CREATE INDEX outcome_dialled ON outcome (dialled, at) WHERE dialled IS NOT NULL;
CREATE INDEX outcome_waiting ON outcome (waits_since) WHERE waits_since IS NOT NULL;
CREATE INDEX reached_number ON reached (number) WHERE number IS NOT NULL;
CREATE INDEX reached_at ON reached (at);
CREATE INDEX signal_at ON signal (at);
CREATE INDEX answered_at ON answered (at);
CREATE INDEX talk_at ON talk (at);
CREATE INDEX inbound_talk_at ON inbound_talk (at);
CREATE INDEX mark_reporter ON mark (reporter, at);
CREATE INDEX mark_at ON mark (at);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_number ON audit (number, at) WHERE number IS NOT NULL;
CREATE INDEX standing_block ON standing (substr(number, 1, length(number) - 3), auth_class, at) WHERE may_be_bad = 1;
CREATE INDEX standing_burst ON standing (burst_at) WHERE burst_at IS NOT NULL;
CREATE INDEX one_ring_at ON one_ring (at);
CREATE INDEX outcome_own_number ON outcome (own_number, at) WHERE own_number IS NOT NULL;
CREATE INDEX console_session_user ON console_session (user);
CREATE INDEX appeal_number ON appeal (number, state, closed_at);
CREATE UNIQUE INDEX appeal_live ON appeal (number) WHERE state IN ('open', 'in force');
CREATE INDEX call_back_code_number ON call_back_code (number);
CREATE INDEX call_back_code_made ON call_back_code (made_at);
CREATE INDEX tombstone_case ON tombstone (case_id);
CREATE INDEX tombstone_until ON tombstone (until);
CREATE INDEX own_called_callee ON own_called (callee, day);
CREATE INDEX own_called_day ON own_called (day);
CREATE INDEX do_not_call_own ON do_not_call (own_number, at);
CREATE INDEX own_complaint_at ON own_complaint (at);
CREATE INDEX own_complaint_number ON own_complaint (number) WHERE number <> '';
CREATE INDEX outcome_did ON outcome (did, at) WHERE did IS NOT NULL;
CREATE INDEX outbound_decision_at ON outbound_decision (at);
CREATE INDEX outbound_decision_callee ON outbound_decision (callee, day) WHERE callee IS NOT NULL;
CREATE INDEX outbound_decision_own ON outbound_decision (own_number, at) WHERE own_number IS NOT NULL;
CREATE INDEX decision_at ON decision (at, would_be, caller);
CREATE INDEX decision_would_be ON decision (would_be, at) WHERE would_be <> 'allow';
CREATE INDEX decision_rule ON decision (rule, at) WHERE rule <> 'default';
CREATE INDEX decision_callee ON decision (callee, at) WHERE callee IS NOT NULL;
CREATE INDEX decision_did ON decision (did, at) WHERE did IS NOT NULL;
CREATE INDEX outcome_uncommon ON outcome (disposition) WHERE disposition NOT IN ('answered', 'no-answer');
CREATE INDEX outcome_voicemail ON outcome (voicemail_left) WHERE voicemail_left = 1;
CREATE INDEX challenge_at ON challenge (at);
CREATE INDEX decision_short_code ON decision (at) WHERE caller_kind = 'short-code';
CREATE INDEX event_at ON event (at);
CREATE INDEX event_subject ON event (subject);
CREATE INDEX event_delivery_seq ON event_delivery (seq);
CREATE INDEX api_answer_at ON api_answer (at);
CREATE INDEX lookup_result_source ON lookup_result (source);
CREATE UNIQUE INDEX register_copy_name ON register_copy (name) WHERE complete;
CREATE INDEX same_person_human ON same_person (human);
CREATE INDEX mark_elsewhere ON mark (reporter, number) WHERE instr(reporter, ':') > 0;
CREATE INDEX signal_elsewhere ON signal (callee, number) WHERE instr(callee, ':') > 0;
CREATE INDEX answered_elsewhere ON answered (callee, number) WHERE instr(callee, ':') > 0;
CREATE INDEX decision_elsewhere ON decision (substr(linkedid, 1, instr(linkedid, ':')), at) WHERE instr(linkedid, ':') > 0;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('event',4);
INSERT INTO "sqlite_sequence" VALUES('list_entry',3);
INSERT INTO "sqlite_sequence" VALUES('api_token',1);
COMMIT;
