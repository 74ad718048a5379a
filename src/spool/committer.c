/* SPDX-License-Identifier: Apache-2.0 */
/* The committer thread: joins waiting batches into a group, appends it with one write, syncs once, answers everybody. */
#include <inttypes.h>

#include "os/clock.h"
#include "spool/spool_private.h"

/* How often the age of the oldest segment is told while something waits. */
#define AGE_INTERVAL_MS 1000

static enum error_code open_segment(struct spool *spool, struct error *error)
{
    struct spool_committer *committer = &spool->committer;
    if (committer->segment) return ERROR_NONE;
    uint64_t number;
    int64_t now_ms = os_clock_wall_ms();
    enum error_code code = spool_directory_create_segment(&spool->directory, now_ms, &number, &committer->fd, error);
    if (code) return code;
    pthread_mutex_lock(&spool->lock);
    committer->segment = spool_segment_add(spool, number, now_ms);
    pthread_mutex_unlock(&spool->lock);
    if (!committer->segment) {
        spool->settings.files->close(spool->settings.files->context, committer->fd);
        spool_directory_remove_segment(&spool->directory, number, NULL);
        return error_set(error, ERROR_MEMORY, "out of memory opening a segment");
    }
    committer->group = 0;
    committer->table_count = 0;
    for (size_t i = 0; i < spool->settings.schema_count; i++) committer->table_ids[i] = -1;
    return ERROR_NONE;
}

/* Marks a clean end, so that damage to the last group can later be told from a torn tail. Not synced: an absent mark costs
 * nothing but that. */
static void write_seal(struct spool *spool)
{
    struct spool_committer *committer = &spool->committer;
    const struct os_file_system *files = spool->settings.files;
    struct spool_segment *segment = committer->segment;
    buffer_clear(&committer->bytes);
    size_t position = spool_frame_begin(&committer->bytes);
    struct spool_frame frame = {.kind = SPOOL_FRAME_SEAL, .group = committer->group};
    spool_frame_end(&committer->bytes, position, segment->number, &frame);
    struct iovec part = {committer->bytes.data, committer->bytes.size};
    if (committer->bytes.failed || files->append(files->context, committer->fd, &part, 1, NULL)) {
        files->truncate(files->context, committer->fd, (off_t)segment->bytes, NULL);
    }
}

/* Leaves the open segment for good: it waits for the store, or goes away when it never got a whole group. */
static void leave_segment(struct spool *spool, bool is_healthy)
{
    struct spool_committer *committer = &spool->committer;
    const struct os_file_system *files = spool->settings.files;
    struct spool_segment *segment = committer->segment;
    if (!segment) return;
    bool has_rows = segment->rows > 0;
    if (has_rows && is_healthy) write_seal(spool);
    files->close(files->context, committer->fd);
    committer->segment = NULL;
    if (!has_rows) spool_directory_remove_segment(&spool->directory, segment->number, NULL);
    pthread_mutex_lock(&spool->lock);
    spool_segment_transition(spool, segment, has_rows ? SPOOL_EVENT_SEAL : SPOOL_EVENT_DROP);
    pthread_mutex_unlock(&spool->lock);
}

/* The rows of one schema in the group: the one batch's block itself, or all of them joined. NULL in *ret_block: none. */
static enum error_code join_blocks(struct spool *spool, size_t schema_index, const struct block **ret_block,
                                   struct error *error)
{
    struct spool_committer *committer = &spool->committer;
    const struct block *only = NULL;
    struct block *joined = NULL;
    for (size_t i = 0; i < committer->batch_count; i++) {
        const struct block *block = committer->batches[i]->blocks[schema_index];
        if (!block || block->rows == 0) continue;
        ASSERT(block->sealed);
        if (!only) {
            only = block;
            continue;
        }
        if (!joined) {
            if (!committer->joined[schema_index]) {
                committer->joined[schema_index] = block_create(spool->settings.schemas[schema_index]);
            }
            joined = committer->joined[schema_index];
            if (!joined) return error_set(error, ERROR_MEMORY, "out of memory joining batches");
            block_reset(joined);
            enum error_code code = block_append_block(joined, only, error);
            if (code) return code;
        }
        enum error_code code = block_append_block(joined, block, error);
        if (code) return code;
    }
    if (joined) {
        enum error_code code = block_seal(joined, error);
        if (code) return code;
    }
    *ret_block = joined ? joined : only;
    return ERROR_NONE;
}

