/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a question about chains of steps says. */
#include <math.h>

#include "domains/analytics/ask/behaviour/chain.h"

static const char *const by_words[] = {"person", "session", "device", NULL};
static const char *const order_words[] = {"ordered", "strict", NULL};

enum error_code analytics_chain_by_parse(struct query_context *context, enum analytics_chain_by *ret_by, struct error *error)
{
    size_t by;
    enum error_code code = query_context_word(context, "by", by_words, ANALYTICS_BY_PERSON, &by, error);
    *ret_by = (enum analytics_chain_by)by;
    return code;
}

struct slice analytics_chain_key(struct query_context *context, enum analytics_chain_by by, struct error *error)
{
    if (by == ANALYTICS_BY_SESSION) return SLICE("if(session_id = '', 0, cityHash64(session_id))");
    if (by == ANALYTICS_BY_DEVICE) return SLICE("device_hash");
    return analytics_person_hash(context, error);
}

double analytics_percent(double part, double whole) { return whole > 0 ? round(part / whole * 10000) / 100 : 0; }

static enum error_code parse_steps(struct query_context *context, size_t least, size_t most, struct analytics_chain *chain,
                                   struct error *error)
{
    struct json_value steps, item;
    struct slice key;
    if (!query_context_member(context, "steps", &steps) || json_value_type(steps) != JSON_ARRAY)
        return error_set_field(error, ERROR_INVALID, "steps", "steps must be a list of %zu to %zu steps", least, most);
    if (json_array_size(steps) < least || json_array_size(steps) > most)
        return error_set_field(error, ERROR_INVALID, "steps", "steps must be a list of %zu to %zu steps, not %zu", least, most,
                               json_array_size(steps));
    for (struct json_iterator it = json_iterate(steps); json_next(&it, &key, &item);) {
        struct slice field = arena_printf(context->arena, "steps[%zu]", chain->step_count);
        enum error_code code = analytics_step_parse(context, item, field.data, &chain->steps[chain->step_count++], error);
        if (code) return code;
    }
    return ERROR_NONE;
}

static enum error_code parse_place(struct json_value object, const char *name, size_t least, size_t most, size_t fallback,
                                   size_t *ret_place, struct error *error)
{
    struct json_value value;
    *ret_place = fallback;
    if (json_value_type(object) != JSON_OBJECT || !json_object_get(object, slice_from_string(name), &value)) return ERROR_NONE;
    if (json_value_type(value) == JSON_INT && json_value_int(value) >= (int64_t)least && json_value_int(value) <= (int64_t)most) {
        *ret_place = (size_t)json_value_int(value);
        return ERROR_NONE;
    }
    return error_set_field(error, ERROR_INVALID, "exclude", "exclude: %s must be the number of a step from %zu to %zu", name, least, most);
}

static enum error_code parse_exclusions(struct query_context *context, struct analytics_chain *chain, struct error *error)
{
    struct json_value exclusions, item;
    struct slice key;
    if (!query_context_member(context, "exclude", &exclusions)) return ERROR_NONE;
    if (json_value_type(exclusions) != JSON_ARRAY || json_array_size(exclusions) > ANALYTICS_CHAIN_EXCLUSIONS)
        return error_set_field(error, ERROR_INVALID, "exclude", "exclude must be a list of at most %d steps", ANALYTICS_CHAIN_EXCLUSIONS);
    if (json_array_size(exclusions) && chain->is_strict)
        return error_set_field(error, ERROR_INVALID, "exclude", "exclude says nothing when order is strict: every other event breaks a chain");
    for (struct json_iterator it = json_iterate(exclusions); json_next(&it, &key, &item);) {
        size_t index = chain->exclusion_count++, steps = chain->step_count;
        enum error_code code = analytics_step_parse(context, item, "exclude", &chain->steps[steps + index], error);
        if (!code) code = parse_place(item, "from", 1, steps - 1, 1, &chain->exclusions[index].from, error);
        if (!code) code = parse_place(item, "to", chain->exclusions[index].from + 1, steps, steps, &chain->exclusions[index].to, error);
        if (code) return code;
    }
    return ERROR_NONE;
}

enum error_code analytics_chain_parse(struct query_context *context, size_t least, size_t most, struct analytics_chain *ret_chain,
                                      struct error *error)
{
    size_t order = 0;
    int64_t window, limit;
    *ret_chain = (struct analytics_chain){.breakdown = query_context_text(context, "breakdown")};
    enum error_code code = parse_steps(context, least, most, ret_chain, error);
    if (!code) code = analytics_chain_by_parse(context, &ret_chain->by, error);
    if (!code) code = query_context_word(context, "order", order_words, 0, &order, error);
    ret_chain->is_strict = order == 1;
    if (!code) code = query_context_boolean(context, "equal_times", false, &ret_chain->allows_equal, error);
    if (!code) code = query_context_integer(context, "window", 1, ANALYTICS_CHAIN_WINDOW_SECONDS, ANALYTICS_CHAIN_WINDOW_DEFAULT, &window, error);
    if (!code) code = query_context_integer(context, "limit", 1, ANALYTICS_CHAIN_VALUES, 10, &limit, error);
    if (code) return code;
    ret_chain->window_ms = window * 1000;
    ret_chain->value_limit = (size_t)limit;
    return parse_exclusions(context, ret_chain, error);
}
