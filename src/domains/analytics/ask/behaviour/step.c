/* SPDX-License-Identifier: Apache-2.0 */
/* Reads steps and writes them as conditions. */
#include "domains/analytics/ask/behaviour/step.h"

#include "query/words.h"

static const struct slice view_names[] = {{"screen_view", 11}, {"page_view", 9}, {"pageview", 8}};

static enum error_code add_name(struct analytics_step *step, struct slice name, const char *field, struct error *error)
{
    if (slice_equal(name, SLICE("*"))) {
        step->is_any = true;
        return ERROR_NONE;
    }
    if (!name.size || name.size > QUERY_TEXT_LIMIT)
        return error_set_field(error, ERROR_INVALID, field, "%s: the name of an event has 1 to %d bytes", field, QUERY_TEXT_LIMIT);
    if (step->name_count == ANALYTICS_STEP_NAMES)
        return error_set_field(error, ERROR_TOO_LARGE, field, "%s: a step may name %d events", field, ANALYTICS_STEP_NAMES);
    step->names[step->name_count++] = name;
    return ERROR_NONE;
}

/* With and without a slash at the end. */
static enum error_code add_page(struct query_context *context, struct analytics_step *step, struct slice page, const char *field,
                                struct error *error)
{
    if (!page.size || page.size > QUERY_TEXT_LIMIT)
        return error_set_field(error, ERROR_INVALID, field, "%s: the path of a page has 1 to %d bytes", field, QUERY_TEXT_LIMIT);
    if (step->page_count + 2 > sizeof step->pages / sizeof *step->pages)
        return error_set_field(error, ERROR_TOO_LARGE, field, "%s: a step may name %d pages", field, ANALYTICS_STEP_NAMES);
    step->pages[step->page_count++] = page;
    if (slice_equal(page, SLICE("/"))) return ERROR_NONE;
    step->pages[step->page_count++] = slice_ends_with(page, SLICE("/")) ? slice_first(page, page.size - 1)
                                                                         : arena_printf(context->arena, "%.*s/", SLICE_ARGS(page));
    return ERROR_NONE;
}

static enum error_code add(struct query_context *context, struct analytics_step *step, struct json_value value, bool is_page,
                           const char *field, struct error *error)
{
    if (json_value_type(value) != JSON_STRING)
        return error_set_field(error, ERROR_INVALID, field, "%s: %s must be text or a list of texts", field, is_page ? "page" : "event");
    struct slice text = arena_copy(context->arena, json_value_string(value));
    return is_page ? add_page(context, step, text, field, error) : add_name(step, text, field, error);
}

static enum error_code add_all(struct query_context *context, struct analytics_step *step, struct json_value value, bool is_page,
                               const char *field, struct error *error)
{
    struct slice key;
    struct json_value item;
    enum error_code code = ERROR_NONE;
    if (json_value_type(value) != JSON_ARRAY) return add(context, step, value, is_page, field, error);
    if (!json_array_size(value)) return error_set_field(error, ERROR_INVALID, field, "%s: a list of events or pages is empty", field);
    for (struct json_iterator it = json_iterate(value); !code && json_next(&it, &key, &item);)
        code = add(context, step, item, is_page, field, error);
    return code;
}

static bool member(struct json_value object, struct slice name, struct json_value *ret_value)
{
    return json_object_get(object, name, ret_value) && json_value_type(*ret_value) != JSON_NULL;
}

/* {"type", "target"}: as saved goals and funnels say it. */
static enum error_code add_target(struct query_context *context, struct analytics_step *step, struct json_value object,
                                  const char *field, struct error *error)
{
    struct json_value type, target;
    if (!member(object, SLICE("type"), &type) || !member(object, SLICE("target"), &target)) return ERROR_NONE;
    struct slice word = json_value_type(type) == JSON_STRING ? json_value_string(type) : SLICE_EMPTY;
    bool is_page = slice_equal(word, SLICE("PAGE_VIEW"));
    if (!is_page && !slice_equal(word, SLICE("EVENT")) && !slice_equal(word, SLICE("CUSTOM")))
        return error_set_field(error, ERROR_INVALID, field, "%s: type must be PAGE_VIEW, EVENT or CUSTOM", field);
    return add_all(context, step, target, is_page, field, error);
}

