/* SPDX-License-Identifier: Apache-2.0 */
/* Runs numbered SQL files up and down, on the metadata database and on the event store alike. */
#ifndef META_MIGRATE_H
#define META_MIGRATE_H

#include "base/embedded.h"
#include "base/error.h"
#include "base/slice.h"

/*
 * Model: a set of migrations is numbered 1, 2, 3 .. without gaps. A target is one database that remembers which of a
 * set it has, with the checksum of the text that was applied. Nothing is run when the record and the files disagree: a
 * file edited after it was applied, an applied number this program does not know (a newer version was here), a hole.
 * Every single migration is taken inside target->begin and target->commit, and the record is read again inside: of two
 * programs that start at once the second waits at begin and then finds the work done.
 */
struct migration {
    unsigned number;  /* from 1 */
    const char *name; /* "tenancy" of 0001_tenancy.up.sql */
    const char *up;
    const char *down; /* NULL: cannot be undone */
};

#define MIGRATE_CHECKSUM_SIZE 16
#define MIGRATE_NAME_SIZE 64
struct migrate_record {
    unsigned number;
    char name[MIGRATE_NAME_SIZE];
    char checksum[MIGRATE_CHECKSUM_SIZE + 1]; /* of the up text: XXH3 as hexadecimal */
    int64_t applied_ms;
};

/*
 * What a database must be able to do; `context` is given to every function. All may fail.
 *   prepare     creates the place of the record when absent; called once per run, outside begin
 *   begin       keeps every other runner out until commit or rollback; transactional targets start a transaction
 *   commit      ends it and makes it lasting
 *   rollback    ends it; transactional targets undo everything since begin
 *   list        gives every record to `add`, in any order; an error of `add` must be returned
 *   execute     runs SQL: the whole file, or one statement without its ';' when `one_statement` is set
 *   record      remembers an applied migration
 *   forget      removes the record of one
 * A target without transactions (ClickHouse) may be left with half a file applied and no record: its files must be
 * written so that running them again is harmless (IF NOT EXISTS).
 */
struct migrate_target {
    void *context;
    const char *label;       /* for messages: "metadata core", "event store analytics" */
    bool one_statement;      /* execute takes one statement at a time */
    bool backslash_escapes;  /* strings may hold \' (ClickHouse): matters for cutting files into statements */
    enum error_code (*prepare)(void *context, struct error *error);
    enum error_code (*begin)(void *context, struct error *error);
    enum error_code (*commit)(void *context, struct error *error);
    void (*rollback)(void *context);
    enum error_code (*list)(void *context,
                            enum error_code (*add)(void *add_context, const struct migrate_record *record,
                                                   struct error *error),
                            void *add_context, struct error *error);
    enum error_code (*execute)(void *context, struct slice sql, struct error *error);
    enum error_code (*record)(void *context, const struct migrate_record *record, struct error *error);
    enum error_code (*forget)(void *context, unsigned number, struct error *error);
};

/* Told before (elapsed_us < 0) and after each migration; `down` says in which direction. */
typedef void (*migrate_progress_function)(void *context, const struct migration *migration, bool down,
                                          int64_t elapsed_us);

/*
 * Applies what is missing, up to and with number `to` (0: all). `ret_count` (may be NULL) gets how many ran, also after
 * a failure. ERROR_CONFLICT when record and files disagree; else the target's error, with number and name in front.
 */
enum error_code migrate_up(const struct migrate_target *target, const struct migration *migrations, size_t count,
                           unsigned to, migrate_progress_function progress, void *progress_context, size_t *ret_count,
                           struct error *error) MUST_CHECK;
/* Undoes the last `steps` applied migrations, newest first; more steps than there are undo all. */
enum error_code migrate_down(const struct migrate_target *target, const struct migration *migrations, size_t count,
                             unsigned steps, migrate_progress_function progress, void *progress_context,
                             size_t *ret_count, struct error *error) MUST_CHECK;

enum migrate_state {
    MIGRATE_PENDING,
    MIGRATE_APPLIED,
    MIGRATE_EDITED,  /* applied, but the file has another text now */
    MIGRATE_UNKNOWN, /* applied, but this program has no such file */
};
const char *migrate_state_name(enum migrate_state state);
/* One line of the status, ordered by number. For MIGRATE_UNKNOWN the record is all there is to know. */
struct migrate_status_line {
    unsigned number;
    const char *name;
    enum migrate_state state;
    int64_t applied_ms; /* 0 while pending */
};
enum error_code migrate_status(const struct migrate_target *target, const struct migration *migrations, size_t count,
                               void (*line)(void *context, const struct migrate_status_line *line), void *context,
                               struct error *error) MUST_CHECK;

/*
 * Pairs embedded files NNNN_name.up.sql and NNNN_name.down.sql (given in any order, ended by a NULL name) into
 * migrations ordered by number. Texts stay where they are; the array and the names are one allocation, freed by
 * migrate_list_free. ERROR_INVALID names the file that does not fit: bad name, number twice, hole, down without up.
 */
enum error_code migrate_list_create(const struct embedded_file *files, struct migration **ret_migrations,
                                    size_t *ret_count, struct error *error) MUST_CHECK;
void migrate_list_free(struct migration *migrations);

/*
 * Takes the next statement off `*script`: false when none is left. Cuts at ';' outside of 'strings', "names", `names`,
 * $tag$ strings $tag$, -- and # comments and (nested) block comments; a statement of nothing but comments is skipped.
 * What is never closed reaches to the end, and the database says what is wrong with it.
 */
bool migrate_split(struct slice *script, bool backslash_escapes, struct slice *statement);

#endif
