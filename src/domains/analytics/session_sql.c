/* SPDX-License-Identifier: Apache-2.0 */
/* The statements. session_facts.c says the same about single events. */
#include "domains/analytics/session_sql.h"

#include <stdlib.h>

static const char row_columns[] =
    "tenant_id, id, profile_id, groups, created_at, ended_at, duration, is_bounce, entry_origin, entry_path, exit_origin, "
    "exit_path, screen_view_count, event_count, revenue, longitude, latitude"
#define SESSION_FIRST(symbol, column) ", " #column
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
    ;

/* An event's place: by time, then by the bytes of its id. */
#define PLACE "(e.created_at, UUIDToNum(e.id))"
#define COUNTS "(e.name NOT IN ('" SESSION_START_NAME "', '" SESSION_END_NAME "') AND e.event_type != '" EVENT_TYPE_JOINED "')"
#define IS_VIEW "(e.name IN ('screen_view', 'page_view', 'pageview') AND e.path != '')"
#define IS_NAMED "(e.profile_id != '' AND e.profile_id != e.device_id)"

static void append_scope(struct buffer *sql, const struct session_scope *scope, const char *tenant, const char *id)
{
    buffer_printf(sql, "(%s IN ", id);
    buffer_append_string(sql, scope->ids);
    if (scope->pairs) {
        buffer_printf(sql, " AND (%s, %s) IN ", tenant, id);
        buffer_append_string(sql, scope->pairs);
    }
    buffer_append_string(sql, ")");
}

/* One row per session: tuples where several columns come from one event. */
static void append_groups(struct buffer *sql, const struct session_scope *scope)
{
    buffer_append_string(sql,
        "(SELECT e.tenant_id AS tenant, e.session_id AS session, "
        "min(e.created_at) AS begun, max(e.created_at) AS ended, "
        "min(" PLACE ") AS first_place, "
        "argMin(tuple(e.longitude, e.latitude, e.profile_id"
#define SESSION_FIRST(symbol, column) ", e." #column
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
        "), " PLACE ") AS first, "
        "countIf(e.path != '') AS pages, "
        "argMinIf((e.origin, e.path), " PLACE ", e.path != '') AS entry, minIf(" PLACE ", e.path != '') AS entry_place, "
        "argMaxIf((e.origin, e.path), " PLACE ", e.path != '') AS exit, maxIf(" PLACE ", e.path != '') AS exit_place, "
        "countIf(" IS_NAMED ") AS named, argMaxIf(e.profile_id, " PLACE ", " IS_NAMED ") AS profile, "
        "maxIf(" PLACE ", " IS_NAMED ") AS profile_place, "
        "countIf(" IS_VIEW ") AS views, countIf(NOT " IS_VIEW ") AS others, "
        "arraySlice(arraySort(groupUniqArrayArray(e.groups)), 1, ");
    buffer_printf(sql, "%d) AS all_groups, sum(toDecimal128(ifNull(e.revenue, 0), 4)) AS money, max(e.ingested_at) AS last_ingested "
                  "FROM analytics.events AS e WHERE e.session_id != '' AND " COUNTS " AND ", SESSION_GROUP_LIMIT);
    append_scope(sql, scope, "e.tenant_id", "e.session_id");
    buffer_append_string(sql, " GROUP BY e.tenant_id, e.session_id)");
}

/* The columns of analytics.sessions from that. */
static void append_definition(struct buffer *sql, const struct session_scope *scope)
{
    buffer_append_string(sql,
        "(SELECT toString(tenant) AS tenant_id, session AS id, if(named > 0, profile, first.3) AS profile_id, "
        "all_groups AS groups, begun AS created_at, ended AS ended_at, "
        "toUInt32(least(toUnixTimestamp64Milli(ended) - toUnixTimestamp64Milli(begun), 4294967295)) AS duration, "
        "CAST(views <= 1, 'Bool') AS is_bounce, toString(entry.1) AS entry_origin, toString(entry.2) AS entry_path, "
        "toString(exit.1) AS exit_origin, toString(exit.2) AS exit_path, toInt32(views) AS screen_view_count, toInt32(others) AS event_count, "
        "CAST(money, 'Decimal(38, 4)') AS revenue, first.1 AS longitude, first.2 AS latitude");
    int position = 4;
#define SESSION_FIRST(symbol, column) buffer_printf(sql, ", toString(first.%d) AS " #column, position++);
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
    buffer_append_string(sql, " FROM ");
    append_groups(sql, scope);
    buffer_append_string(sql, ")");
}

static void append_stored_columns(struct buffer *sql)
{
    buffer_append_string(sql, "toString(s.tenant_id) AS tenant_id, s.id AS id, s.profile_id AS profile_id, s.groups AS groups, "
        "s.created_at AS created_at, s.ended_at AS ended_at, s.duration AS duration, s.is_bounce AS is_bounce, "
        "toString(s.entry_origin) AS entry_origin, s.entry_path AS entry_path, toString(s.exit_origin) AS exit_origin, "
        "s.exit_path AS exit_path, s.screen_view_count AS screen_view_count, s.event_count AS event_count, s.revenue AS revenue, "
        "s.longitude AS longitude, s.latitude AS latitude"
#define SESSION_FIRST(symbol, column) ", toString(s." #column ") AS " #column
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
    );
}

