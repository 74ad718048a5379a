/* SPDX-License-Identifier: Apache-2.0 */
/* JSON samples to rows of shape.samples: all of a request, or an error that names the item. */
#include "base/json_writer.h"
#include "domains/_shape/shape.h"
#include "enrich/client_time.h"

struct shape_sample {
    struct uuid id;
    bool id_given;
    int64_t time_ms;
    double value;
};

struct slice shape_find_key(const struct request *request)
{
    struct slice header = request_header_get(request, "authorization");
    struct slice scheme = slice_cut(&header, ' ');
    return slice_equal_ignore_case(scheme, SLICE("bearer")) ? slice_trim(header) : SLICE_EMPTY;
}

static bool shape_read_time(struct json_value value, int64_t *time_ms)
{
    if (json_value_type(value) == JSON_STRING) return client_time_parse(json_value_string(value), time_ms);
    if (json_value_type(value) != JSON_INT) return false;
    *time_ms = json_value_int(value);
    return true;
}

static enum error_code shape_read(struct json_value item, int64_t now_ms, struct shape_sample *sample,
                                  struct error *error)
{
    struct json_value value;
    *sample = (struct shape_sample){.time_ms = now_ms};
    if (json_value_type(item) != JSON_OBJECT) return error_set(error, ERROR_INVALID, "a sample must be a JSON object");
    enum json_type type = json_object_get(item, SLICE("value"), &value) ? json_value_type(value) : JSON_NULL;
    if (type != JSON_INT && type != JSON_UINT && type != JSON_DOUBLE)
        return error_set_field(error, ERROR_INVALID, "value", "must be a number");
    sample->value = json_value_double(value);
    if (json_object_get(item, SLICE("time"), &value)) {
        if (!shape_read_time(value, &sample->time_ms))
            return error_set_field(error, ERROR_INVALID, "time", "must be an ISO 8601 time or Unix milliseconds");
        const char *reason = client_time_refusal(sample->time_ms, now_ms);
        if (reason) return error_set_field(error, ERROR_INVALID, "time", "%s", reason);
    }
    sample->id_given = json_object_get(item, SLICE("id"), &value);
    if (!sample->id_given) sample->id = uuid_make_v7(now_ms);
    else if (json_value_type(value) != JSON_STRING || !uuid_parse(json_value_string(value), &sample->id))
        return error_set_field(error, ERROR_INVALID, "id", "must be a UUID");
    return ERROR_NONE;
}

static void shape_store(const struct shape_sample *sample, const struct domain_input *input,
                        struct domain_output *output)
{
    if (sample->id_given && domain_rows_seen_before(output->rows, &sample->id)) {
        output->duplicates++;
        return;
    }
    struct block *block = domain_rows_block(output->rows, SHAPE_TABLE_SAMPLES);
    block_append_string(block, SHAPE_TENANT_ID, slice_from_string(input->key->tenant->id));
    block_append_uuid(block, SHAPE_ID, &sample->id);
    block_append_int(block, SHAPE_TIME, sample->time_ms);
    block_append_double(block, SHAPE_VALUE, sample->value);
    block_append_int(block, SHAPE_INGESTED_AT, input->request->received_ms);
    block_row_commit(block);
    output->accepted++;
}

/* Reads everything before the first row is appended, because an error must refuse the whole request. */
enum error_code shape_decode(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    struct json_value root, item;
    struct slice key;
    enum error_code code = json_parse(input->json, input->request->body, &root, error);
    if (code != ERROR_NONE) return code;
    bool array = json_value_type(root) == JSON_ARRAY;
    size_t count = array ? json_array_size(root) : 1, number = 0;
    if (count > SHAPE_ITEM_LIMIT)
        return error_set(error, ERROR_TOO_LARGE, "the request holds %zu samples; at most %d may be sent at once", count,
                         SHAPE_ITEM_LIMIT);
    struct shape_sample *samples = arena_allocate(input->request->arena, (count ? count : 1) * sizeof *samples);
    if (!samples) return error_set(error, ERROR_MEMORY, "the request needs more memory than one may use");
    if (!array) {
        code = shape_read(root, input->request->received_ms, &samples[0], error);
        if (code != ERROR_NONE) return code;
    } else {
        for (struct json_iterator iterator = json_iterate(root); json_next(&iterator, &key, &item); number++) {
            code = shape_read(item, input->request->received_ms, &samples[number], error);
            if (code == ERROR_NONE) continue;
            struct error reason = *error;
            return error_set_field(error, code, reason.field, "sample %zu: %.400s", number, reason.message);
        }
    }
    for (size_t i = 0; i < count; i++) shape_store(&samples[i], input, output);
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "accepted");
    json_writer_uint(&writer, output->accepted);
    json_writer_key(&writer, "duplicates");
    json_writer_uint(&writer, output->duplicates);
    json_writer_object_end(&writer);
    output->status = 200;
    output->content_type = "application/json";
    return ERROR_NONE;
}
