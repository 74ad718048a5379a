/* SPDX-License-Identifier: Apache-2.0 */
/* Finds SELECTs that run on after their max_execution_time. */
#include "engine/engine_priv.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/log.h"

/* The engine itself is asked, because the limit may stand in the statement. One line per statement: the last word of
 * its log_comment, and by how many milliseconds it is late. */
#define OVERDUE_SQL                                                                                                \
    "SELECT splitByChar(' ', Settings['log_comment'])[-1], toInt64((elapsed - limit) * 1000) FROM "                \
    "(SELECT Settings, elapsed, toFloat64OrZero(Settings['max_execution_time']) AS limit FROM system.processes "   \
    "WHERE query_kind = 'Select') WHERE limit > 0 AND elapsed > limit"

static void leave(const struct engine_job *job, int64_t late_ms)
{
    log_error("engine: a statement cannot be killed %" PRId64 " ms after its max_execution_time; leaving, to be "
              "started again: %.*s", late_ms, SLICE_ARGS(slice_first(job->statement.head, 400)));
    fflush(NULL);
    _exit(ENGINE_EXIT_STUCK); /* without closing: that would wait for the statement */
}

/* With the lock held. */
static void judge(struct engine *engine, struct slice unique, int64_t late_ms)
{
    for (struct engine_job *job = engine->running; job; job = job->next) {
        if (!slice_equal(unique, slice_from_string(job->unique))) continue;
        if (job->statement.kind != ENGINE_STATEMENT_SELECT || late_ms < engine->settings.grace_ms) continue;
        if (!atomic_exchange(&job->overdue, true))
            log_warn("engine: killing a statement %" PRId64 " ms after its max_execution_time: %.*s", late_ms,
                     SLICE_ARGS(slice_first(job->statement.head, 400)));
        atomic_store(&job->abandoned, true);
        /* Waiting for a client is not being stuck: it costs a thread, no processor. */
        bool waits = atomic_load(&job->client_is_slow);
        if (!waits && late_ms >= engine->settings.grace_ms + engine->settings.stuck_ms) leave(job, late_ms);
    }
}

void engine_overdue_find(struct engine *engine, engine_chdb_connection connection)
{
    const struct engine_chdb *chdb = &engine->chdb;
    struct slice sql = SLICE(OVERDUE_SQL);
    engine_chdb_result *result =
        chdb->query(*connection, sql.data, sql.size, "TabSeparated", 12, NULL, NULL, NULL, NULL, 0);
    if (!result) return;
    const char *text = chdb->result_error(result);
    if (text) log_warn("engine: cannot look for late statements: %s", text);
    struct slice rest = text ? SLICE_EMPTY : slice_make(chdb->result_data(result), chdb->result_size(result));
    pthread_mutex_lock(&engine->lock);
    while (rest.size > 0) {
        struct slice line = rest;
        ptrdiff_t end = slice_find(rest, SLICE("\n"));
        if (end >= 0) line = slice_first(rest, (size_t)end);
        rest = end >= 0 ? slice_from(rest, (size_t)end + 1) : SLICE_EMPTY;
        ptrdiff_t tab = slice_find(line, SLICE("\t"));
        uint64_t late_ms;
        if (tab > 0 && slice_parse_uint64(slice_from(line, (size_t)tab + 1), &late_ms))
            judge(engine, slice_first(line, (size_t)tab), (int64_t)late_ms);
    }
    pthread_mutex_unlock(&engine->lock);
    chdb->result_destroy(result);
}
