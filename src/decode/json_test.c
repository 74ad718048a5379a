/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values come out as they were written, and every malformed text is refused with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <malloc.h>

#include "base/buffer.h"
#include "decode/json.h"
#include "decode/json_locate.h"
#include "decode/lines.h"

struct fixture {
    struct json_parser *parser;
    struct buffer text;
    struct error error;
};

static enum error_code parse(struct fixture *fixture, struct slice text, struct json_value *root)
{
    buffer_clear(&fixture->text);
    buffer_append_slice(&fixture->text, text);
    buffer_append_zeros(&fixture->text, JSON_PADDING);
    assert_false(fixture->text.failed);
    return json_parse(fixture->parser, slice_first(buffer_slice(&fixture->text), text.size), root, &fixture->error);
}

static struct json_value parsed(struct fixture *fixture, const char *text)
{
    struct json_value root;
    assert_int_equal(parse(fixture, slice_from_string(text), &root), ERROR_NONE);
    return root;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->parser = json_parser_create();
    assert_non_null(fixture->parser);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    json_parser_destroy(fixture->parser);
    buffer_free(&fixture->text);
    free(fixture);
    return 0;
}

static void gives_scalars_by_type(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(json_value_type(parsed(fixture, "null")), JSON_NULL);
    assert_true(json_value_bool(parsed(fixture, " true ")));
    assert_false(json_value_bool(parsed(fixture, "false")));
    assert_int_equal(json_value_int(parsed(fixture, "-9223372036854775808")), INT64_MIN);
    assert_int_equal(json_value_type(parsed(fixture, "9223372036854775807")), JSON_INT);
    assert_int_equal(json_value_type(parsed(fixture, "18446744073709551615")), JSON_UINT);
    assert_true(json_value_uint(parsed(fixture, "18446744073709551615")) == UINT64_MAX);
    assert_true(json_value_double(parsed(fixture, "1.5e3")) == 1500.0);
    assert_true(json_value_double(parsed(fixture, "7")) == 7.0);
    struct slice string = json_value_string(parsed(fixture, "\"a\\u0000b\\n\\ud83d\\ude00\""));
    assert_int_equal(string.size, 8);
    assert_memory_equal(string.data, "a\0b\n\xf0\x9f\x98\x80", 8);
}

static void walks_nested_members_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct json_value root = parsed(fixture, "{\"a\":1,\"b\":[{\"x\":[]},2.5,\"s\"],\"c\":{},\"d\":null}");
    static const char *const keys[] = {"a", "b", "c", "d"};
    static const enum json_type types[] = {JSON_INT, JSON_ARRAY, JSON_OBJECT, JSON_NULL};
    struct json_iterator iterator = json_iterate(root);
    struct slice key;
    struct json_value child;
    for (size_t i = 0; i < 4; i++) {
        assert_true(json_next(&iterator, &key, &child));
        assert_true(slice_equal(key, slice_from_string(keys[i])));
        assert_int_equal(json_value_type(child), types[i]);
    }
    assert_false(json_next(&iterator, &key, &child));
    assert_true(json_object_get(root, SLICE("b"), &child));
    assert_int_equal(json_array_size(child), 3);
    iterator = json_iterate(child);
    assert_true(json_next(&iterator, &key, &child));
    assert_int_equal(key.size, 0);
    assert_int_equal(json_value_type(child), JSON_OBJECT);
    assert_true(json_next(&iterator, &key, &child));
    assert_true(json_value_double(child) == 2.5);
    assert_false(json_object_get(root, SLICE("absent"), &child));
}

static void writes_back_what_it_read(void **state)
{
    static const char text[] =
        "{\"a\":[1,-2,18446744073709551615,2.5,\"q\\\"\"],\"b\":{\"c\":[true,false,null]},\"\":[]}";
    struct buffer out = {0};
    json_value_write(parsed(*state, text), &out);
    assert_int_equal(out.size, sizeof text - 1);
    assert_memory_equal(out.data, text, out.size);
    buffer_free(&out);
}

