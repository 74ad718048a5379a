/* SPDX-License-Identifier: Apache-2.0 */
/* The spool as its users see it: taking batches in, handing sealed segments out, and the states between. */
#include "spool/spool.h"

#include <errno.h>
#include <inttypes.h>

#include "os/clock.h"
#include "spool/spool_private.h"

/* Once full, room for new batches is seen again below this share of limit_bytes: else each freed segment lets one in. */
#define RESUME_PERCENT 95

/* How often the folder is looked at for what a person did there. */
#define LOOK_INTERVAL_MS 1000

#define NO_STATE (-1)
static const int TRANSITIONS[][SPOOL_EVENT_COUNT] = {
    /*                      SEAL          DROP           TAKE           STORED         RETRY         REFUSE             REPLAY */
    [SPOOL_OPEN]        = {SPOOL_SEALED, SPOOL_DELETED, NO_STATE,      NO_STATE,      NO_STATE,     NO_STATE,          NO_STATE},
    [SPOOL_SEALED]      = {NO_STATE,     NO_STATE,      SPOOL_LOADING, NO_STATE,      NO_STATE,     NO_STATE,          NO_STATE},
    [SPOOL_LOADING]     = {NO_STATE,     NO_STATE,      NO_STATE,      SPOOL_DELETED, SPOOL_SEALED, SPOOL_QUARANTINED, NO_STATE},
    [SPOOL_QUARANTINED] = {NO_STATE,     NO_STATE,      NO_STATE,      NO_STATE,      NO_STATE,     NO_STATE,          SPOOL_SEALED},
    [SPOOL_DELETED]     = {NO_STATE,     NO_STATE,      NO_STATE,      NO_STATE,      NO_STATE,     NO_STATE,          NO_STATE},
};

static bool is_done_with(const struct spool_segment *segment)
{
    return segment->state == SPOOL_DELETED || segment->state == SPOOL_QUARANTINED;
}

static void use_bytes(struct spool *spool, uint64_t bytes)
{
    uint64_t used = atomic_fetch_add(&spool->used_bytes, bytes) + bytes;
    if (spool->settings.limit_bytes && used >= spool->settings.limit_bytes) atomic_store(&spool->is_over_limit, true);
}

void spool_release_bytes(struct spool *spool, uint64_t bytes)
{
    uint64_t used = atomic_fetch_sub(&spool->used_bytes, bytes) - bytes;
    uint64_t limit = spool->settings.limit_bytes;
    if (used < limit / 100 * RESUME_PERCENT + limit % 100 * RESUME_PERCENT / 100) atomic_store(&spool->is_over_limit, false);
}

/* The list's first entries that are done with leave it; gauges follow. */
static void settle(struct spool *spool)
{
    while (spool->first && is_done_with(spool->first)) {
        struct spool_segment *segment = spool->first;
        spool->first = segment->next;
        if (!spool->first) spool->last = NULL;
        /* One that was replayed is older than what was stored since. */
        if (segment->number > spool->stored_up_to) spool->stored_up_to = segment->number;
        free(segment);
    }
    bool has_rows = spool->first && spool->first->rows > 0;
    metric_set(spool->metrics.oldest_unstored, has_rows ? spool->first->created_ms / 1000 : 0);
    metric_set(spool->metrics.oldest_unstored_age, has_rows ? (os_clock_monotonic_ms() - spool->first->opened_ms) / 1000 : 0);
    metric_set(spool->metrics.depth_segments, (int64_t)spool->depth);
}

void spool_tell_age(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    settle(spool);
    pthread_mutex_unlock(&spool->lock);
}

static void count_rows(struct spool *spool, const struct spool_segment *segment, int64_t rows)
{
    if (segment->state < SPOOL_QUARANTINED) metric_add(spool->metrics.rows_by_state[segment->state], rows);
}

