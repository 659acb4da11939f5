/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * A SQLite file, as far as the history of usage needs one.  libsqlite3 is opened when a file
 * is: linked, it would cost every command its dynamic linking.
 */
struct db {
	struct sqlite *sqlite;
	struct sqlite3 *file;
};

/* One statement, prepared; to be used again and again. */
struct query {
	struct db *db;
	struct sqlite3_stmt *stmt;
};

#define own_db	  __attribute__((cleanup(db_close))) struct db
#define own_query __attribute__((cleanup(query_close))) struct query

/*
 * Open @path, in WAL mode, so that readers and the writer are in nobody's way.  Without @create
 * one that is missing is ENOENT in err->code.  One that is no database, or damaged as far as
 * that is seen at once, is EILSEQ: db_is_broken().
 */
int db_open(struct db *db, const char *path, bool create, struct err *err);
void db_close(struct db *db);

/* Was this failure one of the file itself, which another one would not have? */
bool db_is_broken(const struct err *err);

/* Statements without results. */
int db_run(struct db *db, const char *sql, struct err *err);

/* The first number of the first row; 0 when there is none. */
int db_number(struct db *db, const char *sql, int64_t *number, struct err *err);

int query_open(struct query *query, struct db *db, const char *sql, struct err *err);
void query_close(struct query *query);

/* Parameters, from 1 on. */
void query_put(struct query *query, unsigned at, int64_t number);
void query_put_text(struct query *query, unsigned at, const char *text);

/* 1: a row; 0: no more, and it is ready to be used again; -1.  query_rewind() before the end.
 */
int query_step(struct query *query, struct err *err);
void query_rewind(struct query *query);

/* Columns of the row, from 0 on.  Text is valid until the next step; never NULL. */
int64_t query_number(struct query *query, unsigned at);
const char *query_text(struct query *query, unsigned at);
