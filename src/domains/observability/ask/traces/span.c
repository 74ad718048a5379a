/* SPDX-License-Identifier: Apache-2.0 */
/* Reads spans from the event store, block by block, into one flat struct. */
#include "domains/observability/ask/traces/traces.h"
#include "domains/observability/spans.h"

#include <ctype.h>

/* SQL keeps columns by name: COLUMN(position, expression). Those of attributes stand in the order of observability_span_columns. */
// clang-format off
#define SPAN_COLUMNS(COLUMN) \
    COLUMN(TRACE_ID, "trace_id_bytes") COLUMN(IDS, "span_ids") COLUMN(SHAPE, "shape") COLUMN(URL_PATH, "url_path") \
    COLUMN(CLIENT_ADDRESS, "client_address") COLUMN(DB_QUERY_TEXT, "db_query_text") COLUMN(USER_ID, "user_id") \
    COLUMN(SESSION_ID, "session_id") COLUMN(TRACE_STATE, "trace_state") COLUMN(SERVICE_NAME, "service_name") \
    COLUMN(RESOURCE, "resource") COLUMN(RESOURCE_SCHEMA_URL, "resource_schema_url") COLUMN(SCOPE_NAME, "scope_name") \
    COLUMN(SCOPE_VERSION, "scope_version") COLUMN(SCOPE_ATTRIBUTES, "scope_attributes") \
    COLUMN(SCOPE_SCHEMA_URL, "scope_schema_url") COLUMN(STATUS_MESSAGE, "status_message") \
    COLUMN(ATTRIBUTES, "other_attributes") COLUMN(STATUS, "status") COLUMN(FLAGS, "flags") \
    COLUMN(DROPPED_ATTRIBUTES, "dropped_attributes_count") COLUMN(DROPPED_EVENTS, "dropped_events_count") \
    COLUMN(DROPPED_LINKS, "dropped_links_count") COLUMN(TIMESTAMP, "timestamp") COLUMN(DURATION, "duration_nano") \
    COLUMN(EVENT_TIMES, "`events.timestamp`") COLUMN(EVENT_NAMES, "`events.name`") \
    COLUMN(EVENT_ATTRIBUTES, "`events.attributes`") COLUMN(EVENT_TYPES, "`events.attribute_types`") \
    COLUMN(EVENT_DROPPED, "`events.dropped_attributes_count`") COLUMN(LINK_TRACE_IDS, "`links.trace_id`") \
    COLUMN(LINK_SPAN_IDS, "`links.span_id`") COLUMN(LINK_STATES, "`links.state`") \
    COLUMN(LINK_ATTRIBUTES, "`links.attributes`") COLUMN(LINK_TYPES, "`links.attribute_types`") \
    COLUMN(LINK_FLAGS, "`links.flags`") COLUMN(LINK_DROPPED, "`links.dropped_attributes_count`")
// clang-format on
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
        {SPAN_TRACE_ID, SPAN_IDS, BLOCK_FIXED_STRING},    {SPAN_SHAPE, SPAN_STATUS_MESSAGE, BLOCK_STRING},
        {SPAN_ATTRIBUTES, SPAN_ATTRIBUTES, BLOCK_MAP},    {SPAN_STATUS, SPAN_DROPPED_LINKS, BLOCK_UINT32},
        {SPAN_TIMESTAMP, SPAN_TIMESTAMP, BLOCK_DATETIME64}, {SPAN_DURATION, SPAN_DURATION, BLOCK_UINT64},
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

