/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations of the event store: what is run, what is recorded, and what a failure or an edited file leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "server/store_migrations.h"
#include "store/fake/fake_store.h"

#define TEXT(text) (const unsigned char *)(text), sizeof(text) - 1
static const struct embedded_file FILES[] = {
    {"0001_lines.up.sql", "0001_lines.up.sql",
     TEXT("CREATE DATABASE IF NOT EXISTS belt;\n-- a comment; with a semicolon\nCREATE TABLE IF NOT EXISTS belt.lines (a String DEFAULT ';');\n")},
    {"0001_lines.down.sql", "0001_lines.down.sql", TEXT("DROP TABLE IF EXISTS belt.lines")},
    {"0002_more.up.sql", "0002_more.up.sql", TEXT("ALTER TABLE belt.lines ADD COLUMN IF NOT EXISTS b String")},
    {NULL, NULL, NULL, 0},
};
static const struct embedded_file EDITED_FILES[] = {
    {"0001_lines.up.sql", "0001_lines.up.sql", TEXT("CREATE TABLE IF NOT EXISTS belt.other (a String)")},
    {NULL, NULL, NULL, 0},
};
static const struct domain DOMAIN = {.name = "belt", .migrations = FILES};
static const struct domain OTHER_DOMAIN = {.name = "other", .migrations = FILES};

/* millrace.schema_migrations as a list of rows, the newest last, and all other statements as they came. */
struct ledger {
    struct store *store;
    struct store_session *session;
    struct settings settings;
    struct row {
        char domain[32], name[64], checksum[32];
        uint64_t number, applied_ms, removed;
    } rows[16];
    size_t row_count;
    struct buffer statements;
    const char *fail_on; /* a statement with this text is refused */
    const char *answer;  /* instead of the rows */
};

static struct slice parameter(const struct store_query *query, const char *name)
{
    for (size_t i = 0; i < query->parameter_count; i++)
        if (strcmp(query->parameters[i].name, name) == 0) return query->parameters[i].value;
    fail_msg("the query has no parameter %s", name);
    return SLICE_EMPTY;
}

static void write_rows(struct ledger *ledger, struct slice domain, struct buffer *out)
{
    for (size_t i = 0; i < ledger->row_count; i++) {
        const struct row *row = &ledger->rows[i];
        bool is_newest = slice_equal(domain, slice_from_string(row->domain));
        for (size_t j = i + 1; j < ledger->row_count; j++)
            if (ledger->rows[j].number == row->number && strcmp(ledger->rows[j].domain, row->domain) == 0) is_newest = false;
        if (is_newest && !row->removed)
            buffer_printf(out, "%llu\t%s\t%s\t%llu\n", (unsigned long long)row->number, row->name, row->checksum,
                          (unsigned long long)row->applied_ms);
    }
}

static enum error_code answer(void *context, const struct store_query *query, struct buffer *out, struct error *error)
{
    struct ledger *ledger = context;
    assert_string_equal(query->tenant, STORE_ALL_TENANTS);
    if (ledger->fail_on && slice_find(query->sql, slice_from_string(ledger->fail_on)) >= 0)
        return error_set(error, ERROR_STORE, "refused for the test");
    if (slice_starts_with(query->sql, SLICE("SELECT number, name, checksum, applied_ms FROM millrace.schema_migrations FINAL "))) {
        if (ledger->answer) buffer_append_string(out, ledger->answer);
        else write_rows(ledger, parameter(query, "domain"), out);
    } else if (slice_starts_with(query->sql, SLICE("INSERT INTO millrace.schema_migrations "))) {
        assert_true(ledger->row_count < sizeof ledger->rows / sizeof *ledger->rows);
        struct row *row = &ledger->rows[ledger->row_count++];
        snprintf(row->domain, sizeof row->domain, "%.*s", SLICE_ARGS(parameter(query, "domain")));
        snprintf(row->name, sizeof row->name, "%.*s", SLICE_ARGS(parameter(query, "name")));
        snprintf(row->checksum, sizeof row->checksum, "%.*s", SLICE_ARGS(parameter(query, "checksum")));
        assert_true(slice_parse_uint64(parameter(query, "number"), &row->number));
        assert_true(slice_parse_uint64(parameter(query, "applied"), &row->applied_ms));
        assert_true(slice_parse_uint64(parameter(query, "removed"), &row->removed));
    } else if (slice_find(query->sql, SLICE("millrace")) < 0) {
        buffer_append_slice(&ledger->statements, slice_trim(query->sql));
        buffer_append_byte(&ledger->statements, '\n');
    }
    return ERROR_NONE;
}

static void start(struct ledger *ledger)
{
    struct error error;
    memset(ledger, 0, sizeof *ledger);
    assert_int_equal(settings_load(&ledger->settings, &error), ERROR_NONE);
    assert_int_equal(store_fake_create(&ledger->store, NULL), ERROR_NONE);
    assert_int_equal(store_session_create(ledger->store, &ledger->session, NULL), ERROR_NONE);
    store_fake_set_answer(ledger->store, answer, ledger);
}

static void end(struct ledger *ledger)
{
    store_session_destroy(ledger->session);
    store_destroy(ledger->store);
    buffer_free(&ledger->statements);
}

