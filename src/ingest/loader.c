/* SPDX-License-Identifier: Apache-2.0 */
/* The loader thread. */
#include "ingest/loader.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/queue.h"
#include "os/clock.h"
#include "os/memory.h"
#include "os/thread.h"

#define LOADER_FIRST_PAUSE_MS 100
#define LOADER_LONGEST_PAUSE_MS 5000
/* How often it looks up from waiting to see whether it should end. */
#define LOADER_WAIT_MS 200
/* After so many waits without a segment (3 s) the memory of the last ones is given back. */
#define LOADER_IDLE_WAITS 15

struct loader {
    struct loader_settings settings;
    struct store_session *session;
    struct os_thread thread;
    atomic_bool stopping;
    struct queue *wake; /* always empty: closing it ends a pause */
    struct buffer native;
    bool rows_differ; /* those in `native` */
    struct metric *segments, *rows, *retries, *refused;
    struct metric_histogram *seconds;
};

/* Exception codes that say "this statement or this data will never fit". Everything else may pass: memory, disk, network. */
static const int loader_final_codes[] = {
    6,   /* CANNOT_PARSE_TEXT */
    8,   /* THERE_IS_NO_COLUMN */
    10,  /* NOT_FOUND_COLUMN_IN_BLOCK */
    16,  /* NO_SUCH_COLUMN_IN_TABLE */
    20,  /* NUMBER_OF_COLUMNS_DOESNT_MATCH */
    43,  /* ILLEGAL_TYPE_OF_ARGUMENT */
    44,  /* ILLEGAL_COLUMN */
    47,  /* UNKNOWN_IDENTIFIER */
    50,  /* UNKNOWN_TYPE */
    53,  /* TYPE_MISMATCH */
    60,  /* UNKNOWN_TABLE */
    70,  /* CANNOT_CONVERT_TYPE */
    81,  /* UNKNOWN_DATABASE */
    117, /* INCORRECT_DATA */
    349, /* CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN */
};

bool loader_is_refused_for_good(int exception_code)
{
    for (size_t i = 0; i < sizeof loader_final_codes / sizeof loader_final_codes[0]; i++)
        if (loader_final_codes[i] == exception_code) return true;
    return false;
}

/* How many rows of the segment the table holds. */
static enum error_code loader_ask(struct loader *loader, const struct block_schema *schema, uint64_t segment, uint64_t *ret_rows,
                                  struct error *error)
{
    char sql[256], number[24];
    snprintf(sql, sizeof sql, "SELECT count() FROM %s.%s WHERE segment = {segment:UInt64}", schema->database, schema->table);
    snprintf(number, sizeof number, "%llu", (unsigned long long)segment);
    struct store_parameter parameters[] = {{"segment", slice_from_string(number)}};
    struct store_query query = {.sql = slice_from_string(sql), .tenant = STORE_ALL_TENANTS, .parameters = parameters,
                                .parameter_count = 1, .format = "TSV", .cancelled = &loader->stopping};
    struct buffer out = {0};
    enum error_code code = store_session_query(loader->session, &query, &out, error);
    if (code == ERROR_NONE && !slice_parse_uint64(slice_trim(buffer_slice(&out)), ret_rows))
        code = error_set(error, ERROR_UNAVAILABLE, "%s.%s: the event store did not say how many rows of a segment it holds",
                         schema->database, schema->table);
    buffer_free(&out);
    return code;
}

/* Takes the rows of a segment out again, where a part of them cannot be completed. */
static enum error_code loader_delete(struct loader *loader, const struct block_schema *schema, uint64_t segment, struct error *error)
{
    char sql[256];
    snprintf(sql, sizeof sql, "ALTER TABLE %s.%s DELETE WHERE segment = %llu SETTINGS mutations_sync = 2", schema->database,
             schema->table, (unsigned long long)segment);
    log_warn("loader: segment %llu is in %s.%s in part and its tokens are forgotten: the part is deleted and inserted again; "
             "views over the table may count it twice", (unsigned long long)segment, schema->database, schema->table);
    return store_session_execute(loader->session, slice_from_string(sql), error);
}

