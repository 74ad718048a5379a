/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: whatever the text, the reader ends, and every slice it gives lies inside the text. */
#include "engine/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_inside(struct slice part, struct slice text)
{
    if (part.size == 0) return;
    ASSERT(part.data >= text.data && part.data + part.size <= text.data + text.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make(data, size);
    struct engine_statement statement;
    struct error error;
    if (engine_sql_analyse(text, &statement, &error) == ERROR_NONE) {
        assert_inside(statement.format, text);
        assert_inside(statement.head, text);
        assert_inside(statement.tail, text);
        assert_inside(statement.data, text);
        assert_inside(statement.input, statement.head);
        assert_inside(statement.input_arguments, statement.input);
        ASSERT(statement.kind != ENGINE_STATEMENT_DATA || statement.format.size > 0);
    }
    engine_sql_is_insert(text);
    return 0;
}
