/* SPDX-License-Identifier: Apache-2.0 */
/* Results as Prometheus writes them: numbers as texts, times in seconds. */
#include <math.h>
#include <stdlib.h>

#include "base/json_writer.h"
#include "promql/evaluate.h"
#include "promql/node.h"

/* promql/digits.cpp */
size_t promql_shortest(double value, char *out, size_t size);

/* The fewest digits that read back equal, without zeros behind them, and the exponent of the first. */
static int shortest_digits(double value, char digits[20], int *exponent)
{
    char text[40];
    size_t size = promql_shortest(value, text, sizeof text - 1);
    ASSERT(size > 0);
    text[size] = 0;
    int count = 0;
    const char *at = text;
    for (; *at != 'e'; at++)
        if (*at != '.') digits[count++] = *at;
    *exponent = (int)strtol(at + 1, NULL, 10);
    while (count > 1 && digits[count - 1] == '0') count--;
    return count;
}

/* With an exponent below `low` and from `high` on. */
static void write_number(double value, double low, double high, struct buffer *out)
{
    double size = fabs(value);
    bool with_exponent = value != 0 && (size < low || size >= high);
    if (isnan(value) || isinf(value)) {
        buffer_append_string(out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (!with_exponent && size < 1e15 && value == trunc(value) && !(value == 0 && signbit(value))) {
        buffer_printf(out, "%lld", (long long)value);
        return;
    }
    char digits[20];
    int exponent, count = shortest_digits(size, digits, &exponent);
    if (signbit(value)) buffer_append_byte(out, '-');
    if (value == 0) {
        buffer_append_byte(out, '0');
    } else if (with_exponent) {
        buffer_append_byte(out, digits[0]);
        if (count > 1) buffer_append_byte(out, '.');
        buffer_append(out, digits + 1, (size_t)count - 1);
        buffer_printf(out, "e%+03d", exponent);
    } else if (exponent < 0) {
        buffer_append_string(out, "0.");
        for (int i = -1; i > exponent; i--) buffer_append_byte(out, '0');
        buffer_append(out, digits, (size_t)count);
    } else {
        for (int i = 0; i <= exponent || i < count; i++) {
            if (i == exponent + 1) buffer_append_byte(out, '.');
            buffer_append_byte(out, i < count ? digits[i] : '0');
        }
    }
}

void promql_number_write(double value, struct buffer *out) { write_number(value, 0, INFINITY, out); }
void promql_literal_write(double value, struct buffer *out) { write_number(value, 1e-4, 1e6, out); }
/* Samples as the HTTP API writes them. */
static void write_sample(double value, struct buffer *out) { write_number(value, 1e-6, 1e21, out); }

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
    struct json_writer writer = {.out = out};
    buffer_append_byte(out, '{');
    for (size_t i = 0; i < labels->count; i++) {
        if (i) buffer_append_string(out, ", ");
        buffer_append_slice(out, labels->items[i].name);
        buffer_append_byte(out, '=');
        writer.need_comma = false;
        json_writer_string(&writer, labels->items[i].value);
    }
    buffer_append_byte(out, '}');
}

static void write_time(int64_t time_ms, struct buffer *out)
{
    uint64_t absolute = time_ms < 0 ? -(uint64_t)time_ms : (uint64_t)time_ms;
    buffer_printf(out, "%s%llu", time_ms < 0 ? "-" : "", (unsigned long long)(absolute / 1000));
    if (absolute % 1000) buffer_printf(out, ".%03u", (unsigned)(absolute % 1000));
}

static void write_point(int64_t time_ms, double value, void (*write)(double value, struct buffer *out),
                        struct buffer *out)
{
    buffer_append_byte(out, '[');
    write_time(time_ms, out);
    buffer_append_string(out, ",\"");
    write(value, out);
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
            write_point(many ? series->times_ms[k] : result->time_ms, series->values[k], write_sample, out);
        }
        buffer_append_string(out, many ? "]}" : "}");
    }
    buffer_append_byte(out, ']');
}

void promql_result_write_members(const struct promql_result *result, struct buffer *out)
{
    buffer_printf(out, "\"resultType\":\"%s\",\"result\":", promql_type_name(result->type));
    if (result->type == PROMQL_SCALAR) {
        write_point(result->time_ms, result->scalar, promql_number_write, out);
    } else if (result->type == PROMQL_STRING) {
        buffer_append_byte(out, '[');
        write_time(result->time_ms, out);
        buffer_append_byte(out, ',');
        json_writer_string(&(struct json_writer){.out = out}, result->string);
        buffer_append_byte(out, ']');
    } else {
        write_series(result, out);
    }
}

void promql_result_write_json(const struct promql_result *result, struct buffer *out)
{
    buffer_append_byte(out, '{');
    promql_result_write_members(result, out);
    buffer_append_byte(out, '}');
}
