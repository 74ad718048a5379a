/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of spans: found keys, texts read back, texts that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domains/observability/spans.h"

static void every_key_is_found_and_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < OBSERVABILITY_SHAPE_KEY_COUNT; i++) {
        struct slice key = observability_shape_keys[i];
        assert_int_equal(observability_shape_key_find(key), i);
        assert_int_equal(observability_shape_key_find(slice_first(key, key.size - 1)), -1);
        assert_int_equal(observability_span_column_find(key), -1);
    }
    assert_int_equal(observability_shape_key_find(SLICE_EMPTY), -1);
    assert_int_equal(observability_shape_key_find(SLICE("a.key.longer.than.all.the.others")), -1);
    assert_int_equal(observability_span_column_find(SLICE("user.id")), 3);
}

static void a_shape_is_read_back_with_any_name(void **state)
{
    struct observability_shape shape;
    struct slice key, value;
    (void)state;
    assert_true(observability_shape_read(SLICE("77 siy\2http.route\1/cart\2db.user\1a b\2\2na\1\2\2me"), &shape));
    assert_int_equal(shape.kind, 77);
    assert_true(slice_equal(shape.letters, SLICE("siy")));
    assert_true(slice_equal(shape.name, SLICE("na\1\2\2me")));
    assert_true(observability_shape_next(&shape.values, &key, &value));
    assert_true(slice_equal(key, SLICE("http.route")) && slice_equal(value, SLICE("/cart")));
    assert_true(observability_shape_next(&shape.values, &key, &value));
    assert_true(slice_equal(key, SLICE("db.user")) && slice_equal(value, SLICE("a b")));
    assert_false(observability_shape_next(&shape.values, &key, &value));
    assert_true(observability_shape_read(SLICE("4294967295 \2\2"), &shape));
    assert_true(shape.kind == UINT32_MAX && !shape.letters.size && !shape.values.size && !shape.name.size);
}

static void what_is_no_shape_is_empty(void **state)
{
    static const char *const texts[] = {"", "2", "2 ", "2 s", "2 s\2", "2 s\2http.route\1/", "2 s\2http.route\1/\2", "x s\2\2name", "4294967296 \2\2", "-1 \2\2", " \2\2"};
    struct observability_shape shape;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (observability_shape_read(slice_from_string(texts[i]), &shape)) fail_msg("%s", texts[i]);
        assert_true(!shape.kind && !shape.letters.size && !shape.values.size && !shape.name.size);
    }
}

static void an_expression_takes_dots_as_dots(void **state)
{
    struct arena *arena = arena_create(0);
    struct slice sql = observability_shape_expression(arena, observability_shape_key_find(SLICE("http.route")));
    (void)state;
    assert_true(slice_equal(sql, SLICE("extract(shape, '\\x02http\\\\.route\\x01([^\\x02]*)')")));
    assert_true(slice_equal(sql, SLICE(OBSERVABILITY_SHAPE_SQL("http\\\\.route"))));
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_found_and_no_other),
        cmocka_unit_test(a_shape_is_read_back_with_any_name),
        cmocka_unit_test(what_is_no_shape_is_empty),
        cmocka_unit_test(an_expression_takes_dots_as_dots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
