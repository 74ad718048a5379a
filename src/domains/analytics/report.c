/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of reports as tables, and the one way all of them become rows. */
#include "domains/analytics/report.h"
#include "domains/analytics/filter.h"
#include "domains/analytics/session_table.h"

#include <openssl/sha.h>

#include "base/json_writer.h"

#define REPORT_NAME_LIMIT_BYTES 64 /* of a member; the longest known one has 27 */
#define REPORT_TEXTS_LIMIT 64      /* entries of an array of texts */
#define REPORT_TEXTS_LIMIT_BYTES 128

const struct analytics_report_info analytics_reports[ANALYTICS_REPORT_KIND_COUNT] = {
    [ANALYTICS_REPORT_VITAL] = {"vital", "web_vital", "web_vitals", ANALYTICS_TABLE_VITALS},
    [ANALYTICS_REPORT_ERROR] = {"error", "exception", "error", ANALYTICS_TABLE_ERRORS},
    [ANALYTICS_REPORT_CUSTOM] = {"custom", "custom_event", "custom_event", ANALYTICS_TABLE_CUSTOM},
    [ANALYTICS_REPORT_ENGAGEMENT] = {"engagement", "engagement_span", "engagement", ANALYTICS_TABLE_ENGAGEMENT},
    [ANALYTICS_REPORT_LINK] = {"outgoing_link", "link", "outgoing_link", ANALYTICS_TABLE_LINKS},
    [ANALYTICS_REPORT_AI_CALL] = {"ai_call", "llm", "ai_call", ANALYTICS_TABLE_AI_CALLS},
};

enum analytics_report_kind analytics_report_find(struct slice type)
{
    for (size_t i = 0; i < ANALYTICS_REPORT_KIND_COUNT; i++)
        if (slice_equal(type, slice_from_string(analytics_reports[i].own_type)) ||
            slice_equal(type, slice_from_string(analytics_reports[i].own_alias)))
            return (enum analytics_report_kind)i;
    return ANALYTICS_REPORT_KIND_COUNT;
}

