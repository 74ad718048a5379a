/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of the server's own rows: one block, one wait for the committer. */
#include "ingest/internal.h"

#include <pthread.h>
#include <stdlib.h>

struct ingest_internal {
    struct spool_batch spool_batch; /* first: the spool gives it back */
    struct ingest_internal_settings settings;
    size_t table;
    uint64_t segment;               /* of the last commit */
    struct buffer claimed;          /* struct ingest_window_key of the rows in the block */
    struct buffer pending;          /* likewise, of rows another thread was writing */
    pthread_mutex_t mutex;
    pthread_cond_t settled;
    bool is_settled;                /* guarded by the mutex, like the two below */
    enum error_code result;
    struct error reason;
};

/* On the committer's thread. */
static void internal_done(struct spool_batch *batch, enum error_code code)
{
    struct ingest_internal *internal = (struct ingest_internal *)batch;
    pthread_mutex_lock(&internal->mutex);
    internal->result = code;
    if (code) internal->reason = *batch->error;
    internal->is_settled = true;
    pthread_cond_signal(&internal->settled);
    pthread_mutex_unlock(&internal->mutex);
}

struct ingest_internal *ingest_internal_create(const struct ingest_internal_settings *settings)
{
    struct ingest_internal *internal = calloc(1, sizeof *internal);
    if (!internal) return NULL;
    internal->settings = *settings;
    while (internal->table < settings->tables->count && settings->tables->schemas[internal->table] != settings->schema)
        internal->table++;
    ASSERT(internal->table < settings->tables->count);
    pthread_mutex_init(&internal->mutex, NULL);
    pthread_cond_init(&internal->settled, NULL);
    internal->spool_batch.done = internal_done;
    internal->spool_batch.blocks = calloc(settings->tables->count, sizeof(struct block *));
    if (internal->spool_batch.blocks) internal->spool_batch.blocks[internal->table] = block_create(settings->schema);
    if (internal->spool_batch.blocks && internal->spool_batch.blocks[internal->table]) return internal;
    ingest_internal_destroy(internal);
    return NULL;
}

struct block *ingest_internal_block(struct ingest_internal *internal)
{
    return internal->spool_batch.blocks[internal->table];
}

size_t ingest_internal_rows(const struct ingest_internal *internal)
{
    return internal->spool_batch.blocks[internal->table]->rows;
}

bool ingest_internal_take(struct ingest_internal *internal, struct slice owner, const struct uuid *id, int64_t now_ms)
{
    struct ingest_window_key key = ingest_window_key_make(owner, id);
    switch (ingest_window_claim(internal->settings.window, key, now_ms)) {
    case INGEST_WINDOW_STORED: return false;
    case INGEST_WINDOW_PENDING: buffer_append(&internal->pending, &key, sizeof key); return false;
    case INGEST_WINDOW_NEW: break;
    }
    buffer_append(&internal->claimed, &key, sizeof key);
    /* Nobody would settle it: better not remembered than pending for ever. */
    if (internal->claimed.failed) ingest_window_settle(internal->settings.window, key, false);
    return true;
}

static enum error_code internal_submit(struct ingest_internal *internal, struct error *error)
{
    internal->is_settled = false;
    if (!spool_submit(internal->settings.spool, &internal->spool_batch))
        return error_set(error, ERROR_UNAVAILABLE, "the spool is full");
    pthread_mutex_lock(&internal->mutex);
    while (!internal->is_settled) pthread_cond_wait(&internal->settled, &internal->mutex);
    pthread_mutex_unlock(&internal->mutex);
    if (internal->result == ERROR_NONE) return ERROR_NONE;
    return error_set(error, ERROR_UNAVAILABLE, "rows could not be made durable: %s", internal->reason.message);
}

/* Whether what other threads were writing when we came by is durable now. */
static bool internal_pending_is_stored(const struct ingest_internal *internal)
{
    const struct ingest_window_key *keys = (const struct ingest_window_key *)internal->pending.data;
    for (size_t i = 0; i < internal->pending.size / sizeof *keys; i++)
        if (ingest_window_look(internal->settings.window, keys[i]) != INGEST_WINDOW_STORED) return false;
    return !internal->pending.failed;
}

/* The ids of the batch count as stored, or as never seen. */
static void internal_settle(struct ingest_internal *internal, bool stored)
{
    const struct ingest_window_key *keys = (const struct ingest_window_key *)internal->claimed.data;
    for (size_t i = 0; i < internal->claimed.size / sizeof *keys; i++)
        ingest_window_settle(internal->settings.window, keys[i], stored);
    buffer_clear(&internal->claimed);
    block_reset(ingest_internal_block(internal));
}

enum error_code ingest_internal_commit(struct ingest_internal *internal, struct error *error)
{
    enum error_code code = ERROR_NONE;
    bool has_rows = ingest_internal_rows(internal) > 0;
    internal->segment = 0;
    if (has_rows) code = block_seal(ingest_internal_block(internal), error);
    if (has_rows && !code) code = internal_submit(internal, error);
    if (has_rows && !code) internal->segment = internal->spool_batch.segment;
    internal_settle(internal, !code);
    if (!code && !internal_pending_is_stored(internal))
        code = error_set(error, ERROR_UNAVAILABLE, "another thread is just writing rows of the same ids");
    buffer_clear(&internal->pending);
    return code;
}

uint64_t ingest_internal_segment(const struct ingest_internal *internal) { return internal->segment; }

void ingest_internal_destroy(struct ingest_internal *internal)
{
    if (!internal) return;
    if (internal->spool_batch.blocks && internal->spool_batch.blocks[internal->table]) internal_settle(internal, false);
    if (internal->spool_batch.blocks) block_destroy(internal->spool_batch.blocks[internal->table]);
    free(internal->spool_batch.blocks);
    buffer_free(&internal->claimed);
    buffer_free(&internal->pending);
    pthread_mutex_destroy(&internal->mutex);
    pthread_cond_destroy(&internal->settled);
    free(internal);
}
