/* SPDX-License-Identifier: Apache-2.0 */
/* One person's rights over HTTP: all their rows as a stream, or their removal. */
#include "api/api_private.h"

#include "base/log.h"

#define PERSON_NAME_LIMIT 256 /* of profile_id and device_id in all tables */

const struct control_field api_person_fields[] = {
    {"profile_id", CONTROL_TEXT, 0, 1, PERSON_NAME_LIMIT, .help = "The person, as identify named them, with all aliases."},
    {"device_id", CONTROL_TEXT, 0, 1, PERSON_NAME_LIMIT, .help = "Or one device. Exactly one of the two is named."},
    {0},
};

struct person_job {
    struct query_job job; /* first */
    struct api_call *call;
    struct api_person person;
    bool is_streaming;
};

/* Not by control_fields_read: what clients sent as an id may hold anything. */
static enum error_code person_read_members(struct json_value body, struct arena *arena, struct api_person *person,
                                           struct error *error)
{
    struct slice key;
    struct json_value value;
    for (struct json_iterator iterator = json_iterate(body); json_next(&iterator, &key, &value);) {
        bool is_device = slice_equal(key, SLICE("device_id"));
        const char *field = is_device ? "device_id" : "profile_id";
        if (!is_device && !slice_equal(key, SLICE("profile_id")))
            return error_set(error, ERROR_INVALID, "only profile_id or device_id may be said");
        if (json_value_type(value) != JSON_STRING || json_value_string(value).size == 0 ||
            json_value_string(value).size > PERSON_NAME_LIMIT)
            return error_set_field(error, ERROR_INVALID, field, "%s must be a text of 1 to %d bytes", field, PERSON_NAME_LIMIT);
        if (person->name.size) return error_set_field(error, ERROR_INVALID, field, "only one of profile_id and device_id names the person");
        person->is_device = is_device;
        person->name = arena_copy(arena, json_value_string(value));
    }
    if (arena_failed(arena)) return error_set(error, ERROR_MEMORY, "out of memory for a request");
    if (person->name.size == 0)
        return error_set_field(error, ERROR_INVALID, "profile_id", "one of profile_id and device_id names the person");
    /* A text ends at its first zero byte further on. */
    if (slice_index_of(person->name, 0) >= 0)
        return error_set_field(error, ERROR_INVALID, person->is_device ? "device_id" : "profile_id", "no id holds a zero byte");
    return ERROR_NONE;
}

static enum error_code person_read(const struct api_call *call, struct api_person *person, struct error *error)
{
    struct json_value body;
    struct json_parser *parser = json_parser_create();
    if (!parser) return error_set(error, ERROR_MEMORY, "out of memory for a request");
    enum error_code code = api_read_body(call->request, parser, &body, error);
    if (code == ERROR_NONE) code = person_read_members(body, call->request->arena, person, error);
    json_parser_destroy(parser);
    return code;
}

static bool person_stream(void *context, struct slice bytes)
{
    struct person_job *job = context;
    struct request *request = job->call->request;
    if (!job->is_streaming) request_stream_begin(request, 200, "application/x-ndjson", job->call->headers);
    job->is_streaming = true;
    return request_stream_write(request, bytes) == ERROR_NONE;
}

static void person_run_export(struct query_job *query_job, struct store_session *session)
{
    struct person_job *job = (struct person_job *)query_job;
    struct api_call *call = job->call;
    struct api *api = call->loop->api;
    const struct api_people *people = &api->settings.people;
    struct error error = {0};
    enum error_code code =
        session ? people->export_rows(people->context, session, &job->person, person_stream, job, &error)
                : error_set(&error, ERROR_UNAVAILABLE, "the server is stopping; ask again in a moment");
    atomic_fetch_sub(&api->people_running, 1);
    if (code == ERROR_NONE && !job->is_streaming) { /* nothing is known of the person */
        api_answer_from_thread(call, 200, "application/x-ndjson", SLICE_EMPTY, SLICE_EMPTY);
    } else if (job->is_streaming) {
        if (code != ERROR_NONE && code != ERROR_CANCELLED) log_error("an export of a person was cut off: %s", error.message);
        request_stream_end(call->request, code != ERROR_NONE);
    } else {
        api_refuse_from_thread(call, &error, 0, SLICE_EMPTY);
    }
}

/* Goes on to its end when its client has gone: half an erasure helps nobody. */
static void person_run_erase(struct query_job *query_job, struct store_session *session)
{
    struct person_job *job = (struct person_job *)query_job;
    struct api_call *call = job->call;
    struct api *api = call->loop->api;
    const struct api_people *people = &api->settings.people;
    struct control_call control = api_control_call(call, call->request->arena);
    struct buffer out = {0};
    struct error error = {0};
    enum error_code code = session ? people->erase(people->context, session, &control, &job->person, &out, &error)
                                   : error_set(&error, ERROR_UNAVAILABLE, "the server is stopping; ask again in a moment");
    atomic_fetch_sub(&api->people_running, 1);
    api_answers_forget(api->answers, call->caller.tenant_id);
    if (code == ERROR_NONE && out.failed) code = error_set(&error, ERROR_MEMORY, "out of memory for an answer");
    if (code == ERROR_NONE) api_answer_from_thread(call, 200, "application/json", SLICE_EMPTY, buffer_slice(&out));
    else api_refuse_from_thread(call, &error, 0, SLICE_EMPTY);
    buffer_free(&out);
}

static void person_submit(struct api_call *call, void (*run)(struct query_job *job, struct store_session *session))
{
    struct api *api = call->loop->api;
    struct error error = {0};
    struct person_job *job = arena_allocate(call->request->arena, sizeof *job);
    enum error_code code = job ? ERROR_NONE : error_set(&error, ERROR_MEMORY, "out of memory for a request");
    if (code == ERROR_NONE) {
        *job = (struct person_job){.job = {.run = run, .owner_id = call->caller.tenant_id}, .call = call,
                                   .person = {.tenant_id = call->caller.tenant_id, .name = SLICE_EMPTY}};
        code = person_read(call, &job->person, &error);
    }
    if (code == ERROR_NONE) {
        bool has_room = atomic_fetch_add(&api->people_running, 1) < api->settings.people.at_once;
        if (has_room && query_pool_submit(api->settings.pool, &job->job)) return;
        atomic_fetch_sub(&api->people_running, 1);
        error_set(&error, ERROR_UNAVAILABLE, "too many exports and erasures are under way; ask again in a moment");
    }
    api_refuse(call, &error);
}

void api_people_export(struct api_call *call) { person_submit(call, person_run_export); }
void api_people_erase(struct api_call *call) { person_submit(call, person_run_erase); }
