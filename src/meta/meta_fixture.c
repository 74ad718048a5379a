/* SPDX-License-Identifier: Apache-2.0 */
/* A metadata database with two tables, for the tests of the drivers. */
#include "meta/meta_fixture.h"

int meta_fixture_setup(void **state)
{
    const struct meta_test_backend *backend = *state;
    struct meta_fixture *f = calloc(1, sizeof *f);
    f->backend = backend;
    backend->create(f->location);
    META_OK(meta_open(f->location, "test", &f->database, &f->error));
    META_OK(meta_session_begin(f->database, 20000, &f->session, &f->error));
    META_OK(meta_execute_script(
        f->session,
        "create table parents (id bigint not null primary key, code text not null unique);"
        "create table children (id bigint not null primary key, parent bigint references parents (id),"
        " name text, flag boolean, number double precision, bytes text,"
        " constraint children_name check (length(name) <= 10), constraint children_pair unique (parent, name));",
        &f->error));
    *state = f;
    return 0;
}

int meta_fixture_teardown(void **state)
{
    struct meta_fixture *f = *state;
    meta_session_end(f->session);
    meta_close(f->database);
    f->backend->destroy(f->location);
    free(f);
    return 0;
}

enum error_code meta_fixture_keep_row(void *context, const struct meta_row *row, struct error *error)
{
    struct meta_answer *answer = context;
    answer->rows++;
    for (size_t i = 0; i < row->count && i < 4; i++) {
        answer->integers[i] = meta_row_integer(row, i);
        answer->nulls[i] = meta_row_is_null(row, i);
        enum error_code code = META_ROW_COPY(row, i, answer->texts[i], error);
        if (code) return code;
    }
    return ERROR_NONE;
}

int64_t meta_fixture_count(struct meta_fixture *f, const char *table)
{
    char sql[128];
    struct meta_answer answer = {0};
    snprintf(sql, sizeof sql, "select count(*) from %s", table);
    META_OK(meta_query(f->session, sql, NULL, 0, meta_fixture_keep_row, &answer, &f->error));
    return answer.integers[0];
}

