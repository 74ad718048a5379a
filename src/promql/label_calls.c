/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over labels: replacing and joining. */
#include "promql/functions.h"
#include "promql/parse_text.h"

#define GROUP_LIMIT 32 /* of a pattern of label_replace that its replacement may name */

static struct slice string_of(const struct promql_node *node)
{
    return promql_node_inside((struct promql_node *)node)->text;
}

/* `$1`, `$name`, `${name}` and `$$` of a template, as Go's regexp expands them. */
static void expand(const void *code, struct slice template, struct slice source, const size_t *groups,
                   struct buffer *out)
{
    while (template.size) {
        ptrdiff_t dollar = slice_index_of(template, '$');
        if (dollar < 0) break;
        buffer_append(out, template.data, (size_t)dollar);
        template = slice_from(template, (size_t)dollar + 1);
        if (template.size && template.data[0] == '$') {
            buffer_append_byte(out, '$');
            template = slice_from(template, 1);
            continue;
        }
        bool braces = template.size && template.data[0] == '{';
        struct slice rest = slice_from(template, braces), name = rest;
        name.size = 0;
        while (name.size < rest.size) {
            char c = rest.data[name.size];
            if (!(c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) break;
            name.size++;
        }
        if (name.size == 0 || (braces && (name.size == rest.size || rest.data[name.size] != '}'))) {
            /* No name: the sign itself. */
            buffer_append_byte(out, '$');
            continue;
        }
        template = slice_from(rest, name.size + braces);
        uint64_t number;
        if (!slice_parse_uint64(name, &number)) {
            int named = promql_regex_group(code, name);
            number = named < 0 ? GROUP_LIMIT : (uint64_t)named;
        }
        if (number < GROUP_LIMIT && groups[2 * number] != SIZE_MAX)
            buffer_append(out, source.data + groups[2 * number], groups[2 * number + 1] - groups[2 * number]);
    }
    buffer_append_slice(out, template);
}

enum error_code promql_call_label_replace(struct promql_evaluator *e, const struct promql_frame *frame,
                                          const struct promql_node *call, struct promql_value *value)
{
    struct slice target = string_of(call->children[1]), template = string_of(call->children[2]),
                 source = string_of(call->children[3]), pattern = string_of(call->children[4]);
    enum error_code code = promql_eval(e, frame, call->children[0], value);
    if (code) return code;
    struct error reason;
    void *compiled = NULL;
    if (promql_regex_compile(pattern, &compiled, &reason))
        return promql_failed(e, ERROR_INVALID, "invalid regular expression in label_replace(): %.*s",
                             SLICE_ARGS(slice_first(pattern, 200)));
    struct buffer out = {0};
    if (!promql_label_name_valid(target))
        code = promql_failed(e, ERROR_INVALID, "invalid destination label name in label_replace(): %.*s",
                             SLICE_ARGS(slice_first(target, 200)));
    for (size_t i = 0; !code && i < value->count; i++) {
        struct promql_row *row = &value->rows[i];
        struct slice from = promql_labels_get(&row->labels, source);
        size_t groups[2 * GROUP_LIMIT];
        bool fits;
        code = promql_regex_match(compiled, from, groups, GROUP_LIMIT, &fits, e->error);
        if (code || !fits) continue;
        buffer_clear(&out);
        expand(compiled, template, from, groups, &out);
        if (out.failed ||
            !promql_labels_set(e, &row->labels, target, arena_copy(e->arena, buffer_slice(&out)), &row->labels))
            code = ERROR_MEMORY;
        if (!code) code = promql_count(e, 10);
    }
    buffer_free(&out);
    promql_regex_free(compiled);
    return code ? code : promql_merge(e, frame, value, false);
}

enum error_code promql_call_label_join(struct promql_evaluator *e, const struct promql_frame *frame,
                                       const struct promql_node *call, struct promql_value *value)
{
    struct slice target = string_of(call->children[1]), separator = string_of(call->children[2]);
    enum error_code code = promql_eval(e, frame, call->children[0], value);
    if (!code && !promql_label_name_valid(target))
        code = promql_failed(e, ERROR_INVALID, "invalid destination label name in label_join(): %.*s",
                             SLICE_ARGS(slice_first(target, 200)));
    for (size_t i = 3; !code && i < call->child_count; i++)
        if (!promql_label_name_valid(string_of(call->children[i])))
            code = promql_failed(e, ERROR_INVALID, "invalid source label name in label_join(): %.*s",
                                 SLICE_ARGS(slice_first(string_of(call->children[i]), 200)));
    struct buffer out = {0};
    for (size_t i = 0; !code && i < value->count; i++) {
        struct promql_row *row = &value->rows[i];
        buffer_clear(&out);
        for (size_t k = 3; k < call->child_count; k++) {
            if (k > 3) buffer_append_slice(&out, separator);
            buffer_append_slice(&out, promql_labels_get(&row->labels, string_of(call->children[k])));
        }
        if (out.failed ||
            !promql_labels_set(e, &row->labels, target, arena_copy(e->arena, buffer_slice(&out)), &row->labels))
            code = ERROR_MEMORY;
    }
    buffer_free(&out);
    return code ? code : promql_merge(e, frame, value, false);
}
