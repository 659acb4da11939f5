/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "db.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "own.h"
#include "str.h"

#define BUSY_MS 10000

struct sqlite {
	void *library;
	__typeof__(sqlite3_open_v2) *open_v2;
	__typeof__(sqlite3_close_v2) *close_v2;
	__typeof__(sqlite3_busy_timeout) *busy_timeout;
	__typeof__(sqlite3_exec) *exec;
	__typeof__(sqlite3_errmsg) *errmsg;
	__typeof__(sqlite3_prepare_v2) *prepare_v2;
	__typeof__(sqlite3_finalize) *finalize;
	__typeof__(sqlite3_bind_int64) *bind_int64;
	__typeof__(sqlite3_bind_text) *bind_text;
	__typeof__(sqlite3_step) *step;
	__typeof__(sqlite3_reset) *reset;
	__typeof__(sqlite3_column_int64) *column_int64;
	__typeof__(sqlite3_column_text) *column_text;
};

static const struct {
	const char *name;
	size_t offset;
} symbols[] = {
#define SYMBOL(name)                                                                           \
	{                                                                                      \
		"sqlite3_" #name, offsetof(struct sqlite, name)                                \
	}
	SYMBOL(open_v2),     SYMBOL(close_v2),	 SYMBOL(busy_timeout), SYMBOL(exec),
	SYMBOL(errmsg),	     SYMBOL(prepare_v2), SYMBOL(finalize),     SYMBOL(bind_int64),
	SYMBOL(bind_text),   SYMBOL(step),	 SYMBOL(reset),	       SYMBOL(column_int64),
	SYMBOL(column_text),
#undef SYMBOL
};

static int sqlite_load(struct sqlite *sqlite, struct err *err)
{
	sqlite->library = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!sqlite->library)
		return fail_as(err, ERR_KERNEL, "no libsqlite3.so.0: install libsqlite3-0");
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *symbol = dlsym(sqlite->library, symbols[i].name);

		if (!symbol)
			return fail_as(err, ERR_KERNEL, "libsqlite3.so.0 has no '%s'",
				       symbols[i].name);
		memcpy((char *)sqlite + symbols[i].offset, &symbol, sizeof(symbol));
	}
	return 0;
}

static int db_fail(const struct db *db, int result, const char *what, struct err *err)
{
	const char *why = db->file ? db->sqlite->errmsg(db->file) : "out of memory";

	(void)fail(err, 0, "cannot %s: %.200s", what, why);
	switch (result & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		err->code = EILSEQ;
		break;
	case SQLITE_FULL:
		err->kind = ERR_NO_SPACE;
		break;
	default:
		break;
	}
	return -1;
}

bool db_is_broken(const struct err *err)
{
	return err->code == EILSEQ;
}

int db_run(struct db *db, const char *sql, struct err *err)
{
	int result = db->sqlite->exec(db->file, sql, NULL, NULL, NULL);

	return result == SQLITE_OK ? 0 : db_fail(db, result, "write the history", err);
}

int db_open(struct db *db, const char *path, bool create, struct err *err)
{
	own_db opened = { 0 };
	int result;

	if (!create && access(path, F_OK) < 0)
		return fail(err, errno, "cannot open '%s'", path);
	opened.sqlite = xcalloc(1, sizeof(*opened.sqlite));
	if (sqlite_load(opened.sqlite, err) < 0)
		return -1;
	if (create) {
		/* nobody else's to read, whatever the umask */
		own_fd fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			return fail(err, errno, "cannot open '%s'", path);
	}
	result = opened.sqlite->open_v2(path, &opened.file,
					SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
					    (create ? SQLITE_OPEN_CREATE : 0),
					NULL);
	if (result != SQLITE_OK)
		return db_fail(&opened, result, "open the history", err);
	opened.sqlite->busy_timeout(opened.file, BUSY_MS);
	/* a power cut may take the last minutes, never the file; the checkpoint has them */
	if (db_run(&opened,
		   "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
		   "PRAGMA mmap_size = 1073741824; PRAGMA cache_size = -16384;"
		   "PRAGMA journal_size_limit = 8388608",
		   err) < 0)
		return -1;
	*db = opened;
	opened = (struct db){ 0 };
	return 0;
}

void db_close(struct db *db)
{
	if (db->file)
		db->sqlite->close_v2(db->file);
	if (db->sqlite && db->sqlite->library)
		dlclose(db->sqlite->library);
	free(db->sqlite);
	*db = (struct db){ 0 };
}

int query_open(struct query *query, struct db *db, const char *sql, struct err *err)
{
	int result;

	*query = (struct query){ .db = db };
	result = db->sqlite->prepare_v2(db->file, sql, -1, &query->stmt, NULL);
	return result == SQLITE_OK ? 0 : db_fail(db, result, "read the history", err);
}

void query_close(struct query *query)
{
	if (query->stmt)
		query->db->sqlite->finalize(query->stmt);
	query->stmt = NULL;
}

void query_put(struct query *query, unsigned at, int64_t number)
{
	query->db->sqlite->bind_int64(query->stmt, (int)at, number);
}

void query_put_text(struct query *query, unsigned at, const char *text)
{
	query->db->sqlite->bind_text(query->stmt, (int)at, text, -1, SQLITE_TRANSIENT);
}

void query_rewind(struct query *query)
{
	query->db->sqlite->reset(query->stmt);
}

int query_step(struct query *query, struct err *err)
{
	int result = query->db->sqlite->step(query->stmt);

	if (result == SQLITE_ROW)
		return 1;
	if (result != SQLITE_DONE) {
		db_fail(query->db, result, "use the history", err);
		query_rewind(query);
		return -1;
	}
	query_rewind(query);
	return 0;
}

int64_t query_number(struct query *query, unsigned at)
{
	return query->db->sqlite->column_int64(query->stmt, (int)at);
}

const char *query_text(struct query *query, unsigned at)
{
	const unsigned char *text = query->db->sqlite->column_text(query->stmt, (int)at);

	return text ? (const char *)text : "";
}

int db_number(struct db *db, const char *sql, int64_t *number, struct err *err)
{
	own_query query = { 0 };
	int more;

	if (query_open(&query, db, sql, err) < 0)
		return -1;
	more = query_step(&query, err);
	if (more >= 0)
		*number = more ? query_number(&query, 0) : 0;
	return more < 0 ? -1 : 0;
}