static void refuses_malformed_text_with_line_and_column(void **state)
{
    static const struct { const char *text; const char *expected; } cases[] = {
        {"", "empty"},
        {" \n ", "empty"},
        {"{\"a\":1,}", "a member name in double quotes is missing at byte 7 (line 1, column 8)"},
        {"{\"a\":1\n \"b\":2}", "a comma or } is missing at byte 8 (line 2, column 2)"},
        {"[1 2]", "a comma or ] is missing at byte 3"},
        {"[1,]", "where a value should begin at byte 3"},
        {"{\"a\" 1}", "a colon is missing"},
        {"[tru]", "an unknown word"},
        {"[01]", "a comma or ] is missing at byte 2"},
        {"[1.]", "a bad number at byte 3"},
        {"[\"ab", "a string that is never closed at byte 1"},
        {"[\"a\tb\"]", "a control character inside a string"},
        {"[\"\\x\"]", "an unknown escape"},
        {"[\"\\u12g4\"]", "a bad \\u escape"},
        {"{} {}", "more text after the value at byte 3"},
        {"[1", "ends inside an array"},
        {"[1e999]", "a number is too large"},
        {"[\"\\ud800\"]", "half of a surrogate pair"},
        {"[\"\xff\"]", "not UTF-8"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_value root;
        assert_int_equal(parse(fixture, slice_from_string(cases[i].text), &root), ERROR_INVALID);
        if (!strstr(fixture->error.message, cases[i].expected))
            fail_msg("%s: \"%s\" does not contain \"%s\"", cases[i].text, fixture->error.message, cases[i].expected);
    }
}

static void repairs_halves_of_characters_and_nothing_else(void **state)
{
#define BAD "\xef\xbf\xbd"
    static const struct { const char *text, *expected; } cases[] = {
        {"[\"hello \\ud83d\"]", "[\"hello " BAD "\"]"},
        {"[\"\\uDE00 \\ud83d\\ud83d\\ude00 \\ud83d\\u0041\"]", "[\"" BAD " " BAD "\xf0\x9f\x98\x80 " BAD "A\"]"},
        {"[\"\\\\ud83d \\\\\\ud83d\"]", "[\"\\\\ud83d \\\\" BAD "\"]"}, /* a backslash, then letters */
        {"{\"a\xf0\x9f\":\"\xff\\ud83d\xe2\x82\xac\"}", "{\"a" BAD BAD "\":\"" BAD BAD "\xe2\x82\xac\"}"},
        {"[\"\\ud83\"]", NULL},
        {"[\"\\ud83d\"", NULL},
        {"[\"\\\xff\"]", NULL},
        {"[\"\xff\",\\ud83d]", NULL},
        {"\xff", NULL},
        {"[\"\\ud83d\",1,]", NULL},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_value root;
        struct buffer out = {0};
        assert_int_equal(parse(fixture, slice_from_string(cases[i].text), &root), ERROR_INVALID);
        struct slice text = slice_first(buffer_slice(&fixture->text), strlen(cases[i].text));
        if (json_parse_repaired(fixture->parser, text, &root, &fixture->error)) {
            if (cases[i].expected) fail_msg("%s: %s", cases[i].text, fixture->error.message);
            continue;
        }
        json_value_write(root, &out);
        if (!cases[i].expected || !slice_equal(buffer_slice(&out), slice_from_string(cases[i].expected)))
            fail_msg("%s gives %.*s", cases[i].text, (int)out.size, out.data);
        buffer_free(&out);
    }
}

static void refuses_to_repair_what_is_mostly_broken(void **state)
{
    struct fixture *fixture = *state;
    struct json_value root;
    for (int more = 0; more < 2; more++) {
        buffer_clear(&fixture->text);
        buffer_append_byte(&fixture->text, '"');
        for (size_t i = 0; i < JSON_REPAIR_BYTES + (size_t)more; i++) buffer_append_byte(&fixture->text, '\xff');
        buffer_append_byte(&fixture->text, '"');
        size_t size = fixture->text.size;
        buffer_append_zeros(&fixture->text, JSON_PADDING);
        assert_int_equal(json_parse_repaired(fixture->parser, slice_first(buffer_slice(&fixture->text), size), &root, &fixture->error),
                         more ? ERROR_INVALID : ERROR_NONE);
    }
    assert_string_equal(fixture->error.message, "the JSON text is not UTF-8: more than 1048576 of its bytes do not belong");
}

static void accepts_depth_below_the_limit_and_refuses_more(void **state)
{
    struct fixture *fixture = *state;
    char text[2 * JSON_DEPTH_LIMIT + 3];
    for (size_t depth = 1; depth <= JSON_DEPTH_LIMIT + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct json_value root;
        enum error_code code = parse(fixture, slice_make(text, 2 * depth), &root);
        if (depth < JSON_DEPTH_LIMIT) assert_int_equal(code, ERROR_NONE);
        if (depth > JSON_DEPTH_LIMIT) {
            assert_int_equal(code, ERROR_INVALID);
            assert_non_null(strstr(fixture->error.message, "deeper than 128"));
        }
    }
}

static void parses_small_text_after_large_text(void **state)
{
    struct fixture *fixture = *state;
    struct buffer large = {0};
    buffer_append_byte(&large, '[');
    for (int i = 0; i < 700000; i++) buffer_append_string(&large, "1,");
    buffer_append_string(&large, "1]");
    struct json_value root;
    assert_int_equal(parse(fixture, buffer_slice(&large), &root), ERROR_NONE);
    assert_int_equal(json_array_size(root), 700001);
    assert_int_equal(json_value_int(parsed(fixture, "42")), 42);
    buffer_free(&large);
}

static void gives_back_what_a_large_text_took(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)state;
    skip(); /* their allocator counts otherwise, and keeps what is freed */
#else
    struct fixture *fixture = *state;
    struct buffer large = {0};
    buffer_append_string(&large, "[0");
    for (int i = 0; i < 6 << 20; i++) buffer_append_string(&large, ",1");
    buffer_append_string(&large, "]");
    struct json_value root;
    size_t before = mallinfo2().hblkhd + mallinfo2().uordblks;
    assert_int_equal(parse(fixture, buffer_slice(&large), &root), ERROR_NONE);
    buffer_free(&large);
    buffer_free(&fixture->text);
    assert_true(mallinfo2().hblkhd + mallinfo2().uordblks > before + (32u << 20));
    json_parser_rest(fixture->parser);
    assert_true(mallinfo2().hblkhd + mallinfo2().uordblks < before + (2u << 20));
    assert_int_equal(json_value_int(parsed(fixture, "7")), 7);
#endif
}

