/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the tables with a person's columns, the person's other names, and reads or deletes by them. */
#include "server/person.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "server/domains.h"
#include "server/stopping.h"
#include "server/store_migrations.h"
#include "spool/inspect.h"

/* Attributes of spans and log records that name a visit or a person, by the column that tells such a table. */
struct person_attributes { const char *column, *visit, *people[2]; };
static const struct person_attributes person_attributes[] = {
    {"other_attributes", "session_id", {"user_id", "other_attributes['enduser.id']"}},
    {"log_attributes", "log_attributes['session.id']", {"log_attributes['user.id']", "log_attributes['enduser.id']"}},
};
#define PERSON_ATTRIBUTES (sizeof person_attributes / sizeof person_attributes[0])

/* Read from the event store: a table without any of these columns holds nothing of a person's. */
struct person_table {
    char database[64], table[64];
    bool has_profile, has_device, has_session, has_alias;
    const struct person_attributes *attributes; /* of telemetry; else NULL */
    bool has_hashes; /* profile_hash and device_hash instead of the texts; with the texts they need no looking at */
};
#define PERSON_TABLES 128
/* A mutation rewrites every part that holds a row of the person. */
#define PERSON_TIMEOUT_MS (60 * 60 * 1000)
/* Of all three lists: a statement has at most 256 KiB, and the profiles' stand in it twice. */
#define PERSON_LISTS_LIMIT_BYTES (200 * 1024)
/* Aliases of aliases are followed this far, as the view profile_identities does. */
#define PERSON_ALIAS_STEPS 64
#define PERSON_POLL_MS 50
#define PERSON_HELD_SPOOL_MS 60000
/* Who has set a flush longer than this erases once more after it. */
#define PERSON_FLUSH_LIMIT_MS 30000
#define PERSON_FLUSH_SPARE_MS 1000 /* a flush of many visits takes a moment itself */

struct person_search {
    const struct person_store *store;
    const struct person *person;
    struct person_table tables[PERSON_TABLES];
    size_t count;
    /* Quoted by the event store itself (its format Values): ('a'),('b'). Empty: none. */
    struct buffer profiles, devices, sessions;
};

static bool person_is_cancelled(const struct person_store *store)
{
    return stopping_is_asked() || (store->cancelled && atomic_load(store->cancelled));
}

static enum error_code person_ask(const struct person_search *search, struct slice sql, const char *format,
                                  struct buffer *out, struct error *error)
{
    struct store_parameter parameters[] = {{"tenant", slice_from_string(search->person->tenant_id)},
                                           {"name", slice_from_string(search->person->name)}};
    struct store_query query = {.sql = sql, .tenant = STORE_ALL_TENANTS, .parameters = parameters, .parameter_count = 2,
                                .format = format, .timeout_ms = PERSON_TIMEOUT_MS,
                                .cancelled = search->store->cancelled};
    return store_session_query(search->store->session, &query, out, error);
}

static bool person_copy(char *out, size_t size, struct slice text)
{
    if (text.size >= size) return false;
    memcpy(out, text.data, text.size);
    out[text.size] = 0;
    return true;
}

/* One line per table: database, table, and which of a person's columns it has. One question for all: describing them costs the store as much. */
static enum error_code person_ask_columns(const struct person_search *search, struct buffer *out, struct error *error)
{
    return person_ask(search, SLICE(
        "SELECT database, table, countIf(name = 'profile_id'), countIf(name = 'device_id'), countIf(name = 'session_id'), countIf(name = 'alias'), "
        "countIf(name = 'device_hash'), maxIf(name, type LIKE 'Map(%') FROM system.columns WHERE database NOT IN ('system', 'information_schema', "
        "'INFORMATION_SCHEMA') AND default_kind != 'ALIAS' AND (type IN ('String', 'LowCardinality(String)', 'UInt64') OR type LIKE 'Map(%') "
        "AND (database, table) IN (SELECT database, name FROM system.tables WHERE engine NOT LIKE '%View') GROUP BY database, table"), "TSV", out, error);
}

