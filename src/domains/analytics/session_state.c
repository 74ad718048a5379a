/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the session table: rebuilt at start, its rows written every few seconds, its doubts settled, its sessions ended. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "domains/analytics/session_sql.h"
#include "domains/analytics/session_table.h"
#include "os/clock.h"

#define STATE_TICK_MS 5000
#define STATE_COMMIT_ROWS 20000      /* rows of one batch: some MiB */
#define STATE_DOUBTS_LIMIT 1000      /* made anew per statement: their ids are in its text, five times, */
#define STATE_DOUBTS_BYTES (40 * 1024) /* and a statement has at most 256 KiB */
#define STATE_FULL_LOOKS 60          /* a tick looks at all sessions so many times during the timeout */
#define STATE_PART_SESSIONS 8000     /* corrected by one statement: some 50 MiB of the engine's */
#define STATE_DOUBTS_ROUNDS 10       /* per tick */
#define STATE_FIRST_LOAD_LIMIT 1000000
/* At start rows of sessions are compared that had events since this long before the last row was written: whatever was not
 * written then is younger. */
#define STATE_LOOK_BACK_MS (6 * 60 * 60 * 1000)

static void *state_create(const struct domain_state_setting *settings, size_t setting_count)
{
    int64_t timeout_ms = SESSION_TIMEOUT_MS, limit = SESSION_LIMIT;
    for (size_t i = 0; i < setting_count; i++) {
        if (strcmp(settings[i].name, "session_timeout_ms") == 0) timeout_ms = settings[i].value;
        if (strcmp(settings[i].name, "session_limit") == 0) limit = settings[i].value;
    }
    return session_table_create(timeout_ms, (size_t)limit);
}

static void state_destroy(void *state) { session_table_destroy(state); }

static void state_settled(void *state, void *thing, uint64_t segment, bool is_durable)
{
    session_settled(thing, state, segment, is_durable);
}

/* ---- from the event store ---- */

/* The session is as it is stored. */
static void session_take_row(struct session_shard *shard, struct session *session, const struct session_row *row)
{
    if (session->written != session->facts) free(session->written);
    free(session->facts);
    session->facts = session->written = row->facts;
    session->version = row->version;
    session->is_doubtful = false;
    session_set_changed(shard, session, false);
    session->is_started |= row->is_started;
    session->is_ended |= row->is_ended;
    session->is_derived |= row->is_started;
}

/* At start. */
static void state_enter(struct session_table *table, struct session_row *row)
{
    struct slice tenant = slice_make(row->tenant, sizeof row->tenant), id = session_facts_text(row->facts, SESSION_ID);
    struct session_key key = session_table_key(table, tenant, 's', id);
    struct session_shard *shard = session_table_shard(table, &key);
    pthread_mutex_lock(&shard->mutex);
    struct session *session = session_shard_find(shard, &key);
    if (!session) session = session_shard_add(table, shard, &key, tenant, id, row->ingested_ms);
    if (session) session_take_row(shard, session, row);
    pthread_mutex_unlock(&shard->mutex);
    if (!session) {
        free(row->facts);
        return;
    }
    /* Only our own sessions are continued by device. */
    struct slice device = session_facts_text(row->facts, SESSION_DEVICE_ID), profile = session_facts_text(row->facts, SESSION_PROFILE_ID);
    if (!row->is_started) return;
    if (device.size) session_table_link(table, tenant, 'd', device, &key, row->ingested_ms);
    if (row->facts->has_profile && profile.size) session_table_link(table, tenant, 'p', profile, &key, row->ingested_ms);
}

static enum error_code state_correct(struct domain_host *host, const struct session_scope *scope, struct error *error)
{
    struct buffer sql = {0};
    session_sql_correct(&sql, scope);
    enum error_code code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory for a statement")
                                      : host->query(host, buffer_slice(&sql), NULL, NULL, error);
    buffer_free(&sql);
    return code;
}

