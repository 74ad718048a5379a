/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of a flag's row into rules, variants and steps; what is wrong is said by its place. */
#include "flags/flag_private.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/time.h"

static enum error_code compile_fail(const char *field, const char *what, struct error *error)
{
    return error_set_field(error, ERROR_INVALID, field, "%s %s", field, what);
}

enum error_code flag_json_parse(struct arena *arena, struct json_parser *parser, const char *field, struct slice text,
                                struct json_value *ret_value, struct error *error)
{
    char *padded = arena_allocate(arena, text.size + JSON_PADDING);
    if (!padded) return error_set(error, ERROR_MEMORY, "out of memory for flags");
    memcpy(padded, text.data, text.size);
    if (json_parse(parser, slice_make(padded, text.size), ret_value, NULL)) return compile_fail(field, "must be JSON", error);
    return ERROR_NONE;
}

struct flag_value flag_value_read(struct arena *arena, struct json_value json)
{
    static const enum flag_value_kind kinds[] = {
        [JSON_NULL] = FLAG_VALUE_NULL, [JSON_BOOL] = FLAG_VALUE_BOOLEAN, [JSON_INT] = FLAG_VALUE_NUMBER, [JSON_UINT] = FLAG_VALUE_NUMBER,
        [JSON_DOUBLE] = FLAG_VALUE_NUMBER, [JSON_STRING] = FLAG_VALUE_TEXT, [JSON_ARRAY] = FLAG_VALUE_OTHER, [JSON_OBJECT] = FLAG_VALUE_OTHER};
    struct flag_value value = {.kind = kinds[json_value_type(json)]};
    if (value.kind == FLAG_VALUE_TEXT) {
        value.text = arena_copy(arena, json_value_string(json));
        return value;
    }
    struct buffer text = {0};
    if (value.kind == FLAG_VALUE_NUMBER) value.number = json_value_double(json);
    json_value_write(json, &text);
    value.text = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    return value;
}

enum error_code flag_properties_read(struct arena *arena, struct json_value object, size_t limit, struct flag_subject *subject,
                                     struct error *error)
{
    struct slice key;
    struct json_value child;
    if (json_value_type(object) != JSON_OBJECT) return compile_fail("properties", "must be a JSON object", error);
    struct flag_property *properties = arena_allocate(arena, limit * sizeof *properties);
    for (struct json_iterator iterator = json_iterate(object); properties && json_next(&iterator, &key, &child);) {
        if (subject->property_count == limit)
            return error_set_field(error, ERROR_INVALID, "properties", "properties must have at most %zu members", limit);
        properties[subject->property_count++] = (struct flag_property){arena_copy(arena, key), flag_value_read(arena, child)};
    }
    subject->properties = properties;
    return arena_failed(arena) ? error_set(error, ERROR_MEMORY, "out of memory for a request") : ERROR_NONE;
}

/* ---- members of objects, by name ---- */

static int compile_word(const char *const *words, struct json_value value)
{
    if (json_value_type(value) != JSON_STRING) return -1;
    for (int i = 0; words[i]; i++)
        if (slice_equal(json_value_string(value), slice_from_string(words[i]))) return i;
    return -1;
}

/* Every member of the object is one of `names`. */
static enum error_code compile_check_members(struct json_value object, const char *const *names, const char *where, struct error *error)
{
    struct slice key;
    struct json_value child;
    if (json_value_type(object) != JSON_OBJECT) return compile_fail(where, "must be a JSON object", error);
    for (struct json_iterator iterator = json_iterate(object); json_next(&iterator, &key, &child);) {
        size_t i = 0;
        while (names[i] && !slice_equal(slice_from_string(names[i]), key)) i++;
        if (names[i]) continue;
        struct buffer list = {0};
        for (i = 0; names[i]; i++) buffer_printf(&list, "%s%s", i ? ", " : "", names[i]);
        error_set_field(error, ERROR_INVALID, where, "%s has no member \"%.*s\"; there are: %.*s", where, SLICE_ARGS(slice_first(key, 60)),
                        SLICE_ARGS(slice_first(buffer_slice(&list), 300)));
        buffer_free(&list);
        return ERROR_INVALID;
    }
    return ERROR_NONE;
}

static bool compile_get(struct json_value object, const char *name, struct json_value *ret_value)
{
    return json_object_get(object, slice_from_string(name), ret_value) && json_value_type(*ret_value) != JSON_NULL;
}

/* ---- rules ---- */

static const char *const rule_members[] = {"type", "operator", "field", "value", "values", "enabled", "batch", "batchValues", NULL};
static const char *const rule_types[] = {"user_id", "email", "property", NULL};
static const char *const rule_operators[] = {"equals", "contains", "starts_with", "ends_with", "in", "not_in", "exists", "not_exists", NULL};