void spool_segment_transition(struct spool *spool, struct spool_segment *segment, enum spool_segment_event event)
{
    int next = TRANSITIONS[segment->state][event];
    ASSERT(next != NO_STATE);
    if (segment->state == SPOOL_LOADING) buffer_free(&segment->content);
    count_rows(spool, segment, -(int64_t)segment->rows);
    segment->state = (enum spool_segment_state)next;
    count_rows(spool, segment, (int64_t)segment->rows);
    if (event == SPOOL_EVENT_REPLAY) {
        spool->depth++;
        metric_add(spool->metrics.bytes, (int64_t)segment->bytes);
        use_bytes(spool, segment->bytes);
    }
    if (segment->state == SPOOL_LOADING) segment->attempts++;
    if (segment->state == SPOOL_SEALED) pthread_cond_signal(&spool->sealed);
    if (is_done_with(segment)) {
        if (segment->rows > 0) spool->depth--;
        metric_add(spool->metrics.bytes, -(int64_t)segment->bytes);
        spool_release_bytes(spool, segment->bytes);
        if (segment->state == SPOOL_QUARANTINED) metric_add(spool->metrics.quarantined, 1);
    }
    settle(spool);
}

struct spool_segment *spool_segment_add(struct spool *spool, uint64_t number, int64_t created_ms)
{
    struct spool_segment *segment = calloc(1, sizeof *segment);
    if (!segment) return NULL;
    segment->number = number;
    segment->created_ms = created_ms;
    int64_t age_ms = os_clock_wall_ms() - created_ms;
    segment->opened_ms = os_clock_monotonic_ms() - (age_ms > 0 ? age_ms : 0);
    segment->state = SPOOL_OPEN;
    segment->bytes = SPOOL_SEGMENT_HEADER_SIZE;
    use_bytes(spool, segment->bytes);
    metric_add(spool->metrics.bytes, (int64_t)segment->bytes);
    if (spool->last) {
        ASSERT(spool->last->number < number);
        spool->last->next = segment;
    } else {
        spool->first = segment;
    }
    spool->last = segment;
    spool->current_number = number;
    return segment;
}

void spool_segment_grew(struct spool *spool, struct spool_segment *segment, uint64_t rows, uint64_t bytes)
{
    if (segment->rows == 0) spool->depth++;
    segment->rows += rows;
    segment->bytes += bytes;
    count_rows(spool, segment, (int64_t)rows);
    use_bytes(spool, bytes);
    metric_add(spool->metrics.bytes, (int64_t)bytes);
    settle(spool);
}

/* The entry of a segment that a person moved to replay/: still in the list, or made anew in its place. */
static enum error_code replay_segment(struct spool *spool, const struct spool_found_segment *found, struct error *error)
{
    enum error_code code = ERROR_NONE;
    pthread_mutex_lock(&spool->lock);
    struct spool_segment **place = &spool->first;
    while (*place && (*place)->number < found->number) place = &(*place)->next;
    struct spool_segment *segment = *place;
    if (!segment || segment->number != found->number) {
        segment = calloc(1, sizeof *segment);
        if (segment) {
            *segment = (struct spool_segment){.next = *place, .number = found->number, .state = SPOOL_QUARANTINED,
                                              .created_ms = found->created_ms};
            *place = segment;
            if (!segment->next) spool->last = segment;
        } else {
            code = error_set(error, ERROR_MEMORY, "out of memory replaying a segment");
        }
    }
    if (!code) {
        ASSERT(segment->state == SPOOL_QUARANTINED);
        int64_t age_ms = os_clock_wall_ms() - found->created_ms;
        segment->opened_ms = os_clock_monotonic_ms() - (age_ms > 0 ? age_ms : 0);
        segment->recovered = true;
        segment->rows = found->rows;
        segment->bytes = found->bytes;
        spool_segment_transition(spool, segment, SPOOL_EVENT_REPLAY);
    }
    pthread_mutex_unlock(&spool->lock);
    return code;
}

/* What a person did in the folder: segments to take back, segments dropped from quarantine. The taker's thread only. */
static void look_around(struct spool *spool)
{
    int64_t now_ms = os_clock_monotonic_ms();
    if (now_ms - spool->looked_ms < LOOK_INTERVAL_MS) return;
    spool->looked_ms = now_ms;
    for (;;) {
        bool keep = false;
        struct spool_found_segment found;
        uint64_t below = spool_current_segment(spool); /* a higher one is of another folder: the next start makes room */
        if (spool_directory_take_back(&spool->directory, below, spool->settings.schemas, spool->settings.schema_count, &keep,
                                      &found, NULL)) break;
        /* Without memory for the entry the file waits for the next start. */
        if (keep) (void)replay_segment(spool, &found, NULL);
    }
    int64_t changed_ns = spool_directory_quarantine_changed_ns(&spool->directory);
    uint64_t rows;
    if (changed_ns == spool->quarantine_changed_ns) return;
    if (spool_directory_quarantined_rows(&spool->directory, &rows, NULL)) return;
    spool->quarantine_changed_ns = changed_ns;
    metric_set(spool->metrics.rows_by_state[SPOOL_QUARANTINED], (int64_t)rows);
}

