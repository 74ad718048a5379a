/* SPDX-License-Identifier: Apache-2.0 */
/* A session's facts as rows: of analytics.sessions, and the session_end event. */
#include "domains/analytics/session_facts.h"

static const struct block_type string = {.kind = BLOCK_STRING};
static const struct block_type string_array = {.kind = BLOCK_ARRAY, .inner = &string};
static const struct block_type datetime = {.kind = BLOCK_DATETIME64, .parameter = 3};
static const struct block_type boolean = {.kind = BLOCK_BOOL};
static const struct block_type int8 = {.kind = BLOCK_INT8};
static const struct block_type int32 = {.kind = BLOCK_INT32};
static const struct block_type uint32 = {.kind = BLOCK_UINT32};
static const struct block_type uint64 = {.kind = BLOCK_UINT64};
static const struct block_type decimal = {.kind = BLOCK_DECIMAL128, .parameter = 4};
static const struct block_type float32 = {.kind = BLOCK_FLOAT32};
static const struct block_type nullable_float32 = {.kind = BLOCK_NULLABLE, .inner = &float32};

enum {
    ROW_TENANT_ID, ROW_ID, ROW_PROFILE_ID, ROW_GROUPS, ROW_CREATED_AT, ROW_ENDED_AT, ROW_DURATION, ROW_IS_BOUNCE,
    ROW_ENTRY_ORIGIN, ROW_ENTRY_PATH, ROW_EXIT_ORIGIN, ROW_EXIT_PATH, ROW_SCREEN_VIEW_COUNT, ROW_EVENT_COUNT, ROW_REVENUE,
    ROW_LONGITUDE, ROW_LATITUDE, ROW_SIGN, ROW_VERSION, ROW_WRITTEN_AT,
#define SESSION_FIRST(symbol, column) ROW_##symbol,
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
    ROW_COLUMN_COUNT
};
static const struct block_schema_column row_columns[ROW_COLUMN_COUNT] = {
    [ROW_TENANT_ID] = {"tenant_id", &string},
    [ROW_ID] = {"id", &string},
    [ROW_PROFILE_ID] = {"profile_id", &string},
    [ROW_GROUPS] = {"groups", &string_array},
    [ROW_CREATED_AT] = {"created_at", &datetime},
    [ROW_ENDED_AT] = {"ended_at", &datetime},
    [ROW_DURATION] = {"duration", &uint32},
    [ROW_IS_BOUNCE] = {"is_bounce", &boolean},
    [ROW_ENTRY_ORIGIN] = {"entry_origin", &string},
    [ROW_ENTRY_PATH] = {"entry_path", &string},
    [ROW_EXIT_ORIGIN] = {"exit_origin", &string},
    [ROW_EXIT_PATH] = {"exit_path", &string},
    [ROW_SCREEN_VIEW_COUNT] = {"screen_view_count", &int32},
    [ROW_EVENT_COUNT] = {"event_count", &int32},
    [ROW_REVENUE] = {"revenue", &decimal},
    [ROW_LONGITUDE] = {"longitude", &nullable_float32},
    [ROW_LATITUDE] = {"latitude", &nullable_float32},
    [ROW_SIGN] = {"sign", &int8},
    [ROW_VERSION] = {"version", &uint64},
    [ROW_WRITTEN_AT] = {"written_at", &datetime},
#define SESSION_FIRST(symbol, column) [ROW_##symbol] = {#column, &string},
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
};
const struct block_schema analytics_sessions_schema = {
    .database = "analytics", .table = "session_changes", .columns = row_columns, .column_count = ROW_COLUMN_COUNT};

static const struct { uint8_t column, text; } row_texts[] = {
    {ROW_ID, SESSION_ID}, {ROW_PROFILE_ID, SESSION_PROFILE_ID}, {ROW_ENTRY_ORIGIN, SESSION_ENTRY_ORIGIN},
    {ROW_ENTRY_PATH, SESSION_ENTRY_PATH}, {ROW_EXIT_ORIGIN, SESSION_EXIT_ORIGIN}, {ROW_EXIT_PATH, SESSION_EXIT_PATH},
#define SESSION_FIRST(symbol, column) {ROW_##symbol, SESSION_##symbol},
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
};