static enum error_code compile_values(struct arena *arena, struct json_value json, bool only_texts, const char *where, const char *name,
                                      struct flag_values *values, struct error *error)
{
    char field[64];
    struct slice key;
    struct json_value child;
    snprintf(field, sizeof field, "%s.%s", where, name);
    if (json_value_type(json) != JSON_ARRAY) return compile_fail(field, "must be an array", error);
    values->items = arena_allocate(arena, (json_array_size(json) + 1) * sizeof *values->items);
    if (!values->items) return error_set(error, ERROR_MEMORY, "out of memory for flags");
    for (struct json_iterator iterator = json_iterate(json); json_next(&iterator, &key, &child);) {
        struct flag_value value = flag_value_read(arena, child);
        if (value.kind == FLAG_VALUE_OTHER || (only_texts && value.kind != FLAG_VALUE_TEXT))
            return compile_fail(field, only_texts ? "must have texts only" : "must have texts, numbers and booleans only", error);
        values->items[values->count++] = value;
    }
    qsort(values->items, values->count, sizeof *values->items, flag_value_compare);
    return ERROR_NONE;
}

/* What the operator compares with. */
static enum error_code compile_operand(struct arena *arena, struct json_value json, const char *where, struct flag_rule *rule,
                                       struct error *error)
{
    struct json_value value;
    char field[64];
    bool is_text = rule->about != FLAG_RULE_PROPERTY;
    if (rule->is_batch) {
        if (rule->operator != FLAG_NOT_IN && rule->operator != FLAG_IN && rule->operator != FLAG_EQUALS)
            return compile_fail(where, "is a batch: its operator must be in or not_in", error);
        if (!compile_get(json, "batchValues", &value)) return compile_fail(where, "is a batch and must have batchValues", error);
        return compile_values(arena, value, true, where, "batchValues", &rule->values, error);
    }
    if (rule->operator == FLAG_IN || rule->operator == FLAG_NOT_IN) {
        if (!compile_get(json, "values", &value)) return compile_fail(where, "must have values", error);
        return compile_values(arena, value, is_text, where, "values", &rule->values, error);
    }
    if (rule->operator == FLAG_EXISTS || rule->operator == FLAG_NOT_EXISTS) return ERROR_NONE;
    if (rule->about == FLAG_RULE_PROPERTY && (rule->operator == FLAG_STARTS_WITH || rule->operator == FLAG_ENDS_WITH))
        return compile_fail(where, "is about a property: its operator must be equals, contains, in, not_in, exists or not_exists", error);
    snprintf(field, sizeof field, "%s.value", where);
    if (!compile_get(json, "value", &value)) return compile_fail(where, "must have a value", error);
    rule->value = flag_value_read(arena, value);
    bool needs_text = is_text || rule->operator != FLAG_EQUALS;
    if (rule->value.kind == FLAG_VALUE_OTHER || (needs_text && rule->value.kind != FLAG_VALUE_TEXT))
        return compile_fail(field, needs_text ? "must be text" : "must be text, a number or a boolean", error);
    return ERROR_NONE;
}

static enum error_code compile_rule(struct arena *arena, struct json_value json, const char *where, struct flag_rule *rule,
                                    struct error *error)
{
    struct json_value value;
    enum error_code code = compile_check_members(json, rule_members, where, error);
    if (code) return code;
    int about = compile_get(json, "type", &value) ? compile_word(rule_types, value) : -1;
    if (about < 0) return error_set_field(error, ERROR_INVALID, where, "%s.type must be one of: user_id, email, property", where);
    rule->about = (enum flag_rule_about)about;
    if (!compile_get(json, "enabled", &value) || json_value_type(value) != JSON_BOOL)
        return error_set_field(error, ERROR_INVALID, where, "%s.enabled must be true or false", where);
    rule->enabled = json_value_bool(value);
    if (compile_get(json, "batch", &value)) {
        if (json_value_type(value) != JSON_BOOL) return error_set_field(error, ERROR_INVALID, where, "%s.batch must be true or false", where);
        rule->is_batch = json_value_bool(value);
    }
    bool has_field = compile_get(json, "field", &value) && json_value_type(value) == JSON_STRING && json_value_string(value).size;
    if (has_field) rule->field = arena_copy(arena, json_value_string(value));
    bool has_number = compile_get(json, "value", &value) && flag_value_read(arena, value).kind == FLAG_VALUE_NUMBER;
    if (rule->about == FLAG_RULE_PROPERTY && !has_field && has_number && !rule->is_batch) {
        /* Databuddy's way to say "so many percent of all". */
        rule->about = FLAG_RULE_SHARE;
        rule->value.number = json_value_double(value);
        if (rule->value.number >= 0 && rule->value.number <= 100) return ERROR_NONE;
        return error_set_field(error, ERROR_INVALID, where, "%s.value is a share and must be 0 to 100", where);
    }
    if (rule->about == FLAG_RULE_PROPERTY && !has_field)
        return error_set_field(error, ERROR_INVALID, where, "%s.field must be the name of the property", where);
    int operator = compile_get(json, "operator", &value) ? compile_word(rule_operators, value) : rule->is_batch ? FLAG_IN : -1;
    if (operator < 0)
        return error_set_field(error, ERROR_INVALID, where,
                               "%s.operator must be one of: equals, contains, starts_with, ends_with, in, not_in, exists, not_exists", where);
    rule->operator = (enum flag_operator)operator;
    return compile_operand(arena, json, where, rule, error);
}

