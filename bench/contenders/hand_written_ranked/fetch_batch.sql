UPDATE queue SET status = 'processing', attempts = attempts + 1, lease_until = now() + :lease::interval
WHERE id = ANY (ARRAY(SELECT id FROM queue WHERE status = 'new' AND type = :type AND run_at <= now()
			ORDER BY priority, run_at, id FOR UPDATE SKIP LOCKED LIMIT :n::int))
RETURNING id, attempts AS token, payload;