static enum error_code state_load(struct domain_host *host, const struct session_scope *scope, const char *having, size_t limit,
                                  struct buffer *out, struct error *error)
{
    struct buffer sql = {0};
    session_sql_load(&sql, scope, having, limit);
    enum error_code code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory for a statement")
                                      : host->query(host, buffer_slice(&sql), "RowBinary", out, error);
    buffer_free(&sql);
    return code;
}

static enum error_code state_load_seen(struct session_table *table, struct domain_host *host, int64_t now_ms, struct error *error)
{
    char sql[256];
    struct buffer out = {0};
    snprintf(sql, sizeof sql, "SELECT DISTINCT toFixedString(toString(tenant_id), 36), id FROM analytics.sessions "
             "WHERE ended_at >= fromUnixTimestamp64Milli(%lld) AND length(id) != %d LIMIT 5000000",
             (long long)(now_ms - SESSION_SEEN_MS), VISITOR_SESSION_ID_SIZE);
    enum error_code code = host->query(host, slice_from_string(sql), "RowBinary", &out, error);
    struct slice rest = buffer_slice(&out);
    while (code == ERROR_NONE && rest.size > 37) {
        struct slice tenant = slice_first(rest, 36);
        size_t size = (uint8_t)rest.data[36], at = 37;
        if (size & 128) size = (size & 127) | (size_t)(uint8_t)rest.data[at++] << 7; /* ids have at most 128 bytes */
        if (at + size > rest.size) break;
        struct session_key key = session_table_key(table, tenant, 's', slice_make(rest.data + at, size));
        struct session_shard *shard = session_table_shard(table, &key);
        pthread_mutex_lock(&shard->mutex);
        bool is_there = session_shard_find(shard, &key) != NULL;
        pthread_mutex_unlock(&shard->mutex);
        if (!is_there) session_seen_add(table, &key, now_ms);
        rest = slice_from(rest, at + size);
    }
    buffer_free(&out);
    return code;
}

static enum error_code state_read_all(struct session_table *table, struct slice rows, size_t *ret_count, struct error *error)
{
    struct session_row row;
    bool is_failed = false;
    for (*ret_count = 0; session_sql_read(&rows, &row, &is_failed); ++*ret_count) state_enter(table, &row);
    if (is_failed) return error_set(error, ERROR_MEMORY, "out of memory for the facts of sessions");
    return rows.size == 0 ? ERROR_NONE : error_set(error, ERROR_CORRUPT, "the answer with the facts of sessions is cut");
}

#define STATE_SCOPE_SIZE 768
/* Part `part` of `parts` of the sessions with events since `since_ms`, or rows written since. */
static void scope_since(char scope[STATE_SCOPE_SIZE], int64_t since_ms, size_t part, size_t parts)
{
    long long since = since_ms > 0 ? (long long)(since_ms - since_ms % 1000) : 0; /* as events have it */
    snprintf(scope, STATE_SCOPE_SIZE, "(SELECT session_id FROM analytics.events WHERE session_id != '' AND ingested_at >= fromUnixTimestamp64Milli(%lld) "
             "AND cityHash64(session_id) %% %zu = %zu UNION DISTINCT SELECT id FROM analytics.sessions WHERE "
             "written_at >= fromUnixTimestamp64Milli(%lld) AND cityHash64(id) %% %zu = %zu)", since, parts, part, since, parts, part);
}

/* In how many parts, so that one needs little of the memory a query may have. */
static enum error_code state_count_parts(struct domain_host *host, int64_t since_ms, size_t *ret_parts, struct error *error)
{
    char sql[STATE_SCOPE_SIZE + 64], scope[STATE_SCOPE_SIZE];
    struct buffer out = {0};
    uint64_t count = 0;
    snprintf(scope, sizeof scope, "(SELECT session_id FROM analytics.events WHERE session_id != '' AND ingested_at >= fromUnixTimestamp64Milli(%lld) "
             "UNION ALL SELECT id FROM analytics.sessions WHERE written_at >= fromUnixTimestamp64Milli(%lld))",
             (long long)(since_ms > 0 ? since_ms - since_ms % 1000 : 0), (long long)(since_ms > 0 ? since_ms : 0));
    snprintf(sql, sizeof sql, "SELECT uniq(session_id) FROM %s", scope);
    enum error_code code = host->query(host, slice_from_string(sql), "TSV", &out, error);
    if (code == ERROR_NONE && !slice_parse_uint64(slice_trim(buffer_slice(&out)), &count)) count = 0;
    *ret_parts = (size_t)(count / STATE_PART_SESSIONS) + 1;
    buffer_free(&out);
    return code;
}

