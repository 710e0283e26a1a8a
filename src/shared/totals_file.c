/*-------------------------------------------------------------------------
 *
 * totals_file.c
 *	  Keeping the numbers of goque.stats, and the frontiers, over an orderly
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

#include "shared/delays.h"
#include "shared/totals_file.h"
#include "shared/types.h"

#define TOTALS_FILE PGSTAT_STAT_PERMANENT_DIRECTORY "/goque.stat"
#define TOTALS_TMP_FILE TOTALS_FILE ".tmp"
#define TOTALS_MAGIC 0x47715405 /* the last byte is the format's version */

typedef struct Header
{
	uint32		magic;
	uint32		record_size;
	uint64		system_identifier;
	XLogRecPtr	checkpoint;		/* the shutdown checkpoint */
	uint32		nrecords;
	uint32		ndelays;
	pg_crc32c	crc;			/* of what follows */
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
	bool		running_known;
	int64		prepared_claims;
	bool		delays_lost;
	int64		counts[GQ_STATUSES];
	int64		totals[GQ_TOTALS];
	TimestampTz last_fetch_at;
	int64		max_payload;
} Record;

/* what stands in the file behind the header */
typedef struct Contents
{
	Record	   *records;
	GqDelay    *delays;			/* the type is the number of its record */
} Contents;

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
	record->running_known = entry->running_known;
	record->prepared_claims = entry->prepared_claims;
	record->delays_lost = entry->delays_lost;
	memcpy(record->counts, entry->counts, sizeof(record->counts));
	memcpy(record->totals, entry->totals, sizeof(record->totals));
	record->last_fetch_at = entry->last_fetch_at;
	record->max_payload = entry->max_payload;
}

/* The entry that it became; NULL: there was no room. */
static GqType *
apply_record(const Record *record)
{
	GqType	   *entry = gq_type_restore(record->database, record->instance,
										record->name);

	if (entry == NULL)
		return NULL;
	memcpy(entry->frontier, record->frontier, sizeof(entry->frontier));
	entry->prepared = record->prepared;
	entry->prepared_key = record->prepared_key;
	entry->counted = record->counted;
	entry->running_known = record->running_known;
	entry->prepared_claims = record->prepared_claims;
	entry->delays_lost = record->delays_lost;
	memcpy(entry->counts, record->counts, sizeof(entry->counts));
	memcpy(entry->totals, record->totals, sizeof(entry->totals));
	entry->last_fetch_at = record->last_fetch_at;
	entry->max_payload = record->max_payload;
	return entry;
}

static void
apply(const Header *header, Contents *contents)
{
	GqType	  **entries = palloc(sizeof(GqType *) * Max(header->nrecords, 1));

	for (uint32 i = 0; i < header->nrecords; i++)
		entries[i] = apply_record(&contents->records[i]);
	for (uint32 i = 0; i < header->ndelays; i++)
	{
		GqDelay    *delay = &contents->delays[i];
		GqType	   *entry = entries[delay->span.type];

		if (entry == NULL)
			continue;
		delay->span.type = gq_type_number(entry);
		gq_delays_add(entry, delay);
	}
	pfree(entries);
}

static pg_crc32c
checksum(const Header *header, const Contents *contents)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, contents->records, header->nrecords * sizeof(Record));
	COMP_CRC32C(crc, contents->delays, header->ndelays * sizeof(GqDelay));
	FIN_CRC32C(crc);
	return crc;
}

/* All entries and their delays, palloc'd. */
static void
collect(Header *header, Contents *contents)
{
	int			number[GQ_MAX_TYPES];	/* of each entry's record */
	int			ndelays;

	contents->records = palloc(sizeof(Record) * GQ_MAX_TYPES);
	header->nrecords = 0;
	for (int i = 0; i < GQ_MAX_TYPES; i++)
	{
		GqType	   *entry = gq_type_nth(i);

		number[i] = header->nrecords;
		if (entry != NULL)
			fill_record(&contents->records[header->nrecords++], entry);
	}
	contents->delays = gq_delays_copy(&ndelays);
	header->ndelays = ndelays;
	for (int i = 0; i < ndelays; i++)
		contents->delays[i].span.type = number[contents->delays[i].span.type];
	header->crc = checksum(header, contents);
}

static bool
write_file(const Header *header, const Contents *contents)
{
	FILE	   *file = AllocateFile(TOTALS_TMP_FILE, PG_BINARY_W);
	bool		ok;

	if (file == NULL)
		return false;
	ok = fwrite(header, sizeof(*header), 1, file) == 1 &&
		fwrite(contents->records, sizeof(Record), header->nrecords, file) == header->nrecords &&
		fwrite(contents->delays, sizeof(GqDelay), header->ndelays, file) == header->ndelays;
	if (!ok)
	{
		int			save_errno = errno; /* for the message */

		FreeFile(file);
		errno = save_errno;
		return false;
	}
	if (FreeFile(file) != 0)
		return false;
	return durable_rename(TOTALS_TMP_FILE, TOTALS_FILE, LOG) == 0;
}

static void
free_contents(Contents *contents)
{
	pfree(contents->records);
	pfree(contents->delays);
}

void
gq_totals_save(int code, Datum arg)
{
	Header		header = {.magic = TOTALS_MAGIC,.record_size = sizeof(Record)};
	Contents	contents;

	if (code != 0 || !read_checkpoint(&header))
		return;

	collect(&header, &contents);
	if (!write_file(&header, &contents))
	{
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", TOTALS_FILE)));
		unlink(TOTALS_TMP_FILE);
	}
	free_contents(&contents);
}

/* Does each delay belong to a record? */
static bool
delays_fit(const Header *header, const Contents *contents)
{
	for (uint32 i = 0; i < header->ndelays; i++)
		if ((uint32) contents->delays[i].span.type >= header->nrecords)
			return false;
	return true;
}

/* False: it is not of this format.  Palloc'd. */
static bool
read_file(FILE *file, Header *header, Contents *contents)
{
	if (fread(header, sizeof(*header), 1, file) != 1 ||
		header->magic != TOTALS_MAGIC ||
		header->record_size != sizeof(Record) ||
		header->nrecords > GQ_MAX_TYPES || header->ndelays > GQ_MAX_DELAYS)
		return false;

	contents->records = palloc(sizeof(Record) * Max(header->nrecords, 1));
	contents->delays = palloc(sizeof(GqDelay) * Max(header->ndelays, 1));
	if (fread(contents->records, sizeof(Record), header->nrecords, file) == header->nrecords &&
		fread(contents->delays, sizeof(GqDelay), header->ndelays, file) == header->ndelays &&
		fgetc(file) == EOF && EQ_CRC32C(header->crc, checksum(header, contents)) &&
		delays_fit(header, contents))
		return true;
	free_contents(contents);
	return false;
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
	Contents	contents;

	if (!read_file(file, &header, &contents))
	{
		ereport(LOG,
				(errmsg("ignoring invalid data in file \"%s\"", TOTALS_FILE)));
		return;
	}
	if (is_current(&header))
		apply(&header, &contents);
	else
		ereport(LOG,
				(errmsg("ignoring file \"%s\": the server was changed since it was written",
						TOTALS_FILE)));
	free_contents(&contents);
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
