-- A role that has no part in the hub does nothing here, whatever it was granted: unknown, expelled or departed. Each test of
-- a caller ends with IS NOT TRUE, because my_organisation() and my_site() are NULL for such a role.

-- Functions of the owner alone (administration.py revokes them from sites) ---------------------------------------

-- Refuse a caller that has no part in the hub.
CREATE FUNCTION callsieve.require_part() RETURNS void SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
BEGIN
    IF (callsieve.my_site() IS NOT NULL) IS NOT TRUE THEN
        RAISE EXCEPTION 'this site has no part in the hub, or was expelled' USING ERRCODE = '42501';
    END IF;
END $$;

-- Take a role out of the hub, forbid it to log in, and end its sessions. Where the owner may not change roles (PostgreSQL
-- 14 and 15, where that right would be one over all roles), the next `hub init` forbids the login.
CREATE FUNCTION callsieve.close_login(the_role text) RETURNS void
SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = the_role) THEN
        RETURN;
    END IF;
    EXECUTE format('REVOKE callsieve_site FROM %I', the_role);
    IF (SELECT rolcreaterole FROM pg_roles WHERE rolname = 'callsieve_hub') THEN
        EXECUTE format('ALTER ROLE %I NOLOGIN', the_role);
    END IF;
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = the_role AND pid <> pg_backend_pid();
END $$;

-- Rows that are past their time, and markers of deletions that every site knows. `locker`: a transaction that changes it.
CREATE FUNCTION callsieve.too_old(most integer)
RETURNS TABLE (number text, organisation text, kind text, origin text, key text, locker xid)
SET search_path = pg_catalog, pg_temp LANGUAGE sql AS $$
    SELECT number, organisation, row.kind, origin, key, locker
      FROM callsieve.kind CROSS JOIN LATERAL (
           SELECT *, xmax AS locker FROM callsieve.evidence_row
            WHERE evidence_row.kind = kind.name
              AND at_us < extract(epoch FROM now() - days * interval '1 day')::bigint * 1000000
            LIMIT greatest(least(most, 10000), 1)) AS row
    UNION
    (SELECT number, organisation, kind, origin, key, xmax FROM callsieve.evidence_row
      WHERE deleted AND received_at < now() - interval '30 days' LIMIT greatest(least(most, 10000), 1))
    LIMIT greatest(least(most, 10000), 1)
$$;

-- What sites do ----------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION callsieve.kinds_of_central() RETURNS SETOF text STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp LANGUAGE sql AS $$
    SELECT name FROM callsieve.kind WHERE NOT is_of_standby AND callsieve.is_central()
$$;

-- Take everything out that came from a site. `for_good`: it also loses its part in the hub and its login. Allowed to the
-- database's administrator, to a central site, and to a site about itself.
CREATE OR REPLACE FUNCTION callsieve.expel(the_organisation text, the_site text, for_good boolean) RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    asking text := callsieve.my_site();
    role_of_site text;
    gone bigint;
BEGIN
    IF (pg_has_role(session_user, 'callsieve_hub', 'MEMBER')
        OR (the_organisation = callsieve.my_organisation() AND (callsieve.is_central() OR the_site = asking))) IS NOT TRUE
    THEN
        RAISE EXCEPTION 'only the administrator of the database or a central site may expel' USING ERRCODE = '42501';
    END IF;
    IF the_site = asking AND (SELECT count(*) FROM callsieve.notice
           WHERE organisation = the_organisation AND what = 'expel' AND subject = the_site
             AND at > clock_timestamp() - interval '1 day') >= 20 THEN
        RAISE EXCEPTION 'not today any more' USING ERRCODE = '54000';
    END IF;
    PERFORM callsieve.present_history();
    UPDATE callsieve.site SET expelled_at = CASE WHEN for_good THEN now() ELSE expelled_at END, rows_pushed = 0, rows_kept = 0
     WHERE organisation = the_organisation AND name = the_site RETURNING role INTO role_of_site;
    IF role_of_site IS NULL THEN
        RAISE EXCEPTION 'there is no such site' USING ERRCODE = '02000';
    END IF;
    DELETE FROM callsieve.gone WHERE organisation = the_organisation AND origin = the_site;
    DELETE FROM callsieve.evidence_row WHERE organisation = the_organisation AND origin = the_site;
    GET DIAGNOSTICS gone = ROW_COUNT;
    INSERT INTO callsieve.notice (organisation, what, subject, asked_by)
    VALUES (the_organisation, 'expel', the_site, coalesce(asking, ''));
    IF for_good THEN
        PERFORM callsieve.close_login(role_of_site);
    END IF;
    PERFORM pg_notify(callsieve.channel_of(the_organisation), '');
    RETURN gone;
END $$;

-- Give up one's part and login. What was told stays until it is too old.
CREATE OR REPLACE FUNCTION callsieve.leave() RETURNS void
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
BEGIN
    PERFORM callsieve.require_part();
    UPDATE callsieve.site SET expelled_at = now() WHERE role = session_user AND expelled_at IS NULL;
    PERFORM callsieve.close_login(session_user);
END $$;

-- End transactions that have held up others for too long, and sessions of sites that have no part any more.
CREATE OR REPLACE FUNCTION callsieve.end_long_transactions() RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
BEGIN
    PERFORM callsieve.require_part();
    RETURN (SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity JOIN callsieve.site ON usename = role::name
             WHERE pid <> pg_backend_pid()
               AND (expelled_at IS NOT NULL
                    OR xact_start < clock_timestamp() - (SELECT longest_transaction FROM callsieve.hub)));
END $$;

-- Remove what is too old, a few thousand rows at a time; return how many. Markers of deletions and notices are kept for 30
-- days: a site that was away longer reads everything again. One caller at a time, under a lock that no site can hold. Rows
-- that a site holds in an open transaction are waited for one second, and then that site is named.
CREATE OR REPLACE FUNCTION callsieve.expire(most integer) RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
    holder callsieve.site;
BEGIN
    PERFORM callsieve.require_part();
    PERFORM 1 FROM callsieve.hub FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM callsieve.notice WHERE at < now() - interval '30 days';
    WITH removed AS (
        DELETE FROM callsieve.evidence_row AS row USING callsieve.too_old(most) AS old
         WHERE (row.number, row.organisation, row.kind, row.origin, row.key)
             = (old.number, old.organisation, old.kind, old.origin, old.key)
        RETURNING row.organisation, row.origin
    ), counted AS (
        INSERT INTO callsieve.gone (organisation, origin, rows)
        SELECT organisation, origin, count(*) FROM removed GROUP BY organisation, origin RETURNING rows
    )
    SELECT coalesce(sum(rows), 0) INTO gone FROM counted;
    RETURN gone;
EXCEPTION WHEN lock_not_available THEN
    SELECT site.* INTO holder
      FROM pg_locks JOIN pg_stat_activity USING (pid) JOIN callsieve.site ON usename = role::name
     WHERE locktype = 'transactionid' AND granted
       AND pg_locks.transactionid IN (SELECT locker FROM callsieve.too_old(most))
     ORDER BY xact_start LIMIT 1;
    RAISE EXCEPTION 'rows that are too old are held by a transaction of %',
        CASE WHEN holder.organisation = callsieve.my_organisation() THEN holder.name
             WHEN holder.name IS NULL THEN 'somebody who is no site' ELSE 'another organisation' END
        USING ERRCODE = '55P03';
END $$;
