/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's recordings of visits: one chunk a request, stored as it is. */
#include "domains/analytics/openpanel.h"

#define OPENPANEL_SESSION_LIMIT_BYTES 64

/* Row columns that a chunk must have, and their names in the payload. */
static const struct replay_member {
    const char *name;
    size_t column;
} replay_members[] = {
    {"chunk_index", REPLAY_CHUNKS_CHUNK_INDEX}, {"events_count", REPLAY_CHUNKS_EVENTS_COUNT},
    {"is_full_snapshot", REPLAY_CHUNKS_IS_FULL_SNAPSHOT}, {"started_at", REPLAY_CHUNKS_STARTED_AT},
    {"ended_at", REPLAY_CHUNKS_ENDED_AT}, {"payload", REPLAY_CHUNKS_PAYLOAD},
};

static enum error_code replay_check(struct openpanel_request *request, struct error *error)
{
    static const struct { const char *name; enum json_type type; const char *expected; } types[] = {
        {"chunk_index", JSON_INT, "int"}, {"events_count", JSON_INT, "int"}, {"payload", JSON_STRING, "string"},
        {"started_at", JSON_STRING, "string"}, {"ended_at", JSON_STRING, "string"}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct json_value value = {0};
        bool present = json_object_get(request->payload, slice_from_string(types[i].name), &value);
        if (!present || json_value_type(value) != types[i].type)
            return openpanel_expect(error, request->place, types[i].name, types[i].expected, present, value);
    }
    return ERROR_NONE;
}

/* The same chunk again, because its answer was lost: the recording must not have it twice. */
static struct uuid replay_id(const struct openpanel_request *request, struct slice session, struct slice index,
                             struct slice started_at)
{
    struct slice name = arena_printf(request->context.arena, "replay %.*s %.*s %.*s", SLICE_ARGS(session), SLICE_ARGS(index),
                                     SLICE_ARGS(started_at));
    return uuid_from_name(request->context.tenant, name);
}

enum error_code openpanel_take_replay(struct openpanel_request *request, struct error *error)
{
    struct analytics_row row;
    struct json_value value, started_at, index;
    enum error_code code = replay_check(request, error);
    if (code != ERROR_NONE) return code;
    /* The web SDK sends no session: then it is the one this device is in. */
    struct slice session = dialect_get_string(request->payload, "sessionId"), index_text;
    if (session.size > OPENPANEL_SESSION_LIMIT_BYTES)
        return openpanel_invalid(error, "payload/sessionId", "Too big: expected string to have <=64 characters");
    if (session.size == 0 || request->context.is_cookieless) session = request->session;
    ASSERT(json_object_get(request->payload, SLICE("started_at"), &started_at)); /* replay_check saw them */
    ASSERT(json_object_get(request->payload, SLICE("chunk_index"), &index));
    analytics_scalar_text(request->context.arena, index, &index_text);
    struct uuid id = replay_id(request, session, index_text, json_value_string(started_at));
    analytics_row_begin(&row, request->output->rows, ANALYTICS_TABLE_REPLAY_CHUNKS, &request->context);
    for (size_t i = 0; i < sizeof replay_members / sizeof replay_members[0] && code == ERROR_NONE; i++) {
        const struct replay_member *member = &replay_members[i];
        if (!dialect_get(request->payload, member->name, &value))
            code = error_set_field(error, ERROR_INVALID, member->name, "is missing");
        else code = analytics_row_set(&row, member->column, slice_from_string(member->name), value, error);
    }
    if (code == ERROR_NONE && arena_failed(request->context.arena))
        code = error_set(error, ERROR_MEMORY, "the request needs more memory than one may use");
    if (code != ERROR_NONE) {
        analytics_row_rollback(&row);
        return openpanel_invalid_value(error, request->place, code);
    }
    if (domain_rows_seen_before(request->output->rows, &id)) {
        analytics_row_rollback(&row);
        request->output->duplicates++;
    } else {
        analytics_row_put_text(&row, REPLAY_CHUNKS_SESSION_ID, session);
        analytics_row_put_text(&row, REPLAY_CHUNKS_DEVICE_ID, request->is_server ? SLICE_EMPTY : request->device);
        analytics_row_put_id(&row, REPLAY_CHUNKS_ID, id);
        analytics_row_commit(&row);
        request->output->accepted++;
    }
    openpanel_answer_ids(request);
    return ERROR_NONE;
}