static struct spool_segment *find_segment(struct spool *spool, uint64_t number)
{
    struct spool_segment *segment = spool->first;
    while (segment && segment->number != number) segment = segment->next;
    ASSERT(segment);
    return segment;
}

static void make_metrics(struct spool_metrics *metrics, struct metric_registry *registry)
{
    const struct {
        struct metric **metric;
        struct metric *(*make)(struct metric_registry *, const char *, const char *, const char *);
        const char *name;
        const char *help;
    } table[] = {
        {&metrics->depth_segments, metric_gauge, "millrace_spool_depth_segments", "Segments with rows that are not stored yet."},
        {&metrics->bytes, metric_gauge, "millrace_spool_bytes", "Bytes of all segments that are not stored yet."},
        {&metrics->rows, metric_counter, "millrace_spool_rows_total", "Rows made durable."},
        {&metrics->groups, metric_counter, "millrace_spool_groups_total", "Groups of batches made durable, each by one sync."},
        {&metrics->syncs, metric_counter, "millrace_spool_syncs_total", "Syncs of segment files, failed ones included."},
        {&metrics->failed_groups, metric_counter, "millrace_spool_failed_groups_total",
         "Groups answered with an error because the disk was full or failed."},
        {&metrics->quarantined, metric_counter, "millrace_spool_quarantined_total", "Segments moved to quarantine."},
        {&metrics->cut_bytes, metric_counter, "millrace_spool_cut_bytes_total",
         "Bytes of torn tails cut off at start; none of them were acknowledged."},
        {&metrics->oldest_unstored, metric_gauge, "millrace_spool_oldest_unstored_timestamp_seconds",
         "Unix time when the oldest segment not yet stored was opened; 0 when there is none."},
        {&metrics->oldest_unstored_age, metric_gauge, "millrace_spool_oldest_unstored_seconds",
         "Age of the oldest segment not yet stored; 0 when there is none. Brought up to date every second."},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        *table[i].metric = registry ? table[i].make(registry, table[i].name, "", table[i].help) : &metrics->unused;
    }
    static const char *const labels[SPOOL_DELETED] = {
        [SPOOL_OPEN] = "state=\"open\"", [SPOOL_SEALED] = "state=\"sealed\"", [SPOOL_LOADING] = "state=\"loading\"",
        [SPOOL_QUARANTINED] = "state=\"quarantined\"",
    };
    for (size_t i = 0; i < SPOOL_DELETED; i++) {
        metrics->rows_by_state[i] = registry ? metric_gauge(registry, "millrace_spool_rows", labels[i],
                                                            "Rows of segments in each state.")
                                             : &metrics->unused;
    }
    metrics->commit_seconds = registry ? metric_histogram(registry, "millrace_spool_commit_seconds",
                                                          "Time to append and sync one group.")
                                       : &metrics->unused_histogram;
}

static enum error_code recover(struct spool *spool, size_t *ret_recovered, struct error *error)
{
    struct arena *arena = arena_create(0);
    if (!arena) return error_set(error, ERROR_MEMORY, "out of memory opening the spool");
    struct spool_recovery recovery;
    enum error_code code = spool_directory_recover(&spool->directory, spool->settings.schemas,
                                                   spool->settings.schema_count, arena, &recovery, error);
    for (size_t i = 0; !code && i < recovery.count; i++) {
        const struct spool_found_segment *found = &recovery.segments[i];
        struct spool_segment *segment = spool_segment_add(spool, found->number, found->created_ms);
        if (!segment) {
            code = error_set(error, ERROR_MEMORY, "out of memory opening the spool");
            break;
        }
        segment->recovered = true;
        spool_segment_grew(spool, segment, found->rows, found->bytes - segment->bytes);
        spool_segment_transition(spool, segment, SPOOL_EVENT_SEAL);
    }
    if (!code) {
        metric_add(spool->metrics.quarantined, (int64_t)recovery.quarantined);
        metric_add(spool->metrics.cut_bytes, (int64_t)recovery.cut_bytes);
        *ret_recovered = recovery.count;
    }
    arena_destroy(arena);
    return code;
}

