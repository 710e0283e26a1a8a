UPDATE queue SET status = 'processing', attempts = attempts + 1, started_at = now()
WHERE id = ANY (ARRAY(SELECT id FROM queue WHERE status = 'new' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT :n::int))
RETURNING id, payload;