/* The rest of the table's line; empty when it has none: a view, or nothing of a person's. */
static struct slice person_line(const struct person_search *search, struct slice lines, const char *database, const char *table)
{
    const char *prefix = search->store->settings->store_database_prefix;
    while (lines.size) {
        struct slice line = slice_cut(&lines, '\n'), found_database = slice_cut(&line, '\t'), found_table = slice_cut(&line, '\t');
        if (slice_starts_with(found_database, slice_from_string(prefix)) &&
            slice_equal(slice_from(found_database, strlen(prefix)), slice_from_string(database)) && slice_equal(found_table, slice_from_string(table)))
            return line;
    }
    return SLICE_EMPTY;
}

static enum error_code person_add_table(struct person_search *search, struct slice lines, const char *database, const char *table,
                                        struct error *error)
{
    struct person_table found = {0};
    struct slice line = person_line(search, lines, database, table);
    if (line.size == 0) return ERROR_NONE;
    found.has_profile = slice_equal(slice_cut(&line, '\t'), SLICE("1"));
    found.has_device = slice_equal(slice_cut(&line, '\t'), SLICE("1"));
    found.has_session = slice_equal(slice_cut(&line, '\t'), SLICE("1"));
    found.has_alias = slice_equal(slice_cut(&line, '\t'), SLICE("1"));
    found.has_hashes = slice_equal(slice_cut(&line, '\t'), SLICE("1")) && !found.has_profile && !found.has_device;
    for (size_t i = 0; i < PERSON_ATTRIBUTES; i++)
        if (slice_equal(line, slice_from_string(person_attributes[i].column))) found.attributes = &person_attributes[i];
    if (search->count == PERSON_TABLES || !person_copy(found.database, sizeof found.database, slice_from_string(database)) ||
        !person_copy(found.table, sizeof found.table, slice_from_string(table)))
        return error_set(error, ERROR_INTERNAL, "too many tables, or too long a name of one");
    if (found.has_profile || found.has_device || found.has_session || found.has_hashes || found.attributes) search->tables[search->count++] = found;
    return ERROR_NONE;
}

static enum error_code person_find_tables(struct person_search *search, struct error *error)
{
    struct buffer out = {0};
    enum error_code code = person_ask_columns(search, &out, error);
    for (size_t i = 0; i < server_domain_count && code == ERROR_NONE; i++) {
        const struct domain *domain = server_domains[i];
        if (strcmp(domain->name, "audit") == 0) continue; /* of users, not of visitors; chained, so nothing can go */
        for (size_t j = 0; j < domain->table_count && code == ERROR_NONE; j++)
            code = person_add_table(search, buffer_slice(&out), domain->tables[j].schema->database, domain->tables[j].schema->table, error);
        for (size_t j = 0; j < domain->view_count && code == ERROR_NONE; j++)
            code = person_add_table(search, buffer_slice(&out), domain->views[j].database, domain->views[j].table, error);
    }
    buffer_free(&out);
    return code;
}

static bool person_append_in(struct buffer *sql, bool is_or, const char *column, const struct buffer *list)
{
    if (list->size == 0) return is_or;
    buffer_printf(sql, "%s%s IN (%.*s)", is_or ? " OR " : "", column, (int)list->size, list->data);
    return true;
}

/* No subquery: a mutation may have none on a cluster. */
static bool person_append_has(struct buffer *sql, bool is_or, const char *column, const struct buffer *list)
{
    if (list->size == 0) return is_or;
    buffer_printf(sql, "%shas(arrayMap(name -> cityHash64(name), [%.*s]), %s)", is_or ? " OR " : "", (int)list->size, list->data, column);
    return true;
}

static bool person_append_hashes(const struct person_search *search, struct buffer *sql)
{
    if (search->person->is_device) return person_append_has(sql, false, "device_hash", &search->devices);
    bool any = person_append_has(sql, false, "profile_hash", &search->profiles);
    if (search->devices.size == 0) return any;
    buffer_append_string(sql, any ? " OR ((profile_hash = 0 OR profile_hash = device_hash) AND " : "((profile_hash = 0 OR profile_hash = device_hash) AND ");
    person_append_has(sql, false, "device_hash", &search->devices);
    buffer_append_byte(sql, ')');
    return true;
}

/* Rows that name nobody but a visit: payments that were told of no more. */
static bool person_append_visits(const struct person_search *search, const struct person_table *table, bool is_or, struct buffer *sql)
{
    if (!table->has_session || search->sessions.size == 0) return is_or;
    buffer_printf(sql, "%s(%s%s", is_or ? " OR " : "", table->has_profile ? "profile_id = '' AND " : "", table->has_device ? "device_id = '' AND " : "");
    person_append_in(sql, false, "session_id", &search->sessions);
    buffer_append_byte(sql, ')');
    return true;
}

