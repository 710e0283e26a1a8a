CREATE TABLE queue (
	id bigserial PRIMARY KEY,
	status text NOT NULL DEFAULT 'new',
	payload jsonb NOT NULL
);
-- Hands out the ids: nothing is looked for, and nobody meets another.
CREATE SEQUENCE queue_next;
