-- shop.sql: a shop's tables, and its orders written together with their tasks.
-- Run by scripts/demo, in the folder that holds orders.csv.
\set ON_ERROR_STOP on

CREATE TABLE orders (
	order_no   bigint PRIMARY KEY,
	placed_at  timestamptz NOT NULL,
	customer   text NOT NULL,
	email      text NOT NULL,
	city       text NOT NULL,
	country    text NOT NULL,
	sku        text NOT NULL,
	item       text NOT NULL,
	quantity   int NOT NULL,
	unit_price numeric(10,2) NOT NULL,
	note       text
);

-- What the workers do to an order is write it here.  No key on purpose: an order
-- that is handled twice stands here twice.
CREATE TABLE shipments (
	order_no   bigint NOT NULL,
	amount     numeric(12,2) NOT NULL,
	worker     text NOT NULL,
	shipped_at timestamptz NOT NULL DEFAULT now()
);

-- A lease of 3 s, and a retry 1 s after a failure: short, so that the demo is.
SELECT goque_configure('order', timeout => '3 s', backoff => 'static', backoff_base => '1 s');

-- The outbox: orders and tasks in one transaction, so that there is no order
-- without a task and no task without an order.
BEGIN;
\copy orders FROM 'orders.csv' CSV HEADER
INSERT INTO goque.tasks (type, payload, external_id)
SELECT 'order', jsonb_build_object('order_no', order_no, 'email', email), order_no::text
FROM orders;
COMMIT;
