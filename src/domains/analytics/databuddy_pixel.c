/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's dialect: GET /px.jpg, one item in the query string, for pages that may only load pictures. */
#include "domains/analytics/analytics.h"
#include "domains/analytics/databuddy.h"

/* One transparent point. */
static const char pixel_gif[] = "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;";
#define PIXEL_MEMBER_LIMIT 128 /* of a query string: more are left out */

struct pixel_pair { struct slice name, value; };

static struct slice pixel_picture(void) { return slice_make(pixel_gif, sizeof pixel_gif - 1); }

/* A number or boolean is one; all else is text. */
static bool pixel_is_literal(struct slice text)
{
    size_t digits = 0, points = 0;
    if (slice_equal(text, SLICE("true")) || slice_equal(text, SLICE("false")) || slice_equal(text, SLICE("null"))) return true;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '-' && i == 0) continue;
        if (c == '.' && digits > 0 && i + 1 < text.size) points++;
        else if (c < '0' || c > '9') return false;
        else digits++;
    }
    /* Longer ones are ids; so are those with zeros in front. */
    size_t first = text.size && text.data[0] == '-';
    bool leading = text.size > first + 1 && text.data[first] == '0' && text.data[first + 1] != '.';
    return digits > 0 && digits <= 15 && points <= 1 && !leading;
}

/* Members that are texts by name, whatever they look like. */
static bool pixel_is_text(struct slice name)
{
    static const char *const names[] = {"eventId", "name", "anonymousId", "sessionId", "profileId", "path", "title", "referrer", "href",
                                        "text", "value", "message", "stack", "filename", "errorType", "type"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_equal(name, slice_from_string(names[i]))) return true;
    return slice_starts_with(name, SLICE("utm_"));
}

static void pixel_write_value(struct json_writer *writer, struct slice name, struct slice value)
{
    bool is_json = slice_equal(name, SLICE("properties")) && value.size > 0 && value.data[0] == '{';
    if (is_json || (!pixel_is_text(name) && pixel_is_literal(value))) json_writer_raw(writer, value);
    else json_writer_string(writer, value);
}

/* "a[b]": the outer and inner name. */
static bool pixel_is_nested(struct slice name, struct slice *outer, struct slice *inner)
{
    ptrdiff_t at = slice_index_of(name, '[');
    if (at <= 0 || name.data[name.size - 1] != ']') return false;
    *outer = slice_first(name, (size_t)at);
    *inner = slice_first(slice_from(name, (size_t)at + 1), name.size - (size_t)at - 2);
    return inner->size > 0;
}

static void pixel_write_nested(struct json_writer *writer, const struct pixel_pair *pairs, size_t count, struct slice outer)
{
    struct slice name, inner;
    json_writer_key_slice(writer, outer);
    json_writer_object_begin(writer);
    for (size_t i = 0; i < count; i++)
        if (pixel_is_nested(pairs[i].name, &name, &inner) && slice_equal(name, outer)) {
            json_writer_key_slice(writer, inner);
            pixel_write_value(writer, inner, pairs[i].value);
        }
    json_writer_object_end(writer);
}

static bool pixel_is_first(const struct pixel_pair *pairs, size_t index, struct slice outer)
{
    struct slice name, inner;
    for (size_t i = 0; i < index; i++)
        if (slice_equal(pairs[i].name, outer) || (pixel_is_nested(pairs[i].name, &name, &inner) && slice_equal(name, outer))) return false;
    return true;
}

/* The query as a JSON object, padded for the parser. */
static void pixel_write_object(const struct request *request, struct buffer *out)
{
    struct pixel_pair pairs[PIXEL_MEMBER_LIMIT];
    struct slice rest = request->query, outer, inner;
    size_t count = 0;
    while (count < PIXEL_MEMBER_LIMIT && request_query_next(request, &rest, &pairs[count].name, &pairs[count].value)) {
        struct slice name = pairs[count].name;
        bool envelope = slice_equal(name, SLICE("client_id")) || slice_equal(name, SLICE("sdk_name")) || slice_equal(name, SLICE("sdk_version"));
        if (!envelope && name.size > 0 && slice_is_utf8(name) && slice_is_utf8(pairs[count].value)) count++;
    }
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    for (size_t i = 0; i < count; i++) {
        if (pixel_is_nested(pairs[i].name, &outer, &inner)) {
            if (pixel_is_first(pairs, i, outer)) pixel_write_nested(&writer, pairs, count, outer);
        } else if (pixel_is_first(pairs, i, pairs[i].name)) {
            json_writer_key_slice(&writer, pairs[i].name);
            pixel_write_value(&writer, pairs[i].name, pairs[i].value);
        }
    }
    json_writer_object_end(&writer);
}

static enum error_code databuddy_take_pixel(struct databuddy_request *request, struct slice text, struct error *error)
{
    struct json_value root;
    enum error_code code = json_parse(request->input->json, text, &root, error);
    if (code != ERROR_NONE) return error_set_field(error, ERROR_INVALID, CODE_INVALID_BODY, "the query string is no event");
    struct slice type = dialect_get_string(root, "type");
    if (slice_equal(type, SLICE("web_vitals"))) return databuddy_take_reports(request, root, ANALYTICS_REPORT_VITAL, 1, error);
    if (slice_equal(type, SLICE("error"))) return databuddy_take_reports(request, root, ANALYTICS_REPORT_ERROR, 1, error);
    type = databuddy_type(root);
    if (type.size == 0) return error_set_field(error, ERROR_INVALID, CODE_UNKNOWN_TYPE, "Unknown event type");
    return databuddy_store(request, root, type, 0, error);
}

enum error_code analytics_databuddy_decode_pixel(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    struct databuddy_request request;
    struct buffer text = {0};
    databuddy_begin(&request, input, output);
    pixel_write_object(input->request, &text);
    size_t size = text.size;
    buffer_append_zeros(&text, JSON_PADDING);
    enum error_code code = text.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                                       : databuddy_take_pixel(&request, slice_first(buffer_slice(&text), size), error);
    code = databuddy_end(&request, code, error);
    buffer_free(&text);
    if (code != ERROR_NONE) return code;
    /* A page that loads a picture reads no answer; what was refused stands in blocked_traffic. */
    buffer_clear(output->body);
    buffer_append_slice(output->body, pixel_picture());
    output->status = 200;
    output->content_type = "image/gif";
    return ERROR_NONE;
}

const char *analytics_databuddy_refuse_pixel(const struct error *error, const struct request *request, int *status,
                                             struct buffer *body)
{
    (void)request;
    *status = error_code_http_status(error->code);
    if (*status == 408 || *status == 429 || *status >= 500) return "text/plain";
    *status = 200;
    buffer_append_slice(body, pixel_picture());
    return "image/gif";
}
