/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at headers, query and the outermost names of the body, and passes a request of POST /track on. */
#include "domains/analytics/track.h"

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* `at` is behind the opening quote; leaves it behind the closing one. */
static struct slice text_end(struct slice body, size_t *at, bool *ret_escapes)
{
    size_t begin = *at;
    *ret_escapes = false;
    while (*at < body.size && body.data[*at] != '"') {
        if (body.data[*at] == '\\') {
            *ret_escapes = true;
            ++*at;
        }
        ++*at;
    }
    size_t end = *at < body.size ? *at : body.size;
    *at = end + 1;
    return slice_make(body.data + begin, end - begin);
}

/* The value's first byte after a name of the outermost object; the body's size when there is no such name. */
static size_t member_find(struct slice body, const char *name)
{
    size_t depth = 0, top = 0, at = 0;
    while (at < body.size && (is_space(body.data[at]) || body.data[at] == '[')) top += body.data[at++] == '[';
    bool is_name = false;
    for (depth = top; at < body.size;) {
        char c = body.data[at++];
        if (c == '"') {
            bool escapes;
            struct slice text = text_end(body, &at, &escapes);
            if (!is_name || depth != top + 1) continue;
            is_name = false;
            while (at < body.size && is_space(body.data[at])) at++;
            if (escapes || at >= body.size || body.data[at] != ':' || !slice_equal(text, slice_from_string(name))) continue;
            for (at++; at < body.size && is_space(body.data[at]);) at++;
            return at;
        }
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') {
            if (depth-- <= top + 1) break;
        }
        if (c == '{' || c == ',') is_name = depth == top + 1;
    }
    return body.size;
}

struct slice track_body_member(struct slice body, const char *name)
{
    size_t at = member_find(body, name);
    bool escapes;
    if (at >= body.size || body.data[at] != '"') return SLICE_EMPTY;
    at++;
    struct slice text = text_end(body, &at, &escapes);
    return escapes || at > body.size ? SLICE_EMPTY : text;
}

/* OpenPanel sends its id in headers or in the body beside "type" and "payload"; Databuddy an array or an object with a "name". */
static bool is_databuddy(const struct request *request)
{
    static const char *const openpanel[] = {"openpanel-client-id", "openpanel-client-secret", "mixan-client-id", "mixan-client-secret"};
    static const char *const databuddy[] = {"x-api-key", "databuddy-client-id"};
    struct slice value;
    for (size_t i = 0; i < sizeof openpanel / sizeof openpanel[0]; i++)
        if (request_header_get(request, openpanel[i]).size > 0) return false;
    for (size_t i = 0; i < sizeof databuddy / sizeof databuddy[0]; i++)
        if (request_header_get(request, databuddy[i]).size > 0) return true;
    if (request_query_get(request, "website_id", &value) || request_query_get(request, "client_id", &value)) return true;
    struct slice body = slice_trim(request->body);
    if (body.size > 0 && body.data[0] == '[') return true;
    if (member_find(body, "payload") < body.size || member_find(body, "clientId") < body.size) return false;
    return member_find(body, "name") < body.size;
}

struct slice analytics_track_find_key(const struct request *request)
{
    return is_databuddy(request) ? analytics_databuddy_find_api_key(request) : analytics_openpanel_find_key(request);
}

enum error_code analytics_track_decode(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    return is_databuddy(input->request) ? analytics_databuddy_decode_track(input, output, error)
                                        : analytics_openpanel_decode(input, output, error);
}

const char *analytics_track_refuse(const struct error *error, const struct request *request, int *status, struct buffer *body)
{
    return is_databuddy(request) ? analytics_databuddy_refuse(error, request, status, body)
                                 : analytics_openpanel_refuse(error, request, status, body);
}