static void locator_finds_nothing_in_good_text(void **state)
{
    (void)state;
    struct json_fault fault;
    assert_false(json_locate(SLICE("{\"a\":[0,-0.5e+7,\"\\u00e9\",true,false,null,{},[]],\"b\":{\"c\":1}} "), &fault));
}

static void lines_skip_blanks_and_count_them(void **state)
{
    (void)state;
    struct lines lines = lines_of(SLICE("\n{\"a\":1}\r\n\n  \n{}"));
    struct slice line;
    assert_true(lines_next(&lines, &line));
    assert_true(slice_equal(line, SLICE("{\"a\":1}")));
    assert_int_equal(lines.number, 2);
    assert_true(lines_next(&lines, &line));
    assert_true(slice_equal(line, SLICE("{}")));
    assert_int_equal(lines.number, 5);
    assert_false(lines_next(&lines, &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_scalars_by_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(walks_nested_members_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writes_back_what_it_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_malformed_text_with_line_and_column, set_up, tear_down),
        cmocka_unit_test_setup_teardown(repairs_halves_of_characters_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_to_repair_what_is_mostly_broken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accepts_depth_below_the_limit_and_refuses_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parses_small_text_after_large_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gives_back_what_a_large_text_took, set_up, tear_down),
        cmocka_unit_test(locator_finds_nothing_in_good_text),
        cmocka_unit_test(lines_skip_blanks_and_count_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
