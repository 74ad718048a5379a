/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: names with a prefix; nothing but the prefix may come in, and only once. */
#include "store/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_prefixes(struct slice text)
{
    size_t count = 0;
    for (ptrdiff_t at; (at = slice_find(text, SLICE("p_"))) >= 0; count++) text = slice_from(text, (size_t)at + 2);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const databases[] = {"analytics", "millrace", NULL};
    struct store_names *names;
    struct buffer once = {0}, twice = {0};
    struct slice sql = slice_make(data, size);
    ASSERT(store_names_create("p_", databases, &names, NULL) == ERROR_NONE);
    store_names_write_sql(names, sql, &once);
    store_names_write_sql(names, buffer_slice(&once), &twice);
    ASSERT(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
    ASSERT(once.size == size + 2 * (count_prefixes(buffer_slice(&once)) - count_prefixes(sql)));
    buffer_free(&once);
    buffer_free(&twice);
    store_names_destroy(names);
    return 0;
}
