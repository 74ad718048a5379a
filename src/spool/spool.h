/* SPDX-License-Identifier: Apache-2.0 */
/* The spool makes rows durable: blocks go in, one sync covers many of them, sealed segments come out for the event store. */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include "base/metric.h"
#include "block/block.h"
#include "os/file.h"

/*
 * Model
 *   batch     the blocks one event loop collected in one turn, and who waits for them
 *   group     the batches committed by one write and one fdatasync
 *   segment   a file of groups; open (appended to), sealed (immutable, waiting for the event store), then deleted
 * One segment holds the rows of all tables, so that one sync covers them all (docs/decisions/0002-one-log.md). A segment's
 * number never comes again in this data directory; it is the value of the `segment` column and part of the insert token.
 * The committer thread is inside: it takes submitted batches, joins the blocks of each table, appends, syncs, then calls
 * every batch's `done`. Format: docs/formats.md.
 *
 * Segment states, changed only in spool_segment_transition():
 *
 *     OPEN --seal--> SEALED --take--> LOADING --stored--> DELETED
 *      |               ^                 |
 *      |             ^ +----- retry -----+----- refuse ---> QUARANTINED
 *      |             +--------------- replay --------------------+
 *      +--drop--> DELETED  (it never got a whole group)
 *
 * A group that fails to be appended or synced is answered with the error and cut off; its segment is sealed and never
 * written to again, because after a failed fdatasync nobody knows what the kernel still holds. The next group goes to a new
 * segment.
 */
enum spool_segment_state { SPOOL_OPEN, SPOOL_SEALED, SPOOL_LOADING, SPOOL_QUARANTINED, SPOOL_DELETED };

struct spool_settings {
    const char *directory;
    const struct os_file_system *files;
    const struct block_schema *const *schemas; /* every table that may appear, also in old segments */
    size_t schema_count;
    /* Wait at most this long for as many batches as recent groups had before a sync; 0: sync as soon as one is there. A lone
     * submitter never waits. Batches that arrive during a sync form the next group in any case. */
    int64_t commit_interval_us;
    size_t commit_bytes_limit;   /* a group is closed at this size; 0 means 16 MiB */
    uint64_t seal_rows;          /* a segment is sealed at this many rows, bytes or age, whichever comes first; 0: not by it */
    uint64_t seal_bytes;
    int64_t seal_age_ms;         /* since its first rows */
    /* All segments but quarantined ones together, and what is submitted and not yet written. At the limit submit says full,
     * until less than 95 % are in use again. 0 means unlimited. */
    uint64_t limit_bytes;
    size_t queue_capacity;       /* batches waiting for the committer, at least 1 */
    struct metric_registry *metrics; /* may be NULL */
};

/* One block per table at most. Owned by the submitter again when done is called; the blocks may then be reset and reused. */
struct spool_batch {
    struct block **blocks; /* sealed; indexes are those of settings.schemas, NULL where the batch has no rows */
    /* Called on the committer's thread after the sync (ERROR_NONE), or when it failed: then nothing of it is promised. */
    void (*done)(struct spool_batch *batch, enum error_code code);
    /* Written by the spool, valid from `done` on. */
    uint64_t segment;          /* where the rows went (0: there were none); compare with spool_stored_up_to */
    const struct error *error; /* why not, when code is not ERROR_NONE; only during `done` */
    uint64_t bytes;            /* its share of limit_bytes while it waits */
};

struct spool;
/* ERROR_CONFLICT when another process has the directory. Recovers what is in the directory: cuts a torn tail at the last whole group, seals old open segments, starts the
 * committer. Segments with damage before acknowledged rows, or with tables not in `schemas`, go to quarantine.
 * *ret_recovered counts the segments that wait for the store. Everything `settings` points at must outlive the spool, the
 * settings themselves need not. */
enum error_code spool_open(const struct spool_settings *settings, struct spool **ret_spool, size_t *ret_recovered,
                           struct error *error);
/* Commits what was submitted, seals, stops the committer. Segments not yet stored stay for the next start. */
void spool_close(struct spool *spool);

/* False when the queue or the disk limit is full: answer "retry later". Any thread. */
bool spool_submit(struct spool *spool, struct spool_batch *batch);
/* Whether a new request should be refused before it is decoded. Any thread, no lock. */
bool spool_is_full(const struct spool *spool);

/* A sealed segment, for the loader. */
struct spool_segment_info {
    uint64_t number;
    bool recovered;       /* left by an earlier process: the store may hold it already */
    uint32_t attempts;    /* times it was taken before: above 0 the store may hold it already */
    uint64_t rows;        /* of all tables */
    uint64_t bytes;
    int64_t created_ms;
};
/* The oldest sealed segment, now LOADING; waits up to timeout_ms. False when there is none. Loader's thread. Takes back, at
 * most once a second, what a person moved from quarantine/ to replay/ (spool/inspect.h). */
bool spool_take(struct spool *spool, int timeout_ms, struct spool_segment_info *ret_info);
/* All rows of one table in the segment, joined into one sealed block (NULL when it has none). The caller destroys it. Rows
 * written under an older schema are converted by column name. The segment must be LOADING; its thread only.
 * ERROR_INVALID (a column's type changed) and ERROR_CORRUPT will not go away: refuse the segment. */
enum error_code spool_read_table(struct spool *spool, uint64_t number, size_t schema_index, struct block **ret_block,
                                 struct error *error);
/* The store has it durably: the file is removed. On an error it stays LOADING: call again. */
enum error_code spool_stored(struct spool *spool, uint64_t number, struct error *error);
/* The store could not take it now: SEALED again. */
void spool_retry(struct spool *spool, uint64_t number);
/* The store will never take it: moved to quarantine/ with the reason beside it. On an error it stays LOADING. */
enum error_code spool_refuse(struct spool *spool, uint64_t number, const char *reason, struct error *error);
/* Seals the open segment now if it has rows, so that what is acknowledged so far becomes visible. Any thread. */
void spool_seal_now(struct spool *spool);
/* Number of the newest segment that is done with (stored or refused) together with all before it; 0 for none yet in this
 * process. Rows of a batch are visible when this reaches batch->segment. */
uint64_t spool_stored_up_to(struct spool *spool);
/* Number of the segment that takes rows now; it may have none yet. */
uint64_t spool_current_segment(struct spool *spool);
/* Segments on disk that are not stored yet, open one included when it has rows. */
size_t spool_depth(struct spool *spool);

#endif
