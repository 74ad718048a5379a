/* SPDX-License-Identifier: Apache-2.0 */
/* Measures a metadata database through meta.h: `meta_bench LOCATION ROUNDS MILLISECONDS`, one JSON line per measurement. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "meta/meta.h"
#include "os/clock.h"
#include "os/thread.h"

#define BENCH_ORGANIZATIONS 100
#define BENCH_WORKSPACES 10 /* of each organization */
#define BENCH_TENANTS 10    /* of each workspace */
#define BENCH_BATCH 100
#define BENCH_THREADS_MOST 8
#define BENCH_SAMPLES 200000 /* of one thread and round; later ones are counted but not kept */

static struct meta_database *database;
static _Atomic int64_t next_id = 1000000;
static char batch_sql[8192];

static _Noreturn void die(const struct error *error)
{
    fprintf(stderr, "meta_bench: %s\n", error->message);
    exit(1);
}

struct worker {
    const struct bench_case *of;
    int64_t until_us;
    uint64_t random;
    size_t operations;
    int32_t *samples_us;
    struct os_thread thread;
    struct error error;
    size_t rows;
};

static int64_t pick(struct worker *worker, int64_t count)
{
    worker->random = worker->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int64_t)(worker->random >> 33) % count;
}

#define INSERT_ONE "insert into events (id, tenant_id, name, created_at) values ($1, $2, $3, $4)"

static enum error_code insert_one(struct worker *worker, struct meta_session *session)
{
    return meta_execute(session, INSERT_ONE,
                        META_PARAMETERS(meta_integer(next_id++), meta_integer(pick(worker, 1000)), meta_string("signup"),
                                        meta_integer(1700000000000)),
                        NULL, &worker->error);
}

static enum error_code insert_single(struct worker *worker, struct meta_session *session)
{
    return insert_one(worker, session);
}

static enum error_code insert_transaction(struct worker *worker, struct meta_session *session)
{
    enum error_code code = meta_begin(session, &worker->error);
    for (int i = 0; i < BENCH_BATCH && !code; i++) code = insert_one(worker, session);
    return code ? code : meta_commit(session, &worker->error);
}

static enum error_code insert_rows(struct worker *worker, struct meta_session *session)
{
    struct meta_value values[4 * BENCH_BATCH];
    for (int i = 0; i < BENCH_BATCH; i++) {
        values[4 * i] = meta_integer(next_id++);
        values[4 * i + 1] = meta_integer(pick(worker, 1000));
        values[4 * i + 2] = meta_string("signup");
        values[4 * i + 3] = meta_integer(1700000000000);
    }
    return meta_execute(session, batch_sql, values, 4 * BENCH_BATCH, NULL, &worker->error);
}

static enum error_code count_row(void *context, const struct meta_row *row, struct error *error)
{
    ((struct worker *)context)->rows++;
    return ERROR_NONE;
}

static enum error_code select_key(struct worker *worker, struct meta_session *session)
{
    return meta_query(session, "select id, workspace_id, name, code from tenants where id = $1",
                      META_PARAMETERS(meta_integer(pick(worker, BENCH_ORGANIZATIONS * BENCH_WORKSPACES * BENCH_TENANTS))),
                      count_row, worker, &worker->error);
}

static enum error_code select_join(struct worker *worker, struct meta_session *session)
{
    return meta_query(session,
                      "select o.name, w.name, t.id, t.name, t.code from organizations o"
                      " join workspaces w on w.organization_id = o.id join tenants t on t.workspace_id = w.id"
                      " where o.id = $1 order by t.code",
                      META_PARAMETERS(meta_integer(pick(worker, BENCH_ORGANIZATIONS))), count_row, worker, &worker->error);
}

static const struct bench_case {
    const char *name;
    size_t rows; /* of one operation */
    enum error_code (*run)(struct worker *worker, struct meta_session *session);
} bench_cases[] = {
    {"insert_single", 1, insert_single},
    {"insert_transaction", BENCH_BATCH, insert_transaction},
    {"insert_rows", BENCH_BATCH, insert_rows},
    {"select_key", 1, select_key},
    {"select_join", BENCH_WORKSPACES * BENCH_TENANTS, select_join},
};

static void work(void *context)
{
    struct worker *worker = context;
    int64_t now_us = os_clock_monotonic_us();
    while (now_us < worker->until_us) {
        struct meta_session *session;
        enum error_code code = meta_session_begin(database, 60000, &session, &worker->error);
        if (!code) code = worker->of->run(worker, session);
        if (code) die(&worker->error);
        meta_session_end(session);
        int64_t end_us = os_clock_monotonic_us();
        if (worker->operations < BENCH_SAMPLES) worker->samples_us[worker->operations] = (int32_t)(end_us - now_us);
        worker->operations++;
        now_us = end_us;
    }
}

static int compare(const void *a, const void *b) { return *(const int32_t *)a - *(const int32_t *)b; }