void session_sql_check(struct buffer *sql, const struct session_scope *scope)
{
    buffer_printf(sql, "SELECT %s, sum(n) AS n FROM (SELECT %s, toInt64(1) AS n FROM ", row_columns, row_columns);
    append_definition(sql, scope);
    buffer_append_string(sql, " UNION ALL SELECT ");
    append_stored_columns(sql);
    buffer_append_string(sql, ", -toInt64(s.sign) AS n FROM analytics.sessions AS s WHERE ");
    append_scope(sql, scope, "s.tenant_id", "s.id");
    buffer_printf(sql, ") GROUP BY %s HAVING n != 0", row_columns);
}

void session_sql_correct(struct buffer *sql, const struct session_scope *scope)
{
    buffer_printf(sql, "INSERT INTO analytics.sessions (%s, sign, version, written_at) SELECT %s, sign, version, now64(3) FROM (SELECT %s, "
                  "toInt8(if(net > 0, -1, 1)) AS sign, version FROM (SELECT ", row_columns, row_columns, row_columns);
    append_stored_columns(sql);
    buffer_append_string(sql, ", s.version AS version, sum(toInt64(s.sign)) AS net FROM analytics.sessions AS s WHERE ");
    append_scope(sql, scope, "s.tenant_id", "s.id");
    buffer_printf(sql, " GROUP BY %s, version HAVING net != 0) AS held ARRAY JOIN range(toUInt64(abs(net))) AS repeated UNION ALL SELECT %s, "
                  "toInt8(1) AS sign, newest + 1 AS version FROM ", row_columns, row_columns);
    append_definition(sql, scope);
    buffer_append_string(sql, " AS defined LEFT JOIN (SELECT toString(v.tenant_id) AS tenant_id, v.id AS id, max(v.version) AS newest "
                         "FROM analytics.sessions AS v WHERE ");
    append_scope(sql, scope, "v.tenant_id", "v.id");
    buffer_append_string(sql, " GROUP BY tenant_id, id) AS versions USING (tenant_id, id)) WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM (");
    session_sql_check(sql, scope);
    buffer_append_string(sql, ")) SETTINGS insert_deduplicate = 0");
}

void session_sql_load(struct buffer *sql, const struct session_scope *scope, const char *having, size_t limit)
{
    buffer_append_string(sql,
        "SELECT toFixedString(toString(tenant), 36), session, if(named > 0, profile, first.3), all_groups, "
        "first_place.1, first_place.2, ended, pages > 0, entry_place.1, entry_place.2, exit_place.1, exit_place.2, "
        "toString(entry.1), toString(entry.2), toString(exit.1), toString(exit.2), named > 0, profile_place.1, profile_place.2, toUInt32(views), "
        "toUInt32(others), CAST(money, 'Decimal(38, 4)'), first.1, first.2");
    int position = 4;
#define SESSION_FIRST(symbol, column) buffer_printf(sql, ", toString(first.%d)", position++);
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
    buffer_append_string(sql, ", started > 0, over > 0, newest, last_ingested FROM ");
    append_groups(sql, scope);
    buffer_append_string(sql, " AS facts LEFT JOIN (SELECT b.tenant_id AS tenant, b.session_id AS session, "
                         "countIf(b.name = '" SESSION_START_NAME "') AS started, countIf(b.name = '" SESSION_END_NAME "') AS over "
                         "FROM analytics.events AS b WHERE b.name IN ('" SESSION_START_NAME "', '" SESSION_END_NAME "') AND ");
    append_scope(sql, scope, "b.tenant_id", "b.session_id");
    buffer_append_string(sql, " GROUP BY b.tenant_id, b.session_id) AS boundaries USING (tenant, session) "
                         "LEFT JOIN (SELECT v.tenant_id AS tenant, v.id AS session, max(v.version) AS newest FROM analytics.sessions AS v WHERE ");
    append_scope(sql, scope, "v.tenant_id", "v.id");
    buffer_printf(sql, " GROUP BY v.tenant_id, v.id) AS versions USING (tenant, session) WHERE %s ORDER BY ended DESC LIMIT %zu", having, limit);
}

void session_sql_quote(struct buffer *sql, struct slice text)
{
    buffer_append_byte(sql, '\'');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'' || text.data[i] == '\\') buffer_append_byte(sql, '\\');
        buffer_append_byte(sql, text.data[i]);
    }
    buffer_append_byte(sql, '\'');
}

/* ---- reading RowBinary ---- */

static bool read_bytes(struct slice *bytes, void *out, size_t size)
{
    if (bytes->size < size) return false;
    memcpy(out, bytes->data, size);
    *bytes = slice_from(*bytes, size);
    return true;
}

