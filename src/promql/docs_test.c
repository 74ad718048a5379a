/* SPDX-License-Identifier: Apache-2.0 */
/* The table of functions in docs/promql.md is the one of the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "promql/evaluate.h"

static const char *path;

static void write_rows(struct buffer *rows, size_t *count)
{
    static const char *const words[] = {
        [PROMQL_SCALAR] = "scalar", [PROMQL_VECTOR] = "vector", [PROMQL_MATRIX] = "range", [PROMQL_STRING] = "string"};
    struct promql_function_note note;
    for (*count = 0; promql_function_at(*count, &note); (*count)++) {
        buffer_printf(rows, "| `%s` | ", note.name);
        for (size_t i = 0; i < note.argument_count; i++) {
            bool may_lack = note.optional < 0 ? i + 1 == note.argument_count
                                              : i + (size_t)note.optional >= note.argument_count;
            buffer_printf(rows, "%s%s%s%s", i ? ", " : "", may_lack ? "[" : "", words[note.arguments[i]],
                          !may_lack ? "" : note.optional < 0 ? " ..]" : "]");
        }
        buffer_printf(rows, " | %s |\n", words[note.returns]);
    }
}

static void the_document_lists_every_function(void **state)
{
    struct buffer text = {0}, rows = {0};
    size_t count, found = 0;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;) buffer_append_byte(&text, (char)c);
    fclose(file);
    write_rows(&rows, &count);
    if (slice_find(buffer_slice(&text), buffer_slice(&rows)) < 0) {
        fprintf(stderr, "the rows must be:\n%.*s", SLICE_ARGS(buffer_slice(&rows)));
        fail();
    }
    for (struct slice rest = buffer_slice(&text); rest.size;)
        found += slice_starts_with(slice_cut(&rest, '\n'), SLICE("| `"));
    assert_int_equal(count, found);
    buffer_free(&text);
    buffer_free(&rows);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_document_lists_every_function)};
    path = argc == 2 ? argv[1] : "docs/promql.md";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
