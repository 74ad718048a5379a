/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the rows of a page by time and id, then reads them. */
#include "domains/analytics/ask/list.h"

#include "base/uuid.h"
#include "query/rows.h"
#include "query/words.h"

#define DAY_MS INT64_C(86400000)
#define STRETCH_LEAST_MS DAY_MS
#define STRETCH_GROWTH 4
#define STRETCH_MOST_MS (40 * 365 * DAY_MS)

#define EVENT_LIST                                                                                                     \
    "id, name, created_at, session_id, device_id, profile_id, event_type, event_id, sdk_name, sdk_version, path, origin, query_string, "   \
    "hash, title, referrer, referrer_name, referrer_type, country, region, city, longitude, latitude, os, os_version, browser, browser_version, "  \
    "device, brand, model, screen_resolution, viewport_size, language, timezone, connection_type, rtt, downlink, time_on_page, scroll_depth, "   \
    "interaction_count, page_count, utm_source, utm_medium, utm_campaign, utm_term, utm_content, gclid, load_time, dom_ready_time, "           \
    "dom_interactive, ttfb, connection_time, request_time, render_time, redirect_time, domain_lookup_time, duration, revenue, groups, "         \
    "properties, imported_at, ingested_at"
#define SESSION_LIST                                                                                                   \
    "id, profile_id, device_id, groups, created_at, ended_at, duration, is_bounce, entry_origin, entry_path, exit_origin, exit_path, "       \
    "screen_view_count, event_count, revenue, country, region, city, longitude, latitude, os, os_version, browser, browser_version, device, "  \
    "brand, model, utm_source, utm_medium, utm_campaign, utm_term, utm_content, referrer, referrer_name, referrer_type"

static const char id_column[] = "id";
/* Where rows of each list are, and how a row of a page is found again: by a second key that prunes what is read. */
static const struct list {
    const char *table;
    const char *key;       /* a String expression */
    const char *id;        /* as text */
    const char *id_value;  /* what makes of a cursor's text what id is */
    const char *columns;
    bool is_whole;         /* a view that reads everything anyway: one stretch */
} lists[] = {
    [ANALYTICS_LIST_EVENTS] = {"analytics.events", "device_id", "toString(id)", "toUUID(", EVENT_LIST, false},
    [ANALYTICS_LIST_SESSIONS] = {"analytics.sessions FINAL", id_column, id_column, "toString(", SESSION_LIST, false},
    [ANALYTICS_LIST_PROFILES] = {"analytics.profiles", id_column, id_column, "toString(",
                                 "id, is_external, first_name, last_name, email, avatar, properties, groups, created_at, last_seen_at", true},
};

struct cursor { bool is_there; int64_t ms; int64_t stretch_ms; struct slice id; };

/* "1795248000123.2.id": milliseconds, the stretch in days, the id. */
static enum error_code cursor_read(enum analytics_list list, struct slice text, struct cursor *cursor, struct error *error)
{
    *cursor = (struct cursor){.stretch_ms = STRETCH_LEAST_MS, .id = SLICE_EMPTY};
    if (!text.size) return ERROR_NONE;
    struct slice shown = text, ms = slice_cut(&text, '.'), days = slice_cut(&text, '.');
    int64_t stretch_days;
    struct uuid uuid;
    cursor->is_there = slice_parse_int64(ms, &cursor->ms) && slice_parse_int64(days, &stretch_days) && stretch_days > 0 &&
                       stretch_days <= STRETCH_MOST_MS / DAY_MS && text.size > 0 && text.size <= 256 &&
                       (list != ANALYTICS_LIST_EVENTS || uuid_parse(text, &uuid));
    if (!cursor->is_there)
        return error_set_field(error, ERROR_INVALID, "cursor", "cursor=%s is not a next_cursor of this list", query_words_show(shown).text);
    cursor->stretch_ms = stretch_days * DAY_MS;
    cursor->id = text;
    return ERROR_NONE;
}

/* FROM and WHERE; `other` brings the conditions' parameters. */
static void write_source(struct query_text *text, const struct list *list, const struct query_range *range)
{
    query_text_printf(text, "\nFROM %s\nWHERE tenant_id = {tenant:String} AND ", list->table);
    query_text_range(text, "created_at", range);
}

static enum error_code find_stretch(struct query_context *context, const struct list *list, const struct query_range *range,
                                    const struct cursor *cursor, const struct query_text *bound, struct slice conditions, size_t wanted,
                                    size_t offset, struct query_rows *ret_rows, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    if (text.failed) return query_text_check(&text, error);
    memcpy(text.parameters, bound->parameters, bound->parameter_count * sizeof *bound->parameters);
    text.parameter_count = bound->parameter_count;
    text.parameter_bytes = bound->parameter_bytes;
    query_text_printf(&text, "SELECT toUnixTimestamp64Milli(created_at) AS query_ms, %s AS query_id, %s AS query_key", list->id, list->key);
    write_source(&text, list, range);
    if (cursor->is_there) {
        query_text_add(&text, " AND (created_at < ");
        query_text_instant(&text, cursor->ms);
        query_text_printf(&text, " OR id < %s", list->id_value);
        query_text_value(&text, cursor->id);
        query_text_add(&text, "))");
    }
    query_text_slice(&text, conditions);
    query_text_printf(&text, "\nORDER BY created_at DESC, id DESC\nLIMIT %zu OFFSET %zu", wanted, offset);
    return query_rows_ask(context, &text, 3, ret_rows, error);
}

struct found { int64_t ms; struct slice id, key; };

