/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's routes beside /track: version 1 (/event, /profile...), the device's id, the import of rows. */
#include "base/json_writer.h"
#include "domains/analytics/analytics.h"
#include "domains/analytics/openpanel.h"
#include "domains/analytics/session_table.h"

/* ---- version 1: the payload is the body, the answer is a text ---- */

static enum error_code old_decode(const struct domain_input *input, struct domain_output *output,
                                  enum error_code (*take)(struct openpanel_request *, struct error *), const char *needed,
                                  const char *answer, struct error *error)
{
    struct json_value root, value;
    struct openpanel_request request;
    struct slice id = SLICE_EMPTY;
    enum error_code code = openpanel_parse(input, &root, error);
    if (code != ERROR_NONE) return code;
    if (json_value_type(root) != JSON_OBJECT) return openpanel_expect(error, "", "", "object", true, root);
    if (needed && !dialect_get(root, needed, &value)) return openpanel_expect(error, needed, "", "number", false, root);
    openpanel_begin(&request, input, output);
    request.payload = root;
    request.any_revenue = true;
    code = openpanel_check_filters(&request, error);
    if (code == ERROR_NONE) code = take(&request, error);
    if (code == ERROR_NONE && !answer) code = openpanel_read_id(&request, "profileId", true, &id, error);
    if (code != ERROR_NONE) return code;
    buffer_clear(output->body);
    buffer_append_slice(output->body, answer ? slice_from_string(answer) : id);
    output->status = 202;
    output->content_type = "text/plain; charset=utf-8";
    return ERROR_NONE;
}

enum error_code analytics_openpanel_decode_event(const struct domain_input *input, struct domain_output *output,
                                                 struct error *error)
{
    return old_decode(input, output, openpanel_take_track, NULL, "ok", error);
}

enum error_code analytics_openpanel_decode_profile(const struct domain_input *input, struct domain_output *output,
                                                   struct error *error)
{
    return old_decode(input, output, openpanel_take_identify, NULL, NULL, error);
}

enum error_code analytics_openpanel_decode_increment(const struct domain_input *input, struct domain_output *output,
                                                     struct error *error)
{
    return old_decode(input, output, openpanel_take_increment, "value", NULL, error);
}

enum error_code analytics_openpanel_decode_decrement(const struct domain_input *input, struct domain_output *output,
                                                     struct error *error)
{
    return old_decode(input, output, openpanel_take_decrement, "value", NULL, error);
}

/* ---- GET /track/device-id ---- */

enum error_code analytics_openpanel_decode_device_id(const struct domain_input *input, struct domain_output *output,
                                                     struct error *error)
{
    struct openpanel_request request;
    if (request_header_get(input->request, "user-agent").size == 0 || input->client_address.size == 0)
        return error_set(error, ERROR_INVALID, "Missing user agent or client address");
    openpanel_begin(&request, input, output);
    char session[SESSION_ID_LIMIT_BYTES];
    size_t size = 0;
    bool is_live = analytics_session_find(request.context.sessions, request.context.tenant, request.device,
                                          request.context.received_ms, session, &size);
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "deviceId");
    json_writer_string(&writer, request.device);
    json_writer_key(&writer, "sessionId");
    json_writer_string(&writer, is_live ? slice_make(session, size) : SLICE_EMPTY);
    json_writer_key(&writer, "message");
    json_writer_string(&writer, is_live ? SLICE("The session of this device") : SLICE("No session of this device is open"));
    json_writer_object_end(&writer);
    output->status = 200;
    output->content_type = "application/json";
    return ERROR_NONE;
}

const char *analytics_openpanel_refuse_device_id(const struct error *error, const struct request *request, int *status,
                                                 struct buffer *body)
{
    if (error->code != ERROR_INVALID) return analytics_openpanel_refuse(error, request, status, body);
    *status = 400;
    buffer_append_slice(body, slice_from_string(error->message));
    return "text/plain; charset=utf-8";
}

/* ---- POST /import/events: rows as an export gives them; all are stored, or none ---- */

static bool import_is_ignored(struct slice key)
{
    /* The tenant is the key's; both times are the server's. */
    static const char *const names[] = {"project_id", "tenant_id", "client_id", "imported_at", "ingested_at"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_equal(key, slice_from_string(names[i]))) return true;
    return false;
}

