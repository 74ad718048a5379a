/* SPDX-License-Identifier: Apache-2.0 */
/* What the spool's tests share: two tables, blocks and batches with known rows, and a disk that can be told to fail. */
#ifndef SPOOL_SPOOL_FIXTURE_H
#define SPOOL_SPOOL_FIXTURE_H

#include <pthread.h>
#include <stdatomic.h>

#include "spool/spool.h"

enum { FIXTURE_EVENTS, FIXTURE_METRICS, FIXTURE_SCHEMA_COUNT };
extern const struct block_schema *const fixture_schemas[FIXTURE_SCHEMA_COUNT];
/* The events table as a later version has it: one column dropped, one added, one moved. */
extern const struct block_schema fixture_events_changed;
/* The events table with a column of another type. */
extern const struct block_schema fixture_events_retyped;

/* A sealed block whose rows are derived from first .. first + count - 1. */
struct block *fixture_block(size_t schema_index, uint64_t first, size_t count);
/* Whether the rows are exactly those of fixture_block(schema_index, first, count). */
bool fixture_block_is(const struct block *block, size_t schema_index, uint64_t first, size_t count);

/* One batch of rows first .. first + count - 1 in each table that `schema_mask` has a bit for. */
struct fixture_batch {
    struct spool_batch batch; /* first, so that done can find the rest */
    struct block *blocks[FIXTURE_SCHEMA_COUNT];
    atomic_int state; /* 0 waiting, 1 answered */
    enum error_code code;
    char message[512];
};
struct fixture_batch *fixture_batch_create(unsigned schema_mask, uint64_t first, size_t count);
void fixture_batch_destroy(struct fixture_batch *batch);
/* Waits up to 20 s for the answer and returns it; ERROR_TIMEOUT when none came. */
enum error_code fixture_batch_wait(struct fixture_batch *batch);
/* Submits and waits. ERROR_UNAVAILABLE when the spool is full. */
enum error_code fixture_commit(struct spool *spool, unsigned schema_mask, uint64_t first, size_t count);

char *fixture_directory_create(void);
void fixture_directory_destroy(char *path); /* with everything in it, and frees `path` */
size_t fixture_count_files(const char *directory, const char *suffix);
/* Path of the only file with the suffix; fails the test when there is not exactly one. */
void fixture_only_file(const char *directory, const char *suffix, char out[512]);
struct buffer fixture_read_file(const char *path);
void fixture_write_file(const char *path, const void *data, size_t size);

struct spool_settings fixture_settings(const char *directory, const struct os_file_system *files);

/* The real file system that counts and, when told, fails. Only calls on *.segment files are counted and failed. Syncs reach
 * the disk only when asked for: no test here can see the difference, and there are thousands. */
struct fixture_disk {
    struct os_file_system files;
    bool syncs_for_real;
    atomic_int syncs;
    atomic_int appends;
    atomic_int fail_syncs;      /* so many of the next syncs fail with EIO */
    atomic_bool is_full;        /* appends write a part and fail with ENOSPC */
    atomic_bool fail_truncates;
    /* Syncs wait while this is held, so that a test can let batches gather. */
    pthread_mutex_t gate;
    atomic_int waiting_at_gate;
};
void fixture_disk_init(struct fixture_disk *disk);
/* Waits until a sync stands at the gate. */
bool fixture_disk_wait_at_gate(struct fixture_disk *disk);

#endif