static bool person_append_attributes(const struct person_search *search, const struct person_attributes *attributes, struct buffer *sql)
{
    bool any = person_append_in(sql, false, attributes->visit, &search->sessions);
    for (size_t i = 0; i < 2 && !search->person->is_device; i++) any = person_append_in(sql, any, attributes->people[i], &search->profiles);
    return any;
}

/* " WHERE .." for the table's rows of the person; nothing, and false, when it can have none. */
static bool person_append_condition(const struct person_search *search, const struct person_table *table, struct buffer *sql)
{
    size_t start = sql->size;
    bool any = false;
    buffer_printf(sql, " WHERE tenant_id = '%s' AND (", search->person->tenant_id);
    if (table->attributes) {
        any = person_append_attributes(search, table->attributes, sql);
    } else if (table->has_hashes) {
        any = person_append_hashes(search, sql);
    } else if (search->person->is_device) {
        if (table->has_device) any = person_append_in(sql, any, "device_id", &search->devices);
        any = person_append_visits(search, table, any, sql);
    } else if (table->has_profile) {
        any = person_append_in(sql, any, "profile_id", &search->profiles);
        if (table->has_alias) any = person_append_in(sql, any, "alias", &search->profiles);
        if (table->has_device && search->devices.size > 0) {
            buffer_append_string(sql, any ? " OR ((profile_id = '' OR profile_id = device_id) AND "
                                          : "((profile_id = '' OR profile_id = device_id) AND ");
            any = person_append_in(sql, false, "device_id", &search->devices);
            buffer_append_byte(sql, ')');
        }
        any = person_append_visits(search, table, any, sql);
    } else if (table->has_session) {
        any = person_append_in(sql, any, "session_id", &search->sessions);
    } else {
        any = person_append_in(sql, any, "device_id", &search->devices);
    }
    buffer_append_byte(sql, ')');
    if (!any) sql->size = start;
    return any;
}

static enum error_code person_check_lists(const struct person_search *search, struct error *error)
{
    if (search->profiles.failed || search->devices.failed || search->sessions.failed)
        return error_set(error, ERROR_MEMORY, "out of memory");
    if (2 * search->profiles.size + search->devices.size + search->sessions.size > PERSON_LISTS_LIMIT_BYTES)
        return error_set(error, ERROR_TOO_LARGE, "the person has more devices and visits than one statement can name; erase by device first");
    return ERROR_NONE;
}

/* Adds what `column` holds in the rows of all tables that have it (and a profile, where devices are looked for). */
static enum error_code person_collect(struct person_search *search, const char *column, bool is_device, struct buffer *list,
                                      struct error *error)
{
    struct buffer sql = {0}, found = {0};
    buffer_append_string(&sql, "SELECT DISTINCT value FROM (");
    bool any = false;
    for (size_t i = 0; i < search->count; i++) {
        const struct person_table *table = &search->tables[i];
        if (is_device ? !(table->has_profile && table->has_device) : !(table->has_session && (table->has_device || table->has_profile)))
            continue;
        size_t start = sql.size;
        buffer_printf(&sql, "%sSELECT toString(%s) AS value FROM %s.%s", any ? " UNION ALL " : "", column, table->database, table->table);
        if (person_append_condition(search, table, &sql)) any = true;
        else sql.size = start;
    }
    buffer_printf(&sql, ") WHERE value != '' ORDER BY value LIMIT %d", PERSON_IDS_LIMIT + 1);
    enum error_code code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory") : ERROR_NONE;
    if (!code && any) code = person_ask(search, buffer_slice(&sql), "Values", &found, error);
    if (!code) {
        buffer_free(list);
        *list = found;
        code = person_check_lists(search, error);
    } else {
        buffer_free(&found);
    }
    buffer_free(&sql);
    return code;
}