/* Sixteen small digits per eight bytes. */
static struct slice hexadecimal(struct arena *arena, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_allocate(arena, 2 * bytes.size);
    if (!text) return SLICE_EMPTY;
    for (size_t i = 0; i < bytes.size; i++) {
        text[2 * i] = digits[(unsigned char)bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    return slice_make(text, 2 * bytes.size);
}

static struct native_value text_value(struct slice text)
{
    return (struct native_value){.kind = BLOCK_STRING, .s = text};
}

/* Of the shape, of the columns, of the map: the order that the letters have. */
static struct traces_attributes all_attributes(const struct native_value *const *columns, size_t row,
                                               const struct observability_shape *shape, struct arena *arena)
{
    const struct native_value *map = &columns[SPAN_ATTRIBUTES][row];
    struct slice values = shape->values, key, value;
    size_t room = OBSERVABILITY_SPAN_COLUMN_COUNT, at = 0;
    for (size_t i = 0; i < values.size; i++) room += values.data[i] == OBSERVABILITY_SHAPE_END;
    struct native_value *items = arena_allocate(arena, (2 * room + map->array.count) * sizeof *items);
    if (!items) return (struct traces_attributes){0};
    while (observability_shape_next(&values, &key, &value)) {
        items[at++] = text_value(key);
        items[at++] = text_value(value);
    }
    for (size_t i = 0; i < OBSERVABILITY_SPAN_COLUMN_COUNT; i++) {
        struct slice own = columns[SPAN_URL_PATH + i][row].s;
        if (!own.size) continue;
        items[at++] = text_value(observability_span_columns[i].key);
        items[at++] = text_value(own);
    }
    if (map->array.count) memcpy(items + at, map->array.items, map->array.count * sizeof *items);
    return (struct traces_attributes){.items = items, .count = (at + map->array.count) / 2, .types = shape->letters};
}
_Static_assert(SPAN_SESSION_ID - SPAN_URL_PATH + 1 == OBSERVABILITY_SPAN_COLUMN_COUNT, "in the order of their table");

static struct traces_span span_at(const struct native_value *const *columns, size_t row, struct arena *arena)
{
#define TEXT(name) columns[SPAN_##name][row].s
#define NUMBER(name) (uint32_t) columns[SPAN_##name][row].u
    static const char no_parent[8];
    struct slice ids = TEXT(IDS), parent = slice_from(ids, 8);
    struct observability_shape shape;
    observability_shape_read(TEXT(SHAPE), &shape);
    return (struct traces_span){.trace_id = hexadecimal(arena, TEXT(TRACE_ID)),
                                .span_id = hexadecimal(arena, slice_first(ids, 8)),
                                .parent_span_id = slice_equal(parent, slice_make(no_parent, 8)) ? SLICE_EMPTY : hexadecimal(arena, parent),
                                .trace_state = TEXT(TRACE_STATE),
                                .name = shape.name,
                                .service_name = TEXT(SERVICE_NAME),
                                .resource = TEXT(RESOURCE),
                                .resource_schema_url = TEXT(RESOURCE_SCHEMA_URL),
                                .scope_name = TEXT(SCOPE_NAME),
                                .scope_version = TEXT(SCOPE_VERSION),
                                .scope_attributes = TEXT(SCOPE_ATTRIBUTES),
                                .scope_schema_url = TEXT(SCOPE_SCHEMA_URL),
                                .status_message = TEXT(STATUS_MESSAGE),
                                .attributes = all_attributes(columns, row, &shape, arena),
                                .kind = shape.kind,
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
            struct traces_span span = span_at(columns, row, arena);
            code = arena_failed(arena) ? error_set(error, ERROR_MEMORY, "no memory for an answer") : take(user, &span, error);
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
    /* A set: an array that is computed is walked for every row, and asks no index. */
    query_text_add(text, "trace_id_bytes IN (SELECT toFixedString(unhex(arrayJoin(");
    query_text_values(text, ids, count);
    query_text_add(text, ")), 16))");
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
        text.is_lookup = true;
        traces_spans_select(&text);
        query_text_add(&text, " AND ");
        traces_ids_write(&text, ids, id_count);
        /* Of one trace what follows is later: parts of the table are left out by it. */
        traces_range_write(&text, done && id_count == 1 ? part.start_ns : from_ns, to_ns);
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
