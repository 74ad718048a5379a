/* SPDX-License-Identifier: Apache-2.0 */
/* Fields: every type with what it takes, what it refuses and how it says so; the way out; the schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "control/field.h"
#include "control/resource.h"

static const char *const colours[] = {"red", "green", NULL};
static const struct control_resource thing = {.name = "thing"};
static const struct control_field all[] = {
    {.name = "title",
     .type = CONTROL_TEXT,
     .flags = CONTROL_REQUIRED,
     .least = 1,
     .most = 10,
     .help = "what it is called"},
    {.name = "notes", .type = CONTROL_LONG_TEXT, .most = 20},
    {.name = "password", .type = CONTROL_SECRET, .least = 4, .most = 12},
    {.name = "code", .type = CONTROL_CODE, .flags = CONTROL_IMMUTABLE, .most = 8},
    {.name = "email", .type = CONTROL_EMAIL},
    {.name = "link", .type = CONTROL_URL},
    {.name = "colour", .type = CONTROL_WORD, .words = colours, .fallback = "green"},
    {.name = "is_active", .type = CONTROL_BOOLEAN, .flags = CONTROL_UPDATE},
    {.name = "size", .type = CONTROL_INTEGER, .least = -5, .most = 100, .fallback = "7"},
    {.name = "until", .type = CONTROL_TIME, .flags = CONTROL_NULLABLE},
    {.name = "layout", .type = CONTROL_JSON, .most = 40, .fallback = "{}"},
    {.name = "tags", .type = CONTROL_WORDS, .most = 3},
    {.name = "thing_id", .type = CONTROL_ID, .flags = CONTROL_NULLABLE, .refers = &thing},
    {.name = "views", .type = CONTROL_INTEGER, .flags = CONTROL_READ_ONLY},
    {0},
};
enum { TITLE, NOTES, PASSWORD, CODE, EMAIL, LINK, COLOUR, ACTIVE, SIZE, UNTIL, LAYOUT, TAGS, THING, VIEWS, COUNT };

struct fixture {
    struct arena *arena;
    struct json_parser *parser;
    struct control_value values[CONTROL_FIELD_LIMIT];
    struct error error;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->arena = arena_create(0);
    fixture->parser = json_parser_create();
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    arena_destroy(fixture->arena);
    json_parser_destroy(fixture->parser);
    free(fixture);
    return 0;
}

static enum error_code read_json(struct fixture *fixture, const char *json, bool is_update)
{
    static char padded[4096 + JSON_PADDING];
    struct json_value root;
    memset(padded, 0, sizeof padded);
    memcpy(padded, json, strlen(json));
    fixture->error = (struct error){0};
    assert_int_equal(json_parse(fixture->parser, slice_make(padded, strlen(json)), &root, &fixture->error), ERROR_NONE);
    return control_fields_read(fixture->arena, all, root, is_update, fixture->values, &fixture->error);
}

static void assert_text(struct control_value value, const char *text)
{
    assert_true(value.given && !value.is_null);
    assert_int_equal(value.text.size, strlen(text));
    assert_memory_equal(value.text.data, text, strlen(text));
}

static void every_type_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct control_value *values = fixture->values;
    assert_int_equal(
        read_json(fixture,
                  "{\"title\":\"Zo\\u00eb\",\"notes\":\"a\\nb\",\"password\":\" pw \",\"code\":\"my-1\","
                  "\"email\":\"Ann.B@Example.COM\",\"link\":\"https://a.example/x?y#z\",\"colour\":\"red\","
                  "\"size\":-5,\"until\":\"2026-01-31T12:00:00+01:00\",\"layout\":{\"a\":[1,2.5,null]},"
                  "\"tags\":[\"x\",\"y z\"],\"thing_id\":\"0192F0C1-0000-7000-8000-0000000000AB\"}",
                  false),
        ERROR_NONE);
    assert_text(values[TITLE], "Zo\xc3\xab");
    assert_text(values[NOTES], "a\nb");
    assert_text(values[PASSWORD], " pw ");
    assert_text(values[CODE], "my-1");
    assert_text(values[EMAIL], "ann.b@example.com");
    assert_text(values[LINK], "https://a.example/x?y#z");
    assert_text(values[COLOUR], "red");
    assert_int_equal(values[SIZE].integer, -5);
    assert_int_equal(values[UNTIL].integer, INT64_C(1769857200000));
    assert_text(values[LAYOUT], "{\"a\":[1,2.5,null]}");
    assert_text(values[TAGS], "x\ny z");
    assert_text(values[THING], "0192f0c1-0000-7000-8000-0000000000ab");
    assert_false(values[ACTIVE].given);
    assert_false(values[VIEWS].given);
}

static void what_is_absent_is_filled_by_the_fallback_on_create_only(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(read_json(fixture, "{\"title\":\"a\"}", false), ERROR_NONE);
    assert_text(fixture->values[COLOUR], "green");
    assert_int_equal(fixture->values[SIZE].integer, 7);
    assert_text(fixture->values[LAYOUT], "{}");
    assert_false(fixture->values[NOTES].given);
    assert_int_equal(read_json(fixture, "{\"is_active\":false,\"until\":null}", true), ERROR_NONE);
    assert_false(fixture->values[COLOUR].given);
    assert_true(fixture->values[ACTIVE].given);
    assert_int_equal(fixture->values[ACTIVE].integer, 0);
    assert_true(fixture->values[UNTIL].given && fixture->values[UNTIL].is_null);
}

static void optional_texts_are_cleared_by_empty_ones(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(read_json(fixture, "{\"email\":\"\",\"link\":\"\",\"notes\":\"\",\"tags\":[]}", true), ERROR_NONE);
    assert_text(fixture->values[EMAIL], "");
    assert_text(fixture->values[LINK], "");
    assert_text(fixture->values[TAGS], "");
}

/* Each refusal names the field and says what is allowed. */
static void every_refusal_names_the_field_and_what_is_allowed(void **state)
{
    static const struct { const char *json; bool is_update; const char *field, *says; } rows[] = {
        {"[]", false, "body", "must be a JSON object"},
        {"{}", false, "title", "title is missing: what it is called"},
        {"{\"nope\":1}", true, "nope", "there are: title, notes, password, email"},
        {"{\"title\":1}", true, "title", "must be text"},
        {"{\"title\":null}", true, "title", "cannot be null"},
        {"{\"title\":\"  \"}", true, "title", "1 to 10 bytes"},
        {"{\"title\":\"12345678901\"}", true, "title", "1 to 10 bytes; this one has 11"},
        {"{\"title\":\"a\\nb\"}", true, "title", "without control characters"},
        {"{\"title\":\"a\\u0000b\"}", true, "title", "without control characters"},
        {"{\"title\":\"a\",\"title\":\"b\"}", true, "title", "given twice"},
        {"{\"notes\":\"a\\u0007\"}", true, "notes", "other than line breaks"},
        {"{\"password\":\"abc\"}", true, "password", "4 to 12 bytes"},
        {"{\"code\":\"abc\"}", true, "code", "cannot be changed"},
        {"{\"title\":\"a\",\"code\":\"A b\"}", false, "code", "1 to 8 characters of a-z, 0-9 and -"},
        {"{\"title\":\"a\",\"code\":\"123456789\"}", false, "code", "1 to 8"},
        {"{\"title\":\"a\",\"code\":\"\"}", false, "code", "1 to 8"},
        {"{\"email\":\"ann\"}", true, "email", "email address"},
        {"{\"email\":\"@b.example\"}", true, "email", "email address"},
        {"{\"email\":\"a@b..example\"}", true, "email", "email address"},
        {"{\"email\":\"a@b@c\"}", true, "email", "email address"},
        {"{\"email\":\"a b@c.example\"}", true, "email", "email address"},
        {"{\"email\":\"a@b.example>\"}", true, "email", "email address"},
        {"{\"email\":\"z\\u00f6@b.example\"}", true, "email", "ASCII"},
        {"{\"link\":\"javascript:alert(1)\"}", true, "link", "http or https"},
        {"{\"link\":\"/x\"}", true, "link", "absolute"},
        {"{\"link\":\"https://a b/\"}", true, "link", "absolute"},
        {"{\"colour\":\"blue\"}", true, "colour", "one of: red, green"},
        {"{\"is_active\":1}", true, "is_active", "true or false"},
        {"{\"title\":\"a\",\"is_active\":true}", false, "is_active", "changed later"},
        {"{\"size\":101}", true, "size", "-5 to 100"},
        {"{\"size\":-6}", true, "size", "-5 to 100"},
        {"{\"size\":18446744073709551615}", true, "size", "-5 to 100"},
        {"{\"size\":1.5}", true, "size", "whole number"},
        {"{\"size\":\"1\"}", true, "size", "whole number"},
        {"{\"until\":\"tomorrow\"}", true, "until", "ISO 8601"},
        {"{\"until\":-1}", true, "until", "ISO 8601"},
        {"{\"until\":true}", true, "until", "ISO 8601"},
        {"{\"layout\":\"{}\"}", true, "layout", "object or array"},
        {"{\"layout\":[\"0123456789012345678901234567890123456789\"]}", true, "layout", "at most 40 bytes"},
        {"{\"layout\":{\"a\":\"\\u0000\"}}", true, "layout", "zero byte"},
        {"{\"tags\":\"x\"}", true, "tags", "array of texts"},
        {"{\"tags\":[\"a\",\"b\",\"c\",\"d\"]}", true, "tags", "at most 3"},
        {"{\"tags\":[\"\"]}", true, "tags", "1 to 256 bytes"},
        {"{\"tags\":[\"a\\nb\"]}", true, "tags", "control characters"},
        {"{\"thing_id\":\"7\"}", true, "thing_id", "UUID"},
        {"{\"views\":1}", true, "views", "set by the program"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (read_json(fixture, rows[i].json, rows[i].is_update) != ERROR_INVALID)
            fail_msg("accepted: %s", rows[i].json);
        assert_int_equal(fixture->error.code, ERROR_INVALID);
        assert_string_equal(fixture->error.field, rows[i].field);
        if (!strstr(fixture->error.message, rows[i].says))
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].json, fixture->error.message, rows[i].says);
    }
}

