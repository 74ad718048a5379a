/* SPDX-License-Identifier: Apache-2.0 */
/* The migration runner on every metadata database: up, down, refusals, two starters at once, the files of the program itself. */
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "meta/migrate_meta.h"
#include "meta/test_backend.h"
#include "os/thread.h"

#define OK(call) assert_int_equal(ERROR_NONE, (call))

struct fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    struct meta_database *database;
    struct migrate_meta meta;
    struct error error;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->backend = *state;
    f->backend->create(f->location);
    OK(meta_open(f->location, "test", &f->database, &f->error));
    migrate_meta_init(&f->meta, f->database, "test");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    meta_close(f->database);
    f->backend->destroy(f->location);
    free(f);
    return 0;
}

static const struct migration three[] = {
    {1, "one", "create table one (a bigint); insert into one values (1);", "drop table one"},
    {2, "two", "create table two (a bigint)", "drop table two"},
    {3, "three", "alter table two add column b text", "alter table two drop column b"},
};

/* The whole schema as text, so that two states can be compared. */
static enum error_code append_schema(void *context, const struct meta_row *row, struct error *error)
{
    buffer_append_slice(context, meta_row_text(row, 0));
    buffer_append_byte(context, '\n');
    return ERROR_NONE;
}

/* Columns with type, default and whether they take NULL, in their order; constraints; indexes. */
#define POSTGRES_SCHEMA                                                                                                \
    "select 'column ' || c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' ||"      \
    " a.attnotnull || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') as line,"                                   \
    " c.relname as name, row_number() over (partition by c.relname order by a.attnum) as position"                     \
    " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"               \
    " left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum"                                              \
    " where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'"                                       \
    " union all select 'constraint ' || conname || ' ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid),"    \
    " conname, 1000 from pg_constraint where connamespace = current_schema()::regnamespace"                            \
    " union all select indexdef, indexname, 2000 from pg_indexes where schemaname = current_schema()"                  \
    " order by name, position, line"

static char *read_schema(const struct fixture *f, struct meta_database *database)
{
    struct error error;
    struct meta_session *session;
    struct buffer text = {0};
    const char *sql = strcmp(f->backend->name, "postgres") == 0
                          ? POSTGRES_SCHEMA
                          : "select sql from sqlite_schema where sql is not null order by type, name";
    OK(meta_session_begin(database, 0, &session, &error));
    OK(meta_query(session, sql, NULL, 0, append_schema, &text, &error));
    meta_session_end(session);
    buffer_append_byte(&text, 0);
    return text.data;
}

static void print_line(void *context, const struct migrate_status_line *line)
{
    char text[128];
    snprintf(text, sizeof text, "%u %s %s%s;", line->number, line->name, migrate_state_name(line->state),
             (line->applied_ms != 0) == (line->state != MIGRATE_PENDING) ? "" : " with a wrong time");
    buffer_append_string(context, text);
}

static void assert_status(struct fixture *f, const struct migration *migrations, size_t count, const char *expected)
{
    struct buffer lines = {0};
    OK(migrate_status(&f->meta.target, migrations, count, print_line, &lines, &f->error));
    buffer_append_byte(&lines, 0);
    assert_string_equal(expected, lines.data);
    buffer_free(&lines);
}

static enum error_code up(struct fixture *f, const struct migration *migrations, size_t count, unsigned to, size_t *ran)
{
    return migrate_up(&f->meta.target, migrations, count, to, NULL, NULL, ran, &f->error);
}

static void goes_up_down_and_up_to_the_same_schema(void **state)
{
    struct fixture *f = *state;
    size_t ran;
    assert_status(f, three, 3, "1 one pending;2 two pending;3 three pending;");
    char *empty = read_schema(f, f->database);
    OK(up(f, three, 3, 0, &ran));
    assert_int_equal(3, ran);
    assert_status(f, three, 3, "1 one applied;2 two applied;3 three applied;");
    char *first = read_schema(f, f->database);
    OK(up(f, three, 3, 0, &ran));
    assert_int_equal(0, ran);

    OK(migrate_down(&f->meta.target, three, 3, 2, NULL, NULL, &ran, &f->error));
    assert_int_equal(2, ran);
    assert_status(f, three, 3, "1 one applied;2 two pending;3 three pending;");
    OK(migrate_down(&f->meta.target, three, 3, 100, NULL, NULL, &ran, &f->error));
    assert_int_equal(1, ran);
    char *emptied = read_schema(f, f->database);
    assert_string_equal(empty, emptied);

    OK(up(f, three, 3, 2, &ran));
    assert_int_equal(2, ran);
    OK(up(f, three, 3, 0, &ran));
    assert_int_equal(1, ran);
    char *second = read_schema(f, f->database);
    assert_string_equal(first, second);
    free(empty), free(first), free(emptied), free(second);
}

