DELETE FROM queue WHERE id = ANY (:ids::bigint[]) RETURNING id;
