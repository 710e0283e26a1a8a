CREATE TABLE queue (
	id bigserial PRIMARY KEY,
	type text NOT NULL,
	status text NOT NULL DEFAULT 'new',
	priority int NOT NULL DEFAULT 0,
	attempts int NOT NULL DEFAULT 0,
	run_at timestamptz NOT NULL DEFAULT now(),
	lease_until timestamptz,
	payload jsonb NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON queue (type, priority, run_at, id) WHERE status = 'new';
CREATE INDEX ON queue (lease_until) WHERE status = 'processing';
