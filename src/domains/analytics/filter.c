/* SPDX-License-Identifier: Apache-2.0 */
/* Compares events with a tenant's filters. Almost no tenant has any: then it is one comparison with NULL. */
#include "domains/analytics/filter.h"

#include <math.h>
#include <stdlib.h>

#include "tenant/tenant.h"

#define FILTER_NUMBER_LIMIT_BYTES 40

static bool filter_number(struct slice text, double *ret_number)
{
    char copy[FILTER_NUMBER_LIMIT_BYTES + 1], *end;
    if (text.size == 0 || text.size > FILTER_NUMBER_LIMIT_BYTES) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    *ret_number = strtod(copy, &end);
    return *end == 0 && isfinite(*ret_number);
}

static bool filter_contains(struct slice text, struct slice part)
{
    return part.size == 0 || (text.size >= part.size && memmem(text.data, text.size, part.data, part.size) != NULL);
}

static bool filter_ends_with(struct slice text, struct slice end)
{
    return text.size >= end.size && slice_equal(slice_from(text, text.size - end.size), end);
}

/* Whether one value fits; of "not" operators: whether the value is the one that must not be. */
static bool filter_compare(enum tenant_filter_operator operator, struct slice text, struct slice value)
{
    double left, right;
    switch (operator) {
    case TENANT_FILTER_IS: case TENANT_FILTER_IS_NOT: return slice_equal(text, value);
    case TENANT_FILTER_CONTAINS: case TENANT_FILTER_CONTAINS_NOT: return filter_contains(text, value);
    case TENANT_FILTER_STARTS_WITH: return slice_starts_with(text, value);
    case TENANT_FILTER_ENDS_WITH: return filter_ends_with(text, value);
    case TENANT_FILTER_IS_NULL: case TENANT_FILTER_IS_NOT_NULL: case TENANT_FILTER_OPERATOR_COUNT: return false;
    default: break;
    }
    if (!filter_number(text, &left) || !filter_number(value, &right)) return false;
    return operator == TENANT_FILTER_GT ? left > right : operator == TENANT_FILTER_GTE ? left >= right
         : operator == TENANT_FILTER_LT ? left < right : left <= right;
}

/* The text of a column or property; "properties.plan" and "plan" are the same property. Empty: there is none. */
static struct slice filter_text(const struct analytics_event *event, const struct analytics_context *context, struct slice name)
{
    struct slice prefix = SLICE("properties.");
    enum analytics_column column = analytics_column_find(name);
    if (!slice_starts_with(name, prefix) && column < EVENT_COLUMN_COUNT) {
        if (!analytics_event_has(event, column)) return SLICE_EMPTY;
        const union analytics_value *value = &event->values[column];
        switch (analytics_columns[column].kind) {
        case EVENT_KIND_TEXT: return value->text;
        case EVENT_KIND_INTEGER: case EVENT_KIND_TIME: return arena_printf(context->arena, "%lld", (long long)value->integer);
        case EVENT_KIND_DECIMAL: return arena_printf(context->arena, "%.15g", (double)value->integer / EVENT_DECIMAL_SCALE);
        case EVENT_KIND_REAL: return arena_printf(context->arena, "%.15g", value->real);
        default: return SLICE_EMPTY;
        }
    }
    if (slice_starts_with(name, prefix)) name = slice_from(name, prefix.size);
    for (size_t i = 0; i < event->property_count; i++)
        if (slice_equal(event->properties[i].key, name)) return event->properties[i].value;
    return SLICE_EMPTY;
}

static bool filter_condition_fits(const struct tenant_filter_condition *condition, const struct analytics_event *event,
                                  const struct analytics_context *context)
{
    struct slice text = slice_trim(filter_text(event, context, condition->name));
    if (condition->operator == TENANT_FILTER_IS_NULL) return text.size == 0;
    if (condition->operator == TENANT_FILTER_IS_NOT_NULL) return text.size > 0;
    bool is_one = false, is_negative = condition->operator == TENANT_FILTER_IS_NOT || condition->operator == TENANT_FILTER_CONTAINS_NOT;
    for (size_t i = 0; i < condition->value_count && !is_one; i++)
        is_one = filter_compare(condition->operator, text, condition->values[i]);
    return is_one != is_negative;
}

static bool filter_event_fits(const struct tenant_filter *filter, const struct analytics_event *event, const struct analytics_context *context)
{
    if (!slice_equal(filter->text, SLICE("*")) && !slice_equal(filter->text, analytics_event_text(event, EVENT_NAME))) return false;
    for (size_t i = 0; i < filter->condition_count; i++)
        if (!filter_condition_fits(&filter->conditions[i], event, context)) return false;
    return true;
}

bool analytics_sender_is_filtered(const struct analytics_context *context, struct slice profile_id)
{
    if (!context->filters) return false;
    uint8_t address[16];
    bool has_address = network_address_parse(context->sender, address);
    for (size_t i = 0; i < context->filters->filter_count; i++) {
        const struct tenant_filter *filter = &context->filters->filters[i];
        if (filter->kind == TENANT_FILTER_ADDRESS && has_address && network_prefix_matches(&filter->address, address)) return true;
        if (filter->kind == TENANT_FILTER_PROFILE && slice_equal(filter->text, profile_id)) return true;
    }
    return false;
}

bool analytics_event_is_filtered(const struct analytics_event *event, const struct analytics_context *context)
{
    if (!context->filters) return false;
    if (!context->is_sender_checked && analytics_sender_is_filtered(context, analytics_event_text(event, EVENT_PROFILE_ID))) return true;
    for (size_t i = 0; i < context->filters->filter_count && !context->agent.is_server; i++) {
        const struct tenant_filter *filter = &context->filters->filters[i];
        if (filter->kind == TENANT_FILTER_EVENT && filter_event_fits(filter, event, context)) return true;
    }
    return false;
}
