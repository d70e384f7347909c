-- The few calls to groups that were stopped, by time: a search for one person's calls read all calls to the group.
CREATE INDEX decision_group_stop ON decision (at, id, did, action, linkedid)
 WHERE callee IS NULL AND action IN ('reject', 'challenge', 'route');
