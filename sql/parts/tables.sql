-- The tables of goque.
--
-- Tasks live in a ring of eight generations, goque.tasks_0 to goque.tasks_7.
-- New tasks go to the current one; when most of what an older one holds is past
-- its retention, the cleaner moves the rest to the current one and truncates it.
-- No table is made or dropped at run time: a running pg_dump must find them all,
-- and event triggers must have nothing to refuse (rule 5 of docs/design.md).
--
-- What changes during a task's life stands before what does not (the payload
-- comes last), and no index mentions what a fetch or a finish changes: both are
-- HOT updates whose WAL holds the changed middle alone. The fillfactor keeps
-- room for all three versions of a task on its page.
--
-- autovacuum is off for the generations: they are emptied by TRUNCATE.
-- (A wraparound vacuum still runs, as for every table.)

CREATE SCHEMA goque;
REVOKE ALL ON SCHEMA goque FROM PUBLIC;
COMMENT ON SCHEMA goque IS 'tables, types and views of the goque task queue';

CREATE SEQUENCE goque.task_id_seq AS bigint;
COMMENT ON SEQUENCE goque.task_id_seq IS 'ids of tasks';

-- Cursors of the ring are sequences, not rows: they are read at every call, and
-- a row that is updated again and again is slow to read under an old snapshot.
CREATE SEQUENCE goque.generation_seq AS bigint MINVALUE 0 START 0;
COMMENT ON SEQUENCE goque.generation_seq IS 'number of the current generation: its tasks are in goque.tasks_(number modulo 8)';

CREATE SEQUENCE goque.emptied_seq AS bigint MINVALUE 0 START 0;
COMMENT ON SEQUENCE goque.emptied_seq IS 'transaction that last emptied a generation: an older snapshot must not read the ring';

-- Here it outlives the session, so that goque_clean() can be called from cron.
CREATE SEQUENCE goque.quarantine_seq AS bigint MINVALUE 0 START 0;
COMMENT ON SEQUENCE goque.quarantine_seq IS 'which old generation goque_clean() found without tasks, and when: it is emptied a minute later';

-- Not dumped, and not replicated: what tells this installation from a copy of it
-- (src/core/home.c).
CREATE SEQUENCE goque.installation_seq AS bigint MINVALUE -9223372036854775808;
COMMENT ON SEQUENCE goque.installation_seq IS 'a random number, drawn by CREATE EXTENSION: schedules and processors that were set up elsewhere stay off here';
SELECT pg_catalog.setval('goque.installation_seq',
	pg_catalog.hashtextextended(pg_catalog.gen_random_uuid()::pg_catalog.text, 0));

