/* SPDX-License-Identifier: Apache-2.0 */
/* How a request's parameters become SQL, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/call.h"
#include "engine/engine_priv.h"
#include "engine/exception.h"

static struct request_header headers[4];
static struct request request;
static struct arena *arena;

static int set_up(void **state)
{
    arena = arena_create(0);
    request = (struct request){.arena = arena, .method = METHOD_POST, .path = SLICE("/"), .query = SLICE_EMPTY,
                               .headers = headers, .body = SLICE_EMPTY, .body_fd = -1, .received_ms = 1763700000000};
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    arena_destroy(arena);
    return 0;
}

static struct engine_call parse(const char *query)
{
    struct engine_call call;
    struct error error = {0};
    request.query = slice_from_string(query);
    assert_int_equal(engine_call_parse(&request, arena, &call, &error), 0);
    return call;
}

static void assert_text(struct slice s, const char *expected)
{
    if (!slice_equal(s, slice_from_string(expected))) fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARGS(s), expected);
}

static const char *set_of(const struct engine_call *call, struct engine_call_purpose purpose)
{
    struct buffer sql = {0};
    purpose.unique = SLICE("r7");
    engine_call_append_set(&sql, call, &purpose);
    const char *text = arena_copy_string(arena, buffer_slice(&sql));
    buffer_free(&sql);
    return text;
}

static void quotes_whatever_it_is_given(void **state)
{
    struct buffer out = {0};
    engine_call_append_literal(&out, (struct slice){"a'b\\c\0d\n", 8});
    assert_text(buffer_slice(&out), "'a\\'b\\\\c\\0d\n'");
    buffer_clear(&out);
    engine_call_append_name(&out, SLICE("a`b\\"));
    assert_text(buffer_slice(&out), "`a\\`b\\\\`");
    buffer_free(&out);
}

static void sorts_parameters_from_settings_and_options(void **state)
{
    struct engine_call call =
        parse("query=SELECT+%7Bx:String%7D&param_x=a%5Ctb&param_yy=&max_threads=2&database=d&user=u&http_x=1"
              "&session_id=s&enable_http_compression=1&query_id=q-1&wait_end_of_query=1&a_b=it's");
    assert_text(call.query, "SELECT {x:String}");
    assert_text(call.database, "d");
    assert_text(call.query_id, "q-1");
    assert_text(call.default_format, "TabSeparated");
    assert_text(call.settings, "max_threads = '2', a_b = 'it\\'s'");
    assert_true(call.wait_end_of_query);
    assert_int_equal(call.parameters.count, 2);
    assert_text(slice_make(call.parameters.names[0], call.parameters.name_sizes[0]), "x");
    assert_text(slice_make(call.parameters.values[0], call.parameters.value_sizes[0]), "a\\tb");
    assert_text(slice_make(call.parameters.names[1], call.parameters.name_sizes[1]), "yy");
    assert_int_equal(call.parameters.value_sizes[1], 0);
}

static void keeps_the_tenant_first_in_log_comment(void **state)
{
    struct engine_call call = parse("query=1");
    assert_string_equal(set_of(&call, (struct engine_call_purpose){0}), "SET log_comment = '* r7'");
    call = parse("log_comment=tenant_1+x&query=1");
    assert_string_equal(set_of(&call, (struct engine_call_purpose){0}), "SET log_comment = 'tenant_1 x r7'");
    /* Asked for nobody: must not become everybody. */
    call = parse("log_comment=&query=1");
    assert_string_equal(set_of(&call, (struct engine_call_purpose){0}), "SET log_comment = ' r7'");
    call = parse("log_comment=a'%5C&query=1");
    assert_string_equal(set_of(&call, (struct engine_call_purpose){0}), "SET log_comment = 'a\\'\\\\ r7'");
}