static enum error_code encode_table(struct spool *spool, size_t schema_index, const struct block *block,
                                    struct error *error)
{
    struct spool_committer *committer = &spool->committer;
    struct buffer *bytes = &committer->bytes;
    uint64_t number = committer->segment->number;
    const struct block_schema *schema = spool->settings.schemas[schema_index];
    if (block_bytes(block) > SPOOL_FRAME_PAYLOAD_LIMIT / 2 || block->rows > UINT32_MAX) {
        return error_set(error, ERROR_TOO_LARGE, "%zu rows of %s.%s do not fit into one frame of the spool", block->rows,
                         schema->database, schema->table);
    }
    if (committer->table_ids[schema_index] < 0) {
        struct spool_frame frame = {.kind = SPOOL_FRAME_TABLE, .table = committer->table_count, .group = committer->group};
        size_t position = spool_frame_begin(bytes);
        spool_frame_write_table(schema, bytes);
        spool_frame_end(bytes, position, number, &frame);
        committer->table_ids[schema_index] = committer->table_count++;
    }
    struct spool_frame frame = {.kind = SPOOL_FRAME_ROWS, .table = (uint16_t)committer->table_ids[schema_index],
                                .rows = (uint32_t)block->rows, .group = committer->group};
    size_t position = spool_frame_begin(bytes);
    block_write_streams(block, bytes);
    spool_frame_end(bytes, position, number, &frame);
    return ERROR_NONE;
}

/* The whole group into committer->bytes. On failure the segment is as before but for table ids, see commit_group. */
static enum error_code encode_group(struct spool *spool, uint64_t *ret_rows, struct error *error)
{
    struct spool_committer *committer = &spool->committer;
    uint64_t rows = 0;
    buffer_clear(&committer->bytes);
    for (size_t i = 0; i < spool->settings.schema_count; i++) {
        const struct block *block = NULL;
        enum error_code code = join_blocks(spool, i, &block, error);
        if (!code && block) {
            code = encode_table(spool, i, block, error);
            rows += block->rows;
        }
        if (code) return code;
    }
    size_t position = spool_frame_begin(&committer->bytes);
    struct spool_frame frame = {.kind = SPOOL_FRAME_COMMIT, .rows = (uint32_t)rows, .group = committer->group};
    spool_frame_end(&committer->bytes, position, committer->segment->number, &frame);
    if (committer->bytes.failed) return error_set(error, ERROR_MEMORY, "out of memory encoding a group");
    *ret_rows = rows;
    return ERROR_NONE;
}

static enum error_code write_group(struct spool *spool, struct error *error)
{
    struct spool_committer *committer = &spool->committer;
    const struct os_file_system *files = spool->settings.files;
    struct iovec part = {committer->bytes.data, committer->bytes.size};
    enum error_code code = files->append(files->context, committer->fd, &part, 1, error);
    if (!code) {
        metric_add(spool->metrics.syncs, 1);
        code = files->sync(files->context, committer->fd, error);
    }
    /* What the file holds is unknown now. Cutting may fail too: readers in this process stop at segment->bytes anyway, and
     * after a restart the refused rows may then be seen, which costs a duplicate if they were sent again, never a loss. */
    if (code) files->truncate(files->context, committer->fd, (off_t)committer->segment->bytes, NULL);
    return code;
}

/* *ret_number: the segment that has the rows now; 0 when there were none, or on failure. */
static enum error_code commit_batches(struct spool *spool, uint64_t *ret_number, struct error *error)
{
    struct spool_committer *committer = &spool->committer;
    uint64_t rows = 0;
    int64_t started_us = os_clock_monotonic_us();
    *ret_number = 0;
    enum error_code code = open_segment(spool, error);
    if (code) return code;
    uint16_t tables_before = committer->table_count;
    code = encode_group(spool, &rows, error);
    if (code) {
        /* Nothing was written: tables that were named in these bytes are not named in the file. */
        for (size_t i = 0; i < spool->settings.schema_count; i++) {
            if (committer->table_ids[i] >= (int32_t)tables_before) committer->table_ids[i] = -1;
        }
        committer->table_count = tables_before;
        return code;
    }
    if (rows == 0) return ERROR_NONE;
    code = write_group(spool, error);
    if (code) {
        leave_segment(spool, false);
        return code;
    }
    if (committer->segment->rows == 0) committer->first_rows_ms = os_clock_monotonic_ms();
    committer->group++;
    *ret_number = committer->segment->number;
    pthread_mutex_lock(&spool->lock);
    spool_segment_grew(spool, committer->segment, rows, committer->bytes.size);
    pthread_mutex_unlock(&spool->lock);
    metric_add(spool->metrics.rows, (int64_t)rows);
    metric_add(spool->metrics.groups, 1);
    metric_observe_us(spool->metrics.commit_seconds, (uint64_t)(os_clock_monotonic_us() - started_us));
    return ERROR_NONE;
}

static void commit_group(struct spool *spool)
{
    struct spool_committer *committer = &spool->committer;
    struct error error = {0};
    uint64_t number;
    enum error_code code = commit_batches(spool, &number, &error);
    if (code) metric_add(spool->metrics.failed_groups, 1);
    for (size_t i = 0; i < committer->batch_count; i++) {
        struct spool_batch *batch = committer->batches[i];
        batch->segment = number;
        batch->error = code ? &error : NULL;
        spool_release_bytes(spool, batch->bytes);
        atomic_fetch_sub(&spool->waiting, 1);
        batch->done(batch, code);
    }
    committer->expected = committer->batch_count > committer->expected ? committer->batch_count
                          : committer->expected > 1                    ? committer->expected - 1
                                                                       : 1;
    committer->batch_count = 0;
}

