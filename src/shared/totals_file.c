/*-------------------------------------------------------------------------
 *
 * totals_file.c
 *	  Keeping the totals of goque.stats, and the frontiers, over an orderly
 *	  restart.
 *
 * The postmaster writes what shared memory counted to a file when the server
 * ends in good order, and reads it at the next start.  The file is true only of
 * the very state of the tables in which it was written.  Therefore:
 *
 *	- it is written under a temporary name and renamed, and not at all unless
 *	  the control file says "shut down" (a crash and an immediate stop do not);
 *	- it holds the location of that shutdown checkpoint and the system
 *	  identifier.  A server that ran in between without goque, a restored
 *	  backup, a crash, another cluster: the checkpoint is another one;
 *	- a server about to replay somebody else's WAL does not use it;
 *	- it is removed as soon as it was read, so that a crash finds none.
 *
 * A file that does not fit is dropped with a LOG message: the totals then start
 * at 0, the counts are counted anew, and the first fetch of a type walks past all
 * of its finished tasks.  No locks: the postmaster is alone when
 * either function runs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"

#include "shared/totals_file.h"
#include "shared/types.h"

#define TOTALS_FILE PGSTAT_STAT_PERMANENT_DIRECTORY "/goque.stat"
#define TOTALS_TMP_FILE TOTALS_FILE ".tmp"
#define TOTALS_MAGIC 0x47715402 /* the last byte is the format's version */

typedef struct Header
{
	uint32		magic;
	uint32		record_size;
	uint64		system_identifier;
	XLogRecPtr	checkpoint;		/* the shutdown checkpoint */
	uint32		nrecords;
	pg_crc32c	crc;			/* of the records */
} Header;

typedef struct Record
{
	Oid			database;
	Oid			instance;
	char		name[GQ_MAX_TYPE_BYTES + 1];
	GqFrontier	frontier[GQ_GENERATIONS];
	uint32		prepared;
	GqKey		prepared_key;
	bool		counted;
	int64		counts[GQ_STATUSES];
	int64		totals[GQ_TOTALS];
	TimestampTz last_fetch_at;
	int64		max_payload;
} Record;

/* Identify the state of the tables; false if nobody can be sure of it. */
static bool
read_checkpoint(Header *header)
{
	bool		crc_ok;
	ControlFileData *control = get_controlfile(DataDir, &crc_ok);
	bool		ok = crc_ok && control->state == DB_SHUTDOWNED;

	header->system_identifier = control->system_identifier;
	header->checkpoint = control->checkPoint;
	pfree(control);
	return ok;
}

static void
fill_record(Record *record, const GqType *entry)
{
	memset(record, 0, sizeof(*record));
	record->database = entry->database;
	record->instance = entry->instance;
	strlcpy(record->name, entry->name, sizeof(record->name));
	memcpy(record->frontier, entry->frontier, sizeof(record->frontier));
	record->prepared = entry->prepared;
	record->prepared_key = entry->prepared_key;
	record->counted = entry->counted;
	memcpy(record->counts, entry->counts, sizeof(record->counts));
	memcpy(record->totals, entry->totals, sizeof(record->totals));
	record->last_fetch_at = entry->last_fetch_at;
	record->max_payload = entry->max_payload;
}

static void
apply_record(const Record *record)
{
	GqType	   *entry = gq_type_restore(record->database, record->instance,
										record->name);

	if (entry == NULL)
		return;
	memcpy(entry->frontier, record->frontier, sizeof(entry->frontier));
	entry->prepared = record->prepared;
	entry->prepared_key = record->prepared_key;
	entry->counted = record->counted;
	memcpy(entry->counts, record->counts, sizeof(entry->counts));
	memcpy(entry->totals, record->totals, sizeof(entry->totals));
	entry->last_fetch_at = record->last_fetch_at;
	entry->max_payload = record->max_payload;
}