static enum error_code state_correct_since(struct domain_host *host, int64_t since_ms, struct error *error)
{
    char scope[STATE_SCOPE_SIZE];
    size_t parts = 1;
    enum error_code code = state_count_parts(host, since_ms, &parts, error);
    for (size_t part = 0; code == ERROR_NONE && part < parts; part++) {
        scope_since(scope, since_ms, part, parts);
        code = state_correct(host, &(struct session_scope){scope, NULL}, error);
    }
    return code;
}

static enum error_code state_start(void *state, struct domain_host *host, struct error *error)
{
    struct session_table *table = state;
    struct buffer out = {0};
    char scope[STATE_SCOPE_SIZE], having[128];
    int64_t now_ms = os_clock_wall_ms(), written_ms = 0, keep_ms = session_table_keep_ms(table);
    enum error_code code = host->query(host, SLICE("SELECT toUnixTimestamp64Milli(max(written_at)) FROM analytics.sessions"), "TSV", &out, error);
    if (code == ERROR_NONE && !slice_parse_int64(slice_trim(buffer_slice(&out)), &written_ms)) written_ms = 0;
    int64_t since_ms = written_ms - STATE_LOOK_BACK_MS;
    if (since_ms > now_ms - keep_ms) since_ms = now_ms - keep_ms;
    if (code == ERROR_NONE) code = state_correct_since(host, since_ms, error);
    snprintf(having, sizeof having, "last_ingested >= fromUnixTimestamp64Milli(%lld) OR (started > 0 AND over = 0)",
             (long long)(now_ms - keep_ms)); /* those that ended while no server ran end now */
    size_t limit = table->shard_limit * SESSION_SHARDS, count = 0;
    size_t parts = 1;
    if (code == ERROR_NONE) code = state_count_parts(host, since_ms, &parts, error);
    for (size_t part = 0; code == ERROR_NONE && part < parts && count < limit; part++) {
        size_t loaded = 0;
        scope_since(scope, since_ms, part, parts);
        buffer_clear(&out);
        code = state_load(host, &(struct session_scope){scope, NULL}, having, limit < STATE_FIRST_LOAD_LIMIT ? limit : STATE_FIRST_LOAD_LIMIT, &out, error);
        if (code == ERROR_NONE) code = state_read_all(table, buffer_slice(&out), &loaded, error);
        count += loaded;
    }
    buffer_free(&out);
    if (code == ERROR_NONE) code = state_load_seen(table, host, now_ms, error);
    return code;
}

/* ---- doubts ---- */

struct doubt { struct session *session; uint64_t changes; };

static bool state_is_full(size_t count, const struct buffer *ids, const struct buffer *pairs)
{
    return count == STATE_DOUBTS_LIMIT || ids->size + pairs->size >= STATE_DOUBTS_BYTES;
}

static size_t state_collect_doubts(struct session_table *table, struct domain_host *host, struct doubt doubts[STATE_DOUBTS_LIMIT],
                                   struct buffer *ids, struct buffer *pairs, bool *ret_more)
{
    size_t count = 0;
    *ret_more = false;
    for (size_t i = 0; i < SESSION_SHARDS && !*ret_more; i++) {
        struct session_shard *shard = &table->sessions[i];
        pthread_mutex_lock(&shard->mutex);
        bool had_doubts = shard->has_doubts;
        shard->has_doubts = false;
        for (struct session *at = had_doubts ? shard->newest : NULL; at; at = at->older) {
            shard->has_doubts |= at->is_doubtful;
            if (state_is_full(count, ids, pairs)) {
                shard->has_doubts = *ret_more = true;
                break;
            }
            if (!at->is_doubtful || at->holds || at->pending || !at->facts || (at->segment && !host->is_stored(host, at->segment))) continue;
            at->was_found = false;
            doubts[count] = (struct doubt){at, at->changes};
            buffer_append_string(ids, count ? ", " : "(");
            session_sql_quote(ids, session_facts_text(at->facts, SESSION_ID));
            buffer_append_string(pairs, count++ ? ", ('" : "(('");
            buffer_append(pairs, at->tenant, sizeof at->tenant);
            buffer_append_string(pairs, "', ");
            session_sql_quote(pairs, session_facts_text(at->facts, SESSION_ID));
            buffer_append_string(pairs, ")");
        }
        pthread_mutex_unlock(&shard->mutex);
    }
    buffer_append(ids, ")", 2); /* with a zero */
    buffer_append(pairs, ")", 2);
    return count;
}

