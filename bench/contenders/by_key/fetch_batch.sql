UPDATE queue SET status = 'processing' WHERE id = ANY (ARRAY(SELECT nextval('queue_next') FROM generate_series(1, :n::int))) RETURNING id, payload;
