-- processors.sql: work that the database does by itself, in background workers.
-- Run it with psql in a database that has goque.
\set ON_ERROR_STOP on

-- 1. Mail from an outbox table.  Programs write letters there, in the transaction of
-- what they are about; a trigger makes a task of each.  The handler marks the letter and
-- hands it to what sends mail: its effects and the completion of the task commit together.
CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, recipient text NOT NULL, subject text NOT NULL, sent_at timestamptz);
CREATE TABLE mail (recipient text NOT NULL, subject text NOT NULL);	-- stands for what sends mail: a spool, an extension that speaks HTTP

CREATE FUNCTION send_letter(t goque.task) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	letter outbox;
BEGIN
	UPDATE outbox SET sent_at = now() WHERE id = (t.payload ->> 'letter')::bigint AND sent_at IS NULL RETURNING * INTO letter;
	IF NOT FOUND THEN
		RETURN NULL;					-- somebody withdrew it
	END IF;
	INSERT INTO mail VALUES (letter.recipient, letter.subject);
	RETURN jsonb_build_object('sent_to', letter.recipient);
END $$;
SELECT goque_register_processor('letter', 'send_letter', workers => 2);

-- With its owner's rights, so that who writes a letter needs no rights on the queue.
CREATE FUNCTION ask_for_sending() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM goque_add('letter', jsonb_build_object('letter', NEW.id));
	RETURN NULL;
END $$;
CREATE TRIGGER send AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION ask_for_sending();

CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL);
BEGIN;
INSERT INTO customers VALUES (1, 'customer1@example.com');
INSERT INTO outbox (recipient, subject) VALUES ('customer1@example.com', 'Welcome');
COMMIT;
BEGIN;
INSERT INTO outbox (recipient, subject) VALUES ('customer2@example.com', 'Welcome');
ROLLBACK;													-- nothing is sent

-- 2. An aggregate kept up to date: each change of an order asks for the sums of its
-- customer, and many changes within a second are one task.  'replace' keeps the task that
-- waits from running before this transaction has ended: so no change is missed.
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
		external_id => NEW.customer::text, on_conflict => 'replace', unique_while => 'waiting');
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
