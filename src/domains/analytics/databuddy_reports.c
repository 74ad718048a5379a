/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's dialect: /vitals, /errors, /events, /engagement, /track and /llm, arrays of reports of one kind. */
#include "domains/analytics/analytics.h"
#include "domains/analytics/databuddy.h"

static void databuddy_write_partial(struct databuddy_request *request, struct slice type, size_t stored)
{
    struct json_writer writer = {.out = request->output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "status");
    json_writer_string(&writer, SLICE("partial"));
    json_writer_key(&writer, "type");
    json_writer_string(&writer, type);
    json_writer_key(&writer, "count");
    json_writer_uint(&writer, stored);
    json_writer_key(&writer, "errors");
    json_writer_array_begin(&writer);
    json_writer_raw(&writer, buffer_slice(&request->errors));
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
}

static void databuddy_answer_reports(struct databuddy_request *request, struct slice type, size_t count, size_t stored)
{
    struct domain_output *output = request->output;
    output->status = 200;
    output->content_type = "application/json";
    if (stored == count) {
        databuddy_write_success(output, "success", type, (int64_t)count);
    } else if (stored > 0) {
        databuddy_write_partial(request, type, stored);
    } else {
        struct error none = {0};
        output->status = 400;
        databuddy_write_refusal(CODE_INVALID_SCHEMA, &none, buffer_slice(&request->errors), request->input->request, 400,
                                output->body);
    }
}

enum error_code databuddy_take_reports(struct databuddy_request *request, struct json_value root,
                                       enum analytics_report_kind kind, size_t limit, struct error *error)
{
    struct analytics_report_rules rules = databuddy_rules(request);
    struct slice type = slice_from_string(analytics_reports[kind].databuddy_type), key;
    bool array = json_value_type(root) == JSON_ARRAY;
    size_t count = array ? json_array_size(root) : 1, stored = 0;
    struct json_value item = root;
    if (kind == ANALYTICS_REPORT_CUSTOM && !request_query_get(request->input->request, "website_id", &rules.website))
        rules.website = SLICE_EMPTY;
    if (!array && json_value_type(root) != JSON_OBJECT)
        return error_set_field(error, ERROR_INVALID, CODE_INVALID_BODY, "Invalid request body: must be an array");
    if (count > limit)
        return error_set_field(error, ERROR_INVALID, CODE_BATCH_TOO_LARGE, "Batch too large: %zu items, at most %zu", count, limit);
    struct json_iterator iterator = json_iterate(root);
    for (size_t index = 0; index < count; index++) {
        struct error reason = {0};
        if (array) json_next(&iterator, &key, &item);
        if (analytics_report_take(&rules, kind, item, index, &reason) == ERROR_NONE) stored++;
        else databuddy_refuse_item(request, index, item, &reason);
    }
    databuddy_answer_reports(request, type, count, stored);
    return ERROR_NONE;
}

static enum error_code databuddy_decode_reports(const struct domain_input *input, struct domain_output *output,
                                                enum analytics_report_kind kind, size_t limit, struct error *error)
{
    struct databuddy_request request;
    struct json_value root;
    databuddy_begin(&request, input, output);
    enum error_code code = databuddy_parse(input, &root, error);
    if (code == ERROR_NONE) code = databuddy_take_reports(&request, root, kind, limit, error);
    return databuddy_end(&request, code, error);
}

#define DATABUDDY_ROUTE(name, kind, limit)                                                                             \
    enum error_code analytics_databuddy_decode_##name(const struct domain_input *input, struct domain_output *output,  \
                                                      struct error *error)                                             \
    {                                                                                                                  \
        return databuddy_decode_reports(input, output, kind, limit, error);                                            \
    }
DATABUDDY_ROUTE(vitals, ANALYTICS_REPORT_VITAL, ANALYTICS_DATABUDDY_VITAL_LIMIT)
DATABUDDY_ROUTE(errors, ANALYTICS_REPORT_ERROR, ANALYTICS_DATABUDDY_ERROR_LIMIT)
DATABUDDY_ROUTE(events, ANALYTICS_REPORT_CUSTOM, ANALYTICS_DATABUDDY_ITEM_LIMIT)
DATABUDDY_ROUTE(engagement, ANALYTICS_REPORT_ENGAGEMENT, ANALYTICS_DATABUDDY_ENGAGEMENT_LIMIT)
DATABUDDY_ROUTE(track, ANALYTICS_REPORT_CUSTOM, ANALYTICS_DATABUDDY_ITEM_LIMIT)
DATABUDDY_ROUTE(llm, ANALYTICS_REPORT_AI_CALL, ANALYTICS_DATABUDDY_ITEM_LIMIT)
