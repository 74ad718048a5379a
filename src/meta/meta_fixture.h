/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the metadata drivers share: a database with two tables and a session in it. */
#ifndef META_META_FIXTURE_H
#define META_META_FIXTURE_H

#include "meta/test_backend.h"

struct meta_fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    struct meta_database *database;
    struct meta_session *session;
    struct error error;
};
int meta_fixture_setup(void **state);
int meta_fixture_teardown(void **state);
#define META_FIXTURE_TEST(function) {#function, function, meta_fixture_setup, meta_fixture_teardown, NULL}

#define META_OK(call) assert_int_equal(ERROR_NONE, (call))
#define META_RUN_PLAIN(f, sql) meta_execute((f)->session, sql, NULL, 0, NULL, &(f)->error)
#define META_RUN(f, sql, ...) meta_execute((f)->session, sql, META_PARAMETERS(__VA_ARGS__), NULL, &(f)->error)

/* The last row of an answer, and how many there were. */
struct meta_answer {
    size_t rows;
    int64_t integers[4];
    char texts[4][64];
    bool nulls[4];
};
enum error_code meta_fixture_keep_row(void *context, const struct meta_row *row, struct error *error);
int64_t meta_fixture_count(struct meta_fixture *f, const char *table);

#endif
