-- Who has asked to forget a number: the administrators of the other sites see it in their audit.
ALTER TABLE callsieve.notice ADD COLUMN asked_by text NOT NULL DEFAULT '';
CREATE INDEX notice_asked_by ON callsieve.notice (organisation, asked_by, at);

-- As before, and bounded: a site that goes mad or lies does not empty every store. -1: not today any more.
CREATE OR REPLACE FUNCTION callsieve.erase(the_number text) RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    me callsieve.site;
    gone bigint;
BEGIN
    SELECT * INTO me FROM callsieve.site WHERE role = session_user AND expelled_at IS NULL FOR NO KEY UPDATE;
    IF me.name IS NULL THEN
        RAISE EXCEPTION 'this site has no part in the hub, or was expelled' USING ERRCODE = '42501';
    END IF;
    IF (SELECT count(*) FROM callsieve.notice WHERE organisation = me.organisation AND asked_by = me.name
           AND at > clock_timestamp() - interval '1 day') >= 1000 THEN
        RETURN -1;
    END IF;
    DELETE FROM callsieve.evidence_row WHERE number = the_number AND organisation = me.organisation;
    GET DIAGNOSTICS gone = ROW_COUNT;
    INSERT INTO callsieve.notice (organisation, what, subject, asked_by)
    VALUES (me.organisation, 'erase', the_number, me.name);
    PERFORM pg_notify('callsieve', me.organisation || '/');
    RETURN gone;
END $$;

-- A transaction that a site leaves open holds up what all others read, and the limits that its session has are its own
-- to lift: whoever says hello ends those that last too long. For that the owner is a member of every site's role.
ALTER TABLE callsieve.hub ADD COLUMN longest_transaction interval NOT NULL DEFAULT '60 seconds';
CREATE FUNCTION callsieve.end_long_transactions() RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE sql AS $$
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
     WHERE usename IN (SELECT role::name FROM callsieve.site) AND pid <> pg_backend_pid()
       AND xact_start < clock_timestamp() - (SELECT longest_transaction FROM callsieve.hub)
$$;

-- As before, but under a lock that no site can hold.
CREATE OR REPLACE FUNCTION callsieve.expire(most integer) RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    IF callsieve.my_organisation() IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM 1 FROM callsieve.hub FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM callsieve.notice WHERE at < now() - interval '30 days';
    DELETE FROM callsieve.evidence_row AS row USING (
        SELECT number, organisation, evidence_row.kind, origin, key FROM callsieve.evidence_row
          JOIN callsieve.kind ON kind.name = evidence_row.kind
         WHERE at_us < extract(epoch FROM now() - days * interval '1 day') * 1000000
            OR (deleted AND received_at < now() - interval '30 days')
         LIMIT greatest(least(most, 10000), 1)) AS old
     WHERE (row.number, row.organisation, row.kind, row.origin, row.key)
         = (old.number, old.organisation, old.kind, old.origin, old.key);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

-- As before, and bounded: the quota is asked for once a push.
CREATE OR REPLACE FUNCTION callsieve.push(
    kinds text[], numbers text[], keys text[], payloads text[], owns text[], ats bigint[], versions bigint[],
    deletions boolean[], privates boolean[])
RETURNS TABLE (place integer, dated_us bigint) SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    me callsieve.site;
    receipt bigint;
    taken bigint;
    full_numbers text[];
BEGIN
    SELECT * INTO me FROM callsieve.site WHERE role = session_user AND expelled_at IS NULL FOR NO KEY UPDATE;
    IF me.name IS NULL THEN
        RAISE EXCEPTION 'this site has no part in the hub, or was expelled' USING ERRCODE = '42501';
    END IF;
    IF cardinality(numbers) > 5000 THEN
        RAISE EXCEPTION 'so many rows at once are not taken: 5000 at most' USING ERRCODE = '54000';
    END IF;
    receipt := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    full_numbers := ARRAY(
        SELECT number FROM callsieve.evidence_row
         WHERE number = ANY (numbers) AND organisation = me.organisation AND origin = me.name
         GROUP BY number, kind HAVING count(*) >= 2000);
    INSERT INTO callsieve.evidence_row AS row (organisation, kind, origin, number, key, payload, own, at_us, version,
           received_at, deleted, private, xid, id)
    SELECT me.organisation, sent.kind, me.name, sent.number, sent.key, sent.payload, sent.own, least(sent.at_us, receipt),
           sent.version, clock_timestamp(), sent.deleted, sent.private, pg_current_xact_id(), nextval('callsieve.place')
      FROM unnest(kinds, numbers, keys, payloads, owns, ats, versions, deletions, privates)
           AS sent (kind, number, key, payload, own, at_us, version, deleted, private)
     WHERE (sent.number <> ALL (full_numbers) OR EXISTS (
               SELECT 1 FROM callsieve.evidence_row AS known
                WHERE known.number = sent.number AND known.organisation = me.organisation AND known.kind = sent.kind
                  AND known.origin = me.name AND known.key = sent.key))
       AND NOT EXISTS (SELECT 1 FROM callsieve.notice
                        WHERE notice.organisation = me.organisation AND what = 'erase' AND subject = sent.number
                          AND extract(epoch FROM at) * 1000000 >= least(sent.at_us, receipt))
    ON CONFLICT (number, organisation, kind, origin, key) DO UPDATE
    SET payload = excluded.payload, own = excluded.own, at_us = excluded.at_us, version = excluded.version,
        received_at = excluded.received_at, deleted = excluded.deleted, private = excluded.private, xid = excluded.xid,
        id = excluded.id
    WHERE (excluded.version, excluded.deleted) > (row.version, row.deleted);
    GET DIAGNOSTICS taken = ROW_COUNT;
    UPDATE callsieve.site SET version = greatest(version, (SELECT max(one) FROM unnest(versions) AS one)),
           rows_pushed = rows_pushed + taken, pushed_at = clock_timestamp(), seen_at = clock_timestamp()
     WHERE organisation = me.organisation AND name = me.name;
    PERFORM pg_notify('callsieve', me.organisation || '/' || me.name);
    RETURN QUERY SELECT sent.place::integer, receipt FROM unnest(ats) WITH ORDINALITY AS sent (at_us, place)
                  WHERE sent.at_us > receipt;
END $$;
