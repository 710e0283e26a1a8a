UPDATE queue SET status = 'done' WHERE id = :id AND status = 'processing' RETURNING id;
