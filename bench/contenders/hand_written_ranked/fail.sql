UPDATE queue SET status = 'new', run_at = now() + '100 ms' WHERE id = :id AND attempts = :token::int AND status = 'processing' RETURNING id;
