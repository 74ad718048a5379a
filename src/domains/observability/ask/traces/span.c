/* SPDX-License-Identifier: Apache-2.0 */
/* Reads spans from the event store, block by block, into one flat struct. */
#include "domains/observability/ask/traces/traces.h"

#include <ctype.h>

/* SQL keeps columns by name: COLUMN(position, expression). */
#define SPAN_COLUMNS(COLUMN) \
    COLUMN(TRACE_ID, "trace_id") \
    COLUMN(SPAN_ID, "span_id") COLUMN(PARENT_SPAN_ID, "parent_span_id") COLUMN(TRACE_STATE, "trace_state") \
        COLUMN(NAME, "span_name") COLUMN(SERVICE_NAME, "service_name") COLUMN(RESOURCE, "resource") \
            COLUMN(RESOURCE_SCHEMA_URL, \
                   "resource_schema_url") COLUMN(SCOPE_NAME, "scope_name") COLUMN(SCOPE_VERSION, "scope_version") \
                COLUMN(SCOPE_ATTRIBUTES, "scope_attributes") COLUMN(SCOPE_SCHEMA_URL, "scope_schema_url") \
                    COLUMN(STATUS_MESSAGE, "status_message") COLUMN(ATTRIBUTES, "span_attributes") \
                        COLUMN(ATTRIBUTE_TYPES, "span_attribute_types") COLUMN(KIND, "kind") COLUMN(STATUS, "status") \
                            COLUMN(FLAGS, "flags") COLUMN(DROPPED_ATTRIBUTES, "dropped_attributes_count") COLUMN( \
                                DROPPED_EVENTS, "dropped_events_count") COLUMN(DROPPED_LINKS, "dropped_links_count") \
                                COLUMN(TIMESTAMP, "timestamp") COLUMN(DURATION, "duration_nano") \
                                    COLUMN(EVENT_TIMES, "`events.timestamp`") COLUMN(EVENT_NAMES, "`events.name`") \
                                        COLUMN(EVENT_ATTRIBUTES, "`events.attributes`") \
                                            COLUMN(EVENT_TYPES, "`events.attribute_types`") \
                                                COLUMN(EVENT_DROPPED, "`events.dropped_attributes_count`") \
                                                    COLUMN(LINK_TRACE_IDS, "`links.trace_id`") \
                                                        COLUMN(LINK_SPAN_IDS, "`links.span_id`") \
                                                            COLUMN(LINK_STATES, "`links.state`") \
                                                                COLUMN(LINK_ATTRIBUTES, "`links.attributes`") \
                                                                    COLUMN(LINK_TYPES, "`links.attribute_types`") \
                                                                        COLUMN(LINK_FLAGS, "`links.flags`") \
                                                                            COLUMN(LINK_DROPPED, \
                                                                                   "`links.dropped_attributes_count`")
#define POSITION(name, expression) SPAN_##name,
enum { SPAN_COLUMNS(POSITION) SPAN_COLUMN_COUNT };
#define EXPRESSION(name, expression) expression,
static const char *const expressions[] = {SPAN_COLUMNS(EXPRESSION)};

void traces_spans_select(struct query_text *text)
{
    query_text_add(text, "SELECT ");
    for (size_t i = 0; i < SPAN_COLUMN_COUNT; i++) query_text_printf(text, "%s%s", i ? ", " : "", expressions[i]);
    query_text_add(text, "\nFROM observability.traces_v3\nWHERE tenant_id = {tenant:String}");
}

/* What an answer must be, so that no later line needs to look: a value of another kind would be read as what it is not. */
static bool columns_fit(const struct native_block *block)
{
    static const struct {
        unsigned first, last;
        enum block_kind kind;
    } kinds[] = {
        {SPAN_TRACE_ID, SPAN_STATUS_MESSAGE, BLOCK_STRING},         {SPAN_ATTRIBUTES, SPAN_ATTRIBUTES, BLOCK_MAP},
        {SPAN_ATTRIBUTE_TYPES, SPAN_ATTRIBUTE_TYPES, BLOCK_STRING}, {SPAN_KIND, SPAN_DROPPED_LINKS, BLOCK_UINT32},
        {SPAN_TIMESTAMP, SPAN_TIMESTAMP, BLOCK_DATETIME64},         {SPAN_DURATION, SPAN_DURATION, BLOCK_UINT64},
        {SPAN_EVENT_TIMES, SPAN_LINK_DROPPED, BLOCK_ARRAY}};
    if (block->column_count != SPAN_COLUMN_COUNT) return false;
    for (size_t i = 0; block->rows && i < sizeof kinds / sizeof *kinds; i++)
        for (unsigned column = kinds[i].first; column <= kinds[i].last; column++)
            if (block->columns[column].values[0].kind != kinds[i].kind) return false;
    return true;
}