/* The facts read back replace those in memory, unless an event came meanwhile: then the session stays doubtful. */
static void state_replace(struct session_table *table, struct session_row *row, const struct doubt *doubts, size_t count)
{
    struct slice tenant = slice_make(row->tenant, sizeof row->tenant);
    struct session_key key = session_table_key(table, tenant, 's', session_facts_text(row->facts, SESSION_ID));
    struct session_shard *shard = session_table_shard(table, &key);
    bool is_wanted = false;
    pthread_mutex_lock(&shard->mutex);
    struct session *session = session_shard_find(shard, &key);
    for (size_t i = 0; session && i < count; i++)
        if (doubts[i].session == session) is_wanted = doubts[i].changes == session->changes && session->pending == 0;
    if (session) session->was_found = true;
    if (is_wanted) session_take_row(shard, session, row);
    pthread_mutex_unlock(&shard->mutex);
    if (!is_wanted) free(row->facts);
}

/* Sessions that have no event at all: what was counted was never stored. */
static void state_forget_empty(struct session_table *table, const struct doubt *doubts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct session *session = doubts[i].session;
        struct session_shard *shard = &table->sessions[session->shard];
        pthread_mutex_lock(&shard->mutex);
        if (!session->was_found && session->changes == doubts[i].changes && !session->pending) session_shard_remove(shard, session);
        pthread_mutex_unlock(&shard->mutex);
    }
}

/* True: there may be more. */
static bool state_settle_doubts(struct session_table *table, struct domain_host *host)
{
    struct doubt *doubts = malloc(STATE_DOUBTS_LIMIT * sizeof *doubts);
    struct buffer ids = {0}, pairs = {0}, out = {0};
    struct error error;
    enum error_code code = ERROR_NONE;
    if (!doubts || !host->is_stored(host, table->flushed_segment)) {
        free(doubts);
        return false;
    }
    bool has_more;
    size_t count = state_collect_doubts(table, host, doubts, &ids, &pairs, &has_more);
    if (count && !ids.failed && !pairs.failed) {
        const struct session_scope scope = {ids.data, pairs.data};
        code = state_correct(host, &scope, &error);
        if (code == ERROR_NONE) code = state_load(host, &scope, "1", SIZE_MAX >> 1, &out, &error);
        struct slice rows = buffer_slice(&out);
        struct session_row row;
        bool is_failed = false;
        while (code == ERROR_NONE && session_sql_read(&rows, &row, &is_failed)) state_replace(table, &row, doubts, count);
        if (code == ERROR_NONE && !is_failed && rows.size == 0) state_forget_empty(table, doubts, count);
        if (code != ERROR_NONE) log_warn("analytics: %zu sessions cannot be made anew yet: %s", count, error.message);
    }
    free(doubts);
    buffer_free(&ids);
    buffer_free(&pairs);
    buffer_free(&out);
    return has_more && code == ERROR_NONE;
}

/*
 * Sessions there was no room for: by SQL alone, once everything decoded before the last tick is stored. That corrects rows
 * of sessions in memory as well, which are made anew then.
 */