static void a_secret_is_not_repeated_in_a_refusal(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(read_json(fixture, "{\"password\":\"swordfish-swordfish\"}", true), ERROR_INVALID);
    assert_null(strstr(fixture->error.message, "swordfish"));
}

static void query_strings_are_read_by_the_same_rules(void **state)
{
    static const struct {
        int field;
        const char *text;
        enum error_code code;
        int64_t integer;
        const char *read;
    } rows[] = {
        {ACTIVE, "true", ERROR_NONE, 1, NULL},
        {ACTIVE, "false", ERROR_NONE, 0, NULL},
        {ACTIVE, "1", ERROR_INVALID, 0, NULL},
        {SIZE, "42", ERROR_NONE, 42, NULL},
        {SIZE, "x", ERROR_INVALID, 0, NULL},
        {SIZE, "1000", ERROR_INVALID, 0, NULL},
        {UNTIL, "1000", ERROR_NONE, 1000, NULL},
        {UNTIL, "1970-01-01", ERROR_NONE, 0, NULL},
        {TAGS, "a, b,c", ERROR_NONE, 0, "a\nb\nc"},
        {TAGS, "a,b,c,d", ERROR_INVALID, 0, NULL},
        {LAYOUT, "[1]", ERROR_NONE, 0, "[1]"},
        {LAYOUT, "[1", ERROR_INVALID, 0, NULL},
        {TITLE, "\xff", ERROR_INVALID, 0, NULL},
        {COLOUR, "red", ERROR_NONE, 0, "red"},
        {LINK, "https://\xff/", ERROR_INVALID, 0, NULL},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct control_value value;
        enum error_code code = control_field_read_text(fixture->arena, &all[rows[i].field],
                                                       slice_from_string(rows[i].text), &value, &fixture->error);
        assert_int_equal(code, rows[i].code);
        if (code) {
            assert_string_equal(fixture->error.field, all[rows[i].field].name);
            continue;
        }
        assert_int_equal(value.integer, rows[i].integer);
        if (rows[i].read) assert_text(value, rows[i].read);
    }
}