static struct traces_attributes attributes_of(const struct native_value *map, struct slice types)
{
    return (struct traces_attributes){.items = map->array.items, .count = map->array.count / 2, .types = types};
}

static struct traces_span span_at(const struct native_value *const *columns, size_t row)
{
#define TEXT(name) columns[SPAN_##name][row].s
#define NUMBER(name) (uint32_t) columns[SPAN_##name][row].u
    return (struct traces_span){.trace_id = TEXT(TRACE_ID),
                                .span_id = TEXT(SPAN_ID),
                                .parent_span_id = TEXT(PARENT_SPAN_ID),
                                .trace_state = TEXT(TRACE_STATE),
                                .name = TEXT(NAME),
                                .service_name = TEXT(SERVICE_NAME),
                                .resource = TEXT(RESOURCE),
                                .resource_schema_url = TEXT(RESOURCE_SCHEMA_URL),
                                .scope_name = TEXT(SCOPE_NAME),
                                .scope_version = TEXT(SCOPE_VERSION),
                                .scope_attributes = TEXT(SCOPE_ATTRIBUTES),
                                .scope_schema_url = TEXT(SCOPE_SCHEMA_URL),
                                .status_message = TEXT(STATUS_MESSAGE),
                                .attributes = attributes_of(&columns[SPAN_ATTRIBUTES][row], TEXT(ATTRIBUTE_TYPES)),
                                .kind = NUMBER(KIND),
                                .status = NUMBER(STATUS),
                                .flags = NUMBER(FLAGS),
                                .dropped_attributes_count = NUMBER(DROPPED_ATTRIBUTES),
                                .dropped_events_count = NUMBER(DROPPED_EVENTS),
                                .dropped_links_count = NUMBER(DROPPED_LINKS),
                                .start_ns = columns[SPAN_TIMESTAMP][row].i,
                                .duration_ns = columns[SPAN_DURATION][row].u,
                                .event_count = columns[SPAN_EVENT_TIMES][row].array.count,
                                .link_count = columns[SPAN_LINK_TRACE_IDS][row].array.count,
                                .columns = columns,
                                .row = row};
}

/* The arrays of one Nested are equally long: the table sees to it. */
static const struct native_value *item(const struct traces_span *span, size_t column, size_t index)
{
    static const struct native_value nothing;
    const struct native_value *array = &span->columns[column][span->row];
    return index < array->array.count ? &array->array.items[index] : &nothing;
}

struct traces_event traces_span_event(const struct traces_span *span, size_t index)
{
    return (struct traces_event){
        .time_ns = item(span, SPAN_EVENT_TIMES, index)->i,
        .name = item(span, SPAN_EVENT_NAMES, index)->s,
        .attributes = attributes_of(item(span, SPAN_EVENT_ATTRIBUTES, index), item(span, SPAN_EVENT_TYPES, index)->s),
        .dropped_attributes_count = (uint32_t)item(span, SPAN_EVENT_DROPPED, index)->u};
}

struct traces_link traces_span_link(const struct traces_span *span, size_t index)
{
    return (struct traces_link){
        .trace_id = item(span, SPAN_LINK_TRACE_IDS, index)->s,
        .span_id = item(span, SPAN_LINK_SPAN_IDS, index)->s,
        .state = item(span, SPAN_LINK_STATES, index)->s,
        .attributes = attributes_of(item(span, SPAN_LINK_ATTRIBUTES, index), item(span, SPAN_LINK_TYPES, index)->s),
        .flags = (uint32_t)item(span, SPAN_LINK_FLAGS, index)->u,
        .dropped_attributes_count = (uint32_t)item(span, SPAN_LINK_DROPPED, index)->u};
}

struct traces_attribute traces_attribute_at(const struct traces_attributes *attributes, size_t index)
{
    return (struct traces_attribute){.key = attributes->items[2 * index].s,
                                     .text = attributes->items[2 * index + 1].s,
                                     .type = index < attributes->types.size ? attributes->types.data[index] : 's'};
}

enum error_code traces_spans_ask(struct query_context *context, const struct query_text *text, traces_take *take,
                                 void *user, struct error *error)
{
    struct buffer native = {0};
    struct arena *arena = arena_create(0); /* of one block: the question's own would keep all of them */
    enum error_code code = arena ? context->run(context, text, "Native", &native, error)
                                 : error_set(error, ERROR_MEMORY, "no memory for an answer");
    for (struct slice rest = buffer_slice(&native); !code && rest.size;) {
        struct native_block block;
        const struct native_value *columns[SPAN_COLUMN_COUNT];
        arena_reset(arena);
        code = native_reader_next(&rest, arena, &block, error);
        if (!code && block.rows && !columns_fit(&block))
            code = error_set(error, ERROR_CORRUPT, "the event store answered other columns than were asked for");
        if (code || !block.rows) continue;
        for (size_t i = 0; i < SPAN_COLUMN_COUNT; i++) columns[i] = block.columns[i].values;
        for (size_t row = 0; row < block.rows && !code; row++) {
            struct traces_span span = span_at(columns, row);
            code = take(user, &span, error);
        }
    }
    arena_destroy(arena);
    buffer_free(&native);
    return code;
}

