/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a chain, event by event. */
#include "server/audit_verify.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#include "block/native_reader.h"
#include "control/audit_outbox.h"
#include "domains/audit/audit.h"
#include "os/clock.h"

#define VERIFY_PAGE 5000        /* rows asked for at once: some MB */
#define VERIFY_WAIT_STEP_MS 200
#define VERIFY_SURELY_MOVED_MS (7LL * 24 * 3600 * 1000) /* no outbox stands still for a week unseen */

/* Rows that are the same in all of this are one event that was stored twice (control/audit_outbox.h); the order of the columns below counts. */
#define VERIFY_TEXTS 16
#define VERIFY_COLUMNS (VERIFY_TEXTS + 2)
static const char verify_sql[] =
    "SELECT DISTINCT sequence, toUnixTimestamp64Milli(timestamp), toString(id), "
    "if(organization_id = '" AUDIT_INSTALLATION "', '', organization_id), tenant_id, user_id, actor_kind, actor_id, session_id, "
    "action, resource_type, resource_id, ip_address, user_agent, result, metadata, previous_hash, hash "
    "FROM observability.audit_logs WHERE service = {service:String} AND sequence >= {from:Int64} "
    "ORDER BY sequence, id LIMIT 5000";

struct verify {
    const char *service;
    struct meta_database *database;
    struct store_session *session;
    int64_t wait_ms;
    struct audit_verify_report *report;
    struct json_parser *parser;
    /* Of the event store, from some sequence on. */
    struct arena *page_arena;
    struct buffer page_bytes;
    struct control_audit_record *rows;
    size_t row_count, row;
    /* Of the outbox, likewise. */
    struct arena *outbox_arena;
    struct control_outbox_batch outbox;
    size_t outbox_at;
};

/* ---- event store ---- */

static enum error_code verify_read_block(struct verify *verify, const struct native_block *block, struct error *error)
{
    if (block->rows == 0) return ERROR_NONE;
    if (block->column_count != VERIFY_COLUMNS || verify->row_count + block->rows > VERIFY_PAGE)
        return error_set(error, ERROR_CORRUPT, "the event store answered something else than audit events");
    for (size_t column = 2; column < VERIFY_COLUMNS; column++)
        if (block->columns[column].values[0].kind != BLOCK_STRING)
            return error_set(error, ERROR_CORRUPT, "the event store answered an audit event that is not text");
    for (size_t i = 0; i < block->rows; i++) {
        struct control_audit_record *record = &verify->rows[verify->row_count++];
        struct slice *const texts[VERIFY_TEXTS] = {
            &record->id, &record->organization_id, &record->tenant_id, &record->user_id, &record->actor_kind,
            &record->actor_id, &record->session_id, &record->action, &record->resource_type, &record->resource_id,
            &record->ip_address, &record->user_agent, &record->result, &record->metadata, &record->previous_hash,
            &record->hash};
        record->sequence = block->columns[0].values[i].i;
        record->time_ms = block->columns[1].values[i].i;
        for (size_t j = 0; j < VERIFY_TEXTS; j++) *texts[j] = block->columns[j + 2].values[i].s;
    }
    return ERROR_NONE;
}

static enum error_code verify_read_page(struct verify *verify, int64_t from, struct error *error)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)from);
    const struct store_parameter parameters[] = {{"service", slice_from_string(verify->service)}, {"from", slice_from_string(number)}};
    const struct store_query query = {.sql = slice_from_string(verify_sql), .tenant = STORE_ALL_TENANTS, .parameters = parameters,
                                      .parameter_count = 2, .format = "Native", .timeout_ms = 120000};
    arena_reset(verify->page_arena);
    buffer_clear(&verify->page_bytes);
    verify->row = verify->row_count = 0;
    verify->rows = arena_allocate(verify->page_arena, VERIFY_PAGE * sizeof *verify->rows);
    if (!verify->rows) return error_set(error, ERROR_MEMORY, "out of memory checking audit events");
    enum error_code code = store_session_query(verify->session, &query, &verify->page_bytes, error);
    for (struct slice rest = buffer_slice(&verify->page_bytes); code == ERROR_NONE && rest.size;) {
        struct native_block block;
        code = native_reader_next(&rest, verify->page_arena, &block, error);
        if (code == ERROR_NONE) code = verify_read_block(verify, &block, error);
    }
    /* Of the last number there may be more on the next page: that one begins with it. */
    if (verify->row_count == VERIFY_PAGE && verify->rows[0].sequence != verify->rows[VERIFY_PAGE - 1].sequence)
        while (verify->rows[verify->row_count - 1].sequence == verify->rows[VERIFY_PAGE - 1].sequence) verify->row_count--;
    return code;
}