/* The next group of the text SESSION_GROUPS; false at its end. */
static bool group_next(struct slice *groups, struct slice *ret_group)
{
    uint16_t size;
    if (groups->size == 0) return false;
    memcpy(&size, groups->data, sizeof size);
    *ret_group = slice_make(groups->data + sizeof size, size);
    *groups = slice_from(*groups, sizeof size + size);
    return true;
}

void session_facts_append(const struct session_facts *facts, struct slice tenant, int sign, uint64_t version,
                          int64_t written_ms, struct block *block)
{
    struct slice groups = session_facts_text(facts, SESSION_GROUPS), group;
    block_append_string(block, ROW_TENANT_ID, tenant);
    for (size_t i = 0; i < sizeof row_texts / sizeof row_texts[0]; i++)
        if (facts->sizes[row_texts[i].text])
            block_append_string(block, row_texts[i].column, session_facts_text(facts, row_texts[i].text));
    block_array_begin(block, ROW_GROUPS);
    while (group_next(&groups, &group)) block_append_string(block, ROW_GROUPS, group);
    block_array_end(block, ROW_GROUPS);
    block_append_int(block, ROW_CREATED_AT, facts->first.time_ms);
    block_append_int(block, ROW_ENDED_AT, facts->ended_ms);
    block_append_uint(block, ROW_DURATION, session_facts_duration_ms(facts));
    block_append_uint(block, ROW_IS_BOUNCE, session_facts_is_bounce(facts));
    block_append_int(block, ROW_SCREEN_VIEW_COUNT, facts->views);
    block_append_int(block, ROW_EVENT_COUNT, facts->events);
    block_append_int128(block, ROW_REVENUE, facts->revenue);
    if (facts->has_longitude) block_append_double(block, ROW_LONGITUDE, (double)facts->longitude);
    if (facts->has_latitude) block_append_double(block, ROW_LATITUDE, (double)facts->latitude);
    block_append_int(block, ROW_SIGN, sign);
    block_append_uint(block, ROW_VERSION, version);
    block_append_int(block, ROW_WRITTEN_AT, written_ms);
    block_append_defaults_for_missing(block);
    block_row_commit(block);
}

static const struct { enum analytics_column column; enum session_text text; } end_texts[] = {
    {EVENT_SESSION_ID, SESSION_ID}, {EVENT_PROFILE_ID, SESSION_PROFILE_ID}, {EVENT_ORIGIN, SESSION_EXIT_ORIGIN},
    {EVENT_PATH, SESSION_EXIT_PATH},
#define SESSION_FIRST(symbol, column) {EVENT_##symbol, SESSION_##symbol},
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
};

void session_facts_append_end(const struct session_facts *facts, struct slice tenant, const struct uuid *id,
                              int64_t written_ms, struct arena *arena, struct block *block)
{
    struct analytics_event *event = arena_allocate(arena, sizeof *event);
    ASSERT(event != NULL); /* its arena holds nothing else */
    analytics_event_init(event);
    analytics_event_put_text(event, EVENT_TENANT_ID, tenant);
    analytics_event_put_id(event, *id);
    analytics_event_put_text(event, EVENT_NAME, SLICE(SESSION_END_NAME));
    analytics_event_put_text(event, EVENT_EVENT_TYPE, SLICE("track"));
    for (size_t i = 0; i < sizeof end_texts / sizeof end_texts[0]; i++)
        analytics_event_put_text(event, end_texts[i].column, session_facts_text(facts, end_texts[i].text));
    analytics_event_put_integer(event, EVENT_CREATED_AT, facts->ended_ms + 1000);
    analytics_event_put_integer(event, EVENT_INGESTED_AT, written_ms - written_ms % 1000);
    analytics_event_put_integer(event, EVENT_PAGE_COUNT, 1);
    analytics_event_put_integer(event, EVENT_DURATION, session_facts_duration_ms(facts));
    if (facts->has_longitude) analytics_event_put_real(event, EVENT_LONGITUDE, (double)facts->longitude);
    if (facts->has_latitude) analytics_event_put_real(event, EVENT_LATITUDE, (double)facts->latitude);
    struct slice groups = session_facts_text(facts, SESSION_GROUPS), group;
    while (group_next(&groups, &group)) analytics_event_put_group(event, group);
    analytics_event_put_property(event, SLICE("__bounce"), session_facts_is_bounce(facts) ? SLICE("true") : SLICE("false"));
    analytics_event_append(event, block);
}
