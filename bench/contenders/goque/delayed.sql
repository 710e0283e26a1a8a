INSERT INTO goque.tasks (type, payload, next_attempt_at)
SELECT 'bench', jsonb_build_object('n', i, 't', (extract(epoch FROM due) * 1000000)::bigint, 'x', repeat('0', 50)), due
FROM generate_series(:first, :first + :count - 1) AS i, LATERAL (SELECT :'start'::timestamptz + (i - :first) * (interval '1 s' / :rate) AS due) AS d;
