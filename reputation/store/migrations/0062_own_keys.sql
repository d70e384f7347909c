-- Keys of our own calls that look like those of another site, as all of calls through the API did (`sip:` and the
-- Call-ID): they get the colon that `own_name` writes (reputation/site_names.py). A key that begins with the name of a
-- site that has told something stays. Where rows are shared, the triggers of the hub see the new keys, and tell them.
UPDATE decision SET linkedid = ':' || linkedid
 WHERE instr(linkedid, ':') BETWEEN 2 AND 33 AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT GLOB '*[^a-z0-9-]*'
   AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT IN (SELECT origin FROM hub_row);
UPDATE outcome SET linkedid = ':' || linkedid
 WHERE instr(linkedid, ':') BETWEEN 2 AND 33 AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT GLOB '*[^a-z0-9-]*'
   AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT IN (SELECT origin FROM hub_row);
UPDATE reached SET linkedid = ':' || linkedid
 WHERE instr(linkedid, ':') BETWEEN 2 AND 33 AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT GLOB '*[^a-z0-9-]*'
   AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT IN (SELECT origin FROM hub_row);
UPDATE challenge_result SET linkedid = ':' || linkedid
 WHERE instr(linkedid, ':') BETWEEN 2 AND 33 AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT GLOB '*[^a-z0-9-]*'
   AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT IN (SELECT origin FROM hub_row);
UPDATE signal SET linkedid = ':' || linkedid
 WHERE instr(linkedid, ':') BETWEEN 2 AND 33 AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT GLOB '*[^a-z0-9-]*'
   AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT IN (SELECT origin FROM hub_row);
UPDATE inbound_talk SET linkedid = ':' || linkedid
 WHERE instr(linkedid, ':') BETWEEN 2 AND 33 AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT GLOB '*[^a-z0-9-]*'
   AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT IN (SELECT origin FROM hub_row);
UPDATE mark SET linkedid = ':' || linkedid
 WHERE instr(linkedid, ':') BETWEEN 2 AND 33 AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT GLOB '*[^a-z0-9-]*'
   AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT IN (SELECT origin FROM hub_row);
UPDATE outbound_decision SET linkedid = ':' || linkedid
 WHERE instr(linkedid, ':') BETWEEN 2 AND 33 AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT GLOB '*[^a-z0-9-]*'
   AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT IN (SELECT origin FROM hub_row);
UPDATE challenge SET linkedid = ':' || linkedid
 WHERE instr(linkedid, ':') BETWEEN 2 AND 33 AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT GLOB '*[^a-z0-9-]*'
   AND substr(linkedid, 1, instr(linkedid, ':') - 1) NOT IN (SELECT origin FROM hub_row);
