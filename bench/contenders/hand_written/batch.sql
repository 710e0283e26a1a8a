INSERT INTO queue (payload) SELECT '{"x": "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"}' FROM generate_series(1, 100);
WITH taken AS (UPDATE queue SET status = 'processing', attempts = attempts + 1, started_at = now() WHERE id = ANY (ARRAY(SELECT id FROM queue WHERE status = 'new' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 100)) RETURNING id) SELECT array_agg(id) AS tasks FROM taken \gset
DELETE FROM queue WHERE id = ANY (':tasks'::bigint[]);