struct slice traces_id_read(struct query_context *context, struct slice text)
{
    if (text.size == 0 || text.size > 32) return SLICE_EMPTY;
    char *id = arena_allocate(context->arena, 33);
    if (!id) return SLICE_EMPTY;
    memset(id, '0', 32);
    for (size_t i = 0; i < text.size; i++) {
        if (!isxdigit((unsigned char)text.data[i])) return SLICE_EMPTY;
        id[32 - text.size + i] = (char)tolower((unsigned char)text.data[i]);
    }
    return slice_make(id, 32);
}

void traces_ids_write(struct query_text *text, const struct slice *ids, size_t count)
{
    if (count == 1) {
        query_text_add(text, "trace_id_bytes = toFixedString(unhex(");
        query_text_value(text, ids[0]);
        query_text_add(text, "), 16)");
        return;
    }
    query_text_add(text, "trace_id_bytes IN arrayMap(query_id -> toFixedString(unhex(query_id), 16), ");
    query_text_values(text, ids, count);
    query_text_add(text, ")");
}

void traces_instant_write(struct query_text *text, int64_t unix_ns)
{
    query_text_printf(text, "fromUnixTimestamp64Nano(toInt64(%lld), 'UTC')", (long long)unix_ns);
}

void traces_range_write(struct query_text *text, int64_t from_ns, int64_t to_ns)
{
    if (from_ns) {
        query_text_add(text, " AND timestamp >= ");
        traces_instant_write(text, from_ns);
    }
    if (to_ns) {
        query_text_add(text, " AND timestamp < ");
        traces_instant_write(text, to_ns);
    }
}

/* Spans of one statement: its answer and one block of it are in memory at once. */
#define PART_SPANS 20000
struct part {
    traces_take *take;
    void *user;
    size_t count;
    char trace_id[33], ids[33];
    int64_t start_ns;
};

static enum error_code part_take(void *user, const struct traces_span *span, struct error *error)
{
    struct part *part = user;
    part->count++;
    part->start_ns = span->start_ns;
    snprintf(part->trace_id, sizeof part->trace_id, "%.*s", SLICE_ARGS(span->trace_id));
    snprintf(part->ids, sizeof part->ids, "%.*s%.*s", SLICE_ARGS(span->span_id), SLICE_ARGS(span->parent_span_id));
    for (size_t i = strlen(part->ids); i < 32; i++) part->ids[i] = '0';
    return part->take(part->user, span, error);
}

enum error_code traces_read(struct query_context *context, const struct slice *ids, size_t id_count, int64_t from_ns,
                            int64_t to_ns, size_t limit, traces_take *take, void *user, bool *ret_truncated,
                            struct error *error)
{
    struct part part = {.take = take, .user = user};
    enum error_code code = ERROR_NONE;
    size_t wanted;
    *ret_truncated = false;
    for (size_t done = 0; !code; done = part.count) {
        struct query_text text;
        if (done == limit) {
            *ret_truncated = true; /* as many as were asked for; whether there is one more costs a statement to know */
            break;
        }
        wanted = limit - done < PART_SPANS ? limit - done : PART_SPANS;
        query_text_init(&text, context->arena);
        traces_spans_select(&text);
        query_text_add(&text, " AND ");
        traces_ids_write(&text, ids, id_count);
        traces_range_write(&text, from_ns, to_ns);
        if (done) {
            query_text_add(&text, " AND (trace_id_bytes, timestamp, span_ids) > (toFixedString(unhex(");
            query_text_value(&text, slice_from_string(part.trace_id));
            query_text_add(&text, "), 16), ");
            traces_instant_write(&text, part.start_ns);
            query_text_add(&text, ", toFixedString(unhex(");
            query_text_value(&text, slice_from_string(part.ids));
            query_text_add(&text, "), 16))");
        }
        /* A span that was sent twice is shown once. */
        query_text_printf(
            &text,
            "\nORDER BY trace_id_bytes, timestamp, span_ids LIMIT 1 BY trace_id_bytes, timestamp, span_ids LIMIT %zu",
            wanted);
        code = traces_spans_ask(context, &text, part_take, &part, error);
        if (code == ERROR_TOO_LARGE && done) { /* of all that one question may get: what there is is shown, and said to be a part */
            *ret_truncated = true;
            return ERROR_NONE;
        }
        if (part.count < done + wanted) break;
    }
    return code;
}
