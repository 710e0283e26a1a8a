UPDATE queue SET status = 'processing' WHERE id = (SELECT nextval('queue_next')) RETURNING id, payload;
