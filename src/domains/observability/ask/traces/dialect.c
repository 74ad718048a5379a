/* SPDX-License-Identifier: Apache-2.0 */
/* Durations and JSON as the APIs of Jaeger and Tempo need them. */
#include "domains/observability/ask/traces/dialect.h"

#include <math.h>
#include <stdlib.h>

#include "query/words.h"

#define DURATION_BYTES 40 /* no duration is longer */
bool traces_duration_parse(struct slice text, int64_t *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1},  {"us", 1e3}, {"\xC2\xB5s", 1e3}, {"\xCE\xBCs", 1e3}, {"ms", 1e6},
                 {"s", 1e9}, {"m", 60e9}, {"h", 3600e9},      {"d", 86400e9}};
    char copy[DURATION_BYTES + 1];
    double total = 0;
    if (text.size == 0 || text.size > DURATION_BYTES) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    for (const char *at = copy; *at;) {
        char *end;
        if (!strchr("0123456789.", *at)) return false; /* no sign, no hexadecimal, no words */
        size_t digits = strspn(at, "0123456789."), best = 0, unit = 0;
        double number = strtod(at, &end);
        if (end != at + digits) return false;
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            size_t size = strlen(units[i].name);
            if (size > best && strncmp(end, units[i].name, size) == 0) {
                best = size;
                unit = i;
            }
        }
        if (!best) return false;
        total += number * units[unit].ns;
        at = end + best;
    }
    if (!(total < 9e18)) return false;
    *ret_ns = llround(total);
    return true;
}

enum error_code traces_duration_read(struct query_context *context, const char *name, int64_t *ret_ns,
                                     struct error *error)
{
    struct slice text = query_context_text(context, name);
    *ret_ns = 0;
    if (!text.size || traces_duration_parse(text, ret_ns)) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, name,
                           "%s=%s is no duration: a number and ns, us, ms, s, m or h, as 1.5s", name,
                           query_words_show(text).text);
}

bool traces_json_parse(struct traces_json *json, struct slice text, struct json_value *ret_value)
{
    if (!json->parser) json->parser = json_parser_create();
    buffer_clear(&json->padded);
    buffer_append_slice(&json->padded, text);
    buffer_append_zeros(&json->padded, JSON_PADDING);
    return json->parser && !json->padded.failed &&
           json_parse(json->parser, slice_make(json->padded.data, text.size), ret_value, NULL) == ERROR_NONE;
}

void traces_json_free(struct traces_json *json)
{
    json_parser_destroy(json->parser);
    buffer_free(&json->padded);
}
