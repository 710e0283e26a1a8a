CREATE TABLE queue (
	id bigserial PRIMARY KEY,
	status text NOT NULL DEFAULT 'new',
	attempts int NOT NULL DEFAULT 0,
	payload jsonb NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	started_at timestamptz
);
CREATE INDEX ON queue (id) WHERE status = 'new';