static enum error_code import_read(const struct openpanel_request *request, struct json_value row, struct buffer *text,
                                   struct analytics_event *event, struct error *error)
{
    struct json_iterator iterator = json_iterate(row);
    struct slice key;
    struct json_value value;
    while (json_next(&iterator, &key, &value)) {
        enum analytics_column column = import_is_ignored(key) ? EVENT_UNKNOWN : analytics_column_find(key);
        if (column == EVENT_UNKNOWN) continue;
        enum error_code code = analytics_event_set(event, &request->context, column, key, value, error);
        if (code != ERROR_NONE) return code;
    }
    if (!analytics_event_has(event, EVENT_NAME)) return error_set_field(error, ERROR_INVALID, "name", "is missing");
    if (!analytics_event_has(event, EVENT_CREATED_AT))
        return error_set_field(error, ERROR_INVALID, "created_at", "is missing");
    /* A row without an id is the same one when all of it is. */
    if (!analytics_event_has(event, EVENT_ID) && !analytics_event_has(event, EVENT_EVENT_ID)) {
        buffer_clear(text);
        json_value_write(row, text);
        analytics_event_put_id(event, uuid_from_name(request->context.tenant, buffer_slice(text)));
    }
    analytics_event_put_integer(event, EVENT_IMPORTED_AT, request->context.received_ms);
    return analytics_event_complete(event, &request->context, error);
}

static enum error_code import_rows(const struct openpanel_request *request, struct json_value root, bool store,
                                   struct buffer *text, struct error *error)
{
    struct json_iterator iterator = json_iterate(root);
    struct slice key;
    struct json_value row;
    struct analytics_event event;
    for (size_t number = 0; json_next(&iterator, &key, &row); number++) {
        char place[32];
        snprintf(place, sizeof place, "%zu", number);
        analytics_event_init(&event);
        if (json_value_type(row) != JSON_OBJECT) return openpanel_expect(error, place, "", "object", true, row);
        enum error_code code = import_read(request, row, text, &event, error);
        if (code != ERROR_NONE) return openpanel_invalid_value(error, place, code);
        if (!store) continue;
        if (domain_rows_seen_before(request->output->rows, &event.values[EVENT_ID].uuid)) {
            request->output->duplicates++;
            continue;
        }
        analytics_event_append(&event, domain_rows_block(request->output->rows, ANALYTICS_TABLE_EVENTS));
        request->output->accepted++;
    }
    return ERROR_NONE;
}

enum error_code analytics_openpanel_decode_import(const struct domain_input *input, struct domain_output *output,
                                                  struct error *error)
{
    struct json_value root;
    struct openpanel_request request;
    struct buffer text = {0};
    if (input->key->kind != TENANT_KEY_SECRET)
        return error_set(error, ERROR_FORBIDDEN, "Importing needs a secret key");
    enum error_code code = openpanel_parse(input, &root, error);
    if (code != ERROR_NONE) return code;
    if (json_value_type(root) != JSON_ARRAY) return openpanel_expect(error, "", "", "array", true, root);
    if (json_array_size(root) > ANALYTICS_OPENPANEL_IMPORT_ITEM_LIMIT)
        return error_set(error, ERROR_TOO_LARGE, "the request holds %zu rows; at most %d may be sent at once",
                         json_array_size(root), ANALYTICS_OPENPANEL_IMPORT_ITEM_LIMIT);
    openpanel_begin(&request, input, output);
    request.context.any_path = true;
    /* Of the importer, not of the visitors. */
    request.context.address = request.context.visitor = SLICE_EMPTY;
    request.context.agent = (struct user_agent){.is_server = true};
    code = import_rows(&request, root, false, &text, error);
    if (code == ERROR_NONE) code = import_rows(&request, root, true, &text, error);
    buffer_free(&text);
    if (code != ERROR_NONE) return code;
    buffer_append_slice(output->body, SLICE("OK"));
    output->status = 200;
    output->content_type = "text/plain; charset=utf-8";
    return ERROR_NONE;
}

const char *analytics_openpanel_refuse_import(const struct error *error, const struct request *request, int *status,
                                              struct buffer *body)
{
    if (error->code != ERROR_UNAUTHENTICATED && error->code != ERROR_FORBIDDEN)
        return analytics_openpanel_refuse(error, request, status, body);
    *status = 401;
    struct json_writer writer = {.out = body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "error");
    json_writer_string(&writer, SLICE("Unauthorized"));
    json_writer_key(&writer, "message");
    json_writer_string(&writer, slice_from_string(error->message));
    json_writer_object_end(&writer);
    return "application/json";
}