/* Fills the group with what waits in the queue. When recent groups were larger, gives the others commit_interval_us to
 * come: their submitters were answered together and are about to submit again. */
static void collect_group(struct spool *spool, struct spool_batch *first)
{
    struct spool_committer *committer = &spool->committer;
    size_t bytes_limit = spool->settings.commit_bytes_limit;
    uint64_t bytes = first->bytes;
    int64_t deadline_us = os_clock_monotonic_us() + spool->settings.commit_interval_us;
    committer->batches[committer->batch_count++] = first;
    while (committer->batch_count < spool->settings.queue_capacity && bytes < bytes_limit) {
        int wait_ms = 0;
        if (committer->batch_count < committer->expected && !queue_is_closed(spool->queue)) {
            int64_t left_us = deadline_us - os_clock_monotonic_us();
            if (left_us > 0) wait_ms = (int)((left_us + 999) / 1000);
        }
        struct spool_batch *batch = queue_pop(spool->queue, wait_ms);
        if (!batch) break;
        if (batch == &spool->wake) continue;
        committer->batches[committer->batch_count++] = batch;
        bytes += batch->bytes;
    }
}

static int64_t ms_until_seal(const struct spool *spool)
{
    const struct spool_committer *committer = &spool->committer;
    if (!committer->segment || committer->segment->rows == 0 || spool->settings.seal_age_ms == 0) return -1;
    int64_t left = committer->first_rows_ms + spool->settings.seal_age_ms - os_clock_monotonic_ms();
    return left > 0 ? left : 0;
}

static bool is_seal_due(struct spool *spool)
{
    const struct spool_segment *segment = spool->committer.segment;
    const struct spool_settings *settings = &spool->settings;
    if (atomic_exchange(&spool->seal_requested, false)) return true;
    if (!segment || segment->rows == 0) return false;
    if (settings->seal_rows && segment->rows >= settings->seal_rows) return true;
    if (settings->seal_bytes && segment->bytes >= settings->seal_bytes) return true;
    return ms_until_seal(spool) == 0;
}

static void run(void *context)
{
    struct spool *spool = context;
    for (;;) {
        int64_t wait_ms = ms_until_seal(spool);
        if (spool_depth(spool) > 0 && (wait_ms < 0 || wait_ms > AGE_INTERVAL_MS)) wait_ms = AGE_INTERVAL_MS;
        struct spool_batch *batch = queue_pop(spool->queue, wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms);
        if (batch && batch != &spool->wake) {
            collect_group(spool, batch);
            commit_group(spool);
        } else if (!batch && queue_is_closed(spool->queue) && queue_size(spool->queue) == 0) {
            break;
        }
        if (is_seal_due(spool) && spool->committer.segment && spool->committer.segment->rows > 0) {
            leave_segment(spool, true);
        }
        /* Now, while nobody waits, and not when the next group comes. If it fails, that group tries again and tells. */
        (void)open_segment(spool, NULL);
        if (!batch) spool_tell_age(spool);
    }
    leave_segment(spool, true);
}

static void free_committer(struct spool_committer *committer, size_t schema_count)
{
    for (size_t i = 0; committer->joined && i < schema_count; i++) block_destroy(committer->joined[i]);
    free(committer->joined);
    free(committer->table_ids);
    free(committer->batches);
    buffer_free(&committer->bytes);
    *committer = (struct spool_committer){0};
}

enum error_code spool_committer_start(struct spool *spool, struct error *error)
{
    struct spool_committer *committer = &spool->committer;
    size_t schema_count = spool->settings.schema_count;
    *committer = (struct spool_committer){
        .table_ids = calloc(schema_count + 1, sizeof *committer->table_ids),
        .joined = calloc(schema_count + 1, sizeof *committer->joined),
        .batches = calloc(spool->settings.queue_capacity, sizeof *committer->batches),
        .expected = 1,
    };
    enum error_code code = ERROR_NONE;
    if (!committer->table_ids || !committer->joined || !committer->batches) {
        code = error_set(error, ERROR_MEMORY, "out of memory starting the committer");
    }
    if (!code) code = open_segment(spool, error);
    if (!code) code = os_thread_start(&spool->thread, "committer", run, spool, error);
    if (code) {
        leave_segment(spool, true);
        free_committer(committer, schema_count);
    }
    return code;
}

void spool_committer_stop(struct spool *spool)
{
    os_thread_join(&spool->thread);
    free_committer(&spool->committer, spool->settings.schema_count);
}