enum error_code analytics_step_parse(struct query_context *context, struct json_value value, const char *field,
                                     struct analytics_step *ret_step, struct error *error)
{
    struct json_value part;
    enum error_code code = ERROR_NONE;
    *ret_step = (struct analytics_step){0};
    if (json_value_type(value) == JSON_STRING) {
        code = add(context, ret_step, value, false, field, error);
    } else if (json_value_type(value) != JSON_OBJECT) {
        return error_set_field(error, ERROR_INVALID, field, "%s: a step is the name of an event, or an object with event, page or name", field);
    } else {
        if (member(value, SLICE("event"), &part)) code = add_all(context, ret_step, part, false, field, error);
        if (!code && member(value, SLICE("page"), &part)) code = add_all(context, ret_step, part, true, field, error);
        if (!code) code = add_target(context, ret_step, value, field, error);
        if (!code && member(value, SLICE("name"), &part) && json_value_type(part) == JSON_STRING)
            ret_step->label = arena_copy(context->arena, json_value_string(part));
        /* As series of charts say it. */
        if (!code && ret_step->label.size && !ret_step->name_count && !ret_step->is_any && !ret_step->page_count)
            code = add_name(ret_step, ret_step->label, field, error);
        ret_step->has_filters = member(value, SLICE("filters"), &ret_step->filters) || member(value, SLICE("conditions"), &ret_step->filters);
    }
    if (code) return code;
    if (!ret_step->name_count && !ret_step->is_any && !ret_step->page_count)
        return error_set_field(error, ERROR_INVALID, field, "%s: a step needs an event or a page, or the name of an event", field);
    if (ret_step->page_count && !ret_step->name_count && !ret_step->is_any)
        for (size_t i = 0; i < sizeof view_names / sizeof *view_names; i++) ret_step->names[ret_step->name_count++] = view_names[i];
    if (ret_step->is_any) ret_step->name_count = 0;
    if (!ret_step->label.size)
        ret_step->label = ret_step->page_count ? ret_step->pages[0] : ret_step->is_any ? SLICE("*") : ret_step->names[0];
    return ERROR_NONE;
}

void analytics_step_of_name(struct slice name, struct analytics_step *ret_step)
{
    bool is_any = slice_equal(name, SLICE("*"));
    *ret_step = (struct analytics_step){.names = {name}, .name_count = is_any ? 0 : 1, .is_any = is_any, .label = name};
}

enum error_code analytics_step_parse_member(struct query_context *context, const char *name, struct analytics_step *ret_step,
                                            struct error *error)
{
    struct json_value value;
    if (query_context_member(context, name, &value)) return analytics_step_parse(context, value, name, ret_step, error);
    struct slice text = query_context_text(context, name);
    if (text.data && (!text.size || text.size > QUERY_TEXT_LIMIT))
        return error_set_field(error, ERROR_INVALID, name, "%s: the name of an event has 1 to %d bytes", name, QUERY_TEXT_LIMIT);
    analytics_step_of_name(text.size ? text : SLICE("*"), ret_step);
    return ERROR_NONE;
}

enum error_code analytics_step_write(struct query_context *context, struct query_text *text, const struct analytics_step *step,
                                     const char *field, struct error *error)
{
    enum error_code code = ERROR_NONE;
    /* What an event does not have is NULL for a filter: it does not fit, like anything else that does not. */
    query_text_add(text, step->has_filters ? "ifNull(" : "(");
    if (step->is_any) {
        query_text_add(text, ANALYTICS_IS_SENT);
    } else {
        query_text_add(text, "name IN ");
        query_text_values(text, step->names, step->name_count);
    }
    if (step->page_count) {
        query_text_add(text, " AND path IN ");
        query_text_values(text, step->pages, step->page_count);
    }
    if (step->has_filters) code = analytics_filters_write(context, text, ANALYTICS_EVENTS, step->filters, field, error);
    query_text_add(text, step->has_filters ? ", 0)" : ")");
    return code;
}

void analytics_steps_write_names(struct query_text *text, const struct analytics_step *steps, size_t count)
{
    size_t total = 0;
    bool is_any = false;
    for (size_t i = 0; i < count; i++) {
        total += steps[i].name_count;
        is_any |= steps[i].is_any;
    }
    struct slice *names = is_any ? NULL : arena_allocate(text->arena, (total + 1) * sizeof *names);
    if (!names) { /* without memory the text fails anyway */
        query_text_add(text, ANALYTICS_IS_SENT);
        return;
    }
    total = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < steps[i].name_count; j++) {
            bool is_known = false;
            for (size_t k = 0; k < total && !is_known; k++) is_known = slice_equal(names[k], steps[i].names[j]);
            if (!is_known) names[total++] = steps[i].names[j];
        }
    query_text_add(text, "name IN ");
    query_text_values(text, names, total);
}

bool analytics_steps_are_disjoint(const struct analytics_step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (steps[i].is_any) return false;
        for (size_t j = 0; j < i; j++)
            for (size_t k = 0; k < steps[i].name_count; k++)
                for (size_t l = 0; l < steps[j].name_count; l++)
                    if (slice_equal(steps[i].names[k], steps[j].names[l])) return false;
    }
    return true;
}

bool analytics_steps_are_actions(const struct analytics_step *steps, size_t count)
{
    static const char *const others[] = {"screen_view", "page_view", "pageview", "page_exit", "session_start", "session_end"};
    for (size_t i = 0; i < count; i++) {
        if (steps[i].is_any || steps[i].page_count || steps[i].has_filters) return false;
        for (size_t j = 0; j < steps[i].name_count; j++)
            for (size_t k = 0; k < sizeof others / sizeof *others; k++)
                if (slice_equal(steps[i].names[j], slice_from_string(others[k]))) return false;
    }
    return true;
}