static void destroy(struct spool *spool)
{
    while (spool->first) {
        struct spool_segment *next = spool->first->next;
        buffer_free(&spool->first->content);
        free(spool->first);
        spool->first = next;
    }
    queue_destroy(spool->queue);
    pthread_cond_destroy(&spool->sealed);
    pthread_mutex_destroy(&spool->lock);
    spool_directory_close(&spool->directory);
    free(spool);
}

enum error_code spool_open(const struct spool_settings *settings, struct spool **ret_spool, size_t *ret_recovered,
                           struct error *error)
{
    ASSERT(settings->queue_capacity > 0);
    ASSERT(settings->schema_count <= SPOOL_SEGMENT_TABLE_LIMIT);
    struct spool *spool = calloc(1, sizeof *spool);
    if (!spool) return error_set(error, ERROR_MEMORY, "out of memory opening the spool");
    spool->settings = *settings;
    if (!spool->settings.files) spool->settings.files = &os_file_system_real;
    if (spool->settings.commit_bytes_limit == 0) spool->settings.commit_bytes_limit = SPOOL_COMMIT_BYTES_DEFAULT;
    spool->directory.lock_fd = -1;
    make_metrics(&spool->metrics, settings->metrics);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&spool->lock, NULL);
    pthread_cond_init(&spool->sealed, &attributes);
    pthread_condattr_destroy(&attributes);

    size_t recovered = 0;
    enum error_code code = ERROR_NONE;
    /* One place more than batches: the one that wakes the committer. */
    spool->queue = queue_create(settings->queue_capacity + 1);
    if (!spool->queue) code = error_set(error, ERROR_MEMORY, "out of memory opening the spool");
    if (!code) code = spool_directory_open(&spool->directory, settings->directory, spool->settings.files, error);
    if (!code) code = recover(spool, &recovered, error);
    uint64_t quarantined = 0;
    if (!code && spool_directory_quarantined_rows(&spool->directory, &quarantined, NULL) == ERROR_NONE) {
        metric_set(spool->metrics.rows_by_state[SPOOL_QUARANTINED], (int64_t)quarantined);
    }
    if (!code) code = spool_committer_start(spool, error);
    if (code) {
        destroy(spool);
        return code;
    }
    *ret_spool = spool;
    *ret_recovered = recovered;
    return ERROR_NONE;
}

void spool_close(struct spool *spool)
{
    if (!spool) return;
    queue_close(spool->queue);
    spool_committer_stop(spool);
    destroy(spool);
}

bool spool_submit(struct spool *spool, struct spool_batch *batch)
{
    batch->bytes = 0;
    for (size_t i = 0; i < spool->settings.schema_count; i++) {
        if (batch->blocks[i]) batch->bytes += block_bytes(batch->blocks[i]);
    }
    if (spool_is_full(spool)) return false;
    if (atomic_fetch_add(&spool->waiting, 1) < spool->settings.queue_capacity) {
        use_bytes(spool, batch->bytes);
        if (queue_try_push(spool->queue, batch)) return true;
        spool_release_bytes(spool, batch->bytes);
    }
    atomic_fetch_sub(&spool->waiting, 1);
    return false;
}

bool spool_is_full(const struct spool *spool)
{
    return atomic_load_explicit(&spool->is_over_limit, memory_order_relaxed) ||
           atomic_load_explicit(&spool->waiting, memory_order_relaxed) >= spool->settings.queue_capacity;
}

/* A point in time for a condition that goes by the monotonic clock. */
static struct timespec at_ms(int64_t monotonic_ms)
{
    return (struct timespec){.tv_sec = monotonic_ms / 1000, .tv_nsec = monotonic_ms % 1000 * 1000000};
}