static void state_settle_overflow(struct session_table *table, struct domain_host *host)
{
    struct error error;
    if (table->settling_ms == 0) {
        int64_t since_ms = atomic_exchange(&table->overflown_ms, INT64_MAX);
        table->settling_ms = since_ms == INT64_MAX ? 0 : since_ms;
        table->settling_segment = 0;
        return;
    }
    if (table->settling_segment == 0) {
        table->settling_segment = host->segment(host);
        return;
    }
    if (!host->is_stored(host, table->settling_segment)) return;
    enum error_code code = state_correct_since(host, table->settling_ms - 1000, &error);
    if (code != ERROR_NONE) {
        log_warn("analytics: the rows of sessions beyond analytics.session_limit cannot be made yet: %s", error.message);
        return;
    }
    for (size_t i = 0; i < SESSION_SHARDS; i++) {
        pthread_mutex_lock(&table->sessions[i].mutex);
        for (struct session *at = table->sessions[i].oldest; at; at = at->newer) session_doubt(&table->sessions[i], at);
        pthread_mutex_unlock(&table->sessions[i].mutex);
    }
    table->settling_ms = 0;
}

/* ---- flush ---- */

struct flush {
    struct session_table *table;
    struct domain_host *host;
    struct arena *arena;
    struct buffer sessions; /* struct session * of the batch: doubtful when it fails */
    int64_t now_ms;
};

/* All that is to be written of it was. */
static bool session_is_done(const struct session *session)
{
    return !session->is_changed && !session->is_doubtful && !session->pending && (!session->is_derived || session->is_ended);
}

static void flush_commit(struct flush *flush)
{
    struct error error;
    uint64_t segment = 0;
    struct session **sessions = (struct session **)flush->sessions.data;
    size_t count = flush->sessions.size / sizeof *sessions;
    if (count == 0) return;
    enum error_code code = flush->sessions.failed ? error_set(&error, ERROR_MEMORY, "out of memory") : ERROR_NONE;
    if (code == ERROR_NONE) code = flush->host->commit(flush->host, &segment, &error);
    if (code == ERROR_NONE) {
        if (segment > flush->table->flushed_segment) flush->table->flushed_segment = segment;
        for (size_t i = 0; i < count; i++) {
            struct session_shard *shard = &flush->table->sessions[sessions[i]->shard];
            pthread_mutex_lock(&shard->mutex);
            sessions[i]->can_go = session_is_done(sessions[i]);
            pthread_mutex_unlock(&shard->mutex);
        }
    } else {
        log_warn("analytics: rows of %zu sessions could not be made durable and are made anew: %s", count, error.message);
        for (size_t i = 0; i < count; i++) {
            struct session_shard *shard = &flush->table->sessions[sessions[i]->shard];
            pthread_mutex_lock(&shard->mutex);
            session_doubt(shard, sessions[i]);
            sessions[i]->is_ended = false; /* the window knows whether it was */
            pthread_mutex_unlock(&shard->mutex);
        }
    }
    buffer_clear(&flush->sessions);
    arena_reset(flush->arena);
}

/* At most one pair of rows. The shard is locked. */
static void flush_row(struct flush *flush, struct session *session)
{
    struct block *block = flush->host->block(flush->host, ANALYTICS_TABLE_SESSIONS);
    struct slice tenant = slice_make(session->tenant, sizeof session->tenant);
    if (session->written) session_facts_append(session->written, tenant, -1, session->version, flush->now_ms, block);
    session_facts_append(session->facts, tenant, 1, ++session->version, flush->now_ms, block);
    if (session->written != session->facts) free(session->written);
    session->written = session->facts;
    session_set_changed(&flush->table->sessions[session->shard], session, false);
}

static void flush_end(struct flush *flush, struct session *session)
{
    struct slice tenant = slice_make(session->tenant, sizeof session->tenant);
    struct uuid id = session_boundary_id(tenant, session_facts_text(session->facts, SESSION_ID), SESSION_END_NAME);
    session->is_ended = true;
    if (!flush->host->take(flush->host, ANALYTICS_TABLE_EVENTS, tenant, &id)) return;
    session_facts_append_end(session->facts, tenant, &id, flush->now_ms, flush->arena,
                             flush->host->block(flush->host, ANALYTICS_TABLE_EVENTS));
}

