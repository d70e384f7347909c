-- Reasons are kept by their codes, no longer in words (policies/reasons.py). Rows from before are many, so housekeeping
-- brings them along in short transactions, the newest first: `reason_backlog` says how far it is.
-- `old_reason`: the words that there were. `head` and `tail` stand around what is called `place`, which looks like `form`;
-- a cap stood in brackets behind the reason.
CREATE TABLE old_reason (
    head TEXT NOT NULL,
    tail TEXT NOT NULL,
    place TEXT NOT NULL,
    form TEXT NOT NULL,
    code TEXT NOT NULL,
    is_cap INTEGER NOT NULL,
    PRIMARY KEY (head, tail)
) STRICT;
INSERT INTO old_reason (head, tail, place, form, code, is_cap) VALUES
    ('the call comes from one of our own endpoints', '', '', '', 'internal', 0),
    ('an emergency number is calling', '', '', '', 'emergency-number', 0),
    ('the dialled number is set not to be screened', '', '', '', 'unscreened-did', 0),
    ('an emergency call was made from here a short while ago', '', '', '', 'emergency-window', 0),
    ('a trusted trunk marks this as an emergency call-back', '', '', '', 'emergency-callback', 0),
    ('the callee has allowed this caller', '', '', '', 'callee-allows', 0),
    ('the callee has blocked this caller', '', '', '', 'callee-blocks', 0),
    ('the callee expects a call', '', '', '', 'callee-expects', 0),
    ('', ' is on the allowlist', 'entry', '[+0-9]*', 'on-allowlist', 0),
    ('', ' is on the blocklist', 'entry', '[+0-9]*', 'on-blocklist', 0),
    ('the caller withholds a number that is on the blocklist', '', '', '', 'withholds-blocked', 0),
    ('the callee has this caller as a contact', '', '', '', 'contact-of-callee', 0),
    ('the caller is a contact of the company', '', '', '', 'contact-of-company', 0),
    ('the callee has called this number and talked', '', '', '', 'callee-talked', 0),
    ('the callee has quiet hours and does not know the caller', '', '', '', 'quiet-hours', 0),
    ('no rule of the policy holds', '', '', '', 'default', 0),
    ('somebody here has allowed the caller or expects a call', '', '', '', 'somebody-invites', 1),
    ('somebody here has the caller as a contact', '', '', '', 'somebody-knows', 1),
    ('somebody here has called this number and talked', '', '', '', 'somebody-talked', 1),
    ('shows one of our own numbers', '', '', '', 'shows-own-number', 1),
    ('the caller is verified', '', '', '', 'verified', 1),
    ('the caller passed a challenge', '', '', '', 'passed-challenge', 1),
    ('the caller called again within 3 min', '', '', '', 'redialled', 1),
    ('an appeal is in force', '', '', '', 'appealed', 1),
    ('very strong evidence against this number', '', '', '', 'very-strong-evidence', 0),
    ('strong evidence against this number, some of it from how its calls went', '', '', '', 'strong-evidence', 0),
    ('others have complained about this number', '', '', '', 'complaints', 0),
    ('the call shows one of our own numbers but comes from outside', '', '', '', 'spoofs-us', 0),
    ('the number''s signature does not check out', '', '', '', 'bad-signature', 0),
    ('there is some evidence against this number', '', '', '', 'some-evidence', 0),
    ('what the network shows is not a telephone number', '', '', '', 'no-telephone-number', 0),
    ('the caller withholds the number', '', '', '', 'withholds', 0),
    ('overwhelming evidence against this number, from several groups of people', '', '', '', 'overwhelming-evidence', 0),
    ('timed out', '', '', '', 'timed-out', 0),
    ('failed', '', '', '', 'failed', 0),
    ('protocol error', '', '', '', 'protocol', 0),
    ('incomplete request', '', '', '', 'header', 0),
    ('too many calls', '', '', '', 'over-limit', 0),
    ('stopping', '', '', '', 'stopping', 0),
    ('not asked by Asterisk', '', '', '', 'stranger', 0),
    ('an emergency call is never held up', '', '', '', 'emergency', 0),
    ('what was dialled is no telephone number', '', '', '', 'not-a-number', 0),
    ('the called person asked on ', ' not to be called again', 'day', '*[0-9]*', 'do-not-call', 0),
    ('the number it would go out with was given back', '', '', '', 'retired', 0),
    ('the number it would go out with rests until ', '', 'day', '*[0-9]*', 'resting', 0),
    ('the number it would go out with is at risk of being marked', '', '', '', 'at-risk', 0),
    ('the number it would go out with is at risk of being marked: ', '', 'why', '*', 'at-risk-for', 0),
    ('it is no time to call where the called person is', '', '', '', 'bad-hours', 0),
    ('the person was called once today already', '', '', '', 'person-once', 0),
    ('the person was called twice today already', '', '', '', 'person-twice', 0),
    ('the person was called ', ' times today already', 'calls', '[0-9]*', 'person-day', 0),
    ('', ' calls went out with the number within an hour', 'calls', '[0-9]*', 'number-hour', 0),
    ('', ' calls went out with the number today', 'calls', '[0-9]*', 'number-day', 0),
    ('', ' calls went out today with a number that has been in use for less than 30 days', 'calls', '[0-9]*', 'young-number-day', 0),
    ('nothing speaks against the call', '', '', '', 'nothing-against', 0),
    ('an appeal is in force: ', '', 'reference', '????????', 'appealed', 1);
CREATE TABLE reason_backlog (
    journal TEXT PRIMARY KEY,
    up_to INTEGER NOT NULL
) STRICT;
INSERT INTO reason_backlog (journal, up_to)
    SELECT 'decision', max(rowid) FROM decision HAVING max(rowid) IS NOT NULL
    UNION ALL SELECT 'outbound_decision', max(rowid) FROM outbound_decision HAVING max(rowid) IS NOT NULL;