/* Records of all entries, palloc'd. */
static Record *
collect_records(Header *header)
{
	Record	   *records = palloc(sizeof(Record) * GQ_MAX_TYPES);

	header->nrecords = 0;
	for (int i = 0; i < GQ_MAX_TYPES; i++)
	{
		GqType	   *entry = gq_type_nth(i);

		if (entry != NULL)
			fill_record(&records[header->nrecords++], entry);
	}
	INIT_CRC32C(header->crc);
	COMP_CRC32C(header->crc, records, header->nrecords * sizeof(Record));
	FIN_CRC32C(header->crc);
	return records;
}

static bool
write_file(const Header *header, const Record *records)
{
	FILE	   *file = AllocateFile(TOTALS_TMP_FILE, PG_BINARY_W);
	bool		ok;

	if (file == NULL)
		return false;
	ok = fwrite(header, sizeof(*header), 1, file) == 1 &&
		fwrite(records, sizeof(Record), header->nrecords, file) == header->nrecords;
	if (FreeFile(file) != 0)
		ok = false;
	return ok && durable_rename(TOTALS_TMP_FILE, TOTALS_FILE, LOG) == 0;
}

void
gq_totals_save(int code, Datum arg)
{
	Header		header = {.magic = TOTALS_MAGIC,.record_size = sizeof(Record)};
	Record	   *records;

	if (code != 0 || !read_checkpoint(&header))
		return;

	records = collect_records(&header);
	if (!write_file(&header, records))
	{
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", TOTALS_FILE)));
		unlink(TOTALS_TMP_FILE);
	}
	pfree(records);
}

/* Palloc'd records of the file, or NULL when they are not of this format. */
static Record *
read_records(FILE *file, Header *header)
{
	Record	   *records;
	pg_crc32c	crc;

	if (fread(header, sizeof(*header), 1, file) != 1 ||
		header->magic != TOTALS_MAGIC ||
		header->record_size != sizeof(Record) ||
		header->nrecords > GQ_MAX_TYPES)
		return NULL;

	records = palloc(sizeof(Record) * Max(header->nrecords, 1));
	if (fread(records, sizeof(Record), header->nrecords, file) == header->nrecords &&
		fgetc(file) == EOF)
	{
		INIT_CRC32C(crc);
		COMP_CRC32C(crc, records, header->nrecords * sizeof(Record));
		FIN_CRC32C(crc);
		if (EQ_CRC32C(crc, header->crc))
			return records;
	}
	pfree(records);
	return NULL;
}

/* Do the tables stand where they stood when this file was written? */
static bool
is_current(const Header *header)
{
	Header		now;
	struct stat st;

	return read_checkpoint(&now) &&
		now.system_identifier == header->system_identifier &&
		now.checkpoint == header->checkpoint &&
		stat(STANDBY_SIGNAL_FILE, &st) != 0 &&
		stat(RECOVERY_SIGNAL_FILE, &st) != 0;
}

static void
load_from(FILE *file)
{
	Header		header;
	Record	   *records = read_records(file, &header);

	if (records == NULL)
	{
		ereport(LOG,
				(errmsg("ignoring invalid data in file \"%s\"", TOTALS_FILE)));
		return;
	}
	if (is_current(&header))
	{
		for (uint32 i = 0; i < header.nrecords; i++)
			apply_record(&records[i]);
	}
	else
		ereport(LOG,
				(errmsg("ignoring file \"%s\": the server was changed since it was written",
						TOTALS_FILE)));
	pfree(records);
}

void
gq_totals_load(void)
{
	FILE	   *file = AllocateFile(TOTALS_FILE, PG_BINARY_R);

	if (file != NULL)
	{
		load_from(file);
		FreeFile(file);
	}
	else if (errno != ENOENT)
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m", TOTALS_FILE)));

	if (unlink(TOTALS_FILE) != 0 && errno != ENOENT)
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not remove file \"%s\": %m", TOTALS_FILE)));
}
