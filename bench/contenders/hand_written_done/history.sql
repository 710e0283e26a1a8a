INSERT INTO queue (status, attempts, payload, started_at)
SELECT 'done', 1, jsonb_build_object('n', -1, 't', 0, 'x', repeat('0', 60)), now() FROM generate_series(1, :count);
