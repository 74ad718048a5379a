/* SPDX-License-Identifier: Apache-2.0 */
/* Fresh metadata locations for tests: directories for SQLite, databases for PostgreSQL. */
#include "meta/test_backend.h"

#include <ftw.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/uuid.h"

#define TEST_POSTGRES_VARIABLE "MILLRACE_TEST_POSTGRES"

static bool sqlite_is_there(void) { return true; }

static void sqlite_create(char location[META_TEST_LOCATION_SIZE])
{
    char directory[] = "/tmp/millrace-meta-XXXXXX";
    assert_non_null(mkdtemp(directory));
    snprintf(location, META_TEST_LOCATION_SIZE, "sqlite:%s", directory);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk) { return remove(path); }

static void sqlite_destroy(const char *location)
{
    assert_int_equal(0, nftw(location + strlen("sqlite:"), remove_entry, 8, FTW_DEPTH | FTW_PHYS));
}

static bool postgres_is_there(void)
{
    const char *url = getenv(TEST_POSTGRES_VARIABLE);
    return url && *url;
}

/* Where the database name stands in postgres://user@host/NAME?..: from *ret_start, so many bytes. */
static struct slice postgres_database_name(const char *url)
{
    const char *authority = strstr(url, "://");
    assert_non_null(authority);
    const char *slash = strchr(authority + 3, '/');
    assert_non_null(slash);
    return slice_make(slash + 1, strcspn(slash + 1, "?"));
}

static void postgres_run(const char *format, struct slice name)
{
    char sql[256];
    PGconn *connection = PQconnectdb(getenv(TEST_POSTGRES_VARIABLE));
    if (PQstatus(connection) != CONNECTION_OK) fail_msg("%s: %s", TEST_POSTGRES_VARIABLE, PQerrorMessage(connection));
    snprintf(sql, sizeof sql, "%s \"%.*s\"", format, SLICE_ARGS(name));
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail_msg("%s: %s", sql, PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
}

static void postgres_create(char location[META_TEST_LOCATION_SIZE])
{
    const char *url = getenv(TEST_POSTGRES_VARIABLE);
    struct slice old = postgres_database_name(url);
    unsigned char random[8];
    char name[40];
    uuid_random_bytes(random, sizeof random);
    snprintf(name, sizeof name, "millrace_test_%02x%02x%02x%02x%02x%02x%02x%02x", random[0], random[1], random[2],
             random[3], random[4], random[5], random[6], random[7]);
    int size = snprintf(location, META_TEST_LOCATION_SIZE, "%.*s%s%s", (int)(old.data - url), url, name,
                        old.data + old.size);
    assert_true(size < META_TEST_LOCATION_SIZE);
    postgres_run("create database", slice_from_string(name));
}

static void postgres_destroy(const char *location)
{
    postgres_run("drop database", postgres_database_name(location));
}

const struct meta_test_backend meta_test_backends[] = {
    {"sqlite", sqlite_create, sqlite_destroy, sqlite_is_there},
    {"postgres", postgres_create, postgres_destroy, postgres_is_there},
};
const size_t meta_test_backend_count = sizeof meta_test_backends / sizeof *meta_test_backends;

const struct meta_test_backend *meta_test_backend_find(const char *name)
{
    for (size_t i = 0; i < meta_test_backend_count; i++)
        if (strcmp(meta_test_backends[i].name, name) == 0 && meta_test_backends[i].is_there())
            return &meta_test_backends[i];
    return NULL;
}

static void needs_a_postgresql_server_in_millrace_test_postgres(void **state) { skip(); }

int meta_test_run(const char *group, const struct CMUnitTest *tests, size_t count, const struct CMUnitTest *once,
                  size_t once_count)
{
    size_t most = meta_test_backend_count * (count + 1) + once_count, filled = 0;
    struct CMUnitTest *all = calloc(most, sizeof *all);
    char (*names)[192] = calloc(most, sizeof *names);
    if (!all || !names) return 1;
    for (size_t b = 0; b < meta_test_backend_count; b++) {
        const struct meta_test_backend *backend = &meta_test_backends[b];
        if (count && !backend->is_there())
            all[filled++] = (struct CMUnitTest)cmocka_unit_test(needs_a_postgresql_server_in_millrace_test_postgres);
        for (size_t i = 0; i < count && backend->is_there(); i++) {
            snprintf(names[filled], sizeof names[filled], "%s: %s", backend->name, tests[i].name);
            all[filled] = tests[i];
            all[filled].name = names[filled];
            all[filled++].initial_state = (void *)(uintptr_t)backend;
        }
    }
    for (size_t i = 0; i < once_count; i++) all[filled++] = once[i];
    int failed = _cmocka_run_group_tests(group, all, filled, NULL, NULL);
    free(all);
    free(names);
    return failed;
}
