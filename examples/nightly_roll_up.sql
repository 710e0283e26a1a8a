-- nightly_roll_up.sql: a schedule adds a task each night, a worker does it.
--
--   psql -X -d shop -f nightly_roll_up.sql
--
-- The schedule is a row in the database: it adds one task a night, whatever crashes,
-- and when the server was down, one for all the nights that were missed.
\set ON_ERROR_STOP on

CREATE TABLE sales (day date NOT NULL, product text NOT NULL, amount numeric NOT NULL);
CREATE TABLE sales_by_day (day date, product text, total numeric NOT NULL, PRIMARY KEY (day, product));
INSERT INTO sales SELECT current_date - 1 - n % 3, 'product ' || n % 5, n FROM generate_series(1, 100) n;

-- What does it mean?
SELECT * FROM goque_next_runs('30 2 * * *', 'Europe/Berlin', 3);

-- Not while the last one still runs. Setting it again changes nothing, so an
-- application can do this whenever it starts.
SELECT goque_schedule('nightly sales', '30 2 * * *', 'roll_up', '{"table": "sales"}',
	timezone => 'Europe/Berlin', overlap => false);

-- The work, so that it may be repeated: every day that is over and not yet there.
CREATE PROCEDURE roll_up_sales()
LANGUAGE sql AS $$
	INSERT INTO sales_by_day
	SELECT day, product, sum(amount) FROM sales WHERE day < current_date GROUP BY day, product
	ON CONFLICT (day, product) DO UPDATE SET total = excluded.total;
$$;

-- Tonight, now.
SELECT goque_run_schedule('nightly sales');

-- The worker, in a loop: what is written and that the task is done are one.
BEGIN;
SELECT id, token, metadata->>'occurrence' AS occurrence FROM goque_fetch('roll_up') \gset
CALL roll_up_sales();
SELECT goque_complete(:id, :token);
COMMIT;

SELECT count(*) AS rolled_up FROM sales_by_day;
SELECT name, next_run_at, last_run_at, last_status FROM goque.schedules;
