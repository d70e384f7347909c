-- Calls of other sites, at a central site: by site, the latest first.
CREATE INDEX decision_elsewhere ON decision (substr(linkedid, 1, instr(linkedid, ':')), at) WHERE instr(linkedid, ':') > 0;
