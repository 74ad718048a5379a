/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of the outbox. */
#include "control/audit_outbox.h"

#include <stdlib.h>

#define OUTBOX_SET_ASIDE "unreadable"

static enum error_code outbox_take_depth(void *context, const struct meta_row *row, struct error *error)
{
    struct control_outbox_depth *depth = context;
    depth->events = meta_row_integer(row, 0);
    depth->oldest_ms = meta_row_integer(row, 1);
    return ERROR_NONE;
}

enum error_code control_outbox_measure(struct meta_database *database, struct control_outbox_depth *ret_depth,
                                       struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    code = meta_query(session, "select count(*), min(created_at) from audit_outbox where claimed_by <> '" OUTBOX_SET_ASIDE "'",
                      NULL, 0, outbox_take_depth, ret_depth, error);
    meta_session_end(session);
    return code;
}

struct outbox_taking {
    struct arena *arena;
    struct control_outbox_batch *batch;
};

static enum error_code outbox_take_event(void *context, const struct meta_row *row, struct error *error)
{
    struct outbox_taking *taking = context;
    struct slice text = meta_row_text(row, 1);
    char *copy = arena_allocate(taking->arena, text.size + JSON_PADDING);
    if (!copy) return error_set(error, ERROR_MEMORY, "out of memory reading audit events");
    memcpy(copy, text.data, text.size);
    ASSERT(taking->batch->count < CONTROL_OUTBOX_BATCH);
    taking->batch->events[taking->batch->count++] =
        (struct control_outbox_event){meta_row_integer(row, 0), slice_make(copy, text.size)};
    return ERROR_NONE;
}

static int outbox_order(const void *a, const void *b)
{
    int64_t left = ((const struct control_outbox_event *)a)->sequence, right = ((const struct control_outbox_event *)b)->sequence;
    return left < right ? -1 : left > right;
}

static enum error_code outbox_batch_make(struct arena *arena, int64_t until_ms, struct control_outbox_batch *batch,
                                         struct error *error)
{
    *batch = (struct control_outbox_batch){.until_ms = until_ms};
    batch->events = arena_allocate(arena, CONTROL_OUTBOX_BATCH * sizeof *batch->events);
    return batch->events ? ERROR_NONE : error_set(error, ERROR_MEMORY, "out of memory reading audit events");
}

enum error_code control_outbox_claim(struct meta_database *database, const char *claimer, int64_t now_ms,
                                     struct arena *arena, struct control_outbox_batch *ret_batch, struct error *error)
{
    struct meta_session *session;
    struct outbox_taking taking = {arena, ret_batch};
    enum error_code code = outbox_batch_make(arena, now_ms + CONTROL_OUTBOX_CLAIM_MS, ret_batch, error);
    if (code) return code;
    code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    /* The condition stands twice: PostgreSQL looks at the outer one again when another server was faster. */
    code = meta_query(session,
                      "update audit_outbox set claimed_by = $1, claimed_until = $2"
                      " where (claimed_by = $1 or claimed_until < $3) and sequence in (select sequence from audit_outbox"
                      " where claimed_by = $1 or claimed_until < $3 order by sequence limit $4) returning sequence, event",
                      META_PARAMETERS(meta_string(claimer), meta_integer(ret_batch->until_ms), meta_integer(now_ms),
                                      meta_integer(CONTROL_OUTBOX_BATCH)),
                      outbox_take_event, &taking, error);
    meta_session_end(session);
    qsort(ret_batch->events, ret_batch->count, sizeof *ret_batch->events, outbox_order);
    return code;
}

static enum error_code outbox_execute(struct meta_database *database, const char *sql, const struct meta_value *parameters,
                                      size_t count, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    code = meta_execute(session, sql, parameters, count, NULL, error);
    meta_session_end(session);
    return code;
}

enum error_code control_outbox_set_aside(struct meta_database *database, int64_t sequence, struct error *error)
{
    return outbox_execute(database,
                          "update audit_outbox set claimed_by = '" OUTBOX_SET_ASIDE "', claimed_until = $2 where sequence = $1",
                          META_PARAMETERS(meta_integer(sequence), meta_integer(INT64_MAX)), error);
}

enum error_code control_outbox_remove(struct meta_database *database, const char *claimer,
                                      const struct control_outbox_batch *batch, struct error *error)
{
    return outbox_execute(database, "delete from audit_outbox where claimed_by = $1 and claimed_until = $2 and sequence <= $3",
                          META_PARAMETERS(meta_string(claimer), meta_integer(batch->until_ms),
                                          meta_integer(batch->count ? batch->events[batch->count - 1].sequence : 0)),
                          error);
}

struct outbox_text {
    struct arena *arena;
    struct slice text;
};

static enum error_code outbox_take_text(void *context, const struct meta_row *row, struct error *error)
{
    struct outbox_text *taken = context;
    taken->text = arena_copy(taken->arena, meta_row_text(row, 0));
    return arena_failed(taken->arena) ? error_set(error, ERROR_MEMORY, "out of memory reading a workspace") : ERROR_NONE;
}

enum error_code control_outbox_workspace(struct meta_database *core, struct slice tenant_id, struct arena *arena,
                                         struct slice *ret_workspace, struct error *error)
{
    struct meta_session *session;
    struct outbox_text taken = {arena, SLICE_EMPTY};
    enum error_code code = meta_session_begin(core, 0, &session, error);
    if (code) return code;
    code = meta_query(session, "select workspace_id from tenants where tenant_id = $1", META_PARAMETERS(meta_text(tenant_id)),
                      outbox_take_text, &taken, error);
    meta_session_end(session);
    *ret_workspace = taken.text;
    return code;
}

/* ---- for checking the chain ---- */

static enum error_code outbox_take_head(void *context, const struct meta_row *row, struct error *error)
{
    struct control_audit_head *head = context;
    head->sequence = meta_row_integer(row, 0);
    return META_ROW_COPY(row, 1, head->hash, error);
}

enum error_code control_audit_head_read(struct meta_database *database, struct control_audit_head *ret_head, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    *ret_head = (struct control_audit_head){.sequence = -1};
    code = meta_query(session, "select sequence, hash from audit_chain where id = 1", NULL, 0, outbox_take_head, ret_head, error);
    meta_session_end(session);
    if (!code && ret_head->sequence < 0) code = error_set(error, ERROR_CORRUPT, "the table audit_chain has lost its row");
    return code;
}

enum error_code control_outbox_read(struct meta_database *database, int64_t from_sequence, struct arena *arena,
                                    struct control_outbox_batch *ret_batch, struct error *error)
{
    struct meta_session *session;
    struct outbox_taking taking = {arena, ret_batch};
    enum error_code code = outbox_batch_make(arena, 0, ret_batch, error);
    if (code) return code;
    code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    code = meta_query(session, "select sequence, event from audit_outbox where sequence >= $1 order by sequence limit $2",
                      META_PARAMETERS(meta_integer(from_sequence), meta_integer(CONTROL_OUTBOX_BATCH)), outbox_take_event, &taking,
                      error);
    meta_session_end(session);
    return code;
}