static enum error_code loader_insert(struct loader *loader, const struct block_schema *schema, uint64_t segment, unsigned round,
                                     struct error *error)
{
    char token[112];
    int size = snprintf(token, sizeof token, "%016llx-%s.%s", (unsigned long long)segment, schema->database, schema->table);
    if (round) snprintf(token + size, sizeof token - (size_t)size, "-%u", round);
    struct store_insert insert = {.database = schema->database, .table = schema->table, .token = token,
                                  .native = buffer_slice(&loader->native), .rows_differ = loader->rows_differ};
    return store_session_insert(loader->session, &insert, error);
}

/*
 * What an earlier attempt may have left is asked for, never guessed from the token alone: after a power cut the store has
 * forgotten tokens whose rows it holds, and a kill can leave a token whose rows it does not hold.
 */
static enum error_code loader_insert_again(struct loader *loader, const struct domain_table *table, uint64_t segment, size_t rows,
                                           struct error *error)
{
    const struct block_schema *schema = table->schema;
    bool forgotten = loader->settings.tokens_forgotten;
    uint64_t held = 0;
    enum error_code code = loader_ask(loader, schema, segment, &held, error);
    if (code == ERROR_NONE && forgotten && held == rows) return ERROR_NONE;
    if (code == ERROR_NONE && forgotten && held > 0) code = loader_delete(loader, schema, segment, error);
    /* Rows that are there are dropped by their token; what is missing, in dependent views too, is completed. */
    for (unsigned round = 0; code == ERROR_NONE; round++) {
        code = loader_insert(loader, schema, segment, round, error);
        if (code == ERROR_NONE) code = loader_ask(loader, schema, segment, &held, error);
        if (code != ERROR_NONE || held == rows) return code;
        if (table->rows_expire && (held > 0 || round == 1)) return ERROR_NONE; /* the insert succeeded: the others' time is over */
        /* Elsewhere a replica may only be late to see the rows: another token would store them twice. */
        if (held > 0 || round == 1 || !loader->settings.is_embedded)
            return error_set(error, ERROR_UNAVAILABLE, "%s.%s holds %llu of %zu rows of the segment", schema->database, schema->table,
                             (unsigned long long)held, rows);
        log_warn("loader: segment %llu: %s.%s knows the token and has no row: it is inserted under another", (unsigned long long)segment,
                 schema->database, schema->table);
    }
    return code;
}

/*
 * Where rows replace each other nobody can count what should be there, and need not: twice is once. Only a token whose rows are
 * not there (none of the segment is left) needs another one.
 */
static enum error_code loader_replace_again(struct loader *loader, const struct block_schema *schema, uint64_t segment, struct error *error)
{
    uint64_t held = 0;
    enum error_code code = loader_insert(loader, schema, segment, 0, error);
    if (code == ERROR_NONE) code = loader_ask(loader, schema, segment, &held, error);
    return code == ERROR_NONE && held == 0 ? loader_insert(loader, schema, segment, 1, error) : code;
}

static enum error_code loader_insert_table(struct loader *loader, const struct spool_segment_info *segment, size_t table,
                                           bool again, struct error *error)
{
    const struct domain_table *kind = loader->settings.tables->tables[table];
    const struct block_schema *schema = kind->schema;
    struct block *block = NULL;
    enum error_code code = spool_read_table(loader->settings.spool, segment->number, table, &block, error);
    if (code != ERROR_NONE || !block) return code;
    buffer_clear(&loader->native);
    block_write_native(block, "segment", segment->number, &loader->native);
    size_t rows = block->rows;
    loader->rows_differ = kind->key_count && !block_rows_may_equal(block, kind->key_columns, kind->key_count);
    block_destroy(block);
    if (loader->native.failed) return error_set(error, ERROR_MEMORY, "out of memory for an insert of %zu rows", rows);
    if (!again) code = loader_insert(loader, schema, segment->number, 0, error);
    else if (kind->rows_replace) code = loader_replace_again(loader, schema, segment->number, error);
    else code = loader_insert_again(loader, kind, segment->number, rows, error);
    if (code == ERROR_NONE) metric_add(loader->rows, (int64_t)rows);
    return code;
}

static enum error_code loader_insert_segment(struct loader *loader, const struct spool_segment_info *segment, bool again,
                                             struct error *error)
{
    for (size_t table = 0; table < loader->settings.tables->count; table++) {
        enum error_code code = loader_insert_table(loader, segment, table, again, error);
        if (code != ERROR_NONE) return code;
    }
    return ERROR_NONE;
}