static void measure(const struct bench_case *of, int thread_count, int64_t milliseconds, int32_t *samples, bool print)
{
    static struct worker workers[BENCH_THREADS_MOST];
    struct error error;
    int64_t start_us = os_clock_monotonic_us();
    for (int i = 0; i < thread_count; i++) {
        workers[i] = (struct worker){.of = of, .until_us = start_us + milliseconds * 1000, .random = (uint64_t)i + 1,
                                     .samples_us = samples + (size_t)i * BENCH_SAMPLES};
        if (os_thread_start(&workers[i].thread, "bench", work, &workers[i], &error)) die(&error);
    }
    size_t operations = 0, kept = 0, rows = 0;
    for (int i = 0; i < thread_count; i++) {
        os_thread_join(&workers[i].thread);
        size_t own = workers[i].operations < BENCH_SAMPLES ? workers[i].operations : BENCH_SAMPLES;
        memmove(samples + kept, workers[i].samples_us, own * sizeof *samples);
        kept += own;
        operations += workers[i].operations;
        rows += workers[i].rows;
    }
    double seconds = (double)(os_clock_monotonic_us() - start_us) / 1e6;
    if (rows && rows != operations * of->rows) {
        fprintf(stderr, "meta_bench: %s gave %zu rows in %zu operations\n", of->name, rows, operations);
        exit(1);
    }
    qsort(samples, kept, sizeof *samples, compare);
    if (print)
        printf("{\"case\":\"%s\",\"threads\":%d,\"operations_per_second\":%.1f,\"rows_per_second\":%.1f,\"p50_us\":%d,\"p99_us\":%d}\n",
               of->name, thread_count, (double)operations / seconds, (double)(operations * of->rows) / seconds,
               samples[kept / 2], samples[kept * 99 / 100]);
    fflush(stdout);
}

static void fill(struct meta_session *session)
{
    struct error error;
    static const char tables[] =
        "create table organizations (id bigint not null primary key, name text not null);"
        "create table workspaces (id bigint not null primary key, organization_id bigint not null references organizations (id),"
        " name text not null);"
        "create index workspaces_by_organization on workspaces (organization_id);"
        "create table tenants (id bigint not null primary key, workspace_id bigint not null references workspaces (id),"
        " name text not null, code text not null unique);"
        "create index tenants_by_workspace on tenants (workspace_id);"
        "create table events (id bigint not null primary key, tenant_id bigint not null references tenants (id),"
        " name text not null, created_at bigint not null);"
        "create index events_by_tenant on events (tenant_id, created_at);";
    /* Numbers that are counted need no generator of either dialect: a recursive table makes them. */
    char rows[1200];
    snprintf(rows, sizeof rows,
             "insert into organizations with recursive n (i) as (select 0 union all select i + 1 from n where i < %d)"
             " select i, 'organization ' || i from n;"
             "insert into workspaces with recursive n (i) as (select 0 union all select i + 1 from n where i < %d)"
             " select i, i / %d, 'workspace ' || i from n;"
             "insert into tenants with recursive n (i) as (select 0 union all select i + 1 from n where i < %d)"
             " select i, i / %d, 'tenant ' || i, 'tenant-' || i from n; analyze",
             BENCH_ORGANIZATIONS - 1, BENCH_ORGANIZATIONS * BENCH_WORKSPACES - 1, BENCH_WORKSPACES,
             BENCH_ORGANIZATIONS * BENCH_WORKSPACES * BENCH_TENANTS - 1, BENCH_TENANTS);
    if (meta_execute_script(session, tables, &error) || meta_execute_script(session, rows, &error)) die(&error);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: meta_bench LOCATION ROUNDS MILLISECONDS\n");
        return 2;
    }
    struct error error;
    struct meta_session *session;
    uint64_t rounds = 0, milliseconds = 0;
    if (!slice_parse_uint64(slice_from_string(argv[2]), &rounds) || !slice_parse_uint64(slice_from_string(argv[3]), &milliseconds))
        return 2;
    if (meta_open(argv[1], "bench", &database, &error) || meta_session_begin(database, 60000, &session, &error)) die(&error);
    fill(session);
    meta_session_end(session);
    size_t used = (size_t)snprintf(batch_sql, sizeof batch_sql, "insert into events (id, tenant_id, name, created_at) values ");
    for (int i = 0; i < BENCH_BATCH; i++)
        used += (size_t)snprintf(batch_sql + used, sizeof batch_sql - used, "%s($%d, $%d, $%d, $%d)", i ? ", " : "",
                                 4 * i + 1, 4 * i + 2, 4 * i + 3, 4 * i + 4);
    int32_t *samples = calloc((size_t)BENCH_THREADS_MOST * BENCH_SAMPLES, sizeof *samples);
    if (!samples) return 1;
    for (size_t c = 0; c < sizeof bench_cases / sizeof *bench_cases; c++)
        for (int threads = 1; threads <= BENCH_THREADS_MOST; threads *= BENCH_THREADS_MOST) {
            measure(&bench_cases[c], threads, 200, samples, false); /* connections and prepared statements */
            for (uint64_t round = 0; round < rounds; round++)
                measure(&bench_cases[c], threads, (int64_t)milliseconds, samples, true);
        }
    free(samples);
    meta_close(database);
    return 0;
}
