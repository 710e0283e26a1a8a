DELETE FROM queue WHERE id = :id AND attempts = :token::int AND status = 'processing' RETURNING id;