/* True: it can be dropped. */
static bool flush_session(struct flush *flush, struct session *session, bool is_crowded)
{
    struct session_table *table = flush->table;
    if (session->is_doubtful || !session->facts || !session->facts->is_filled) return false;
    int64_t idle_ms = flush->now_ms - session->received_ms;
    bool changed = session->is_changed;
    if (changed) flush_row(flush, session);
    bool ends = session->is_derived && !session->is_ended && !session->pending &&
                (session->is_over || idle_ms > table->timeout_ms || is_crowded);
    if (ends) flush_end(flush, session);
    if (changed || ends) buffer_append(&flush->sessions, &session, sizeof session);
    if (changed || ends) return false;
    session->can_go = session_is_done(session);
    return !session->pending && (idle_ms > session_table_keep_ms(table) || is_crowded);
}

static void flush_visit(struct flush *flush, struct session_shard *shard, struct session *session, bool is_crowded)
{
    if (!flush_session(flush, session, is_crowded)) return;
    session_seen_add(flush->table, &session->key, flush->now_ms);
    session_shard_remove(shard, session);
}

/* `is_full`: all sessions; else those with something new since the last tick, and the oldest of a crowd. */
static void flush_shard(struct flush *flush, struct session_shard *shard, bool is_full)
{
    pthread_mutex_lock(&shard->mutex);
    /* The oldest end early while the shard is nearly full. */
    size_t crowd = shard->count > flush->table->shard_limit * 9 / 10 ? shard->count - flush->table->shard_limit * 9 / 10 : 0;
    for (struct session *at = shard->oldest, *next; at && (is_full || crowd > 0); at = next) {
        next = at->newer;
        flush_visit(flush, shard, at, crowd > 0);
        if (crowd) crowd--;
    }
    for (struct session *at = is_full ? NULL : shard->newest, *next; at && at->moved == shard->tick; at = next) {
        next = at->older;
        flush_visit(flush, shard, at, false);
    }
    shard->tick++;
    pthread_mutex_unlock(&shard->mutex);
}

static void tick(struct session_table *table, struct domain_host *host, int64_t now_ms, bool is_last)
{
    struct flush flush = {.table = table, .host = host, .now_ms = now_ms, .arena = arena_create(0)};
    if (!flush.arena) return;
    /* What moves nowhere grows idle: that is looked for now and then. */
    bool is_full = is_last || now_ms - flush.table->full_ms >= flush.table->timeout_ms / STATE_FULL_LOOKS || now_ms < flush.table->full_ms;
    if (is_full) flush.table->full_ms = now_ms;
    atomic_store(&flush.table->is_pressed, false);
    for (size_t i = 0; i < SESSION_SHARDS; i++) {
        flush_shard(&flush, &flush.table->sessions[i], is_full);
        if (flush.sessions.size / sizeof(struct session *) >= STATE_COMMIT_ROWS) flush_commit(&flush);
    }
    flush_commit(&flush);
    buffer_free(&flush.sessions);
    arena_destroy(flush.arena);
    session_table_drop_links(flush.table, now_ms - session_table_keep_ms(flush.table));
    if (is_last) return; /* what is in doubt is made anew at the next start */
    if (table->holds == 0) state_settle_overflow(table, host); /* it knows no single sessions */
    for (int i = 0; i < STATE_DOUBTS_ROUNDS && state_settle_doubts(table, host); i++) continue;
}

static void state_tick(void *state, struct domain_host *host, int64_t now_ms, bool is_last)
{
    struct session_table *table = state;
    pthread_mutex_lock(&table->tick);
    tick(table, host, now_ms, is_last);
    pthread_mutex_unlock(&table->tick);
}

static bool state_is_pressed(void *state) { return atomic_load(&((struct session_table *)state)->is_pressed); }

const struct domain_state_functions analytics_session_state = {
    .create = state_create,
    .destroy = state_destroy,
    .start = state_start,
    .tick = state_tick,
    .settled = state_settled,
    .forget = session_forget,
    .is_pressed = state_is_pressed,
    .tick_ms = STATE_TICK_MS,
};