static void values_of_rows_are_written_by_their_type(void **state)
{
    struct buffer out = {0};
    struct json_writer writer = {.out = &out};
    const struct meta_value columns[COUNT] = {
        [TITLE] = {.type = META_TEXT, .bytes = SLICE("a\"b")},
        [PASSWORD] = {.type = META_TEXT, .bytes = SLICE("secret")},
        [ACTIVE] = {.type = META_INTEGER, .integer = 1},
        [SIZE] = {.type = META_INTEGER, .integer = -5},
        [UNTIL] = {.type = META_INTEGER, .integer = 1000},
        [LAYOUT] = {.type = META_TEXT, .bytes = SLICE("{\"a\":1}")},
        [TAGS] = {.type = META_TEXT, .bytes = SLICE("x\ny")},
    };
    struct meta_row row = {columns, COUNT};
    static const int order[] = {TITLE, PASSWORD, ACTIVE, SIZE, UNTIL, LAYOUT, TAGS, THING};
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        control_field_write(&all[order[i]], &row, (size_t)order[i], &writer);
    json_writer_array_end(&writer);
    buffer_append_byte(&out, 0);
    assert_string_equal(out.data,
                        "[\"a\\\"b\",null,true,-5,\"1970-01-01T00:00:01.000Z\",{\"a\":1},[\"x\",\"y\"],null]");
    buffer_free(&out);
}

