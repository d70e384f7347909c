-- Since when a company has listed a number without a gap, by our clock: what it knew before we did, and what a call would
-- have met then. Of rows from before this was kept: since it came last.
ALTER TABLE peer_number ADD COLUMN came_at REAL NOT NULL DEFAULT 0;
UPDATE peer_number SET came_at = coalesce((SELECT peer.came_at FROM peer WHERE id = peer_number.peer), 0);