/* Begins the walk over an array of at most `limit` objects. */
static enum error_code compile_array(struct arena *arena, struct json_parser *parser, const char *field, struct slice text, size_t limit,
                                     struct json_value *ret_array, struct error *error)
{
    enum error_code code = flag_json_parse(arena, parser, field, text, ret_array, error);
    if (code) return code;
    if (json_value_type(*ret_array) != JSON_ARRAY) return compile_fail(field, "must be an array", error);
    if (json_array_size(*ret_array) > limit)
        return error_set_field(error, ERROR_INVALID, field, "%s must have at most %zu members", field, limit);
    return ERROR_NONE;
}

enum error_code flag_rules_compile(struct arena *arena, struct json_parser *parser, struct slice json, struct flag_rules *rules,
                                   struct error *error)
{
    struct slice key;
    struct json_value array, child;
    if (!json.size) return ERROR_NONE;
    enum error_code code = compile_array(arena, parser, "rules", json, FLAG_RULE_LIMIT, &array, error);
    if (code) return code;
    rules->items = arena_allocate(arena, (json_array_size(array) + 1) * sizeof *rules->items);
    if (!rules->items) return error_set(error, ERROR_MEMORY, "out of memory for flags");
    for (struct json_iterator iterator = json_iterate(array); !code && json_next(&iterator, &key, &child);) {
        char where[32];
        snprintf(where, sizeof where, "rules[%zu]", rules->count);
        code = compile_rule(arena, child, where, &rules->items[rules->count++], error);
    }
    return code;
}

/* ---- variants ---- */

static const char *const variant_members[] = {"key", "value", "weight", "type", "description", NULL};
static const char *const variant_types[] = {"string", "number", "json", NULL};

static enum error_code compile_variant(struct arena *arena, struct json_value json, const char *where, struct flag *flag, bool *ret_weighs,
                                       struct error *error)
{
    struct flag_variant *variant = &flag->variants[flag->variant_count++];
    struct json_value value;
    enum error_code code = compile_check_members(json, variant_members, where, error);
    if (code) return code;
    bool has_key = compile_get(json, "key", &value) && json_value_type(value) == JSON_STRING;
    if (has_key) variant->key = arena_copy(arena, json_value_string(value));
    if (!has_key || variant->key.size < 1 || variant->key.size > FLAG_KEY_LIMIT)
        return error_set_field(error, ERROR_INVALID, where, "%s.key must be a text of 1 to %d bytes", where, FLAG_KEY_LIMIT);
    for (size_t i = 0; i + 1 < flag->variant_count; i++)
        if (slice_equal(flag->variants[i].key, variant->key))
            return error_set_field(error, ERROR_INVALID, where, "%s.key is that of another variant", where);
    if (!json_object_get(json, SLICE("value"), &value)) return error_set_field(error, ERROR_INVALID, where, "%s.value is missing", where);
    int type = -1;
    struct json_value type_value;
    if (compile_get(json, "type", &type_value) && (type = compile_word(variant_types, type_value)) < 0)
        return error_set_field(error, ERROR_INVALID, where, "%s.type must be one of: string, number, json", where);
    enum flag_value_kind kind = flag_value_read(arena, value).kind;
    if ((type == 0 && kind != FLAG_VALUE_TEXT) || (type == 1 && kind != FLAG_VALUE_NUMBER))
        return error_set_field(error, ERROR_INVALID, where, "%s.value must be of its type, a %s", where, variant_types[type]);
    struct buffer text = {0};
    json_value_write(value, &text);
    variant->value = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    *ret_weighs = compile_get(json, "weight", &value);
    if (!*ret_weighs) return ERROR_NONE;
    enum json_type weight_type = json_value_type(value);
    double weight = weight_type == JSON_INT || weight_type == JSON_DOUBLE ? json_value_double(value) : -1;
    if (!(weight >= 0 && weight <= 100)) return error_set_field(error, ERROR_INVALID, where, "%s.weight must be a number from 0 to 100", where);
    variant->weight = (int64_t)(weight * (FLAG_BUCKETS / 100) + 0.5);
    return ERROR_NONE;
}

