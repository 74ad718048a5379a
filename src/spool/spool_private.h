/* SPDX-License-Identifier: Apache-2.0 */
/* What spool.c and committer.c share: the spool, its segments, and the one function that changes a segment's state. */
#ifndef SPOOL_SPOOL_PRIVATE_H
#define SPOOL_SPOOL_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/queue.h"
#include "os/thread.h"
#include "spool/directory.h"
#include "spool/spool.h"

#define SPOOL_COMMIT_BYTES_DEFAULT (16u << 20)

/* In the spool's list by number. Entries that are done with stay until everything before them is done with too. */
struct spool_segment {
    struct spool_segment *next;
    uint64_t number;
    enum spool_segment_state state;
    bool recovered;
    uint32_t attempts;
    uint64_t rows;
    uint64_t bytes;       /* up to the last whole group: nothing behind it is ever read */
    int64_t created_ms;   /* for people: the wall clock jumps */
    int64_t opened_ms;    /* monotonic; of a recovered segment, when it would have been by created_ms */
    struct buffer content; /* the file, while LOADING and once a table was read; the loader's */
};

enum spool_segment_event {
    SPOOL_EVENT_SEAL, SPOOL_EVENT_DROP, SPOOL_EVENT_TAKE, SPOOL_EVENT_STORED, SPOOL_EVENT_RETRY, SPOOL_EVENT_REFUSE,
    SPOOL_EVENT_REPLAY,
    SPOOL_EVENT_COUNT
};

struct spool_metrics {
    struct metric *depth_segments;
    struct metric *bytes;
    struct metric *rows;
    struct metric *groups;
    struct metric *syncs;
    struct metric *failed_groups;
    struct metric *quarantined;
    struct metric *cut_bytes;
    struct metric *oldest_unstored;
    struct metric *oldest_unstored_age;
    struct metric *rows_by_state[SPOOL_DELETED]; /* by enum spool_segment_state; that of QUARANTINED is read from disk */
    struct metric_histogram *commit_seconds;
    struct metric unused; /* where the pointers go without a registry */
    struct metric_histogram unused_histogram;
};

/* The committer's own things: no other thread touches them while it runs. */
struct spool_committer {
    struct spool_segment *segment; /* the open one, or NULL */
    int fd;
    uint64_t group;                /* the next one's number in this segment */
    int64_t first_rows_ms;         /* monotonic; of the segment */
    int32_t *table_ids;            /* per schema: its index among the segment's TABLE frames, or -1 */
    uint16_t table_count;
    struct block **joined;         /* per schema, made on first need: the rows of several batches */
    struct buffer bytes;           /* the group being written */
    struct spool_batch **batches;  /* the group's, at most queue_capacity */
    size_t batch_count;
    size_t expected;               /* batches that recent groups had */
};

struct spool {
    struct spool_settings settings;
    struct spool_directory directory;
    struct spool_metrics metrics;
    struct queue *queue;
    struct os_thread thread;
    struct spool_batch wake; /* pushed to wake the committer, never committed */
    struct spool_committer committer;

    _Atomic uint64_t used_bytes; /* segments and waiting batches */
    _Atomic size_t waiting;      /* batches submitted and not answered */
    atomic_bool is_over_limit;
    atomic_bool seal_requested;

    int64_t looked_ms;             /* the taker's: when it last looked into replay/ and quarantine/ */
    int64_t quarantine_changed_ns; /* the taker's: as of that look */

    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t sealed;  /* a segment became SEALED */
    struct spool_segment *first;
    struct spool_segment *last;
    size_t depth;
    uint64_t stored_up_to;
    uint64_t current_number;
};

/* The only place where a state changes. The lock is held; an event that the state does not know is a programmer's error. */
void spool_segment_transition(struct spool *spool, struct spool_segment *segment, enum spool_segment_event event);
/* Appends a new OPEN segment to the list; NULL when out of memory. */
struct spool_segment *spool_segment_add(struct spool *spool, uint64_t number, int64_t created_ms);
/* Accounts a group that was written to the open segment. */
void spool_segment_grew(struct spool *spool, struct spool_segment *segment, uint64_t rows, uint64_t bytes);
/* Brings the age of the oldest segment up to now. */
void spool_tell_age(struct spool *spool);
/* Takes bytes of segments or batches off the account. */
void spool_release_bytes(struct spool *spool, uint64_t bytes);

enum error_code spool_committer_start(struct spool *spool, struct error *error) MUST_CHECK;
/* The queue is closed: commits what is left, seals, ends. */
void spool_committer_stop(struct spool *spool);

#endif
