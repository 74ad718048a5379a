/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of flags as anybody may have written them: rules, variants and schedule, one a line, then asked for a subject. */
#include <stdlib.h>

#include "flags/flag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make(data, size);
    struct flag_source source = {.key = SLICE("fuzz"), .environment = SLICE_EMPTY};
    source.type = slice_cut(&rest, '\n');
    source.rules_json = slice_cut(&rest, '\n');
    source.variants_json = slice_cut(&rest, '\n');
    source.schedule_json = slice_cut(&rest, '\n');
    struct flag_set *set = flag_set_create("00000000-0000-4000-8000-000000000001");
    struct json_parser *parser = json_parser_create();
    struct error error;
    unsigned char known[2] = {0};
    struct flag_result result = {.reason = NULL};
    /* What is left is an id: bytes, for both hashes. */
    struct flag_subject subject = {.user_id = rest, .email = SLICE("ada@shop.example"), .anonymous_id = SLICE_EMPTY,
                                   .organization_id = SLICE_EMPTY, .team_id = SLICE_EMPTY, .now_ms = 1};
    for (int i = 0; i < 2; i++) {
        source.hash = i ? SLICE("legacy") : SLICE("stable");
        source.key = i ? SLICE("fuzz-legacy") : SLICE("fuzz");
        if (flag_set_add(set, parser, &source, &error)) ASSERT(error.message[0]);
    }
    ASSERT(flag_set_link(set, &error) == ERROR_NONE);
    for (size_t i = 0; i < set->count; i++) {
        flag_evaluate(set, set->flags[i], &subject, known, &result);
        ASSERT(result.reason && result.value.size && result.payload.size);
    }
    json_parser_destroy(parser);
    flag_set_release(set);
    return 0;
}