static void every_type_has_a_schema(void **state)
{
    static const struct { int field; const char *schema; } rows[] = {
        {TITLE, "{\"type\":\"string\",\"minLength\":1,\"maxLength\":10,\"description\":\"what it is called\"}"},
        {PASSWORD, "{\"type\":\"string\",\"format\":\"password\",\"minLength\":4,\"maxLength\":12,\"writeOnly\":true}"},
        {CODE, "{\"type\":\"string\",\"pattern\":\"^[a-z0-9-]+$\",\"maxLength\":8}"},
        {COLOUR, "{\"type\":\"string\",\"enum\":[\"red\",\"green\"],\"default\":\"green\"}"},
        {SIZE, "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":-5,\"maximum\":100,\"default\":7}"},
        {UNTIL, "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"},
        {LAYOUT, "{\"type\":[\"object\",\"array\"],\"default\":{}}"},
        {THING, "{\"type\":[\"string\",\"null\"],\"format\":\"uuid\",\"description\":\"the id of a thing\"}"},
    };
    struct fixture *fixture = *state;
    for (int i = 0; i < COUNT; i++) {
        struct buffer out = {0};
        struct json_writer writer = {.out = &out};
        struct json_value root;
        control_field_schema_write(&all[i], &writer);
        for (size_t j = 0; j < sizeof rows / sizeof *rows; j++)
            if (rows[j].field == i) {
                assert_int_equal(out.size, strlen(rows[j].schema));
                assert_memory_equal(out.data, rows[j].schema, out.size);
            }
        size_t size = out.size;
        buffer_append_zeros(&out, JSON_PADDING);
        assert_int_equal(json_parse(fixture->parser, slice_make(out.data, size), &root, &fixture->error), ERROR_NONE);
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_type_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_absent_is_filled_by_the_fallback_on_create_only, setup, teardown),
        cmocka_unit_test_setup_teardown(optional_texts_are_cleared_by_empty_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(every_refusal_names_the_field_and_what_is_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_secret_is_not_repeated_in_a_refusal, setup, teardown),
        cmocka_unit_test_setup_teardown(query_strings_are_read_by_the_same_rules, setup, teardown),
        cmocka_unit_test(values_of_rows_are_written_by_their_type),
        cmocka_unit_test_setup_teardown(every_type_has_a_schema, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
