# goque, a task queue inside PostgreSQL.  Built with PGXS:
#
#   make && sudo make install && make installcheck
#   make PG_CONFIG=/usr/lib/postgresql/17/bin/pg_config ...    another server
#   make installcheck REGRESS=fetch ISOLATION= TAP_TESTS=      one test
#   make installcheck TEMP_INSTANCE= TAP_TESTS=                on a running server
#   make pgtap                                                 on a running server
#   make lint                                                  house rules
#
# scripts/test does all of it by itself, on a machine that has nothing.

EXTENSION   = goque
MODULE_big  = goque
PGFILEDESC  = "goque - a task queue inside PostgreSQL"

# The version is written in goque.control and nowhere else.
GQ_VERSION := $(shell sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" goque.control)

OBJS = \
	src/goque.o \
	src/guc.o \
	src/api/args.o \
	src/api/batch.o \
	src/api/owner.o \
	src/api/add.o \
	src/api/fetch.o \
	src/api/wait_for.o \
	src/api/finish.o \
	src/api/steer.o \
	src/api/configure.o \
	src/api/schedule.o \
	src/api/grant.o \
	src/api/process.o \
	src/api/maintain.o \
	src/api/monitor.o \
	src/api/processing_path.o \
	src/api/why.o \
	src/core/pending.o \
	src/core/task.o \
	src/core/subtransaction.o \
	src/core/under_locks.o \
	src/core/unsettled.o \
	src/core/status.o \
	src/core/settings.o \
	src/core/backoff.o \
	src/core/ready.o \
	src/core/branch.o \
	src/core/ready_index.o \
	src/core/claim.o \
	src/core/claim_commit.o \
	src/core/notes.o \
	src/core/output.o \
	src/core/size.o \
	src/core/sleep.o \
	src/core/await.o \
	src/core/why.o \
	src/core/disconnect.o \
	src/core/add.o \
	src/core/replace.o \
	src/core/unique.o \
	src/core/bulk.o \
	src/core/change.o \
	src/core/ending.o \
	src/core/call.o \
	src/core/processing_map.o \
	src/core/limit.o \
	src/core/rate_notes.o \
	src/core/locks.o \
	src/core/line.o \
	src/core/dependency.o \
	src/core/aftermath.o \
	src/core/settle.o \
	src/core/stranded.o \
	src/core/installation.o \
	src/core/processor.o \
	src/core/running.o \
	src/core/processor_duty.o \
	src/core/home.o \
	src/core/cron.o \
	src/core/cron_next.o \
	src/core/timetable.o \
	src/core/schedule.o \
	src/core/schedule_due.o \
	src/core/finish.o \
	src/core/guard.o \
	src/core/heal.o \
	src/core/retain.o \
	src/core/survey.o \
	src/core/token.o \
	src/core/counts.o \
	src/core/delays.o \
	src/core/detail.o \
	src/core/xact.o \
	src/store/pinned_path.o \
	src/store/prepared.o \
	src/store/relations.o \
	src/store/ring.o \
	src/store/places.o \
	src/store/sequence.o \
	src/store/installation.o \
	src/store/schedules.o \
	src/store/task_row.o \
	src/store/row_lock.o \
	src/store/task_ids.o \
	src/store/types_in_use.o \
	src/store/key_locks.o \
	src/store/dependencies.o \
	src/store/fetch_log.o \
	src/store/rotate.o \
	src/store/quarantine.o \
	src/store/settings.o \
	src/store/handlers.o \
	src/shared/shmem.o \
	src/shared/types.o \
	src/shared/frontier.o \
	src/shared/window.o \
	src/shared/cells.o \
	src/shared/prepared_keys.o \
	src/shared/totals_file.o \
	src/shared/wait_lines.o \
	src/shared/wakeup.o \
	src/shared/awaited.o \
	src/shared/leases.o \
	src/shared/delays.o \
	src/shared/rates.o \
	src/shared/processing_map.o \
	src/shared/databases.o \
	src/shared/processors.o \
	src/shared/runners.o \
	src/shared/keepers.o \
	src/worker/worker.o \
	src/worker/launcher.o \
	src/worker/runner.o \
	src/worker/run.o \
	src/worker/handler.o \
	src/worker/session.o \
	src/worker/starts.o \
	src/worker/keeper.o \
	src/worker/utility.o

# What CREATE EXTENSION runs, in this order.
SQL_PARTS = \
	sql/parts/tables.sql \
	sql/parts/add.sql \
	sql/parts/fetch.sql \
	sql/parts/wait.sql \
	sql/parts/finish.sql \
	sql/parts/configure.sql \
	sql/parts/process.sql \
	sql/parts/maintain.sql \
	sql/parts/schedule.sql \
	sql/parts/monitor.sql \
	sql/parts/health.sql \
	sql/parts/views.sql \
	sql/parts/grants.sql \
	sql/parts/dump.sql

DATA_built  = sql/goque--$(GQ_VERSION).sql

# What -Wextra has to say of the server's headers is not ours to mend: to the
# compiler they are those of the system.
PG_CPPFLAGS = -I$(srcdir)/src -isystem $(includedir_server) -DGQ_VERSION='"$(GQ_VERSION)"'
# SQL functions and callbacks have the parameters that the server gives.
PG_CFLAGS   = -Wno-unused-parameter
# A server that gcc built hands its flags and attributes on to clang.
ifneq (,$(findstring clang,$(CC)))
PG_CFLAGS  += -Wno-unknown-warning-option -Wno-ignored-optimization-argument -Wno-ignored-attributes
endif
EXTRA_CLEAN = results regression.diffs regression.out log tmp_check tmp_check_iso output_iso

# Tests.  pg_regress starts a server of its own with test/goque.conf; with
# TEMP_INSTANCE= (empty) the tests run on the server that PGHOST and PGPORT
# name.  It must have goque in shared_preload_libraries.
TEMP_INSTANCE  = yes
temp_instance  = $(if $(TEMP_INSTANCE),--temp-instance=$(1) --temp-config=$(srcdir)/test/goque.conf)

REGRESS        = add fetch finish guard why steer unique order after configure limits schedule processors maintain views user_code insert_copy \
	errors savepoints callers hostile encodings times readonly drivers
REGRESS_OPTS   = --encoding=UTF8 --no-locale --inputdir=test --load-extension=goque $(call temp_instance,tmp_check)
ISOLATION      = two_fetchers fetch_skips_locked fetch_rolled_back savepoint_rollback_fetch \
	limit_last_place limit_changed limit_prepared waiter_woken_by_commit complete_after_heal complete_late_untouched repeated_finish \
	finish_in_opposite_order cancel_while_held cancel_vs_complete guarded_task awaited_task why_busy \
	two_adds_one_external_id add_waits_only_for_clash batches_in_opposite_order replace_in_opposite_order \
	replace_vs_fetch retry_meets_taken_key move_while_called snapshot_older_than_emptying \
	repeatable_read_fetch serializable_fetch two_schedules_one_name prepared_add prepared_claim_rolled_back \
	line_adds line_finish_vs_add line_cancel line_retry line_replace line_snapshots line_prepared \
	after_two_parents after_child_added after_cycle after_cancel after_snapshots after_in_line \
	rows_then_locks release_meets_taken_key unique_snapshots unique_prepared processor_steered
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=goque $(call temp_instance,tmp_check_iso)
TAP_TESTS      = 1
# the longest first, for prove -j: a generation is emptied after a minute, twice
PROVE_TESTS    = test/t/008_dump.pl $(filter-out %/008_dump.pl,$(sort $(wildcard test/t/*.pl)))
REGRESS_PREP   = can-test

PG_CONFIG = pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

PG_PROVE_FLAGS += -I $(srcdir)/test/perl

# PGXS knows no header dependencies: any header rebuilds everything (seconds).
gq_headers := $(wildcard $(srcdir)/src/*.h $(srcdir)/src/*/*.h)
$(OBJS) $(OBJS:.o=.bc): $(gq_headers) goque.control

sql/goque--$(GQ_VERSION).sql: $(SQL_PARTS) goque.control
	{ printf '%s\n' '\echo Use "CREATE EXTENSION goque" to load this file. \quit'; \
	  cat $(addprefix $(srcdir)/,$(SQL_PARTS)); } > $@.tmp && mv $@.tmp $@

# A version that the changelog does not know is not built.
$(OBJS) $(DATA_built): | changelog
changelog:
	@grep -qF '## $(GQ_VERSION)' $(srcdir)/CHANGELOG.md || { \
		echo "goque.control says version $(GQ_VERSION), but CHANGELOG.md has no section '## $(GQ_VERSION)'" >&2; exit 1; }

# Say why, before pg_regress fails with "initdb failed".
can-test:
	@if [ -n '$(TEMP_INSTANCE)$(TAP_TESTS)' ] && [ "$$(id -u)" = 0 ]; then \
		echo "installcheck starts PostgreSQL servers, which refuse to run as root: run it as another user, or use scripts/test" >&2; exit 1; fi
	@if [ -n '$(TEMP_INSTANCE)' ] && [ ! -e '$(pkglibdir)/goque$(DLSUFFIX)' ]; then \
		echo "goque is not installed in $(pkglibdir): first run 'sudo make install'" >&2; exit 1; fi

# pgTAP, in a database made for it.
PG_PROVE   = pg_prove
PGTAP_DB   = goque_pgtap
pgtap:
	'$(bindir)/dropdb' --if-exists --force $(PGTAP_DB)
	'$(bindir)/createdb' $(PGTAP_DB)
	'$(bindir)/psql' -X -q -v ON_ERROR_STOP=1 -d $(PGTAP_DB) -c 'CREATE EXTENSION pgtap' -c 'CREATE EXTENSION goque'
	$(PG_PROVE) $(PROVE_FLAGS) --psql-bin '$(bindir)/psql' -d $(PGTAP_DB) $(srcdir)/test/pgtap/*.sql

lint: all
	@OBJS='$(OBJS)' SQL_PARTS='$(SQL_PARTS)' REGRESS='$(REGRESS)' ISOLATION='$(ISOLATION)' \
	 PG_BINDIR='$(shell $(PG_CONFIG) --bindir)' PG_SHAREDIR='$(shell $(PG_CONFIG) --sharedir)' \
	 CC='$(CC)' CLANG='$(CLANG)' CPPFLAGS='$(subst ',,$(CPPFLAGS))' LIBRARY='goque$(DLSUFFIX)' $(srcdir)/scripts/lint

.PHONY: changelog can-test pgtap lint