CREATE TABLE goque.settings (
	type				text COLLATE "C" NOT NULL PRIMARY KEY,	-- '' is the database's default
	max_attempts		int,
	timeout				interval,
	backoff				text,
	backoff_base		interval,
	backoff_max			interval,
	backoff_jitter		float8,
	backoff_steps		interval[],
	retention			interval,
	retention_failed	interval,
	max_payload_size	int,
	max_running			int,
	rate_limit			int,
	rate_period			interval,
	paused				boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE goque.settings IS 'settings of task types, as goque_configure and goque_pause left them; a null means the default';

-- One row per key that a transaction holds: inserted and deleted by it, it is a
-- lock that the unique index grants to one at a time.
CREATE TABLE goque.key_locks (
	kind		smallint NOT NULL,	-- of what: GqLockKind in src/store/key_locks.h
	type		text COLLATE "C" NOT NULL,
	key			text COLLATE "C" NOT NULL,
	PRIMARY KEY (kind, type, key)
);
COMMENT ON TABLE goque.key_locks IS 'keys that running transactions hold; always empty to a reader';

-- What pending tasks wait for. A row goes when its parent is done, or its child has
-- ended; what a task was added after stays in its column.
CREATE TABLE goque.dependencies (
	parent		bigint NOT NULL,
	child		bigint NOT NULL,
	PRIMARY KEY (parent, child)
);
CREATE INDEX dependencies_child ON goque.dependencies (child, parent);
COMMENT ON TABLE goque.dependencies IS 'a row for each unfinished task that a pending one was added after';

-- Read only to learn what shared memory does not know: see src/core/limit.c.
CREATE TABLE goque.fetch_log (
	type		text COLLATE "C" NOT NULL,
	fetched_at	timestamptz NOT NULL,
	task		bigint NOT NULL,	-- the first of n fetched at once
	n			bigint NOT NULL,
	PRIMARY KEY (type, fetched_at, task)
);
COMMENT ON TABLE goque.fetch_log IS 'when tasks of types with a rate_limit were fetched, as far back as a rate_period reaches';

CREATE TABLE goque.tasks_0 (
	id				bigint NOT NULL,
	created_at		timestamptz NOT NULL,
	next_attempt_at	timestamptz NOT NULL,
	max_attempts	int NOT NULL,
	priority		smallint NOT NULL,
	unique_while	smallint NOT NULL,	-- scope of external_id: 0 kept, 1 live, 2 waiting
	status			smallint NOT NULL,	-- as in src/goque.h; goque.tasks spells it out
	attempts		int NOT NULL,
	updated_at		timestamptz NOT NULL,
	lease_until		timestamptz,
	token			bigint,
	started_at		timestamptz,
	finished_at		timestamptz,
	expires_at		timestamptz,
	run_at			timestamptz,		-- of a pending task: not before; next_attempt_at is infinity
	place			bigint,				-- in the line of its ordering_key
	timeout			interval,
	type			text COLLATE "C" NOT NULL,
	worker			text,
	error			text,
	errors			text,
	progress		jsonb,
	result			jsonb,
	external_id		text COLLATE "C",
	ordering_key	text COLLATE "C",
	after			bigint[],
	metadata		jsonb,
	payload			jsonb NOT NULL,
	PRIMARY KEY (id)
) WITH (fillfactor = 30, autovacuum_enabled = off, toast.autovacuum_enabled = off);
CREATE INDEX tasks_0_ready ON goque.tasks_0 (type, priority, next_attempt_at, id);
CREATE INDEX tasks_0_external_id ON goque.tasks_0 (type, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tasks_0_expires_at ON goque.tasks_0 (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX tasks_0_line ON goque.tasks_0 (type, ordering_key, place) WHERE place IS NOT NULL;
COMMENT ON TABLE goque.tasks_0 IS 'a generation of tasks; read goque.tasks instead';

CREATE TABLE goque.tasks_1 (
	id				bigint NOT NULL,
	created_at		timestamptz NOT NULL,
	next_attempt_at	timestamptz NOT NULL,
	max_attempts	int NOT NULL,
	priority		smallint NOT NULL,
	unique_while	smallint NOT NULL,	-- scope of external_id: 0 kept, 1 live, 2 waiting
	status			smallint NOT NULL,	-- as in src/goque.h; goque.tasks spells it out
	attempts		int NOT NULL,
	updated_at		timestamptz NOT NULL,
	lease_until		timestamptz,
	token			bigint,
	started_at		timestamptz,
	finished_at		timestamptz,
	expires_at		timestamptz,
	run_at			timestamptz,		-- of a pending task: not before; next_attempt_at is infinity
	place			bigint,				-- in the line of its ordering_key
	timeout			interval,
	type			text COLLATE "C" NOT NULL,
	worker			text,
	error			text,
	errors			text,
	progress		jsonb,
	result			jsonb,
	external_id		text COLLATE "C",
	ordering_key	text COLLATE "C",
	after			bigint[],
	metadata		jsonb,
	payload			jsonb NOT NULL,
	PRIMARY KEY (id)
) WITH (fillfactor = 30, autovacuum_enabled = off, toast.autovacuum_enabled = off);
CREATE INDEX tasks_1_ready ON goque.tasks_1 (type, priority, next_attempt_at, id);
CREATE INDEX tasks_1_external_id ON goque.tasks_1 (type, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tasks_1_expires_at ON goque.tasks_1 (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX tasks_1_line ON goque.tasks_1 (type, ordering_key, place) WHERE place IS NOT NULL;
COMMENT ON TABLE goque.tasks_1 IS 'a generation of tasks; read goque.tasks instead';

CREATE TABLE goque.tasks_2 (
	id				bigint NOT NULL,
	created_at		timestamptz NOT NULL,
	next_attempt_at	timestamptz NOT NULL,
	max_attempts	int NOT NULL,
	priority		smallint NOT NULL,
	unique_while	smallint NOT NULL,	-- scope of external_id: 0 kept, 1 live, 2 waiting
	status			smallint NOT NULL,	-- as in src/goque.h; goque.tasks spells it out
	attempts		int NOT NULL,
	updated_at		timestamptz NOT NULL,
	lease_until		timestamptz,
	token			bigint,
	started_at		timestamptz,
	finished_at		timestamptz,
	expires_at		timestamptz,
	run_at			timestamptz,		-- of a pending task: not before; next_attempt_at is infinity
	place			bigint,				-- in the line of its ordering_key
	timeout			interval,
	type			text COLLATE "C" NOT NULL,
	worker			text,
	error			text,
	errors			text,
	progress		jsonb,
	result			jsonb,
	external_id		text COLLATE "C",
	ordering_key	text COLLATE "C",
	after			bigint[],
	metadata		jsonb,
	payload			jsonb NOT NULL,
	PRIMARY KEY (id)
) WITH (fillfactor = 30, autovacuum_enabled = off, toast.autovacuum_enabled = off);
CREATE INDEX tasks_2_ready ON goque.tasks_2 (type, priority, next_attempt_at, id);
CREATE INDEX tasks_2_external_id ON goque.tasks_2 (type, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tasks_2_expires_at ON goque.tasks_2 (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX tasks_2_line ON goque.tasks_2 (type, ordering_key, place) WHERE place IS NOT NULL;
COMMENT ON TABLE goque.tasks_2 IS 'a generation of tasks; read goque.tasks instead';

CREATE TABLE goque.tasks_3 (
	id				bigint NOT NULL,
	created_at		timestamptz NOT NULL,
	next_attempt_at	timestamptz NOT NULL,
	max_attempts	int NOT NULL,
	priority		smallint NOT NULL,
	unique_while	smallint NOT NULL,	-- scope of external_id: 0 kept, 1 live, 2 waiting
	status			smallint NOT NULL,	-- as in src/goque.h; goque.tasks spells it out
	attempts		int NOT NULL,
	updated_at		timestamptz NOT NULL,
	lease_until		timestamptz,
	token			bigint,
	started_at		timestamptz,
	finished_at		timestamptz,
	expires_at		timestamptz,
	run_at			timestamptz,		-- of a pending task: not before; next_attempt_at is infinity
	place			bigint,				-- in the line of its ordering_key
	timeout			interval,
	type			text COLLATE "C" NOT NULL,
	worker			text,
	error			text,
	errors			text,
	progress		jsonb,
	result			jsonb,
	external_id		text COLLATE "C",
	ordering_key	text COLLATE "C",
	after			bigint[],
	metadata		jsonb,
	payload			jsonb NOT NULL,
	PRIMARY KEY (id)
) WITH (fillfactor = 30, autovacuum_enabled = off, toast.autovacuum_enabled = off);
CREATE INDEX tasks_3_ready ON goque.tasks_3 (type, priority, next_attempt_at, id);
CREATE INDEX tasks_3_external_id ON goque.tasks_3 (type, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tasks_3_expires_at ON goque.tasks_3 (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX tasks_3_line ON goque.tasks_3 (type, ordering_key, place) WHERE place IS NOT NULL;
COMMENT ON TABLE goque.tasks_3 IS 'a generation of tasks; read goque.tasks instead';

CREATE TABLE goque.tasks_4 (
	id				bigint NOT NULL,
	created_at		timestamptz NOT NULL,
	next_attempt_at	timestamptz NOT NULL,
	max_attempts	int NOT NULL,
	priority		smallint NOT NULL,
	unique_while	smallint NOT NULL,	-- scope of external_id: 0 kept, 1 live, 2 waiting
	status			smallint NOT NULL,	-- as in src/goque.h; goque.tasks spells it out
	attempts		int NOT NULL,
	updated_at		timestamptz NOT NULL,
	lease_until		timestamptz,
	token			bigint,
	started_at		timestamptz,
	finished_at		timestamptz,
	expires_at		timestamptz,
	run_at			timestamptz,		-- of a pending task: not before; next_attempt_at is infinity
	place			bigint,				-- in the line of its ordering_key
	timeout			interval,
	type			text COLLATE "C" NOT NULL,
	worker			text,
	error			text,
	errors			text,
	progress		jsonb,
	result			jsonb,
	external_id		text COLLATE "C",
	ordering_key	text COLLATE "C",
	after			bigint[],
	metadata		jsonb,
	payload			jsonb NOT NULL,
	PRIMARY KEY (id)
) WITH (fillfactor = 30, autovacuum_enabled = off, toast.autovacuum_enabled = off);
CREATE INDEX tasks_4_ready ON goque.tasks_4 (type, priority, next_attempt_at, id);
CREATE INDEX tasks_4_external_id ON goque.tasks_4 (type, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tasks_4_expires_at ON goque.tasks_4 (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX tasks_4_line ON goque.tasks_4 (type, ordering_key, place) WHERE place IS NOT NULL;
COMMENT ON TABLE goque.tasks_4 IS 'a generation of tasks; read goque.tasks instead';

CREATE TABLE goque.tasks_5 (
	id				bigint NOT NULL,
	created_at		timestamptz NOT NULL,
	next_attempt_at	timestamptz NOT NULL,
	max_attempts	int NOT NULL,
	priority		smallint NOT NULL,
	unique_while	smallint NOT NULL,	-- scope of external_id: 0 kept, 1 live, 2 waiting
	status			smallint NOT NULL,	-- as in src/goque.h; goque.tasks spells it out
	attempts		int NOT NULL,
	updated_at		timestamptz NOT NULL,
	lease_until		timestamptz,
	token			bigint,
	started_at		timestamptz,
	finished_at		timestamptz,
	expires_at		timestamptz,
	run_at			timestamptz,		-- of a pending task: not before; next_attempt_at is infinity
	place			bigint,				-- in the line of its ordering_key
	timeout			interval,
	type			text COLLATE "C" NOT NULL,
	worker			text,
	error			text,
	errors			text,
	progress		jsonb,
	result			jsonb,
	external_id		text COLLATE "C",
	ordering_key	text COLLATE "C",
	after			bigint[],
	metadata		jsonb,
	payload			jsonb NOT NULL,
	PRIMARY KEY (id)
) WITH (fillfactor = 30, autovacuum_enabled = off, toast.autovacuum_enabled = off);
CREATE INDEX tasks_5_ready ON goque.tasks_5 (type, priority, next_attempt_at, id);
CREATE INDEX tasks_5_external_id ON goque.tasks_5 (type, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tasks_5_expires_at ON goque.tasks_5 (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX tasks_5_line ON goque.tasks_5 (type, ordering_key, place) WHERE place IS NOT NULL;
COMMENT ON TABLE goque.tasks_5 IS 'a generation of tasks; read goque.tasks instead';

CREATE TABLE goque.tasks_6 (
	id				bigint NOT NULL,
	created_at		timestamptz NOT NULL,
	next_attempt_at	timestamptz NOT NULL,
	max_attempts	int NOT NULL,
	priority		smallint NOT NULL,
	unique_while	smallint NOT NULL,	-- scope of external_id: 0 kept, 1 live, 2 waiting
	status			smallint NOT NULL,	-- as in src/goque.h; goque.tasks spells it out
	attempts		int NOT NULL,
	updated_at		timestamptz NOT NULL,
	lease_until		timestamptz,
	token			bigint,
	started_at		timestamptz,
	finished_at		timestamptz,
	expires_at		timestamptz,
	run_at			timestamptz,		-- of a pending task: not before; next_attempt_at is infinity
	place			bigint,				-- in the line of its ordering_key
	timeout			interval,
	type			text COLLATE "C" NOT NULL,
	worker			text,
	error			text,
	errors			text,
	progress		jsonb,
	result			jsonb,
	external_id		text COLLATE "C",
	ordering_key	text COLLATE "C",
	after			bigint[],
	metadata		jsonb,
	payload			jsonb NOT NULL,
	PRIMARY KEY (id)
) WITH (fillfactor = 30, autovacuum_enabled = off, toast.autovacuum_enabled = off);
CREATE INDEX tasks_6_ready ON goque.tasks_6 (type, priority, next_attempt_at, id);
CREATE INDEX tasks_6_external_id ON goque.tasks_6 (type, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tasks_6_expires_at ON goque.tasks_6 (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX tasks_6_line ON goque.tasks_6 (type, ordering_key, place) WHERE place IS NOT NULL;
COMMENT ON TABLE goque.tasks_6 IS 'a generation of tasks; read goque.tasks instead';

CREATE TABLE goque.tasks_7 (
	id				bigint NOT NULL,
	created_at		timestamptz NOT NULL,
	next_attempt_at	timestamptz NOT NULL,
	max_attempts	int NOT NULL,
	priority		smallint NOT NULL,
	unique_while	smallint NOT NULL,	-- scope of external_id: 0 kept, 1 live, 2 waiting
	status			smallint NOT NULL,	-- as in src/goque.h; goque.tasks spells it out
	attempts		int NOT NULL,
	updated_at		timestamptz NOT NULL,
	lease_until		timestamptz,
	token			bigint,
	started_at		timestamptz,
	finished_at		timestamptz,
	expires_at		timestamptz,
	run_at			timestamptz,		-- of a pending task: not before; next_attempt_at is infinity
	place			bigint,				-- in the line of its ordering_key
	timeout			interval,
	type			text COLLATE "C" NOT NULL,
	worker			text,
	error			text,
	errors			text,
	progress		jsonb,
	result			jsonb,
	external_id		text COLLATE "C",
	ordering_key	text COLLATE "C",
	after			bigint[],
	metadata		jsonb,
	payload			jsonb NOT NULL,
	PRIMARY KEY (id)
) WITH (fillfactor = 30, autovacuum_enabled = off, toast.autovacuum_enabled = off);
CREATE INDEX tasks_7_ready ON goque.tasks_7 (type, priority, next_attempt_at, id);
CREATE INDEX tasks_7_external_id ON goque.tasks_7 (type, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tasks_7_expires_at ON goque.tasks_7 (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX tasks_7_line ON goque.tasks_7 (type, ordering_key, place) WHERE place IS NOT NULL;
COMMENT ON TABLE goque.tasks_7 IS 'a generation of tasks; read goque.tasks instead';

-- What a fetch returns and what a processor's handler takes. Attributes are
-- only ever appended, in major versions.
CREATE TYPE goque.task AS (
	id				bigint,
	type			text,
	external_id		text,
	payload			jsonb,
	attempt			int,
	max_attempts	int,
	priority		int,
	ordering_key	text,
	metadata		jsonb,
	errors			text,
	progress		jsonb,
	created_at		timestamptz,
	lease_until		timestamptz,
	token			bigint,
	lease			interval
);
COMMENT ON TYPE goque.task IS 'a fetched task, as goque_fetch returns it';