/* Up with `steps` 0, else so many down. */
static enum error_code migrate(struct ledger *ledger, const struct domain *domain, const struct embedded_file *files,
                               unsigned steps, size_t *count, struct error *error)
{
    struct store_migrations target;
    struct migration *migrations;
    size_t migration_count;
    buffer_clear(&ledger->statements);
    assert_int_equal(store_migrations_init(&target, &ledger->settings, ledger->session, domain, error), ERROR_NONE);
    assert_int_equal(migrate_list_create(files, &migrations, &migration_count, error), ERROR_NONE);
    enum error_code code = steps ? migrate_down(&target.target, migrations, migration_count, steps, NULL, NULL, count, error)
                                 : migrate_up(&target.target, migrations, migration_count, 0, NULL, NULL, count, error);
    migrate_list_free(migrations);
    store_migrations_fini(&target);
    buffer_append_byte(&ledger->statements, 0);
    return code;
}

static void missing_ones_are_run_statement_by_statement_and_recorded(void **state)
{
    struct ledger ledger;
    struct error error;
    size_t count;
    start(&ledger);
    assert_int_equal(migrate(&ledger, &DOMAIN, FILES, 0, &count, &error), ERROR_NONE);
    assert_int_equal(count, 2);
    assert_string_equal(ledger.statements.data, "CREATE DATABASE IF NOT EXISTS belt\n"
                                                "-- a comment; with a semicolon\n"
                                                "CREATE TABLE IF NOT EXISTS belt.lines (a String DEFAULT ';')\n"
                                                "ALTER TABLE belt.lines ADD COLUMN IF NOT EXISTS b String\n");
    assert_int_equal(ledger.row_count, 2);
    assert_string_equal(ledger.rows[0].domain, "belt");
    assert_string_equal(ledger.rows[0].name, "lines");
    assert_int_equal(strlen(ledger.rows[0].checksum), MIGRATE_CHECKSUM_SIZE);
    assert_true(ledger.rows[0].applied_ms > 0);
    assert_int_equal(migrate(&ledger, &DOMAIN, FILES, 0, &count, &error), ERROR_NONE);
    assert_int_equal(count, 0);
    assert_string_equal(ledger.statements.data, "");
    end(&ledger);
}

static void domains_have_records_of_their_own(void **state)
{
    struct ledger ledger;
    struct error error;
    size_t count;
    start(&ledger);
    assert_int_equal(migrate(&ledger, &DOMAIN, FILES, 0, &count, &error), ERROR_NONE);
    assert_int_equal(migrate(&ledger, &OTHER_DOMAIN, FILES, 0, &count, &error), ERROR_NONE);
    assert_int_equal(count, 2);
    end(&ledger);
}

static void a_failure_leaves_the_file_to_be_run_again(void **state)
{
    struct ledger ledger;
    struct error error;
    size_t count;
    start(&ledger);
    ledger.fail_on = "CREATE TABLE IF NOT EXISTS belt.lines";
    assert_int_equal(migrate(&ledger, &DOMAIN, FILES, 0, &count, &error), ERROR_STORE);
    assert_non_null(strstr(error.message, "0001_lines"));
    assert_non_null(strstr(error.message, "refused for the test"));
    assert_int_equal(count, 0);
    assert_int_equal(ledger.row_count, 0);
    ledger.fail_on = NULL;
    assert_int_equal(migrate(&ledger, &DOMAIN, FILES, 0, &count, &error), ERROR_NONE);
    assert_int_equal(count, 2);
    end(&ledger);
}

static void a_file_edited_after_it_was_applied_stops_everything(void **state)
{
    struct ledger ledger;
    struct error error;
    size_t count;
    start(&ledger);
    assert_int_equal(migrate(&ledger, &DOMAIN, FILES, 0, &count, &error), ERROR_NONE);
    assert_int_equal(migrate(&ledger, &DOMAIN, EDITED_FILES, 0, &count, &error), ERROR_CONFLICT);
    assert_string_equal(ledger.statements.data, "");
    end(&ledger);
}

static void undone_ones_are_forgotten_and_can_be_applied_again(void **state)
{
    struct ledger ledger;
    struct error error;
    size_t count;
    start(&ledger);
    assert_int_equal(migrate(&ledger, &DOMAIN, FILES, 0, &count, &error), ERROR_NONE);
    assert_int_not_equal(migrate(&ledger, &DOMAIN, FILES, 1, &count, &error), ERROR_NONE); /* 0002 has no way back */
    /* As if only the first had been applied. */
    ledger.row_count = 1;
    assert_int_equal(migrate(&ledger, &DOMAIN, FILES, 1, &count, &error), ERROR_NONE);
    assert_string_equal(ledger.statements.data, "DROP TABLE IF EXISTS belt.lines\n");
    assert_int_equal(ledger.row_count, 2);
    assert_int_equal(ledger.rows[1].removed, 1);
    assert_int_equal(migrate(&ledger, &DOMAIN, FILES, 0, &count, &error), ERROR_NONE);
    assert_int_equal(count, 2);
    end(&ledger);
}

static void a_record_that_cannot_be_read_is_corrupt_and_nothing_runs(void **state)
{
    static const char *const answers[] = {"x\tlines\tc\t1\n", "1\tlines\tc\n", "1\n", "\n"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct ledger ledger;
        struct error error;
        size_t count;
        start(&ledger);
        ledger.answer = answers[i];
        assert_int_equal(migrate(&ledger, &DOMAIN, FILES, 0, &count, &error), ERROR_CORRUPT);
        assert_string_equal(ledger.statements.data, "");
        end(&ledger);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_ones_are_run_statement_by_statement_and_recorded),
        cmocka_unit_test(domains_have_records_of_their_own),
        cmocka_unit_test(a_failure_leaves_the_file_to_be_run_again),
        cmocka_unit_test(a_file_edited_after_it_was_applied_stops_everything),
        cmocka_unit_test(undone_ones_are_forgotten_and_can_be_applied_again),
        cmocka_unit_test(a_record_that_cannot_be_read_is_corrupt_and_nothing_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
