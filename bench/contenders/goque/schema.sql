CREATE EXTENSION goque;
SELECT count(*) FROM goque_add_many('bench', ARRAY(SELECT jsonb_build_object('x', repeat('0', 90)) FROM generate_series(1, :depth)));
