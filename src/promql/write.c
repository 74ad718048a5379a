/* SPDX-License-Identifier: Apache-2.0 */
/* Results as Prometheus writes them: numbers as texts, times in seconds. */
#include <math.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "promql/evaluate.h"

void promql_number_write(double value, struct buffer *out)
{
    if (isnan(value)) {
        buffer_append_string(out, "NaN");
        return;
    }
    if (isinf(value)) {
        buffer_append_string(out, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (fabs(value) < 1e15 && value == trunc(value) && !(value == 0 && signbit(value))) {
        buffer_printf(out, "%lld", (long long)value);
        return;
    }
    /* The fewest digits that read back equal, then written without an exponent. */
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value) break;
    }
    char digits[20];
    int count = 0;
    const char *at = text;
    if (*at == '-') buffer_append_byte(out, '-'), at++;
    for (; *at != 'e'; at++)
        if (*at != '.') digits[count++] = *at;
    int exponent = (int)strtol(at + 1, NULL, 10);
    while (count > 1 && digits[count - 1] == '0') count--;
    if (exponent < 0) {
        buffer_append_string(out, "0.");
        for (int i = -1; i > exponent; i--) buffer_append_byte(out, '0');
        buffer_append(out, digits, (size_t)count);
        if (count == 1 && digits[0] == '0') buffer_truncate(out, out->size - 2);
        return;
    }
    for (int i = 0; i <= exponent || i < count; i++) {
        if (i == exponent + 1) buffer_append_byte(out, '.');
        buffer_append_byte(out, i < count ? digits[i] : '0');
    }
}

void promql_labels_write_json(const struct promql_labels *labels, struct buffer *out)
{
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    for (size_t i = 0; i < labels->count; i++) {
        json_writer_key_slice(&writer, labels->items[i].name);
        json_writer_string(&writer, labels->items[i].value);
    }
    json_writer_object_end(&writer);
}

void promql_labels_write(const struct promql_labels *labels, struct buffer *out)
{
    struct slice name = promql_labels_get(labels, SLICE("__name__"));
    buffer_append_slice(out, name);
    struct json_writer writer = {.out = out};
    bool any = false;
    for (size_t i = 0; i < labels->count; i++) {
        if (slice_equal(labels->items[i].name, SLICE("__name__"))) continue;
        buffer_append_string(out, any ? ", " : "{");
        buffer_append_slice(out, labels->items[i].name);
        buffer_append_byte(out, '=');
        writer.need_comma = false;
        json_writer_string(&writer, labels->items[i].value);
        any = true;
    }
    if (any) buffer_append_byte(out, '}');
    else if (!name.size) buffer_append_string(out, "{}");
}

static void write_time(int64_t time_ms, struct buffer *out)
{
    uint64_t absolute = time_ms < 0 ? -(uint64_t)time_ms : (uint64_t)time_ms;
    buffer_printf(out, "%s%llu", time_ms < 0 ? "-" : "", (unsigned long long)(absolute / 1000));
    if (absolute % 1000) buffer_printf(out, ".%03u", (unsigned)(absolute % 1000));
}

static void write_point(int64_t time_ms, double value, struct buffer *out)
{
    buffer_append_byte(out, '[');
    write_time(time_ms, out);
    buffer_append_string(out, ",\"");
    promql_number_write(value, out);
    buffer_append_string(out, "\"]");
}

static void write_series(const struct promql_result *result, struct buffer *out)
{
    bool many = result->type == PROMQL_MATRIX;
    buffer_append_byte(out, '[');
    for (size_t i = 0; i < result->series.count; i++) {
        const struct promql_series *series = &result->series.items[i];
        buffer_append_string(out, i ? ",{\"metric\":" : "{\"metric\":");
        promql_labels_write_json(&series->labels, out);
        buffer_append_string(out, many ? ",\"values\":[" : ",\"value\":");
        for (size_t k = 0; k < series->count; k++) {
            if (k) buffer_append_byte(out, ',');
            write_point(many ? series->times_ms[k] : result->time_ms, series->values[k], out);
        }
        buffer_append_string(out, many ? "]}" : "}");
    }
    buffer_append_byte(out, ']');
}

void promql_result_write_json(const struct promql_result *result, struct buffer *out)
{
    buffer_printf(out, "{\"resultType\":\"%s\",\"result\":", promql_type_name(result->type));
    if (result->type == PROMQL_SCALAR) {
        write_point(result->time_ms, result->scalar, out);
    } else if (result->type == PROMQL_STRING) {
        buffer_append_byte(out, '[');
        write_time(result->time_ms, out);
        buffer_append_byte(out, ',');
        json_writer_string(&(struct json_writer){.out = out}, result->string);
        buffer_append_byte(out, ']');
    } else {
        write_series(result, out);
    }
    buffer_append_byte(out, '}');
}
