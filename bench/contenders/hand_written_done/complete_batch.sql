UPDATE queue SET status = 'done' WHERE id = ANY (:ids::bigint[]) AND status = 'processing' RETURNING id;