static void a_failing_migration_leaves_no_trace_and_names_itself(void **state)
{
    struct fixture *f = *state;
    struct migration broken[] = {three[0],
                                 {2, "broken", "create table half (a bigint); insert into nowhere values (1);", ""}};
    size_t ran;
    assert_int_equal(ERROR_INTERNAL, up(f, broken, 2, 0, &ran));
    assert_int_equal(1, ran);
    assert_non_null(strstr(f->error.message, "0002_broken"));
    assert_non_null(strstr(f->error.message, "nowhere"));
    assert_status(f, broken, 2, "1 one applied;2 broken pending;");
    char *schema = read_schema(f, f->database);
    assert_null(strstr(schema, "half"));
    free(schema);
}

static void refuses_an_edited_file(void **state)
{
    struct fixture *f = *state;
    OK(up(f, three, 2, 0, NULL));
    struct migration edited[] = {three[0], three[1], three[2]};
    edited[1].up = "create table two (a bigint, c text)";
    assert_int_equal(ERROR_CONFLICT, up(f, edited, 3, 0, NULL));
    assert_non_null(strstr(f->error.message, "0002_two was edited"));
    assert_int_equal(ERROR_CONFLICT, migrate_down(&f->meta.target, edited, 3, 1, NULL, NULL, NULL, &f->error));
    assert_status(f, edited, 3, "1 one applied;2 two edited;3 three pending;");
}

static void refuses_a_database_of_a_newer_version(void **state)
{
    struct fixture *f = *state;
    OK(up(f, three, 3, 0, NULL));
    assert_int_equal(ERROR_CONFLICT, up(f, three, 2, 0, NULL));
    assert_non_null(strstr(f->error.message, "newer version"));
    assert_status(f, three, 2, "1 one applied;2 two applied;3 three unknown;");
}

static void refuses_holes(void **state)
{
    struct fixture *f = *state;
    struct migration hole[] = {three[0], three[2]};
    assert_int_equal(ERROR_INVALID, up(f, hole, 2, 0, NULL));
    assert_int_equal(ERROR_INVALID, up(f, three, 3, 4, NULL));
    OK(up(f, three, 3, 0, NULL));
    struct meta_session *session;
    OK(meta_session_begin(f->database, 0, &session, &f->error));
    OK(meta_execute(session, "delete from schema_migrations where number = 2", NULL, 0, NULL, &f->error));
    meta_session_end(session);
    assert_int_equal(ERROR_CONFLICT, up(f, three, 3, 0, NULL));
    assert_non_null(strstr(f->error.message, "0002 is not applied although 0003 is"));
}

static void refuses_to_undo_what_has_no_down_file(void **state)
{
    struct fixture *f = *state;
    struct migration list[] = {{1, "one", "create table one (a bigint)", NULL}};
    OK(up(f, list, 1, 0, NULL));
    assert_int_equal(ERROR_INVALID, migrate_down(&f->meta.target, list, 1, 1, NULL, NULL, NULL, &f->error));
    assert_status(f, list, 1, "1 one applied;");
}

static void count_progress(void *context, const struct migration *migration, bool down, int64_t elapsed_us)
{
    int *calls = context;
    calls[elapsed_us < 0 ? 0 : 1]++;
    assert_false(down);
}

static void tells_progress_before_and_after_each(void **state)
{
    struct fixture *f = *state;
    int calls[2] = {0};
    OK(migrate_up(&f->meta.target, three, 3, 0, count_progress, calls, NULL, &f->error));
    assert_int_equal(3, calls[0]);
    assert_int_equal(3, calls[1]);
}

/* A target that takes one statement at a time and has no transactions, as ClickHouse. */
struct plain_target {
    struct buffer statements;
    struct migrate_record records[4];
    size_t count;
    int open;
};

