UPDATE queue SET status = 'processing', attempts = attempts + 1, started_at = now()
WHERE id = (SELECT id FROM queue WHERE status = 'new' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1)
RETURNING id, payload;