/* Columns of the row whose values come from the event. */
struct report_copy { uint8_t row; uint8_t event; };
#define COPY_ALWAYS(T) {T##_ID, EVENT_ID}, {T##_TIMESTAMP, EVENT_CREATED_AT}
#define COPY_WHO(T) {T##_DEVICE_ID, EVENT_DEVICE_ID}, {T##_SESSION_ID, EVENT_SESSION_ID}, {T##_PROFILE_ID, EVENT_PROFILE_ID}
#define COPY_PAGE(T) {T##_ORIGIN, EVENT_ORIGIN}, {T##_PATH, EVENT_PATH}
#define COPY_DIMENSIONS(T)                                                                                             \
    {T##_COUNTRY, EVENT_COUNTRY}, {T##_REGION, EVENT_REGION}, {T##_CITY, EVENT_CITY}, {T##_BROWSER, EVENT_BROWSER},    \
        {T##_BROWSER_VERSION, EVENT_BROWSER_VERSION}, {T##_OS, EVENT_OS}, {T##_OS_VERSION, EVENT_OS_VERSION},          \
        {T##_DEVICE, EVENT_DEVICE}
static const struct report_copy vital_copies[] = {COPY_ALWAYS(VITALS), COPY_WHO(VITALS), COPY_PAGE(VITALS), COPY_DIMENSIONS(VITALS)};
static const struct report_copy error_copies[] = {COPY_ALWAYS(ERRORS), COPY_WHO(ERRORS), COPY_PAGE(ERRORS), COPY_DIMENSIONS(ERRORS)};
static const struct report_copy custom_copies[] = {COPY_ALWAYS(CUSTOM), COPY_WHO(CUSTOM), COPY_PAGE(CUSTOM)};
static const struct report_copy engagement_copies[] = {COPY_ALWAYS(ENGAGEMENT), COPY_WHO(ENGAGEMENT), COPY_PAGE(ENGAGEMENT), COPY_DIMENSIONS(ENGAGEMENT)};
static const struct report_copy link_copies[] = {COPY_ALWAYS(LINKS), COPY_WHO(LINKS), COPY_PAGE(LINKS)};
static const struct report_copy ai_call_copies[] = {COPY_ALWAYS(AI_CALLS)};

/* Columns that a client sets by their own name, or by `other_name`. */
struct report_member {
    uint8_t column;
    const char *other_name;
    bool required;
    bool cut;           /* longer texts are cut, not refused */
    const char *values; /* separated by spaces: nothing else is taken */
};
static const struct report_member vital_members[] = {
    {VITALS_METRIC_NAME, NULL, true, false, "FCP LCP CLS INP TTFB FPS"},
    {VITALS_METRIC_VALUE, NULL, true, false, NULL},
};
static const struct report_member error_members[] = {
    {ERRORS_MESSAGE, NULL, true, false, NULL}, {ERRORS_ERROR_TYPE, NULL, false, false, NULL},
    {ERRORS_FILENAME, NULL, false, false, NULL}, {ERRORS_LINENO, NULL, false, false, NULL},
    {ERRORS_COLNO, NULL, false, false, NULL}, {ERRORS_STACK, NULL, false, false, NULL},
};
static const struct report_member custom_members[] = {
    {CUSTOM_EVENT_NAME, "name", true, false, NULL}, {CUSTOM_NAMESPACE, NULL, false, false, NULL},
    {CUSTOM_SOURCE, NULL, false, false, NULL}, {CUSTOM_WEBSITE_ID, NULL, false, false, NULL},
};
static const struct report_member engagement_members[] = {
    {ENGAGEMENT_EXIT_TYPE, NULL, false, false, "navigation spa hidden unload"}, {ENGAGEMENT_PAGE_INDEX, NULL, false, false, NULL},
    {ENGAGEMENT_TIME_ON_PAGE, NULL, false, false, NULL}, {ENGAGEMENT_ACTIVE_TIME, NULL, false, false, NULL},
    {ENGAGEMENT_TIME_TO_FIRST_INTERACTION, NULL, false, false, NULL}, {ENGAGEMENT_MAX_SCROLL_DEPTH, NULL, false, false, NULL},
    {ENGAGEMENT_SCROLL_COUNT, NULL, false, false, NULL}, {ENGAGEMENT_CLICK_COUNT, NULL, false, false, NULL},
    {ENGAGEMENT_KEY_COUNT, NULL, false, false, NULL}, {ENGAGEMENT_INTERACTION_COUNT, NULL, false, false, NULL},
    {ENGAGEMENT_COPY_COUNT, NULL, false, false, NULL}, {ENGAGEMENT_RAGE_CLICK_COUNT, NULL, false, false, NULL},
    {ENGAGEMENT_DEAD_CLICK_COUNT, NULL, false, false, NULL}, {ENGAGEMENT_FORM_FIELD_COUNT, NULL, false, false, NULL},
    {ENGAGEMENT_FORM_SUBMIT_COUNT, NULL, false, false, NULL}, {ENGAGEMENT_ERROR_COUNT, NULL, false, false, NULL},
    {ENGAGEMENT_RAGE_CLICK_TARGET, NULL, false, true, NULL}, {ENGAGEMENT_DEAD_CLICK_TARGET, NULL, false, true, NULL},
    {ENGAGEMENT_LAST_FORM_FIELD, NULL, false, true, NULL},
};
static const struct report_member link_members[] = {
    {LINKS_HREF, NULL, true, false, NULL}, {LINKS_TEXT, NULL, false, false, NULL},
};
static const struct report_member ai_call_members[] = {
    {AI_CALLS_MODEL, NULL, true, false, NULL}, {AI_CALLS_PROVIDER, NULL, true, false, NULL},
    {AI_CALLS_TYPE, "call_type", false, false, "generate stream"}, {AI_CALLS_FINISH_REASON, NULL, false, false, NULL},
    {AI_CALLS_INPUT_TOKENS, NULL, false, false, NULL}, {AI_CALLS_OUTPUT_TOKENS, NULL, false, false, NULL},
    {AI_CALLS_TOTAL_TOKENS, NULL, false, false, NULL}, {AI_CALLS_CACHED_INPUT_TOKENS, NULL, false, false, NULL},
    {AI_CALLS_CACHE_CREATION_INPUT_TOKENS, NULL, false, false, NULL}, {AI_CALLS_REASONING_TOKENS, NULL, false, false, NULL},
    {AI_CALLS_WEB_SEARCH_COUNT, NULL, false, false, NULL},
    {AI_CALLS_INPUT_TOKEN_COST_USD, "input_token_cost_usd", false, false, NULL},
    {AI_CALLS_OUTPUT_TOKEN_COST_USD, "output_token_cost_usd", false, false, NULL},
    {AI_CALLS_TOTAL_TOKEN_COST_USD, "total_token_cost_usd", false, false, NULL},
    {AI_CALLS_TOOL_CALL_COUNT, NULL, false, false, NULL}, {AI_CALLS_TOOL_RESULT_COUNT, NULL, false, false, NULL},
    {AI_CALLS_TOOL_CALL_NAMES, NULL, false, false, NULL}, {AI_CALLS_DURATION_MS, NULL, false, false, NULL},
    {AI_CALLS_TRACE_ID, NULL, false, false, NULL}, {AI_CALLS_HTTP_STATUS, NULL, false, false, NULL},
    {AI_CALLS_ERROR_NAME, NULL, false, true, NULL}, {AI_CALLS_ERROR_MESSAGE, NULL, false, true, NULL},
    {AI_CALLS_ERROR_STACK, NULL, false, true, NULL},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NO_COLUMN UINT8_MAX
static const struct report_shape {
    const struct report_member *members;
    size_t member_count;
    const struct report_copy *copies;
    size_t copy_count;
    uint8_t properties;      /* column of the map, or NO_COLUMN */
    const char *event_type;  /* it is an event too, of this type */
} shapes[ANALYTICS_REPORT_KIND_COUNT] = {
#define SHAPE(name, properties, event_type) {name##_members, COUNT(name##_members), name##_copies, COUNT(name##_copies), properties, event_type}
    [ANALYTICS_REPORT_VITAL] = SHAPE(vital, NO_COLUMN, NULL),
    [ANALYTICS_REPORT_ERROR] = SHAPE(error, NO_COLUMN, NULL),
    [ANALYTICS_REPORT_CUSTOM] = SHAPE(custom, CUSTOM_PROPERTIES, "custom"),
    [ANALYTICS_REPORT_ENGAGEMENT] = SHAPE(engagement, NO_COLUMN, NULL),
    [ANALYTICS_REPORT_LINK] = SHAPE(link, LINKS_PROPERTIES, "outgoing_link"),
    [ANALYTICS_REPORT_AI_CALL] = SHAPE(ai_call, NO_COLUMN, NULL),
#undef SHAPE
};
/* Objects of a model call whose members are columns, with what stands before their names there. */
static const struct { const char *name, *prefix; } containers[] = {{"usage", ""}, {"cost", ""}, {"tools", ""}, {"error", "error_"}};

struct report {
    const struct analytics_report_rules *rules;
    const struct report_shape *shape;
    enum analytics_report_kind kind;
    struct analytics_row row;
    struct analytics_event event;
    uint64_t seen;             /* members set, by their place in the shape */
    struct slice name;         /* of a custom event */
    struct slice href, text;   /* of a link */
    double form_fields, form_submits;
    bool timed;                /* the client said when */
    bool website_given;
};

static enum error_code report_refuse(struct error *error, struct slice field, const char *reason)
{
    char name[sizeof error->field];
    snprintf(name, sizeof name, "%.*s", SLICE_ARGS(slice_first(field, sizeof name - 1)));
    return error_set_field(error, ERROR_INVALID, name, "%s", reason);
}

/* Camel case as snake case, behind the prefix; an empty slice for what no member is called. */
static struct slice report_name(struct slice key, const char *prefix, char out[REPORT_NAME_LIMIT_BYTES])
{
    size_t size = strlen(prefix);
    memcpy(out, prefix, size);
    for (size_t i = 0; i < key.size; i++) {
        char c = key.data[i], before = i ? key.data[i - 1] : 'A';
        bool upper = c >= 'A' && c <= 'Z';
        if (size + 2 > REPORT_NAME_LIMIT_BYTES) return SLICE_EMPTY;
        if (upper && !(before >= 'A' && before <= 'Z')) out[size++] = '_';
        out[size++] = upper ? (char)(c + 'a' - 'A') : c;
    }
    return slice_make(out, size);
}

static size_t report_member_find(const struct report *report, struct slice name)
{
    const struct analytics_row_column *columns = report->row.table->columns;
    for (size_t i = 0; i < report->shape->member_count; i++) {
        const struct report_member *member = &report->shape->members[i];
        if (slice_equal(name, slice_from_string(columns[member->column].name)) ||
            (member->other_name && slice_equal(name, slice_from_string(member->other_name))))
            return i;
    }
    return report->shape->member_count;
}

static bool report_is_value(const char *values, struct slice text)
{
    struct slice rest = slice_from_string(values);
    while (rest.size)
        if (slice_equal(slice_cut(&rest, ' '), text)) return true;
    return false;
}

static enum error_code report_set_texts(struct report *report, size_t column, struct slice field, struct json_value value,
                                        struct error *error)
{
    struct slice texts[REPORT_TEXTS_LIMIT], key;
    size_t count = 0;
    struct json_value child;
    if (json_value_type(value) != JSON_ARRAY) return report_refuse(error, field, "must be an array of strings");
    for (struct json_iterator iterator = json_iterate(value); json_next(&iterator, &key, &child); count++) {
        if (count == REPORT_TEXTS_LIMIT) return report_refuse(error, field, "has more than 64 entries");
        if (json_value_type(child) != JSON_STRING || json_value_string(child).size > REPORT_TEXTS_LIMIT_BYTES)
            return report_refuse(error, field, "must be an array of strings of at most 128 bytes");
        texts[count] = json_value_string(child);
    }
    analytics_row_put_texts(&report->row, column, texts, count);
    return ERROR_NONE;
}

static enum error_code report_set_member(struct report *report, size_t index, struct slice field, struct json_value value,
                                         struct error *error)
{
    const struct report_member *member = &report->shape->members[index];
    struct arena *arena = report->rules->context->arena;
    struct slice text = SLICE_EMPTY;
    bool is_text = analytics_scalar_text(arena, value, &text);
    if (report->seen >> index & 1) return report_refuse(error, field, "is sent twice");
    report->seen |= UINT64_C(1) << index;
    text = slice_trim(text);
    if (member->required && is_text && text.size == 0) return report_refuse(error, field, "is empty");
    if (member->values && text.size > 0 && !report_is_value(member->values, text)) {
        char reason[96];
        snprintf(reason, sizeof reason, "must be one of %s", member->values);
        return report_refuse(error, field, reason);
    }
    if (report->row.table->schema->columns[member->column].type->kind == BLOCK_ARRAY)
        return report_set_texts(report, member->column, field, value, error);
    if (member->cut && is_text) {
        if (text.size) analytics_row_put_text(&report->row, member->column, text);
        return ERROR_NONE;
    }
    switch (report->kind) {
    case ANALYTICS_REPORT_CUSTOM:
        if (member->column == CUSTOM_EVENT_NAME) report->name = text;
        if (member->column == CUSTOM_WEBSITE_ID) report->website_given = text.size > 0;
        break;
    case ANALYTICS_REPORT_LINK:
        if (member->column == LINKS_HREF) report->href = text;
        if (member->column == LINKS_TEXT) report->text = text;
        break;
    case ANALYTICS_REPORT_ENGAGEMENT:
        if (member->column == ENGAGEMENT_FORM_FIELD_COUNT) analytics_number(value, &report->form_fields);
        if (member->column == ENGAGEMENT_FORM_SUBMIT_COUNT) analytics_number(value, &report->form_submits);
        break;
    default: break;
    }
    return analytics_row_set(&report->row, member->column, field, value, error);
}

/* Whether a report of this kind has use for a column of events. */
static bool report_has_column(const struct report *report, enum analytics_column column)
{
    if (column == EVENT_UNKNOWN) return false;
    if (column == EVENT_URL || column == EVENT_EVENT_ID || column == EVENT_ID) return true;
    if (column == EVENT_IP || column == EVENT_USER_AGENT) return true;
    if (column == EVENT_PROPERTIES) return report->shape->properties != NO_COLUMN;
    if (report->shape->event_type) return column != EVENT_NAME && column != EVENT_EVENT_TYPE;
    for (size_t i = 0; i < report->shape->copy_count; i++)
        if (report->shape->copies[i].event == column) return true;
    return false;
}

static enum error_code report_set_column(struct report *report, enum analytics_column column, struct slice field,
                                         struct json_value value, struct error *error)
{
    struct slice key;
    struct json_value child;
    if (column == EVENT_PROPERTIES && report->rules->property_members && json_value_type(value) == JSON_OBJECT) {
        size_t count = 0;
        for (struct json_iterator iterator = json_iterate(value); json_next(&iterator, &key, &child);) count++;
        if (count > report->rules->property_members) {
            char reason[64];
            snprintf(reason, sizeof reason, "must not have more than %zu members", report->rules->property_members);
            return report_refuse(error, field, reason);
        }
    }
    if (column == EVENT_CREATED_AT) report->timed = true;
    return analytics_event_set(&report->event, report->rules->context, column, field, value, error);
}

static enum error_code report_refuse_unknown(const struct report *report, struct slice key, struct error *error)
{
    if (!report->rules->strict) return ERROR_NONE;
    if (slice_equal(key, SLICE("tenant_id")) || slice_equal(key, SLICE("client_id")) || slice_equal(key, SLICE("project_id")) ||
        slice_equal(key, SLICE("owner_id")))
        return report_refuse(error, key, "may not be sent: the tenant is the one the key belongs to");
    char reason[96];
    snprintf(reason, sizeof reason, "is not a field of type \"%s\"", analytics_reports[report->kind].own_type);
    return report_refuse(error, key, reason);
}

static enum error_code report_take_members(struct report *report, struct json_value object, const char *prefix, struct error *error)
{
    char buffer[REPORT_NAME_LIMIT_BYTES];
    struct slice key;
    struct json_value value;
    struct json_iterator iterator = json_iterate(object);
    enum error_code code = ERROR_NONE;
    while (code == ERROR_NONE && json_next(&iterator, &key, &value)) {
        struct slice name = report_name(key, prefix, buffer);
        if (json_value_type(value) == JSON_NULL) continue;
        /* In our own dialect `type` says what the item is; Databuddy's model calls have a type of their own. */
        bool is_kind = slice_equal(name, SLICE("type")) && (report->rules->strict || report->kind != ANALYTICS_REPORT_AI_CALL);
        if (is_kind || (!report->rules->strict && slice_equal(name, SLICE("anonymize_visitor_ids")))) continue;
        size_t nested = 0;
        bool is_object = report->kind == ANALYTICS_REPORT_AI_CALL && !prefix[0] && json_value_type(value) == JSON_OBJECT;
        while (nested < COUNT(containers) && !(is_object && slice_equal(name, slice_from_string(containers[nested].name)))) nested++;
        size_t member = report_member_find(report, name);
        enum analytics_column column = prefix[0] ? EVENT_UNKNOWN : analytics_column_find(key);
        if (nested < COUNT(containers)) code = report_take_members(report, value, containers[nested].prefix, error);
        else if (member < report->shape->member_count) code = report_set_member(report, member, key, value, error);
        else if (report_has_column(report, column)) code = report_set_column(report, column, key, value, error);
        else code = report_refuse_unknown(report, key, error);
    }
    return code;
}

static enum error_code report_require(const struct report *report, struct error *error)
{
    for (size_t i = 0; i < report->shape->member_count; i++)
        if (report->shape->members[i].required && !(report->seen >> i & 1)) {
            char camel[REPORT_NAME_LIMIT_BYTES];
            const char *name = report->row.table->columns[report->shape->members[i].column].name;
            size_t size = 0;
            for (size_t at = 0; name[at] && size + 1 < sizeof camel; at++) {
                bool upper = !report->rules->strict && name[at] == '_' && name[at + 1];
                if (upper) at++;
                camel[size++] = upper ? (char)(name[at] - 'a' + 'A') : name[at];
            }
            return report_refuse(error, slice_make(camel, size), "is required");
        }
    return ERROR_NONE;
}

/* ---- ids ---- */

struct uuid analytics_derived_id(struct slice scope, const char *type, struct slice name)
{
    struct buffer text = {0};
    struct json_writer writer = {.out = &text};
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct uuid id;
    json_writer_array_begin(&writer);
    json_writer_string(&writer, scope);
    json_writer_string(&writer, slice_from_string(type));
    json_writer_string(&writer, name);
    json_writer_array_end(&writer);
    SHA256((const unsigned char *)buffer_slice(&text).data, text.size, digest);
    buffer_free(&text);
    memcpy(id.bytes, digest, sizeof id.bytes);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x50);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}

/* The client's own id, or its words: a report that names its time and comes again word for word is the same one. Without
 * a time it may well have happened twice. */
static void report_make_id(struct report *report, struct json_value item, size_t position)
{
    const struct analytics_report_rules *rules = report->rules;
    const char *type = analytics_reports[report->kind].databuddy_type;
    struct slice named = analytics_event_text(&report->event, EVENT_EVENT_ID);
    if (analytics_event_has(&report->event, EVENT_ID)) return;
    if (named.size > 0) {
        /* Events of our own dialect take their id from the text in event_enrich.c; other kinds are told apart from them. */
        if (rules->derived || !report->shape->event_type)
            analytics_event_put_id(&report->event, analytics_derived_id(rules->scope, type, named));
        return;
    }
    if (!report->timed || !rules->derived) return;
    struct buffer words = {0};
    buffer_printf(&words, "%zu:", position);
    json_value_write(item, &words);
    if (!words.failed)
        analytics_event_put_id(&report->event, analytics_derived_id(rules->scope, type, buffer_slice(&words)));
    buffer_free(&words);
}

enum error_code analytics_visitor_hide(struct analytics_event *event, const struct analytics_context *context,
                                       const struct privacy_salt *salt, struct json_value item, struct error *error)
{
    struct json_value value;
    bool hide = true;
    if (!salt) return ERROR_NONE;
    if (dialect_get(item, "anonymizeVisitorIds", &value)) {
        bool automatic = json_value_type(value) == JSON_STRING && slice_equal(json_value_string(value), SLICE("auto"));
        if (json_value_type(value) == JSON_BOOL) hide = json_value_bool(value);
        else if (!automatic)
            return error_set_field(error, ERROR_INVALID, "anonymizeVisitorIds", "must be true, false or \"auto\"");
    }
    struct slice id = analytics_event_text(event, EVENT_DEVICE_ID);
    if (!hide || id.size == 0) return ERROR_NONE;
    char *hash = arena_allocate(context->arena, PRIVACY_ID_HASH_SIZE);
    if (!hash) return error_set(error, ERROR_MEMORY, "out of memory");
    privacy_hash_id(id, salt, hash);
    analytics_event_put_text(event, EVENT_DEVICE_ID, slice_make(hash, PRIVACY_ID_HASH_SIZE));
    return ERROR_NONE;
}

void analytics_session_clean(struct analytics_event *event)
{
    struct slice id = analytics_event_text(event, EVENT_SESSION_ID);
    for (size_t i = 0; i < id.size; i++) {
        char c = id.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            analytics_event_unset(event, EVENT_SESSION_ID);
    }
}

/* ---- storing ---- */

static void report_copy_columns(struct report *report)
{
    if (report->kind == ANALYTICS_REPORT_CUSTOM && report->rules->website.size && !report->website_given)
        analytics_row_put_text(&report->row, CUSTOM_WEBSITE_ID, report->rules->website);
    for (size_t i = 0; i < report->shape->copy_count; i++) {
        const struct report_copy *copy = &report->shape->copies[i];
        const union analytics_value *value = &report->event.values[copy->event];
        if (!analytics_event_has(&report->event, copy->event)) continue;
        switch (analytics_columns[copy->event].kind) {
        case EVENT_KIND_TEXT: analytics_row_put_text(&report->row, copy->row, value->text); break;
        case EVENT_KIND_ID: analytics_row_put_id(&report->row, copy->row, value->uuid); break;
        default: analytics_row_put_integer(&report->row, copy->row, value->integer); break;
        }
    }
    if (report->kind == ANALYTICS_REPORT_ENGAGEMENT && report->form_fields > 0 && !(report->form_submits > 0))
        analytics_row_put_integer(&report->row, ENGAGEMENT_FORM_ABANDONED, 1);
}

static void report_add_property(struct report *report, struct slice key, struct slice value)
{
    struct analytics_event *event = &report->event;
    if (value.size == 0 || event->property_count == EVENT_PROPERTY_LIMIT) return;
    event->properties[event->property_count++] = (struct analytics_property){key, value};
    event->set[EVENT_PROPERTIES / 64] |= UINT64_C(1) << (EVENT_PROPERTIES % 64);
}

/* A report that is an event too: the event decides whether it is a duplicate. */
static enum error_code report_store_event(struct report *report, bool *ret_stored, struct error *error)
{
    struct domain_output *output = report->rules->output;
    size_t accepted = output->accepted;
    if (report->event.property_count > 0)
        analytics_row_put_properties(&report->row, report->shape->properties, report->event.properties, report->event.property_count);
    report_add_property(report, SLICE("href"), report->href);
    report_add_property(report, SLICE("text"), report->text);
    if (report->rules->sdk_name.size) analytics_event_put_text(&report->event, EVENT_SDK_NAME, report->rules->sdk_name);
    if (report->rules->sdk_version.size) analytics_event_put_text(&report->event, EVENT_SDK_VERSION, report->rules->sdk_version);
    analytics_event_put_text(&report->event, EVENT_EVENT_TYPE, slice_from_string(report->shape->event_type));
    analytics_event_put_text(&report->event, EVENT_NAME, report->name.size ? report->name : slice_from_string(report->shape->event_type));
    enum error_code code = dialect_store(&report->event, report->rules->context, output, error);
    *ret_stored = output->accepted > accepted && report->event.bot.class == BOT_NONE;
    return code;
}

static enum error_code report_store_row(struct report *report, bool *ret_stored, struct error *error)
{
    struct domain_output *output = report->rules->output;
    enum error_code code = analytics_event_complete(&report->event, report->rules->context, error);
    if (code != ERROR_NONE) return code;
    const struct analytics_context *context = report->rules->context;
    if (context->is_cookieless && analytics_event_has(&report->event, EVENT_DEVICE_ID))
        analytics_event_put_text(&report->event, EVENT_SESSION_ID,
                                 analytics_session_name(context->sessions, context->tenant, context->visitor,
                                                        report->event.values[EVENT_CREATED_AT].integer, context->arena));
    if (analytics_sender_is_filtered(context, analytics_event_text(&report->event, EVENT_PROFILE_ID))) {
        output->filtered++;
        return ERROR_NONE;
    }
    *ret_stored = !(report->event.id_given && domain_rows_seen_before(output->rows, &report->event.values[EVENT_ID].uuid));
    if (!*ret_stored) {
        output->duplicates++;
    } else if (report->event.bot.class != BOT_NONE) {
        *ret_stored = false;
        analytics_event_put_text(&report->event, EVENT_NAME, slice_from_string(analytics_reports[report->kind].own_type));
        dialect_store_bot(&report->event, report->rules->context, output);
    } else {
        output->accepted++;
    }
    return ERROR_NONE;
}

enum error_code analytics_report_take(const struct analytics_report_rules *rules, enum analytics_report_kind kind,
                                      struct json_value item, size_t position, struct error *error)
{
    struct report report = {.rules = rules, .shape = &shapes[kind], .kind = kind, .name = SLICE_EMPTY, .href = SLICE_EMPTY, .text = SLICE_EMPTY};
    bool stored = false;
    if (json_value_type(item) != JSON_OBJECT) return error_set(error, ERROR_INVALID, "an item must be an object");
    analytics_event_init(&report.event);
    analytics_row_begin(&report.row, rules->output->rows, analytics_reports[kind].table, rules->context);
    enum error_code code = report_take_members(&report, item, "", error);
    if (code == ERROR_NONE) code = report_require(&report, error);
    if (code == ERROR_NONE) code = analytics_visitor_hide(&report.event, rules->context, rules->visitor_salt, item, error);
    if (code == ERROR_NONE) {
        analytics_session_clean(&report.event);
        report_make_id(&report, item, position);
        code = report.shape->event_type ? report_store_event(&report, &stored, error) : report_store_row(&report, &stored, error);
    }
    if (code == ERROR_NONE && stored) {
        report_copy_columns(&report);
        analytics_row_commit(&report.row);
    } else {
        analytics_row_rollback(&report.row);
    }
    return code;
}