static bool read_size(struct slice *bytes, size_t *ret_size)
{
    *ret_size = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        uint8_t byte;
        if (!read_bytes(bytes, &byte, 1)) return false;
        *ret_size |= (size_t)(byte & 127) << shift;
        if (!(byte & 128)) return true;
    }
    return false;
}

static bool read_text(struct slice *bytes, struct slice *ret_text)
{
    size_t size;
    if (!read_size(bytes, &size) || size > bytes->size || size > UINT16_MAX) return false;
    *ret_text = slice_first(*bytes, size);
    *bytes = slice_from(*bytes, size);
    return true;
}

static bool read_into(struct slice *bytes, struct session_facts **facts, enum session_text text, bool *is_failed)
{
    struct slice value;
    if (!read_text(bytes, &value)) return false;
    if (!session_facts_set_text(facts, text, value)) *is_failed = true;
    return !*is_failed;
}

static bool read_groups(struct slice *bytes, struct session_facts **facts, bool *is_failed)
{
    char groups[SESSION_GROUP_LIMIT * (EVENT_GROUP_LIMIT_BYTES + 2)];
    size_t count, size = 0;
    if (!read_size(bytes, &count) || count > SESSION_GROUP_LIMIT) return false;
    for (size_t i = 0; i < count; i++) {
        struct slice group;
        if (!read_text(bytes, &group) || group.size > EVENT_GROUP_LIMIT_BYTES) return false;
        uint16_t group_size = (uint16_t)group.size;
        memcpy(groups + size, &group_size, sizeof group_size);
        memcpy(groups + size + sizeof group_size, group.data, group.size);
        size += sizeof group_size + group.size;
    }
    if (!session_facts_set_text(facts, SESSION_GROUPS, slice_make(groups, size))) *is_failed = true;
    return !*is_failed;
}

static bool read_order(struct slice *bytes, struct session_order *order)
{
    return read_bytes(bytes, &order->time_ms, 8) && read_bytes(bytes, order->id.bytes, 16);
}

static bool read_real(struct slice *bytes, float *ret_value, bool *ret_has)
{
    uint8_t is_null;
    *ret_value = 0;
    if (!read_bytes(bytes, &is_null, 1)) return false;
    *ret_has = !is_null;
    return is_null || read_bytes(bytes, ret_value, 4);
}

static bool read_flag(struct slice *bytes, bool *ret_flag)
{
    uint8_t byte;
    if (!read_bytes(bytes, &byte, 1)) return false;
    *ret_flag = byte != 0;
    return true;
}

static bool read_row(struct slice *bytes, struct session_row *row, bool *is_failed)
{
    static const uint8_t pages[] = {SESSION_ENTRY_ORIGIN, SESSION_ENTRY_PATH, SESSION_EXIT_ORIGIN, SESSION_EXIT_PATH};
    struct slice id;
    if (!read_bytes(bytes, row->tenant, sizeof row->tenant) || !read_text(bytes, &id) || id.size > SESSION_ID_LIMIT_BYTES) return false;
    row->facts = session_facts_create(id);
    if (!row->facts) {
        *is_failed = true;
        return false;
    }
    if (!read_into(bytes, &row->facts, SESSION_PROFILE_ID, is_failed) || !read_groups(bytes, &row->facts, is_failed)) return false;
    struct session_facts *facts = row->facts;
    bool done = read_order(bytes, &facts->first) && read_bytes(bytes, &facts->ended_ms, 8) && read_flag(bytes, &facts->has_page) &&
                read_order(bytes, &facts->entry) && read_order(bytes, &facts->exit);
    for (size_t i = 0; done && i < sizeof pages; i++) done = read_into(bytes, &row->facts, pages[i], is_failed);
    facts = row->facts;
    done = done && read_flag(bytes, &facts->has_profile) && read_order(bytes, &facts->profile) && read_bytes(bytes, &facts->views, 4) &&
           read_bytes(bytes, &facts->events, 4) && read_bytes(bytes, &facts->revenue, 16) &&
           read_real(bytes, &facts->longitude, &facts->has_longitude) && read_real(bytes, &facts->latitude, &facts->has_latitude);
#define SESSION_FIRST(symbol, column) done = done && read_into(bytes, &row->facts, SESSION_##symbol, is_failed);
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
    row->facts->is_filled = true;
    return done && read_flag(bytes, &row->is_started) && read_flag(bytes, &row->is_ended) && read_bytes(bytes, &row->version, 8) &&
           read_bytes(bytes, &row->ingested_ms, 8);
}

bool session_sql_read(struct slice *bytes, struct session_row *ret_row, bool *is_failed)
{
    *ret_row = (struct session_row){.facts = NULL};
    if (bytes->size == 0) return false;
    struct slice rest = *bytes;
    if (!read_row(&rest, ret_row, is_failed)) {
        free(ret_row->facts);
        return false;
    }
    *bytes = rest;
    return true;
}