static enum error_code plain_prepare(void *context, struct error *error) { return ERROR_NONE; }
static enum error_code plain_begin(void *context, struct error *error)
{
    ((struct plain_target *)context)->open++;
    return ERROR_NONE;
}
static enum error_code plain_commit(void *context, struct error *error)
{
    ((struct plain_target *)context)->open--;
    return ERROR_NONE;
}
static void plain_rollback(void *context) { ((struct plain_target *)context)->open--; }
static enum error_code plain_list(void *context,
                                  enum error_code (*add)(void *add_context, const struct migrate_record *record,
                                                         struct error *error),
                                  void *add_context, struct error *error)
{
    struct plain_target *target = context;
    enum error_code code = ERROR_NONE;
    for (size_t i = target->count; i-- > 0 && !code;) code = add(add_context, &target->records[i], error);
    return code;
}
static enum error_code plain_execute(void *context, struct slice sql, struct error *error)
{
    struct plain_target *target = context;
    if (slice_equal(sql, SLICE("fail"))) return error_set(error, ERROR_STORE, "refused");
    buffer_printf(&target->statements, "<%.*s>", SLICE_ARGS(sql));
    return ERROR_NONE;
}
static enum error_code plain_record(void *context, const struct migrate_record *record, struct error *error)
{
    struct plain_target *target = context;
    target->records[target->count++] = *record;
    return ERROR_NONE;
}
static enum error_code plain_forget(void *context, unsigned number, struct error *error)
{
    struct plain_target *target = context;
    assert_int_equal(number, target->records[--target->count].number);
    return ERROR_NONE;
}

static void gives_single_statements_to_targets_that_take_no_more(void **state)
{
    struct plain_target plain = {0};
    const struct migrate_target target = {&plain,        "plain",       true,         true,
                                          plain_prepare, plain_begin,   plain_commit, plain_rollback,
                                          plain_list,    plain_execute, plain_record, plain_forget};
    struct migration list[] = {{1, "one", "a 'x\\';'; b;", "c; d"}, {2, "two", "e; fail; f", NULL}};
    struct error error;
    size_t ran;
    assert_int_equal(ERROR_STORE, migrate_up(&target, list, 2, 0, NULL, NULL, &ran, &error));
    assert_int_equal(1, ran);
    assert_string_equal("plain: migration 0002_two (up): refused", error.message);
    OK(migrate_down(&target, list, 2, 1, NULL, NULL, &ran, &error));
    buffer_append_byte(&plain.statements, 0);
    assert_string_equal("<a 'x\\';'><b><e><c><d>", plain.statements.data);
    assert_int_equal(0, plain.open);
    assert_int_equal(0, plain.count);
    buffer_free(&plain.statements);
}

/* Threads and processes that all start at once on an empty directory. */
static void open_service(void *context)
{
    struct fixture *f = context;
    struct meta_database *database = NULL;
    struct error error = {0};
    enum error_code code = meta_open_service(f->location, META_SERVICE_CORE, NULL, NULL, &database, &error);
    if (code) fprintf(stderr, "%s\n", error.message);
    meta_close(database);
    if (code) __atomic_store_n(&f->error.code, code, __ATOMIC_RELAXED);
}

static int other_process_main(const char *location)
{
    struct fixture f = {0};
    snprintf(f.location, sizeof f.location, "%s", location);
    open_service(&f);
    return f.error.code != ERROR_NONE;
}

static void many_starters_at_once_migrate_once(void **state)
{
    struct fixture *f = *state;
    pid_t children[3];
    for (int i = 0; i < 3; i++)
        if ((children[i] = fork()) == 0) {
            execl("/proc/self/exe", "migrate_test", "open", f->location, (char *)NULL);
            _exit(127);
        }
    struct os_thread threads[3];
    for (int i = 0; i < 3; i++) OK(os_thread_start(&threads[i], "starter", open_service, f, &(struct error){0}));
    for (int i = 0; i < 3; i++) os_thread_join(&threads[i]);
    OK(f->error.code);
    for (int i = 0; i < 3; i++) {
        int status = -1;
        waitpid(children[i], &status, 0);
        assert_int_equal(0, status);
    }
    struct meta_database *core;
    OK(meta_open_service(f->location, META_SERVICE_CORE, NULL, NULL, &core, &f->error));
    meta_close(core);
}