/* The profile and all names it goes by. */
static enum error_code person_collect_profiles(struct person_search *search, struct error *error)
{
    enum error_code code = person_ask(search, SLICE("SELECT {name:String}"), "Values", &search->profiles, error);
    for (int step = 0; step < PERSON_ALIAS_STEPS && code == ERROR_NONE; step++) {
        struct buffer sql = {0}, found = {0};
        buffer_printf(&sql,
                      "SELECT DISTINCT value FROM (SELECT arrayJoin([alias, profile_id]) AS value FROM analytics.profile_aliases WHERE "
                      "tenant_id = {tenant:String} AND (alias IN (%.*s) OR profile_id IN (%.*s)) UNION ALL SELECT {name:String}) "
                      "ORDER BY value",
                      (int)search->profiles.size, search->profiles.data, (int)search->profiles.size, search->profiles.data);
        code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory") : person_ask(search, buffer_slice(&sql), "Values", &found, error);
        bool is_same = slice_equal(buffer_slice(&found), buffer_slice(&search->profiles));
        buffer_free(&sql);
        buffer_free(&search->profiles);
        search->profiles = found;
        if (!code) code = person_check_lists(search, error);
        if (is_same) break;
    }
    return code;
}

static enum error_code person_search_start(struct person_search *search, const struct person_store *store,
                                           const struct person *person, struct error *error)
{
    struct uuid uuid;
    *search = (struct person_search){.store = store, .person = person};
    if (!uuid_parse(slice_from_string(person->tenant_id), &uuid)) return error_set(error, ERROR_INTERNAL, "a tenant's id is no UUID");
    if (person->name[0] == 0) return error_set(error, ERROR_INVALID, "a person has a name");
    enum error_code code = person_find_tables(search, error);
    if (!code && person->is_device) code = person_ask(search, SLICE("SELECT {name:String}"), "Values", &search->devices, error);
    if (!code && !person->is_device) code = person_collect_profiles(search, error);
    if (!code && !person->is_device) code = person_collect(search, "device_id", true, &search->devices, error);
    if (!code) code = person_collect(search, "session_id", false, &search->sessions, error);
    return code;
}

static void person_search_end(struct person_search *search)
{
    buffer_free(&search->profiles);
    buffer_free(&search->devices);
    buffer_free(&search->sessions);
}

enum error_code person_export(const struct person_store *store, const struct person *person,
                              bool (*received)(void *context, struct slice bytes), void *context, struct error *error)
{
    struct person_search search;
    enum error_code code = person_search_start(&search, store, person, error);
    for (size_t i = 0; i < search.count && code == ERROR_NONE; i++) {
        const struct person_table *table = &search.tables[i];
        struct buffer sql = {0};
        buffer_printf(&sql, "SELECT '%s.%s' AS table, tuple(*) AS row FROM %s.%s", table->database, table->table, table->database, table->table);
        if (person_append_condition(&search, table, &sql)) {
            struct store_parameter named = {"enable_named_columns_in_function_tuple", SLICE("1")};
            struct store_query query = {.sql = buffer_slice(&sql), .tenant = STORE_ALL_TENANTS, .format = "JSONEachRow",
                                        .settings = &named, .setting_count = 1,
                                        .timeout_ms = PERSON_TIMEOUT_MS, .received = received, .received_context = context,
                                        .cancelled = store->cancelled};
            code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory") : store_session_query(store->session, &query, NULL, error);
        }
        buffer_free(&sql);
    }
    person_search_end(&search);
    return code;
}

/* Deletes by `condition` (from " WHERE" on) and counts before. */
static enum error_code person_delete(const struct person_search *search, struct store_migrations *migrations, const char *database,
                                     const char *table, struct slice condition, struct control_purge_report *report,
                                     struct error *error)
{
    struct buffer sql = {0}, out = {0};
    int64_t rows = 0;
    buffer_printf(&sql, "SELECT count() FROM %s.%s%.*s", database, table, SLICE_ARGS(condition));
    enum error_code code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory") : person_ask(search, buffer_slice(&sql), "TSV", &out, error);
    if (!code && !slice_parse_int64(slice_trim(buffer_slice(&out)), &rows))
        code = error_set(error, ERROR_STORE, "the event store's answer to a count cannot be read");
    if (!code && person_is_cancelled(search->store)) code = error_set(error, ERROR_CANCELLED, "told to end before all rows were removed");
    if (!code && rows > 0) {
        sql.size = 0;
        buffer_printf(&sql, "ALTER TABLE %s.%s DELETE%.*s SETTINGS mutations_sync = 2", database, table, SLICE_ARGS(condition));
        code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                          : migrations->target.execute(migrations->target.context, buffer_slice(&sql), error);
    }
    if (!code && rows > 0) control_purge_report_add(report, database, table, rows);
    buffer_free(&sql);
    buffer_free(&out);
    return code;
}

