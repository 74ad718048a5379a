/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target of the reader of ClickHouse's exceptions: whatever a server sends ends in one line of text and a code. */
#include "store/http_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size), text;
    struct error error;
    enum error_code code = http_exception_read(size ? data[0] * 4 : 500, 0, input, &error);
    ASSERT(code != ERROR_NONE && error.code == code && error.message[0] != '\0');
    ASSERT(slice_is_utf8(slice_from_string(error.message)) && !strchr(error.message, '\n'));
    if (http_exception_find(input, SLICE_EMPTY, &text)) {
        ASSERT(text.data >= input.data && text.data + text.size <= input.data + input.size);
        ASSERT(http_exception_read(200, 0, text, &error) != ERROR_NONE);
    }
    if (http_exception_find(input, SLICE("abcdefghijklmnop"), &text)) {
        ASSERT(text.data >= input.data && text.data + text.size <= input.data + input.size);
        ASSERT(http_exception_read(200, 0, text, &error) != ERROR_NONE);
    }
    return 0;
}