static void lifts_limits_for_writes_unless_the_client_sets_them(void **state)
{
    struct engine_call call = parse("query=1");
    assert_string_equal(set_of(&call, (struct engine_call_purpose){.is_write = true}),
                        "SET log_comment = '* r7', max_execution_time = 0, max_memory_usage = 0");
    call = parse("query=1&max_execution_time=5&max_memory_usage=6");
    assert_string_equal(set_of(&call, (struct engine_call_purpose){.is_write = true}),
                        "SET log_comment = '* r7', max_execution_time = '5', max_memory_usage = '6'");
    request.method = METHOD_GET;
    call = parse("query=1");
    assert_string_equal(set_of(&call, (struct engine_call_purpose){0}), "SET log_comment = '* r7', readonly = 2");
    call = parse("query=1&readonly=1");
    assert_string_equal(set_of(&call, (struct engine_call_purpose){0}), "SET log_comment = '* r7', readonly = '1'");
    call = parse("query=1&readonly=0");
    assert_string_equal(set_of(&call, (struct engine_call_purpose){0}),
                        "SET log_comment = '* r7', readonly = '0', readonly = 2");
}

static void recognises_repetitions_only_by_a_token(void **state)
{
    struct engine_call_purpose insert = {.is_insert = true},
                               with_token = {.is_insert = true, .statement_has_token = true};
    struct engine_call call = parse("query=1");
    assert_string_equal(set_of(&call, insert), "SET log_comment = '* r7', deduplicate_insert = 'disable'");
    insert.insert_reserve_bytes = 5000;
    assert_string_equal(set_of(&call, insert), "SET log_comment = '* r7', max_untracked_memory = 5000, "
                                               "memory_profiler_step = 0, deduplicate_insert = 'disable'");
    insert.insert_reserve_bytes = 0;
    assert_string_equal(set_of(&call, with_token), "SET log_comment = '* r7'");
    call = parse("insert_deduplication_token=t");
    assert_string_equal(set_of(&call, insert), "SET log_comment = '* r7', insert_deduplication_token = 't'");
    call = parse("insert_deduplicate=1");
    assert_string_equal(set_of(&call, insert), "SET log_comment = '* r7', insert_deduplicate = '1'");
}

static void refuses_what_it_cannot_do(void **state)
{
    static const struct {
        const char *query;
        int number;
    } cases[] = {{"compress=1", 48}, {"decompress=1", 48}, {"a+b=1", 115}, {"x;y=1", 115}, {"default_format=A+B", 73}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct engine_call call;
        struct error error = {0};
        request.query = slice_from_string(cases[i].query);
        assert_int_equal(engine_call_parse(&request, arena, &call, &error), ERROR_INVALID);
        assert_int_equal(error.detail, cases[i].number);
    }
}

static void never_lets_a_query_id_break_a_header(void **state)
{
    struct engine_call call = parse("query_id=a%0D%0AX-Evil:1&query=1");
    assert_int_equal(call.query_id.size, 36);
    assert_int_equal(slice_index_of(call.query_id, '\n'), -1);
}

static void knows_statuses_and_types(void **state)
{
    assert_int_equal(engine_exception_http_status(62), 400);
    assert_int_equal(engine_exception_http_status(60), 404);
    assert_int_equal(engine_exception_http_status(164), 403);
    assert_int_equal(engine_exception_http_status(202), 503);
    assert_int_equal(engine_exception_http_status(99999), 500);
    assert_string_equal(engine_answer_content_type(SLICE("JSONEachRow")), "application/x-ndjson; charset=UTF-8");
    assert_string_equal(engine_answer_content_type(SLICE("JSON")), "application/json; charset=UTF-8");
    assert_string_equal(engine_answer_content_type(SLICE("PrettyJSONEachRow")), "text/plain; charset=UTF-8");
    assert_string_equal(engine_answer_content_type(SLICE("TabSeparatedWithNames")),
                        "text/tab-separated-values; charset=UTF-8");
    struct buffer out = {0};
    struct error error;
    engine_exception_set(&error, ERROR_INVALID, ENGINE_EXCEPTION_SYNTAX_ERROR, "no %s", "good");
    engine_exception_append(&out, &error);
    assert_text(buffer_slice(&out), "Code: 62. DB::Exception: no good. (SYNTAX_ERROR)\n");
    assert_int_equal(engine_chdb_error_number(buffer_slice(&out)), 62);
    assert_int_equal(engine_chdb_error_number(SLICE("nothing")), 0);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(quotes_whatever_it_is_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sorts_parameters_from_settings_and_options, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_the_tenant_first_in_log_comment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lifts_limits_for_writes_unless_the_client_sets_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(recognises_repetitions_only_by_a_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_it_cannot_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(never_lets_a_query_id_break_a_header, set_up, tear_down),
        cmocka_unit_test(knows_statuses_and_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
