/* SPDX-License-Identifier: Apache-2.0 */
/* Cohorts: people by what they did or are. */
#include "control/product.h"

#define COHORT_BYTES (16 * 1024) /* ten events with filters take a tenth */
#define COHORT_ITEMS 10

static bool cohort_word(struct json_value object, const char *name, const char *const *words, bool is_required)
{
    struct json_value value;
    if (!json_object_get(object, slice_from_string(name), &value) || json_value_type(value) == JSON_NULL) return !is_required;
    for (; json_value_type(value) == JSON_STRING && *words; words++)
        if (slice_equal(json_value_string(value), slice_from_string(*words))) return true;
    return false;
}

/* Its shape; what filters mean is known where questions are answered. */
static enum error_code cohort_check_definition(struct json_value definition, struct error *error)
{
    static const char *const types[] = {"event", "property", NULL}, *const operators[] = {"and", "or", NULL};
    struct json_value type, criteria = definition, items;
    if (json_value_type(definition) != JSON_OBJECT || !cohort_word(definition, "type", types, true))
        return error_set_field(error, ERROR_INVALID, "definition", "definition must be an object with type event or property");
    bool is_of_events = json_object_get(definition, SLICE("type"), &type) && slice_equal(json_value_string(type), SLICE("event"));
    if (json_object_get(definition, SLICE("criteria"), &items)) criteria = items;
    const char *name = is_of_events ? "events" : "properties";
    if (json_value_type(criteria) != JSON_OBJECT || !cohort_word(criteria, "operator", operators, false))
        return error_set_field(error, ERROR_INVALID, "definition", "definition.criteria must be an object; its operator is and or or");
    if (!json_object_get(criteria, slice_from_string(name), &items) || json_value_type(items) != JSON_ARRAY || !json_array_size(items) ||
        json_array_size(items) > COHORT_ITEMS)
        return error_set_field(error, ERROR_INVALID, "definition", "definition.criteria.%s must be a list of 1 to %d", name, COHORT_ITEMS);
    struct slice key;
    struct json_value item, text;
    for (struct json_iterator it = json_iterate(items); json_next(&it, &key, &item);)
        if (json_value_type(item) != JSON_OBJECT || !json_object_get(item, SLICE("name"), &text) || json_value_type(text) != JSON_STRING)
            return error_set_field(error, ERROR_INVALID, "definition", "definition.criteria.%s: each needs a name", name);
    return ERROR_NONE;
}

struct cohort_row { struct arena *arena; struct slice definition; bool is_static; };
static enum error_code cohort_take(void *context, const struct meta_row *row, struct error *error)
{
    struct cohort_row *cohort = context;
    struct slice text = meta_row_text(row, 0);
    char *padded = arena_allocate(cohort->arena, text.size + JSON_PADDING);
    if (!padded) return error_set(error, ERROR_MEMORY, "no memory for a cohort");
    memcpy(padded, text.data, text.size);
    cohort->definition = slice_make(padded, text.size);
    cohort->is_static = meta_row_boolean(row, 1);
    return ERROR_NONE;
}

static enum error_code cohort_check(const struct control_call *call, struct meta_session *session, enum control_change change, struct slice id,
                                    struct error *error)
{
    struct cohort_row cohort = {.arena = call->arena, .definition = SLICE_EMPTY};
    struct json_value definition, type;
    if (change == CONTROL_DELETED) return ERROR_NONE;
    struct json_parser *parser = json_parser_create();
    if (!parser) return error_set(error, ERROR_MEMORY, "no memory for a cohort");
    enum error_code code = meta_query(session, "select definition, is_static from cohorts where cohort_id = $1", META_PARAMETERS(meta_text(id)),
                                      cohort_take, &cohort, error);
    if (!code) code = json_parse(parser, cohort.definition, &definition, error);
    if (!code) code = cohort_check_definition(definition, error);
    if (!code && cohort.is_static && json_object_get(definition, SLICE("type"), &type) && slice_equal(json_value_string(type), SLICE("property")))
        code = error_set_field(error, ERROR_INVALID, "is_static", "is_static is for cohorts by events: what people were at a time is not kept");
    json_parser_destroy(parser);
    return code;
}

static const struct control_field cohort_fields[] = {
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "Name of the cohort."},
    {"description", CONTROL_LONG_TEXT, 0, 0, 4096, .help = "Who is in it."},
    {"definition", CONTROL_JSON, CONTROL_REQUIRED, 0, COHORT_BYTES,
     .help = "{type: event, criteria: {operator, events: [{name, filters, timeframe, frequency}]}} or {type: property, criteria: {properties: [filters]}}."},
    {"is_static", CONTROL_BOOLEAN, .help = "Whether it stays as it was when it was made; else time goes on."},
    {"created_by", CONTROL_TEXT, CONTROL_READ_ONLY, 0, 36, .help = "User or key that made it."},
    {0},
};
const struct control_resource control_cohorts = {
    .name = "cohort", .plural = "cohorts", .service = "product", .table = "cohorts", .id_column = "cohort_id",
    .scope = CONTROL_TENANT, .belongs = "tenant_id = $1", .scope_column = "tenant_id",
    .read = TENANT_REPORTS_READ, .create = TENANT_REPORTS_WRITE, .write = TENANT_REPORTS_WRITE,
    .delete_ = TENANT_REPORTS_DELETE, .soft_delete = true,
    .limit = 1000, .limit_reason = "each is a choice in every filter",
    .fields = cohort_fields, .check = cohort_check, .help = "Groups of people, by what they did or are, for filters.",
};
