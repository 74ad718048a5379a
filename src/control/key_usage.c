/* SPDX-License-Identifier: Apache-2.0 */
/* How much keys are used: counted in memory, written from time to time, shown by the hour. */
#include <stdlib.h>

#include "control/identity.h"
#include "control/key_private.h"

#define KEY_HOUR_MS (3600LL * 1000)
#define KEY_DAY_MS (24 * KEY_HOUR_MS)

struct control_key_flusher {
    struct meta_database *core;
    struct tenant_key_states *states;
    struct buffer pending;    /* struct tenant_key_usage: taken from the states, not written yet */
    int64_t pending_ms;       /* when they were taken */
    int64_t removed_ms;       /* when old hours were removed last */
};

struct control_key_flusher *control_key_flusher_create(struct meta_database *core, struct tenant_key_states *states)
{
    struct control_key_flusher *flusher = calloc(1, sizeof *flusher);
    if (!flusher) return NULL;
    flusher->core = core;
    flusher->states = states;
    tenant_key_states_hold(states);
    return flusher;
}

void control_key_flusher_destroy(struct control_key_flusher *flusher)
{
    if (!flusher) return;
    tenant_key_states_release(flusher->states);
    buffer_free(&flusher->pending);
    free(flusher);
}

static bool key_usage_keep(void *context, const struct tenant_key_usage *usage)
{
    struct buffer *pending = context;
    buffer_append(pending, usage, sizeof *usage);
    return !pending->failed;
}

static int key_usage_order(const void *a, const void *b)
{
    return strcmp(((const struct tenant_key_usage *)a)->id, ((const struct tenant_key_usage *)b)->id);
}

static enum error_code key_usage_write(struct meta_session *session, const struct tenant_key_usage *usage, int64_t hour_ms,
                                       struct error *error)
{
    const struct meta_value parameters[] = {
        meta_string(usage->id), meta_integer(hour_ms), meta_integer((int64_t)usage->requests),
        meta_integer((int64_t)usage->refused), meta_integer((int64_t)usage->items)};
    /* Of a key that was removed meanwhile nothing is kept. */
    enum error_code code = meta_execute(
        session,
        "insert into api_key_usage (api_key_id, hour, requests, refused, items)"
        " select api_key_id, cast($2 as bigint), cast($3 as bigint), cast($4 as bigint), cast($5 as bigint) from api_keys"
        " where api_key_id = $1 on conflict (api_key_id, hour) do update set"
        " requests = api_key_usage.requests + excluded.requests, refused = api_key_usage.refused + excluded.refused,"
        " items = api_key_usage.items + excluded.items",
        parameters, sizeof parameters / sizeof *parameters, NULL, error);
    if (!code)
        code = meta_execute(
            session,
            "update api_keys set usage_count = usage_count + $2,"
            " last_used_ip = case when coalesce(last_used_at, 0) < $3 then $4 else last_used_ip end,"
            " last_used_at = case when coalesce(last_used_at, 0) < $3 then $3 else last_used_at end where api_key_id = $1",
            META_PARAMETERS(meta_string(usage->id), meta_integer((int64_t)usage->requests), meta_integer(usage->last_used_ms),
                            meta_string(usage->last_address)),
            NULL, error);
    return code;
}

enum error_code control_key_usage_flush(struct control_key_flusher *flusher, int64_t now_ms, struct error *error)
{
    struct buffer *pending = &flusher->pending;
    if (pending->size == 0) {
        tenant_key_usage_drain(flusher->states, key_usage_keep, pending);
        flusher->pending_ms = now_ms;
        pending->failed = false; /* what did not fit was put back */
        /* In one order at all servers: two that write the same keys would wait for each other otherwise. */
        if (pending->size) qsort(pending->data, pending->size / sizeof(struct tenant_key_usage), sizeof(struct tenant_key_usage), key_usage_order);
    }
    bool removes = now_ms - flusher->removed_ms >= KEY_HOUR_MS;
    if (pending->size == 0 && !removes) return ERROR_NONE;

    struct meta_session *session = NULL;
    const struct tenant_key_usage *usage = (const struct tenant_key_usage *)pending->data;
    enum error_code code = meta_session_begin(flusher->core, 0, &session, error);
    if (!code) code = meta_begin(session, error);
    for (size_t i = 0; i < pending->size / sizeof *usage && !code; i++)
        code = key_usage_write(session, &usage[i], flusher->pending_ms - flusher->pending_ms % KEY_HOUR_MS, error);
    if (!code && removes)
        code = meta_execute(session, "delete from api_key_usage where hour < $1",
                            META_PARAMETERS(meta_integer(now_ms - CONTROL_KEY_USAGE_DAYS * KEY_DAY_MS)), NULL, error);
    code = identity_end(session, code, error);
    if (code) return code;
    buffer_clear(pending);
    if (removes) flusher->removed_ms = now_ms;
    return ERROR_NONE;
}

/* ---- shown ---- */

static const char *const key_usage_names[] = {"requests", "refused", "items"};
#define KEY_USAGE_NAMES (sizeof key_usage_names / sizeof *key_usage_names)

struct key_hours {
    struct json_writer writer;
    int64_t totals[KEY_USAGE_NAMES];
};

static enum error_code key_take_hour(void *context, const struct meta_row *row, struct error *error)
{
    struct key_hours *hours = context;
    json_writer_object_begin(&hours->writer);
    identity_write_time(&hours->writer, "hour", meta_row_integer(row, 0));
    for (size_t i = 0; i < KEY_USAGE_NAMES; i++) {
        hours->totals[i] += meta_row_integer(row, i + 1);
        json_writer_key(&hours->writer, key_usage_names[i]);
        json_writer_int(&hours->writer, meta_row_integer(row, i + 1));
    }
    json_writer_object_end(&hours->writer);
    return ERROR_NONE;
}

enum error_code control_key_usage(const struct control_call *call, struct slice key, int64_t hours, struct buffer *out,
                                  struct error *error)
{
    struct meta_session *session;
    struct control_key found;
    struct key_hours taken = {.writer = {.out = out}};
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code) return code;
    code = control_key_find(call, session, key, &found, error);
    json_writer_object_begin(&taken.writer);
    json_writer_key(&taken.writer, "data");
    json_writer_array_begin(&taken.writer);
    if (!code)
        code = meta_query(session,
                          "select hour, requests, refused, items from api_key_usage where api_key_id = $1 and hour > $2"
                          " order by hour",
                          META_PARAMETERS(meta_text(found.api_key_id), meta_integer(call->now_ms - hours * KEY_HOUR_MS)),
                          key_take_hour, &taken, error);
    meta_session_end(session);
    json_writer_array_end(&taken.writer);
    json_writer_key(&taken.writer, "totals");
    json_writer_object_begin(&taken.writer);
    for (size_t i = 0; i < KEY_USAGE_NAMES; i++) {
        json_writer_key(&taken.writer, key_usage_names[i]);
        json_writer_int(&taken.writer, taken.totals[i]);
    }
    json_writer_object_end(&taken.writer);
    json_writer_object_end(&taken.writer);
    return code ? code : identity_written(out, error);
}