bool spool_take(struct spool *spool, int timeout_ms, struct spool_segment_info *ret_info)
{
    int64_t deadline_ms = os_clock_monotonic_ms() + timeout_ms;
    struct spool_segment *segment;
    for (;;) {
        look_around(spool);
        int64_t until_ms = spool->looked_ms + LOOK_INTERVAL_MS;
        if (until_ms > deadline_ms) until_ms = deadline_ms;
        struct timespec until = at_ms(until_ms);
        int result = 0;
        pthread_mutex_lock(&spool->lock);
        for (;;) {
            segment = spool->first;
            while (segment && segment->state != SPOOL_SEALED) segment = segment->next;
            if (segment || result == ETIMEDOUT) break;
            result = pthread_cond_timedwait(&spool->sealed, &spool->lock, &until);
        }
        if (segment || os_clock_monotonic_ms() >= deadline_ms) break;
        pthread_mutex_unlock(&spool->lock);
    }
    if (segment) {
        *ret_info = (struct spool_segment_info){segment->number, segment->recovered, segment->attempts,
                                                segment->rows,   segment->bytes,     segment->created_ms};
        spool_segment_transition(spool, segment, SPOOL_EVENT_TAKE);
    }
    pthread_mutex_unlock(&spool->lock);
    return segment != NULL;
}

enum error_code spool_read_table(struct spool *spool, uint64_t number, size_t schema_index, struct block **ret_block,
                                 struct error *error)
{
    ASSERT(schema_index < spool->settings.schema_count);
    pthread_mutex_lock(&spool->lock);
    struct spool_segment *segment = find_segment(spool, number);
    ASSERT(segment->state == SPOOL_LOADING);
    pthread_mutex_unlock(&spool->lock);
    /* LOADING: the loader's own, and it stays in the list. One read serves all tables. */
    if (segment->content.size == 0) {
        enum error_code code = spool_directory_read_segment(&spool->directory, number, segment->bytes, &segment->content,
                                                            error);
        struct spool_scan scan = {0};
        if (!code) spool_segment_scan(buffer_slice(&segment->content), number, &scan);
        /* Every byte was whole when it was written or recovered: any damage is the disk's, since then. */
        if (!code && (scan.result != SPOOL_SCAN_WHOLE || scan.rows != segment->rows)) {
            code = error_set(error, ERROR_CORRUPT, "segment %" PRIu64 " changed on disk: %s", number, scan.reason);
        }
        if (code) {
            buffer_free(&segment->content);
            return code;
        }
    }
    return spool_segment_read_table(buffer_slice(&segment->content), number, spool->settings.schemas[schema_index],
                                    ret_block, error);
}

static void transition(struct spool *spool, uint64_t number, enum spool_segment_event event)
{
    pthread_mutex_lock(&spool->lock);
    spool_segment_transition(spool, find_segment(spool, number), event);
    pthread_mutex_unlock(&spool->lock);
}

enum error_code spool_stored(struct spool *spool, uint64_t number, struct error *error)
{
    enum error_code code = spool_directory_remove_segment(&spool->directory, number, error);
    if (!code) transition(spool, number, SPOOL_EVENT_STORED);
    return code;
}

void spool_retry(struct spool *spool, uint64_t number)
{
    transition(spool, number, SPOOL_EVENT_RETRY);
}

enum error_code spool_refuse(struct spool *spool, uint64_t number, const char *reason, struct error *error)
{
    pthread_mutex_lock(&spool->lock);
    uint64_t rows = find_segment(spool, number)->rows;
    pthread_mutex_unlock(&spool->lock);
    enum error_code code = spool_directory_quarantine(&spool->directory, number, reason, rows, error);
    if (!code) transition(spool, number, SPOOL_EVENT_REFUSE);
    return code;
}

void spool_seal_now(struct spool *spool)
{
    if (!atomic_exchange(&spool->seal_requested, true)) (void)queue_try_push(spool->queue, &spool->wake);
}

uint64_t spool_stored_up_to(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    uint64_t number = spool->stored_up_to;
    pthread_mutex_unlock(&spool->lock);
    return number;
}

uint64_t spool_current_segment(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    uint64_t number = spool->current_number;
    pthread_mutex_unlock(&spool->lock);
    return number;
}

size_t spool_depth(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    size_t depth = spool->depth;
    pthread_mutex_unlock(&spool->lock);
    return depth;
}