static void every_service_goes_up_down_and_up_to_the_same_schema(void **state)
{
    struct fixture *f = *state;
    for (const struct meta_service *service = meta_services; service->name; service++) {
        struct migration *migrations;
        struct meta_database *database;
        size_t count, ran;
        OK(migrate_list_create(service->files, &migrations, &count, &f->error));
        OK(meta_open_service(f->location, service->name, NULL, NULL, &database, &f->error));
        struct migrate_meta meta;
        migrate_meta_init(&meta, database, service->name);
        char *first = read_schema(f, database);
        OK(migrate_down(&meta.target, migrations, count, (unsigned)count, NULL, NULL, &ran, &f->error));
        assert_int_equal(count, ran);
        char *emptied = read_schema(f, database);
        const char *word = strcmp(f->backend->name, "postgres") == 0 ? "column " : "CREATE TABLE ";
        size_t tables = 0;
        for (const char *line = emptied; (line = strstr(line, word)) != NULL; line++, tables++)
            assert_true(slice_starts_with(slice_from_string(line + strlen(word)), SLICE("schema_migrations")));
        assert_true(tables > 0);
        OK(migrate_up(&meta.target, migrations, count, 0, NULL, NULL, &ran, &f->error));
        assert_int_equal(count, ran);
        char *second = read_schema(f, database);
        assert_string_equal(first, second);
        free(first), free(emptied), free(second);
        meta_close(database);
        migrate_list_free(migrations);
    }
}

#define FILE_OF(name, text) {name, name, (const unsigned char *)text, sizeof(text) - 1}

static void pairs_embedded_files(void **state)
{
    const struct embedded_file files[] = {FILE_OF("0002_b.down.sql", "d2"), FILE_OF("0002_b.up.sql", "u2"),
                                          FILE_OF("0001_a.up.sql", "u1"), {0}};
    struct migration *migrations;
    size_t count;
    struct error error;
    OK(migrate_list_create(files, &migrations, &count, &error));
    assert_int_equal(2, count);
    assert_string_equal("a", migrations[0].name);
    assert_string_equal("u1", migrations[0].up);
    assert_null(migrations[0].down);
    assert_int_equal(2, migrations[1].number);
    assert_string_equal("u2", migrations[1].up);
    assert_string_equal("d2", migrations[1].down);
    migrate_list_free(migrations);
}

static void refuses_embedded_files_that_do_not_fit(void **state)
{
    static const struct embedded_file bad[][4] = {
        {FILE_OF("one.up.sql", "")},
        {FILE_OF("0000_zero.up.sql", "")},
        {FILE_OF("0001_a.sql", "")},
        {FILE_OF("0001_.up.sql", "")},
        {FILE_OF("0002_b.up.sql", "")},
        {FILE_OF("0001_a.down.sql", "")},
        {FILE_OF("0001_a.up.sql", ""), FILE_OF("0003_c.up.sql", "")},
        {FILE_OF("0001_a.up.sql", ""), FILE_OF("0001_b.up.sql", "")},
        {FILE_OF("0001_a.up.sql", ""), FILE_OF("0001_b.down.sql", "")},
        {FILE_OF("0001_a.up.sql", ""), FILE_OF("0002_b.down.sql", "")},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct migration *migrations = NULL;
        size_t count;
        struct error error;
        if (migrate_list_create(bad[i], &migrations, &count, &error) != ERROR_INVALID)
            fail_msg("case %zu was taken", i);
        assert_null(migrations);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "open") == 0) return other_process_main(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(goes_up_down_and_up_to_the_same_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failing_migration_leaves_no_trace_and_names_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_an_edited_file, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_database_of_a_newer_version, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_holes, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_to_undo_what_has_no_down_file, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_progress_before_and_after_each, setup, teardown),
        cmocka_unit_test_setup_teardown(many_starters_at_once_migrate_once, setup, teardown),
        cmocka_unit_test_setup_teardown(every_service_goes_up_down_and_up_to_the_same_schema, setup, teardown),
    };
    const struct CMUnitTest once[] = {
        cmocka_unit_test(gives_single_statements_to_targets_that_take_no_more),
        cmocka_unit_test(pairs_embedded_files),
        cmocka_unit_test(refuses_embedded_files_that_do_not_fit),
    };
    return meta_test_run("migrate", tests, sizeof tests / sizeof *tests, once, sizeof once / sizeof *once);
}
