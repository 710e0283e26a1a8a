-- processors.sql: work that the database does by itself, in background workers.
-- Run it with psql in a database that has goque.
\set ON_ERROR_STOP on

-- 1. Mail from an outbox table.  The handler hands a letter to the mail table that
-- some other program delivers from (or an extension that speaks HTTP); its row and
-- the completion of the task commit together, so no letter is handed over twice.
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL);
CREATE TABLE mail (task bigint PRIMARY KEY, recipient text NOT NULL, subject text NOT NULL);

CREATE FUNCTION send_welcome(t goque.task) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	address text;
BEGIN
	SELECT email INTO STRICT address FROM customers WHERE id = (t.payload ->> 'customer')::int;
	INSERT INTO mail VALUES (t.id, address, 'Welcome');
	RETURN jsonb_build_object('sent_to', address);
END $$;
SELECT goque_register_processor('welcome', 'send_welcome', workers => 2);

BEGIN;
INSERT INTO customers VALUES (1, 'customer1@example.com');
SELECT goque_add('welcome', '{"customer": 1}');
COMMIT;

-- 2. An aggregate kept up to date: each change of an order asks for the sums of its
-- customer, and many changes within a second are one task.
CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY, customer int NOT NULL, amount numeric NOT NULL);
CREATE TABLE totals (customer int PRIMARY KEY, orders bigint NOT NULL, amount numeric NOT NULL);

CREATE FUNCTION refresh_totals(p jsonb) RETURNS void LANGUAGE sql AS $$
	INSERT INTO totals SELECT customer, count(*), sum(amount) FROM orders
	WHERE customer = (p ->> 'customer')::int GROUP BY customer
	ON CONFLICT (customer) DO UPDATE SET orders = excluded.orders, amount = excluded.amount
$$;
SELECT goque_register_processor('totals', 'refresh_totals', batch_size => 100);

CREATE FUNCTION ask_for_totals() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM goque_add('totals', jsonb_build_object('customer', NEW.customer), delay => '1 s',
		external_id => NEW.customer::text, on_conflict => 'skip', unique_while => 'waiting');
	RETURN NULL;
END $$;
CREATE TRIGGER totals AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION ask_for_totals();

INSERT INTO orders (customer, amount) SELECT 1, i FROM generate_series(1, 100) i;

-- 3. A long job that keeps how far it came: a procedure commits as it goes.
CREATE TABLE numbers AS SELECT i AS id, NULL::int AS square FROM generate_series(1, 1000) i;
CREATE PROCEDURE fill_squares(t goque.task) LANGUAGE plpgsql AS $$
DECLARE
	done int := coalesce((t.progress ->> 'done')::int, 0);
BEGIN
	WHILE done < 1000 LOOP
		UPDATE numbers SET square = id * id WHERE id > done AND id <= done + 250;
		done := done + 250;
		PERFORM goque_heartbeat(t.id, t.token, progress => jsonb_build_object('done', done));
		COMMIT;
	END LOOP;
END $$;
SELECT goque_register_processor('squares', 'fill_squares');
SELECT goque_add('squares');

-- What they do, and what became of the tasks.
SELECT type, handler, workers, running, ok, detail FROM goque.processors;
SELECT type, status, count(*) FROM goque.tasks GROUP BY type, status;