enum error_code flag_variants_compile(struct arena *arena, struct json_parser *parser, struct slice json, struct flag *flag,
                                      struct error *error)
{
    struct slice key;
    struct json_value array, child;
    if (!json.size) return ERROR_NONE;
    enum error_code code = compile_array(arena, parser, "variants", json, FLAG_VARIANT_LIMIT, &array, error);
    if (code) return code;
    flag->variants = arena_allocate(arena, (json_array_size(array) + 1) * sizeof *flag->variants);
    if (!flag->variants) return error_set(error, ERROR_MEMORY, "out of memory for flags");
    size_t weighing = 0;
    int64_t sum = 0;
    for (struct json_iterator iterator = json_iterate(array); !code && json_next(&iterator, &key, &child);) {
        char where[32];
        bool weighs = false;
        snprintf(where, sizeof where, "variants[%zu]", flag->variant_count);
        code = compile_variant(arena, child, where, flag, &weighs, error);
        weighing += weighs;
        sum += flag->variants[flag->variant_count - 1].weight;
    }
    if (code) return code;
    if (weighing && weighing < flag->variant_count)
        return compile_fail("variants", "must all have a weight, or none of them", error);
    /* A third is 33.33: what is missing to the whole is the last one's. */
    if (weighing && (sum < FLAG_BUCKETS - 10 || sum > FLAG_BUCKETS + 10))
        return error_set_field(error, ERROR_INVALID, "variants", "the weights of variants must be 100 together; these are %.2f", (double)sum / 100);
    flag->has_weights = weighing > 0;
    return ERROR_NONE;
}

/* ---- schedules ---- */

static const char *const step_members[] = {"scheduledAt", "type", "value", NULL};
static const char *const step_types[] = {"enable", "disable", "update_rollout", NULL};

static int compile_step_order(const void *left, const void *right)
{
    const struct flag_step *a = left, *b = right;
    return a->at_ms < b->at_ms ? -1 : a->at_ms > b->at_ms;
}

static enum error_code compile_step(struct json_value json, const char *where, struct flag_step *step, struct error *error)
{
    struct json_value value;
    enum error_code code = compile_check_members(json, step_members, where, error);
    if (code) return code;
    bool has_time = compile_get(json, "scheduledAt", &value);
    if (has_time && json_value_type(value) == JSON_INT) step->at_ms = json_value_int(value);
    else has_time = has_time && json_value_type(value) == JSON_STRING && time_parse_iso8601(json_value_string(value), &step->at_ms);
    if (!has_time || step->at_ms < 0)
        return error_set_field(error, ERROR_INVALID, where, "%s.scheduledAt must be a time: ISO 8601, or Unix milliseconds", where);
    int kind = compile_get(json, "type", &value) ? compile_word(step_types, value) : -1;
    if (kind < 0) return error_set_field(error, ERROR_INVALID, where, "%s.type must be one of: enable, disable, update_rollout", where);
    step->kind = (enum flag_step_kind)kind;
    if (step->kind != FLAG_STEP_ROLLOUT) return ERROR_NONE;
    bool has_value = compile_get(json, "value", &value) && json_value_type(value) == JSON_INT;
    if (has_value) step->percentage = json_value_int(value);
    if (!has_value || step->percentage < 0 || step->percentage > 100)
        return error_set_field(error, ERROR_INVALID, where, "%s.value must be a whole number from 0 to 100", where);
    return ERROR_NONE;
}

enum error_code flag_schedule_compile(struct arena *arena, struct json_parser *parser, struct slice json, struct flag *flag,
                                      struct error *error)
{
    struct slice key;
    struct json_value array, child;
    if (!json.size) return ERROR_NONE;
    enum error_code code = compile_array(arena, parser, "schedule", json, FLAG_STEP_LIMIT, &array, error);
    if (code) return code;
    flag->steps = arena_allocate(arena, (json_array_size(array) + 1) * sizeof *flag->steps);
    if (!flag->steps) return error_set(error, ERROR_MEMORY, "out of memory for flags");
    for (struct json_iterator iterator = json_iterate(array); !code && json_next(&iterator, &key, &child);) {
        char where[32];
        snprintf(where, sizeof where, "schedule[%zu]", flag->step_count);
        code = compile_step(child, where, &flag->steps[flag->step_count++], error);
    }
    qsort(flag->steps, flag->step_count, sizeof *flag->steps, compile_step_order);
    return code;
}
