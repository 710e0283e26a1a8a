-- outbox.sql: rows and the tasks about them in one transaction.  Run it with psql
-- in a database that has goque.
\set ON_ERROR_STOP on

CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL);

-- 1. By the program: add the task where the row is written.
BEGIN;
INSERT INTO customers (email) VALUES ('customer1@example.com') RETURNING id AS customer \gset
SELECT goque_add('welcome', jsonb_build_object('customer', :customer),
	external_id => 'welcome-' || :customer);
COMMIT;

-- 2. What is rolled back was never there, neither the row nor the task.
BEGIN;
INSERT INTO customers (email) VALUES ('customer2@example.com');
SELECT goque_add('welcome', '{"customer": 2}', external_id => 'welcome-2');
ROLLBACK;

-- 3. By a trigger: no program can forget it.  The function runs with its owner's
-- rights, so that who inserts customers needs no rights on the queue.
CREATE FUNCTION welcome_customer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM goque_add('welcome', jsonb_build_object('customer', NEW.id),
		external_id => 'welcome-' || NEW.id, on_conflict => 'ignore');
	RETURN NULL;
END $$;
CREATE TRIGGER welcome AFTER INSERT ON customers
FOR EACH ROW EXECUTE FUNCTION welcome_customer();

INSERT INTO customers (email) VALUES ('cy@example.com'), ('dee@example.com');

-- 4. For rows that are there already: one statement.
SELECT count(*) FROM customers c,
	goque_add('check_address', jsonb_build_object('customer', c.id), delay => '1 hour');

-- 5. Debouncing: of many changes within a minute, the last one is indexed, once.
SELECT goque_add('reindex', '{"version": 1}', external_id => 'customer-1', delay => '1 min',
	on_conflict => 'replace', unique_while => 'waiting');
SELECT goque_add('reindex', '{"version": 2}', external_id => 'customer-1', delay => '1 min',
	on_conflict => 'replace', unique_while => 'waiting');

SELECT id, type, external_id, payload, status FROM goque.tasks ORDER BY id;
