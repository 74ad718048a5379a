/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of control/: an opened control on the database under test, a call, and JSON read back. */
#ifndef CONTROL_CONTROL_FIXTURE_H
#define CONTROL_CONTROL_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "control/resource.h"
#include "control/tenancy.h"
#include "meta/test_backend.h"

struct control_fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    struct control control;
    struct control_call call;          /* 2026-01-31T12:00:00Z, nobody, no scope */
    struct control_defaults defaults;  /* made at setup */
    struct buffer out;
    struct error error;
    struct json_parser *parser, *reader;
    char *texts[256];                  /* of control_fixture_member, freed at the end */
    size_t text_count;
    char padded[16384];
};
int control_fixture_setup(void **state);
int control_fixture_teardown(void **state);

/* Valid until the next one. */
struct json_value control_fixture_json(struct control_fixture *fixture, const char *text);
enum error_code control_fixture_create(struct control_fixture *fixture, const struct control_resource *resource,
                                       const char *body);
enum error_code control_fixture_update(struct control_fixture *fixture, const struct control_resource *resource,
                                       const char *id, const char *body);
enum error_code control_fixture_get(struct control_fixture *fixture, const struct control_resource *resource,
                                    const char *id);
/* Number of rows; fails the test on an error. */
size_t control_fixture_list(struct control_fixture *fixture, const struct control_resource *resource,
                            struct control_page page);
/* A member of the answer in `out`, as text (of a string without quotes); fails when absent. */
const char *control_fixture_member(struct control_fixture *fixture, const char *name);
/* The same of data[row]. */
const char *control_fixture_row_member(struct control_fixture *fixture, size_t row, const char *name);
/* One number of core. */
int64_t control_fixture_number(struct control_fixture *fixture, const char *sql);
/* Statements without parameters on core. */
void control_fixture_execute(struct control_fixture *fixture, const char *sql);
/* Audit events of an action waiting in the outbox. */
int control_fixture_audited(struct control_fixture *fixture, struct meta_database *database, const char *action);

#endif
