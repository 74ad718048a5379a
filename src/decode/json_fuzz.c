/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes parse, are repaired or are refused; what parses can be walked and written; locator and repairs agree. */
#include "base/buffer.h"
#include "decode/json.h"
#include "decode/json_locate.h"
#include "decode/json_repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(struct json_value value)
{
    enum json_type type = json_value_type(value);
    if (type == JSON_STRING) return json_value_string(value).size;
    if (type != JSON_ARRAY && type != JSON_OBJECT) return 1;
    size_t total = type == JSON_ARRAY ? json_array_size(value) : 0;
    struct json_iterator iterator = json_iterate(value);
    struct slice key;
    struct json_value child;
    while (json_next(&iterator, &key, &child)) total += key.size + walk(child);
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_parser *parser = json_parser_create();
    struct buffer text = {0}, out = {0}, repaired = {0};
    buffer_append(&text, data, size);
    buffer_append_zeros(&text, JSON_PADDING);
    if (parser && !text.failed) {
        struct slice slice = slice_first(buffer_slice(&text), size);
        struct json_value root;
        struct json_fault fault;
        if (json_parse(parser, slice, &root, NULL) == ERROR_NONE) {
            walk(root);
            json_value_write(root, &out);
            ASSERT(!json_locate(slice, &fault));
            ASSERT(json_repair(slice, 0, &repaired) && slice_equal(buffer_slice(&repaired), slice)); /* nothing to repair */
        } else if (json_parse_repaired(parser, slice, &root, NULL) == ERROR_NONE) {
            walk(root);
            ASSERT(json_repair(slice, JSON_REPAIR_BYTES, &repaired) && slice_is_utf8(buffer_slice(&repaired)));
        }
    }
    buffer_free(&text);
    buffer_free(&out);
    buffer_free(&repaired);
    json_parser_destroy(parser);
    return 0;
}
