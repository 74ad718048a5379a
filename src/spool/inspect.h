/* SPDX-License-Identifier: Apache-2.0 */
/* Looks into a spool's folder from outside, beside a running server or without one, and handles what is in quarantine. */
#ifndef SPOOL_INSPECT_H
#define SPOOL_INSPECT_H

#include "base/arena.h"
#include "block/block.h"
#include "spool/segment.h"

/*
 * Model: nothing here takes the folder's lock. Reading is harmless at any time: segments may go while they are looked at.
 * A replay is a rename from quarantine/ to replay/; the spool that uses the folder takes it back within a second, and
 * without one the next start does (spool/directory.h). Only what is in quarantine can be replayed or dropped.
 */
enum spool_file_state {
    SPOOL_FILE_OPEN,        /* the newest, without its end: a server appends to it, or stopped in the middle */
    SPOOL_FILE_SEALED,      /* waits for the event store, or is just being loaded */
    SPOOL_FILE_REPLAY,      /* asked to be taken back */
    SPOOL_FILE_QUARANTINED,
    SPOOL_FILE_STATE_COUNT
};
const char *spool_file_state_name(enum spool_file_state state);

struct spool_file_table {
    struct spool_table table;
    uint64_t rows;
    const char *differences; /* from today's schema, "" when there are none */
};
/* Everything lives in the arena. Counts are of whole groups. */
struct spool_file {
    uint64_t number;
    enum spool_file_state state;
    int64_t created_ms;
    uint64_t bytes;
    uint64_t rows;
    uint64_t groups;
    const char *damage; /* what recovery would say, "" when whole */
    const char *reason; /* why it is in quarantine, else "" */
    struct spool_file_table *tables;
    size_t table_count;
};

/* All segments of the folder, by state, then number. ERROR_NOT_FOUND when there is no spool there. */
enum error_code spool_inspect_list(const char *directory, const struct block_schema *const *schemas, size_t schema_count,
                                   struct arena *arena, struct spool_file **ret_files, size_t *ret_count,
                                   struct error *error) MUST_CHECK;
/* One of them, and the bytes of its whole groups appended to `content` (for spool_rows_write_json). */
enum error_code spool_inspect_one(const char *directory, uint64_t number, const struct block_schema *const *schemas,
                                  size_t schema_count, struct arena *arena, struct spool_file *ret_file,
                                  struct buffer *content, struct error *error) MUST_CHECK;
/* The first `limit` rows of the content, one JSON object a line, as they were written: {"table": ..., columns}. */
enum error_code spool_rows_write_json(struct slice content, uint64_t number, uint64_t limit, struct buffer *out,
                                      struct error *error) MUST_CHECK;

/* ERROR_NOT_FOUND when the segment is not in quarantine. Durable when they return. */
enum error_code spool_quarantine_replay(const char *directory, uint64_t number, struct error *error) MUST_CHECK;
enum error_code spool_quarantine_drop(const char *directory, uint64_t number, struct error *error) MUST_CHECK;

#endif
