/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: every metadata database there is, and a fresh location on each. Link the dependency meta_test_backend. */
#ifndef META_TEST_BACKEND_H
#define META_TEST_BACKEND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "meta/meta.h"

/*
 * A test that needs metadata runs once per backend:
 *
 *     static int setup(void **state)
 *     {
 *         struct fixture *f = calloc(1, sizeof *f);
 *         f->backend = *state;
 *         f->backend->create(f->location);
 *         ... meta_open_service(f->location, META_SERVICE_CORE, ...)
 *     }
 *     static int teardown(void **state) { ... meta_close(..); f->backend->destroy(f->location); }
 *     int main(void)
 *     {
 *         const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(does_this, setup, teardown)};
 *         return meta_test_run("users", tests, sizeof tests / sizeof *tests, NULL, 0);
 *     }
 *
 * PostgreSQL is the server that the environment variable MILLRACE_TEST_POSTGRES names (a URL whose user may create
 * databases); every location is a database of its own there. Without the variable one skipped test says so.
 */
#define META_TEST_LOCATION_SIZE 512
struct meta_test_backend {
    const char *name;
    void (*create)(char location[META_TEST_LOCATION_SIZE]);
    /* Every meta_database of the location must have been closed. */
    void (*destroy)(const char *location);
    bool (*is_there)(void);
};
extern const struct meta_test_backend meta_test_backends[];
extern const size_t meta_test_backend_count;
/* NULL when that backend is not there. */
const struct meta_test_backend *meta_test_backend_find(const char *name);

/* Runs every test of `tests` on every backend, `*state` being the backend when its setup begins, then those of `once`
 * as they are. What main() returns. */
int meta_test_run(const char *group, const struct CMUnitTest *tests, size_t count, const struct CMUnitTest *once,
                  size_t once_count);

#endif
