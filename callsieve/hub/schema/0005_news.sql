-- What was pushed in the last minutes, once more and in one piece: whoever is woken up reads its own place in the one index
-- here, and not those of all partitions. A row with an empty kind is a gap: behind it not all is here, and whoever stands
-- before it reads the evidence itself.
CREATE TABLE callsieve.fresh (
    organisation text NOT NULL,
    xid xid8 NOT NULL,
    id bigint NOT NULL,
    kind text NOT NULL,
    origin text NOT NULL,
    number text NOT NULL,
    key text NOT NULL,
    payload text NOT NULL,
    own text NOT NULL,
    at_us bigint NOT NULL,
    version bigint NOT NULL,
    received_at timestamptz NOT NULL,
    deleted boolean NOT NULL,
    private boolean NOT NULL
);
CREATE INDEX fresh_place ON callsieve.fresh (organisation, xid, id);
CREATE INDEX fresh_gap ON callsieve.fresh (organisation, xid, id) WHERE kind = '';
INSERT INTO callsieve.fresh
SELECT organisation, pg_current_xact_id(), 0, '', '', '', '', '', '', 0, 0, now(), false, false FROM callsieve.site
 GROUP BY organisation;

-- Many rows at once, as of a site's first exchange, are a gap up to the last of them.
CREATE FUNCTION callsieve.note_fresh() RETURNS trigger
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM new_rows LIMIT 51) AS few) > 50 THEN
        INSERT INTO callsieve.fresh
        SELECT organisation, xid, max(id), '', origin, '', '', '', '', 0, 0, clock_timestamp(), false, false
          FROM new_rows GROUP BY organisation, xid, origin;
    ELSE
        INSERT INTO callsieve.fresh
        SELECT organisation, xid, id, kind, origin, number, key, payload, own, at_us, version, received_at, deleted, private
          FROM new_rows;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION callsieve.drop_fresh() RETURNS trigger
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM callsieve.fresh USING old_rows
     WHERE (fresh.organisation, fresh.kind, fresh.origin, fresh.number, fresh.key)
         = (old_rows.organisation, old_rows.kind, old_rows.origin, old_rows.number, old_rows.key);
    RETURN NULL;
END $$;
CREATE TRIGGER fresh_insert AFTER INSERT ON callsieve.evidence_row REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION callsieve.note_fresh();
CREATE TRIGGER fresh_update AFTER UPDATE ON callsieve.evidence_row REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION callsieve.note_fresh();
CREATE TRIGGER fresh_delete AFTER DELETE ON callsieve.evidence_row REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION callsieve.drop_fresh();

-- Each site takes its own rows away after ten minutes, and leaves a gap: no site waits for the lock of another one.
CREATE FUNCTION callsieve.forget_fresh() RETURNS void
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
BEGIN
    PERFORM callsieve.require_part();
    WITH removed AS (
        DELETE FROM callsieve.fresh USING callsieve.site
         WHERE site.role = session_user AND site.expelled_at IS NULL AND fresh.organisation = site.organisation
           AND fresh.origin = site.name AND received_at < clock_timestamp() - interval '10 minutes'
        RETURNING fresh.organisation, xid, origin)
    INSERT INTO callsieve.fresh
    (SELECT organisation, xid, 9223372036854775807, '', origin, '', '', '', '', 0, 0, now(), false, false
       FROM removed ORDER BY xid DESC LIMIT 1);
END $$;

-- All that is new to a site after these places, from one snapshot: first, as the kind `up-to`, the transaction below which
-- nothing can appear any more; then notices, `what` in the place of the kind, without a key, and `deleted` where a central site has asked; then rows, unless there are 1,000 notices.
-- `with_own`: rows of ours as well; `with_private`: what only a standby and a central site need, too. Whatever the planner
-- makes of its statistics: the indices have the order, and a sort would read all that is left.
CREATE FUNCTION callsieve.news(
    rows_xid xid8, rows_id bigint, notices_xid xid8, notices_id bigint, most integer, with_own boolean,
    with_private boolean)
RETURNS TABLE (kind text, origin text, number text, key text, payload text, own text, at_us bigint, version bigint,
               deleted boolean, xid bigint, id bigint)
STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_sort = off SET enable_seqscan = off
SET enable_bitmapscan = off SET jit = off LANGUAGE plpgsql ROWS 10 AS $$
#variable_conflict use_column
DECLARE
    me callsieve.site;
    up_to xid8 := pg_snapshot_xmin(pg_current_snapshot());
    notices bigint;
    central text[] := '{}';  -- kinds of which this site is told what is private of others
BEGIN
    SELECT * INTO me FROM callsieve.site WHERE role = session_user AND expelled_at IS NULL;
    IF me.name IS NULL THEN
        PERFORM callsieve.require_part();
    ELSIF me.is_central THEN
        central := ARRAY(SELECT callsieve.kinds_of_central());
    END IF;
    kind := 'up-to';
    xid := up_to::text::bigint;
    RETURN NEXT;
    RETURN QUERY
        SELECT what, asked_by, subject, NULL, '', '', (extract(epoch FROM at) * 1000000)::bigint, 0::bigint,
               EXISTS (SELECT FROM callsieve.site
                        WHERE organisation = me.organisation AND is_central AND name = asked_by), xid::text::bigint, id
          FROM callsieve.notice
         WHERE organisation = me.organisation AND (xid, id) > (notices_xid, notices_id) AND xid < up_to
         ORDER BY notice.xid, notice.id LIMIT 1000;
    GET DIAGNOSTICS notices = ROW_COUNT;
    IF notices = 1000 THEN
        RETURN;
    ELSIF EXISTS (SELECT FROM callsieve.fresh
                   WHERE organisation = me.organisation AND kind = '' AND (xid, id) > (rows_xid, rows_id)
                     AND xid < up_to) THEN
        RETURN QUERY
            SELECT kind, origin, number, key, payload,
                   CASE WHEN (with_own OR with_private) AND (origin = me.name OR kind = ANY (central)) THEN own ELSE '' END,
                   at_us, version, deleted, xid::text::bigint, id
              FROM callsieve.evidence_row
             WHERE organisation = me.organisation AND (xid, id) > (rows_xid, rows_id) AND xid < up_to
               AND (with_own OR origin <> me.name)
               AND (NOT private OR (with_private AND (origin = me.name OR kind = ANY (central))))
             ORDER BY evidence_row.xid, evidence_row.id LIMIT most;
    ELSE
        RETURN QUERY
            SELECT kind, origin, number, key, payload,
                   CASE WHEN (with_own OR with_private) AND (origin = me.name OR kind = ANY (central)) THEN own ELSE '' END,
                   at_us, version, deleted, xid::text::bigint, id
              FROM callsieve.fresh
             WHERE organisation = me.organisation AND (xid, id) > (rows_xid, rows_id) AND xid < up_to
               AND (with_own OR origin <> me.name)
               AND (NOT private OR (with_private AND (origin = me.name OR kind = ANY (central))))
             ORDER BY fresh.xid, fresh.id LIMIT most;
    END IF;
END $$;
