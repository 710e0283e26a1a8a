-- exactly_once.sql: a worker whose effects are rows of this database, and what
-- happens to one that was slow.  Run it with psql in a database that has goque.
\set ON_ERROR_STOP on

CREATE TABLE accounts (id int PRIMARY KEY, balance numeric NOT NULL);
CREATE TABLE transfers (task_id bigint PRIMARY KEY, account int NOT NULL, amount numeric NOT NULL);
INSERT INTO accounts VALUES (1, 100), (2, 0);

SELECT goque_add('transfer', '{"account": 2, "amount": 30}', external_id => 'transfer-1');

-- Fetch in a transaction of its own.  The attempt is counted from here on, so
-- that a task which kills its worker each time ends as a dead letter.
SELECT id, token, payload->>'account' AS account, payload->>'amount' AS amount
FROM goque_fetch('transfer', worker => 'worker-1') \gset

-- Meanwhile the worker may think, call other services, send heartbeats.
SELECT goque_heartbeat(:id, :token);

-- Then its effects and the end of the task in one transaction.  goque_complete
-- comes first: true means that this lease held the task, and the row stays locked
-- until the commit, so that nobody can take the task in between.
BEGIN;
SELECT goque_complete(:id, :token) AS mine \gset
\if :mine
	UPDATE accounts SET balance = balance + :amount WHERE id = :account;
	INSERT INTO transfers VALUES (:id, :account, :amount);
	COMMIT;
\else
	-- somebody else has it, or it was canceled
	ROLLBACK;
\endif

-- A worker that was away too long: its lease ran out and another one has the task.
SELECT goque_add('transfer', '{"account": 2, "amount": 5}', external_id => 'transfer-2');
SELECT id, token AS slow_token FROM goque_fetch('transfer', lease => '1 ms', worker => 'slow') \gset
SELECT pg_sleep(0.01);
SELECT goque_heal('transfer');								-- as the healer does by itself
SELECT goque_retry(:id);									-- do not wait for the retry time
SELECT id, token FROM goque_fetch('transfer', worker => 'worker-2') \gset

BEGIN;
SELECT goque_complete(:id, :slow_token) AS mine \gset
\if :mine
	\echo a slow worker won: this must not happen
	SELECT 1/0;
\else
	\echo the slow worker is refused
	ROLLBACK;
\endif

BEGIN;
SELECT goque_complete(:id, :token) AS mine \gset
\if :mine
	UPDATE accounts SET balance = balance + 5 WHERE id = 2;
	INSERT INTO transfers VALUES (:id, 2, 5);
	COMMIT;
\else
	ROLLBACK;
\endif

SELECT * FROM accounts ORDER BY id;							-- 2 has 35: each transfer was made once