/* ---- outbox ---- */

static enum error_code verify_read_outbox(struct verify *verify, int64_t from, struct error *error)
{
    arena_reset(verify->outbox_arena);
    verify->outbox_at = 0;
    return control_outbox_read(verify->database, from, verify->outbox_arena, &verify->outbox, error);
}

/* The event of this number if the outbox has it. */
static enum error_code verify_look_outbox(struct verify *verify, int64_t sequence, struct control_audit_record *record,
                                          bool *ret_found, struct error *error)
{
    struct control_outbox_batch *outbox = &verify->outbox;
    while (verify->outbox_at < outbox->count && outbox->events[verify->outbox_at].sequence < sequence) verify->outbox_at++;
    if (verify->outbox_at == outbox->count) {
        enum error_code code = verify_read_outbox(verify, sequence, error);
        if (code != ERROR_NONE) return code;
    }
    *ret_found = verify->outbox_at < outbox->count && outbox->events[verify->outbox_at].sequence == sequence;
    if (!*ret_found) return ERROR_NONE;
    return control_audit_record_read(verify->parser, outbox->events[verify->outbox_at].text, record, error);
}

/* ---- the walk ---- */

__attribute__((format(printf, 2, 3))) static enum error_code verify_break(struct verify *verify, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verify->report->broken, sizeof verify->report->broken, format, arguments);
    va_end(arguments);
    verify->report->is_whole = false;
    return ERROR_NONE;
}

enum verify_found { VERIFY_MISSING, VERIFY_IN_STORE, VERIFY_IN_OUTBOX };

static enum error_code verify_find_once(struct verify *verify, int64_t sequence, struct control_audit_record *record,
                                        enum verify_found *ret_found, struct error *error)
{
    enum error_code code = ERROR_NONE;
    *ret_found = VERIFY_MISSING;
    while (verify->row < verify->row_count && verify->rows[verify->row].sequence < sequence) verify->row++;
    if (verify->row == verify->row_count) code = verify_read_page(verify, sequence, error);
    if (code == ERROR_NONE && verify->row < verify->row_count && verify->rows[verify->row].sequence == sequence) {
        *record = verify->rows[verify->row];
        *ret_found = VERIFY_IN_STORE;
        return ERROR_NONE;
    }
    bool found = false;
    if (code == ERROR_NONE) code = verify_look_outbox(verify, sequence, record, &found, error);
    if (found) *ret_found = VERIFY_IN_OUTBOX;
    return code;
}

/* An event that left the outbox takes a moment to be selectable. */
static enum error_code verify_find(struct verify *verify, int64_t sequence, struct control_audit_record *record,
                                   enum verify_found *ret_found, struct error *error)
{
    int64_t until_ms = os_clock_monotonic_ms() + verify->wait_ms;
    for (;;) {
        enum error_code code = verify_find_once(verify, sequence, record, ret_found, error);
        if (code != ERROR_NONE || *ret_found != VERIFY_MISSING || os_clock_monotonic_ms() > until_ms) return code;
        poll(NULL, 0, VERIFY_WAIT_STEP_MS);
        code = verify_read_outbox(verify, sequence, error);
        if (code == ERROR_NONE) code = verify_read_page(verify, sequence, error);
        if (code != ERROR_NONE) return code;
    }
}

/* The oldest event there is now; 0: none. */
static enum error_code verify_look_first(struct verify *verify, int64_t *ret_first, int64_t *ret_time_ms, struct error *error)
{
    enum error_code code = verify_read_outbox(verify, 0, error);
    if (code == ERROR_NONE) code = verify_read_page(verify, 0, error);
    *ret_first = *ret_time_ms = 0;
    if (code != ERROR_NONE) return code;
    if (verify->row_count) {
        *ret_first = verify->rows[0].sequence;
        *ret_time_ms = verify->rows[0].time_ms;
    }
    if (verify->outbox.count && (!*ret_first || verify->outbox.events[0].sequence < *ret_first)) {
        *ret_first = verify->outbox.events[0].sequence;
        *ret_time_ms = os_clock_wall_ms();
    }
    return ERROR_NONE;
}

/* Where the chain begins. What seems to be past its retention may be on its way to the event store: that is waited for,
 * unless the chain begins so long ago that its events are certainly there. */
