DELETE FROM queue USING unnest(:ids::bigint[], :tokens::int[]) AS t (i, a) WHERE id = i AND attempts = a AND status = 'processing' RETURNING id;
