SELECT count(*) FROM goque_add_many('bench', ARRAY(SELECT '{"x": "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"}'::jsonb FROM generate_series(1, 100)));
SELECT array_agg(id) AS tasks, array_agg(token) AS tokens FROM goque_fetch('bench', 100) \gset
SELECT count(*) FROM goque_complete_many(':tasks', ':tokens');
