/* SPDX-License-Identifier: Apache-2.0 */
/* Answers questions on standard input from a file of series: what the differential test compares with Prometheus. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_writer.h"
#include "promql/test_series.h"

/* The formatted text as a JSON string, for its lines. */
static void write_formatted(const struct promql_expression *expression, struct buffer *out)
{
    struct buffer text = {0};
    promql_expression_write_lines(expression, &text);
    json_writer_string(&(struct json_writer){.out = out}, buffer_slice(&text));
    buffer_free(&text);
}

/* A line: `start end step expression`, in milliseconds; step 0: an instant query, below 0: the expression formatted. */
static void answer(struct test_series *series, struct slice line, struct buffer *out)
{
    struct error error = {0};
    struct promql_query query = {.fetch = test_series_fetch, .context = series};
    struct promql_expression *expression = NULL;
    struct promql_result result;
    struct arena *arena = arena_create(1u << 30);
    int64_t *numbers[] = {&query.start_ms, &query.end_ms, &query.step_ms};
    for (int i = 0; i < 3; i++)
        if (!slice_parse_int64(slice_cut(&line, ' '), numbers[i])) error_set(&error, ERROR_INVALID, "not a question");
    bool format = query.step_ms < 0;
    const char *kind = "bad_data";
    enum error_code code = error.code ? error.code : promql_parse(line, &expression, &error);
    if (!code && !format) {
        kind = "execution";
        code = promql_evaluate(expression, &query, arena, &result, &error);
    }
    buffer_clear(out);
    if (!code && format) write_formatted(expression, out);
    else if (code) buffer_printf(out, "%s: %s", kind, error.message);
    else promql_result_write_json(&result, out);
    promql_expression_free(expression);
    arena_destroy(arena);
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    struct buffer text = {0}, out = {0};
    struct test_series series;
    char piece[65536], *line = NULL;
    size_t size, capacity = 0;
    if (!file) {
        fprintf(stderr, "usage: %s FILE_OF_SERIES\n", argv[0]);
        return 2;
    }
    while ((size = fread(piece, 1, sizeof piece, file)) > 0) buffer_append(&text, piece, size);
    fclose(file);
    if (!test_series_read(buffer_slice(&text), &series)) {
        fprintf(stderr, "%s is not a file of series\n", argv[1]);
        return 2;
    }
    ssize_t length;
    while ((length = getline(&line, &capacity, stdin)) > 0) {
        answer(&series, slice_trim(slice_make(line, (size_t)length)), &out);
        buffer_append_byte(&out, '\n');
        fwrite(out.data, 1, out.size, stdout);
        fflush(stdout);
    }
    free(line);
    buffer_free(&text);
    buffer_free(&out);
    arena_destroy(series.arena);
    return 0;
}