static enum error_code verify_begin(struct verify *verify, int64_t *ret_first, struct error *error)
{
    int64_t until_ms = os_clock_monotonic_ms() + verify->wait_ms, time_ms;
    for (;;) {
        enum error_code code = verify_look_first(verify, ret_first, &time_ms, error);
        if (code != ERROR_NONE || *ret_first == 1 || os_clock_monotonic_ms() > until_ms) return code;
        if (*ret_first && time_ms < os_clock_wall_ms() - VERIFY_SURELY_MOVED_MS) return ERROR_NONE;
        poll(NULL, 0, VERIFY_WAIT_STEP_MS);
    }
}

static enum error_code verify_event(struct verify *verify, const struct control_audit_record *record,
                                    char previous_hash[CONTROL_AUDIT_HASH_SIZE + 1], bool is_first, struct error *error)
{
    char hash[CONTROL_AUDIT_HASH_SIZE + 1];
    bool begins = is_first && record->sequence > 1; /* what stood before is gone: its hash is taken as it is */
    long long number = record->sequence;
    enum error_code code = control_audit_hash(record, hash, error);
    if (code != ERROR_NONE) return code;
    if (!begins && !slice_equal(record->previous_hash, slice_from_string(previous_hash)))
        return verify_break(verify, "event %lld (%.*s) does not follow the event before it: one of them was changed", number,
                            SLICE_ARGS(record->id));
    if (!slice_equal(record->hash, slice_from_string(hash)))
        return verify_break(verify, "event %lld (%.*s) was changed: its hash does not fit what it says", number, SLICE_ARGS(record->id));
    memcpy(previous_hash, hash, sizeof hash);
    return ERROR_NONE;
}

static enum error_code verify_walk(struct verify *verify, const struct control_audit_head *head, int64_t first, struct error *error)
{
    char previous_hash[CONTROL_AUDIT_HASH_SIZE + 1] = "";
    enum error_code code = ERROR_NONE;
    for (int64_t sequence = first; sequence <= head->sequence && verify->report->is_whole && code == ERROR_NONE; sequence++) {
        struct control_audit_record record;
        enum verify_found found;
        code = verify_find(verify, sequence, &record, &found, error);
        if (code != ERROR_NONE) return code;
        if (found == VERIFY_MISSING)
            return verify_break(verify, "event %lld is missing: it is neither in the event store nor in the outbox (of a server that "
                                        "is stopped the spool may hold it: start it)", (long long)sequence);
        if (found == VERIFY_IN_STORE && verify->row + 1 < verify->row_count && verify->rows[verify->row + 1].sequence == sequence)
            return verify_break(verify, "there are two events %lld: one of them was added", (long long)sequence);
        verify->report->in_outbox += found == VERIFY_IN_OUTBOX;
        code = verify_event(verify, &record, previous_hash, sequence == first, error);
    }
    if (code == ERROR_NONE && verify->report->is_whole && strcmp(previous_hash, head->hash) != 0)
        return verify_break(verify, "the last event, %lld, is not the one that was written last", (long long)head->sequence);
    return code;
}

enum error_code audit_verify(const char *service, struct meta_database *database, struct store_session *session,
                             int64_t wait_ms, struct audit_verify_report *ret_report, struct error *error)
{
    struct verify verify = {.service = service, .database = database, .session = session, .wait_ms = wait_ms,
                            .report = ret_report, .parser = json_parser_create(), .page_arena = arena_create(0),
                            .outbox_arena = arena_create(0)};
    struct control_audit_head head;
    int64_t first = 0;
    *ret_report = (struct audit_verify_report){.is_whole = true};
    enum error_code code = verify.parser && verify.page_arena && verify.outbox_arena
                               ? control_audit_head_read(database, &head, error)
                               : error_set(error, ERROR_MEMORY, "out of memory checking audit events");
    if (code == ERROR_NONE && head.sequence > 0) code = verify_begin(&verify, &first, error);
    if (code == ERROR_NONE && head.sequence > 0) {
        /* All of them gone by age leaves nothing to check; but the newest of a chain that is in use does not go. */
        if (first == 0) first = head.sequence;
        ret_report->first = first;
        ret_report->last = head.sequence;
        code = verify_walk(&verify, &head, first, error);
    }
    json_parser_destroy(verify.parser);
    arena_destroy(verify.page_arena);
    arena_destroy(verify.outbox_arena);
    buffer_free(&verify.page_bytes);
    return code;
}