/* Values of properties that only this person's events had: asked for before the events go. */
static enum error_code person_collect_values(const struct person_search *search, struct buffer *values, struct error *error)
{
    static const struct person_table events = {.database = "analytics", .table = "events", .has_profile = true, .has_device = true, .has_session = true};
    struct buffer sql = {0};
    enum error_code code = ERROR_NONE;
    buffer_append_string(&sql, "SELECT name, key, value FROM (SELECT toString(name) AS name, toString(pair.1) AS key, toString(pair.2) AS value, "
                               "count() AS mine FROM analytics.events ARRAY JOIN properties AS pair");
    if (person_append_condition(search, &events, &sql)) {
        buffer_append_string(&sql, " GROUP BY name, key, value) AS own INNER JOIN (SELECT toString(name) AS name, toString(property_key) AS key, "
                                   "property_value AS value, sum(event_count) AS everybodys FROM analytics.event_property_values WHERE "
                                   "tenant_id = {tenant:String} GROUP BY name, key, value) AS kept USING (name, key, value) WHERE mine >= everybodys "
                                   "ORDER BY name, key, value");
        code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory") : person_ask(search, buffer_slice(&sql), "Values", values, error);
    }
    buffer_free(&sql);
    if (!code && values->size > PERSON_LISTS_LIMIT_BYTES)
        code = error_set(error, ERROR_TOO_LARGE, "the person's events have more values of their own than one statement can name");
    return code;
}

static enum error_code person_delete_values(const struct person_search *search, struct store_migrations *migrations,
                                            const struct buffer *values, struct control_purge_report *report, struct error *error)
{
    if (values->size == 0) return ERROR_NONE;
    struct buffer condition = {0};
    buffer_printf(&condition, " WHERE tenant_id = '%s' AND (name, property_key, property_value) IN (%.*s)", search->person->tenant_id,
                  (int)values->size, values->data);
    enum error_code code = condition.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                                            : person_delete(search, migrations, "analytics", "event_property_values",
                                                            buffer_slice(&condition), report, error);
    buffer_free(&condition);
    return code;
}

/* The visits' ids, unquoted: slices of `names`. */
static enum error_code person_list_sessions(const struct person_search *search, struct buffer *names, struct buffer *sessions,
                                            struct error *error)
{
    struct buffer sql = {0};
    if (search->sessions.size == 0) return ERROR_NONE;
    buffer_printf(&sql, "SELECT value FROM values('value String', %.*s)", (int)search->sessions.size, search->sessions.data);
    enum error_code code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory") : person_ask(search, buffer_slice(&sql), "RowBinary", names, error);
    buffer_free(&sql);
    struct slice rest = buffer_slice(names);
    while (code == ERROR_NONE && rest.size) {
        size_t size = 0;
        for (int shift = 0; rest.size && shift < 28; shift += 7) {
            uint8_t byte = (uint8_t)rest.data[0];
            rest = slice_from(rest, 1);
            size |= (size_t)(byte & 127) << shift;
            if (!(byte & 128)) break;
        }
        if (size > rest.size) return error_set(error, ERROR_STORE, "the event store's list of visits is cut");
        struct slice session = slice_first(rest, size);
        rest = slice_from(rest, size);
        buffer_append(sessions, &session, sizeof session);
    }
    return code ? code : sessions->failed ? error_set(error, ERROR_MEMORY, "out of memory") : ERROR_NONE;
}

static enum error_code person_delete_all(const struct person_search *search, struct control_purge_report *report, struct error *error)
{
    struct store_migrations migrations = {0};
    struct buffer values = {0};
    /* Through the migrations' target, which knows what the tables are called on a cluster. */
    enum error_code code = store_migrations_init(&migrations, search->store->settings, search->store->session, server_domains[0], error);
    if (!code) code = person_collect_values(search, &values, error);
    if (!code) code = person_delete_values(search, &migrations, &values, report, error);
    /* Aliases at last: without them a second try would not find the person's other names. Devices and visits are found
     * by the events, so those go after all but the aliases. */
    static const char *const last[] = {"events", "profile_aliases"};
    for (size_t pass = 0; pass < 3 && !code; pass++) {
        for (size_t i = 0; i < search->count && !code; i++) {
            const struct person_table *table = &search->tables[i];
            size_t turn = strcmp(table->table, last[0]) == 0 ? 1 : strcmp(table->table, last[1]) == 0 ? 2 : 0;
            struct buffer condition = {0};
            if (turn == pass && person_append_condition(search, table, &condition))
                code = condition.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                                        : person_delete(search, &migrations, table->database, table->table,
                                                        buffer_slice(&condition), report, error);
            buffer_free(&condition);
        }
    }
    store_migrations_fini(&migrations);
    buffer_free(&values);
    return code;
}