static bool loader_never_fits(enum error_code code, const struct error *error)
{
    if (code == ERROR_STORE) return loader_is_refused_for_good(error->detail);
    return code == ERROR_CORRUPT || code == ERROR_INVALID; /* of spool_read_table: these will not go away */
}

/* One attempt after the other until the segment is stored, refused, or the loader is told to end. */
static void loader_load(struct loader *loader, const struct spool_segment_info *segment)
{
    struct error error = {0};
    int64_t pause_ms = LOADER_FIRST_PAUSE_MS, started_us = os_clock_monotonic_us();
    bool again = segment->recovered || segment->attempts > 0;
    for (; !atomic_load(&loader->stopping); again = true) {
        enum error_code code = loader_insert_segment(loader, segment, again, &error);
        if (code == ERROR_NONE) code = spool_stored(loader->settings.spool, segment->number, &error);
        if (code == ERROR_NONE) {
            metric_observe_us(loader->seconds, (uint64_t)(os_clock_monotonic_us() - started_us));
            metric_add(loader->segments, 1);
            return;
        }
        if (loader_never_fits(code, &error)) {
            log_error("loader: segment %llu goes to quarantine: %s", (unsigned long long)segment->number, error.message);
            char reason[sizeof error.message];
            memcpy(reason, error.message, sizeof reason);
            code = spool_refuse(loader->settings.spool, segment->number, reason, &error);
            if (code == ERROR_NONE) {
                metric_add(loader->refused, 1);
                return;
            }
        }
        metric_add(loader->retries, 1);
        log_warn("loader: segment %llu is not stored yet, next try in %lld ms: %s", (unsigned long long)segment->number,
                 (long long)pause_ms, error.message);
        queue_pop(loader->wake, (int)pause_ms);
        pause_ms = pause_ms * 2 < LOADER_LONGEST_PAUSE_MS ? pause_ms * 2 : LOADER_LONGEST_PAUSE_MS;
    }
    spool_retry(loader->settings.spool, segment->number);
}

static void loader_run(void *context)
{
    struct loader *loader = context;
    unsigned idle = 0;
    while (!atomic_load(&loader->stopping)) {
        struct spool_segment_info segment;
        if (spool_take(loader->settings.spool, LOADER_WAIT_MS, &segment)) {
            loader_load(loader, &segment);
            idle = 0;
        } else if (++idle == LOADER_IDLE_WAITS) {
            buffer_free(&loader->native);
            os_memory_give_back();
        }
    }
}

enum error_code loader_start(const struct loader_settings *settings, struct loader **ret_loader, struct error *error)
{
    struct loader *loader = calloc(1, sizeof *loader);
    if (!loader) return error_set(error, ERROR_MEMORY, "out of memory for the loader");
    loader->settings = *settings;
    struct metric_registry *metrics = settings->metrics;
    loader->segments = metric_counter(metrics, "millrace_loader_segments_total", "", "Segments stored.");
    loader->rows = metric_counter(metrics, "millrace_loader_rows_total", "", "Rows inserted into the event store, repeats included.");
    loader->retries = metric_counter(metrics, "millrace_loader_retries_total", "", "Attempts that must be repeated.");
    loader->refused = metric_counter(metrics, "millrace_loader_refused_total", "", "Segments moved to quarantine.");
    loader->seconds = metric_histogram(metrics, "millrace_loader_segment_seconds", "Time to store one segment.");
    loader->wake = queue_create(1);
    enum error_code code = loader->wake ? store_session_create(settings->store, &loader->session, error)
                                        : error_set(error, ERROR_MEMORY, "out of memory for the loader");
    if (code == ERROR_NONE) code = os_thread_start(&loader->thread, "loader", loader_run, loader, error);
    if (code != ERROR_NONE) {
        store_session_destroy(loader->session);
        queue_destroy(loader->wake);
        free(loader);
        return code;
    }
    *ret_loader = loader;
    return ERROR_NONE;
}

void loader_stop(struct loader *loader)
{
    if (!loader) return;
    atomic_store(&loader->stopping, true);
    queue_close(loader->wake);
    os_thread_join(&loader->thread);
    store_session_destroy(loader->session);
    queue_destroy(loader->wake);
    buffer_free(&loader->native);
    free(loader);
}