/* Rows of a page in their order; *ret_stretch_ms is how far back was looked at last. */
static enum error_code find_page(struct query_context *context, const struct list *list, const struct analytics_page *page,
                                 const struct cursor *cursor, const struct query_text *bound, struct slice conditions, struct found *found,
                                 size_t *ret_count, int64_t *ret_stretch_ms, struct error *error)
{
    size_t count = 0, wanted = page->limit + 1;
    bool is_whole = list->is_whole || page->offset > 0; /* what is left out is counted over all of the time asked for */
    int64_t end_ms = page->to_ms, stretch_ms = is_whole ? STRETCH_MOST_MS : cursor->stretch_ms;
    if (cursor->is_there && cursor->ms + 1 < end_ms) end_ms = cursor->ms + 1;
    *ret_stretch_ms = stretch_ms;
    while (count < wanted && end_ms > page->from_ms) {
        struct query_range range = {.from_ms = end_ms - stretch_ms, .to_ms = end_ms};
        if (range.from_ms < page->from_ms || is_whole) range.from_ms = page->from_ms;
        struct query_rows rows;
        enum error_code code = find_stretch(context, list, &range, cursor, bound, conditions, wanted - count, page->offset, &rows, error);
        if (code) return code;
        for (size_t i = 0; i < rows.count; i++)
            found[count++] = (struct found){query_rows_integer(&rows, i, 0), query_rows_text(&rows, i, 1), query_rows_text(&rows, i, 2)};
        *ret_stretch_ms = stretch_ms;
        end_ms = range.from_ms;
        if (stretch_ms < STRETCH_MOST_MS / STRETCH_GROWTH) stretch_ms *= STRETCH_GROWTH;
    }
    *ret_count = count;
    return ERROR_NONE;
}

static enum error_code read_page(struct query_context *context, const struct list *list, const struct found *found, size_t count,
                                 struct json_writer *writer, struct error *error)
{
    struct query_text text;
    struct slice *ids = arena_allocate(context->arena, (count + 1) * sizeof *ids), *keys = arena_allocate(context->arena, (count + 1) * sizeof *keys);
    if (!ids || !keys) return error_set(error, ERROR_MEMORY, "no memory for a list");
    for (size_t i = 0; i < count; i++) {
        ids[i] = found[i].id;
        keys[i] = found[i].key;
    }
    query_text_init(&text, context->arena);
    query_text_printf(&text, "SELECT %s", list->columns);
    struct query_range range = {.from_ms = found[count - 1].ms, .to_ms = found[0].ms + 1};
    write_source(&text, list, &range);
    if (list->key != list->id) {
        query_text_printf(&text, " AND %s IN ", list->key);
        query_text_values(&text, keys, count);
    }
    query_text_printf(&text, " AND %s IN ", list->id);
    query_text_values(&text, ids, count);
    query_text_add(&text, "\nORDER BY created_at DESC, id DESC");
    return query_context_append_rows(context, &text, writer, error);
}

/* Ids and keys travel as parameters: pages of long ones are read in parts. */
#define PART_BYTES (QUERY_TEXT_PARAMETER_BYTES / 2)
static enum error_code read_parts(struct query_context *context, const struct list *list, const struct found *found, size_t count,
                                  struct json_writer *writer, struct error *error)
{
    enum error_code code = ERROR_NONE;
    json_writer_array_begin(writer);
    for (size_t first = 0, next; !code && first < count; first = next) {
        size_t bytes = 0;
        for (next = first; next < count && (next == first || bytes < PART_BYTES); next++) bytes += found[next].id.size + found[next].key.size + 8;
        code = read_page(context, list, found + first, next - first, writer, error);
    }
    json_writer_array_end(writer);
    return code;
}

enum error_code analytics_list_write(struct query_context *context, enum analytics_list kind, const struct analytics_page *page,
                                     const struct query_text *text, struct slice conditions, struct json_writer *writer,
                                     struct slice *ret_next_cursor, struct error *error)
{
    ASSERT(page->limit > 0 && page->limit <= ANALYTICS_LIST_LIMIT);
    ASSERT(!page->offset || (!page->cursor.size && page->offset + page->limit <= ANALYTICS_LIST_DEPTH));
    const struct list *list = &lists[kind];
    struct cursor cursor;
    struct found *found = arena_allocate(context->arena, (page->limit + 1) * sizeof *found);
    size_t count;
    int64_t stretch_ms;
    *ret_next_cursor = SLICE_EMPTY;
    if (!found) return error_set(error, ERROR_MEMORY, "no memory for a list");
    enum error_code code = cursor_read(kind, page->cursor, &cursor, error);
    if (!code) code = find_page(context, list, page, &cursor, text, conditions, found, &count, &stretch_ms, error);
    if (code) return code;
    if (count > page->limit) {
        count = page->limit;
        *ret_next_cursor = arena_printf(context->arena, "%lld.%lld.%.*s", (long long)found[count - 1].ms,
                                        (long long)(stretch_ms / DAY_MS), SLICE_ARGS(found[count - 1].id));
    }
    return read_parts(context, list, found, count, writer, error);
}

enum error_code analytics_list_write_person(struct query_context *context, struct query_text *text, struct slice profile_id,
                                            struct error *error)
{
    struct slice person = analytics_person(context, error);
    if (!person.size) return error->code;
    for (int of_visits = 0; of_visits < 2; of_visits++) {
        query_text_add(text, of_visits ? " OR (NOT " ANALYTICS_IS_IDENTIFIED " AND session_id IN (SELECT id FROM analytics.sessions FINAL WHERE "
                                         "tenant_id = {tenant:String} AND " : " AND (");
        query_text_slice(text, person);
        query_text_add(text, " = ");
        query_text_value(text, profile_id);
    }
    query_text_add(text, ")))");
    return ERROR_NONE;
}