/* Whether rows wait in a segment of those that were there at first (numbers up to `*last`, which is found first). */
static enum error_code person_look_at_spool(const char *directory, uint64_t *last, bool *ret_waits, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct spool_file *files = NULL;
    size_t count = 0;
    bool is_first = *last == 0;
    *ret_waits = false;
    if (!arena) return error_set(error, ERROR_MEMORY, "out of memory");
    enum error_code code = spool_inspect_list(directory, NULL, 0, arena, &files, &count, error);
    if (code == ERROR_NOT_FOUND) code = ERROR_NONE, count = 0;
    for (size_t i = 0; i < count && !code; i++) {
        bool is_waiting = files[i].state != SPOOL_FILE_QUARANTINED && files[i].rows > 0;
        if (is_first && is_waiting && files[i].number > *last) *last = files[i].number;
        if (is_waiting && files[i].number <= *last) *ret_waits = true;
    }
    arena_destroy(arena);
    return code;
}

enum error_code person_wait_for_spool(const struct person_store *store, int64_t timeout_ms, struct error *error)
{
    char directory[PATH_MAX];
    uint64_t last = 0;
    bool waits = true;
    int64_t end_ms = os_clock_monotonic_ms() + timeout_ms;
    if (snprintf(directory, sizeof directory, "%s/spool", store->settings->data) >= (int)sizeof directory)
        return error_set(error, ERROR_INVALID, "the data folder's path is too long");
    enum error_code code = person_look_at_spool(directory, &last, &waits, error);
    while (!code && waits) {
        if (person_is_cancelled(store)) return error_set(error, ERROR_CANCELLED, "told to end");
        if (os_clock_monotonic_ms() >= end_ms)
            return error_set(error, ERROR_TIMEOUT, "rows that were accepted are still not stored; a running server stores them (millrace spool list)");
        poll(NULL, 0, PERSON_POLL_MS);
        code = person_look_at_spool(directory, &last, &waits, error);
    }
    return code;
}

enum error_code person_wait_for_visits(const struct person_store *store, int64_t timeout_ms, struct error *error)
{
    int64_t flush_ms = store->settings->analytics_session_flush_ms;
    int64_t end_ms = os_clock_monotonic_ms() + (flush_ms < PERSON_FLUSH_LIMIT_MS ? flush_ms : PERSON_FLUSH_LIMIT_MS) + PERSON_FLUSH_SPARE_MS;
    while (os_clock_monotonic_ms() < end_ms) {
        if (person_is_cancelled(store)) return error_set(error, ERROR_CANCELLED, "told to end");
        poll(NULL, 0, PERSON_POLL_MS);
    }
    return person_wait_for_spool(store, timeout_ms, error);
}

enum error_code person_erase(const struct person_store *store, const struct person *person, struct control_purge_report *report,
                             struct error *error)
{
    struct person_search search;
    struct buffer names = {0}, sessions = {0};
    struct slice tenant = slice_from_string(person->tenant_id);
    enum error_code code = person_search_start(&search, store, person, error);
    if (!code && store->states) code = person_list_sessions(&search, &names, &sessions, error);
    const struct slice *list = (const struct slice *)sessions.data;
    size_t count = sessions.size / sizeof *list;
    bool is_held = code == ERROR_NONE;
    if (is_held) ingest_states_forget(store->states, tenant, list, count, false);
    /* What was written of the visits until now is removed with the rest. */
    if (!code && count) code = person_wait_for_spool(store, PERSON_HELD_SPOOL_MS, error);
    if (!code) code = person_delete_all(&search, report, error);
    if (is_held) ingest_states_forget(store->states, tenant, list, count, true);
    person_search_end(&search);
    buffer_free(&sessions);
    buffer_free(&names);
    return code;
}
