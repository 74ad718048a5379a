/* SPDX-License-Identifier: Apache-2.0 */
/* Answers kept for a while: who computes, who waits, who gets it from memory, and what is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "api/answers.h"

struct asked {
    enum api_answers_found found;
    struct api_answer_wait wait;
    struct buffer out;
    int status;
    const char *content_type;
    int64_t age_ms;
    struct api_answer *computing;
};

static void ask(struct api_answers *answers, struct slice key, int64_t now_ms, struct asked *asked)
{
    *asked = (struct asked){0};
    asked->found = api_answers_take(answers, key, now_ms, &asked->wait, &asked->out, &asked->status, &asked->content_type,
                                    &asked->age_ms, &asked->computing);
}

static struct api_answer_wait *give(struct api_answers *answers, struct asked *asked, const char *text, int64_t now_ms, int64_t until_ms)
{
    struct buffer body = {0};
    if (text) buffer_append_string(&body, text);
    struct api_answer_wait *waits = api_answers_give(answers, asked->computing, now_ms, until_ms, text ? &body : NULL, 200, "text/plain");
    buffer_free(&body);
    return waits;
}

static struct metric_registry *metrics;

static int create(void **state)
{
    *state = api_answers_create(metrics);
    return *state ? 0 : -1;
}
static int destroy(void **state)
{
    api_answers_destroy(*state);
    return 0;
}

#define A SLICE("tenant-a\0/v1/x")
#define B SLICE("tenant-b\0/v1/x")

static void an_answer_is_given_again_until_its_time_is_over(void **state)
{
    struct asked first, second, third;
    ask(*state, A, 1000, &first);
    assert_int_equal(first.found, API_ANSWER_WANTED);
    assert_null(give(*state, &first, "hello", 1010, 2000));
    ask(*state, A, 1999, &second);
    assert_int_equal(second.found, API_ANSWER_KEPT);
    assert_true(slice_equal(buffer_slice(&second.out), SLICE("hello")));
    assert_int_equal(second.age_ms, 989);
    assert_int_equal(second.status, 200);
    assert_string_equal(second.content_type, "text/plain");
    buffer_free(&second.out);
    ask(*state, A, 2000, &third);
    assert_int_equal(third.found, API_ANSWER_WANTED);
    give(*state, &third, NULL, 2000, 0);
}

static void another_tenant_never_gets_it(void **state)
{
    struct asked first, second;
    ask(*state, A, 1000, &first);
    ask(*state, B, 1000, &second);
    assert_int_equal(second.found, API_ANSWER_WANTED);
    give(*state, &first, "of a", 1000, 2000);
    give(*state, &second, "of b", 1000, 2000);
    ask(*state, B, 1001, &second);
    assert_true(slice_equal(buffer_slice(&second.out), SLICE("of b")));
    buffer_free(&second.out);
}

static void who_asks_meanwhile_waits_for_the_same_answer(void **state)
{
    struct asked first, second, third;
    ask(*state, A, 1000, &first);
    ask(*state, A, 1001, &second);
    ask(*state, A, 1002, &third);
    assert_int_equal(second.found, API_ANSWER_AWAITED);
    struct api_answer_wait *waits = give(*state, &first, "hello", 1010, 2000);
    assert_ptr_equal(waits, &second.wait);
    assert_ptr_equal(waits->next, &third.wait);
    assert_null(waits->next->next);
}

static void without_an_answer_the_next_one_computes(void **state)
{
    struct asked first, second, third;
    ask(*state, A, 1000, &first);
    ask(*state, A, 1001, &second);
    assert_ptr_equal(give(*state, &first, NULL, 1010, 2000), &second.wait);
    ask(*state, A, 1011, &third);
    assert_int_equal(third.found, API_ANSWER_WANTED);
    give(*state, &third, NULL, 1011, 0);
}

static void what_is_forgotten_is_not_given_to_anybody_who_asks_later(void **state)
{
    struct asked kept, computing, other, late;
    struct slice more = SLICE("tenant-a\0/v1/y");
    ask(*state, A, 1000, &kept);
    give(*state, &kept, "old", 1000, 9000);
    ask(*state, more, 1000, &computing);
    ask(*state, B, 1000, &other);
    give(*state, &other, "b", 1000, 9000);
    api_answers_forget(*state, "tenant-a");
    ask(*state, A, 1001, &kept);
    assert_int_equal(kept.found, API_ANSWER_WANTED);
    ask(*state, more, 1001, &late);
    assert_int_equal(late.found, API_ANSWER_WANTED);
    assert_null(give(*state, &computing, "old", 1002, 9000));
    give(*state, &late, "new", 1003, 9000);
    give(*state, &kept, NULL, 1003, 0);
    ask(*state, more, 1004, &late);
    assert_true(slice_equal(buffer_slice(&late.out), SLICE("new")));
    buffer_free(&late.out);
    ask(*state, B, 1004, &other);
    assert_int_equal(other.found, API_ANSWER_KEPT);
    buffer_free(&other.out);
}

static void the_oldest_leave_when_there_is_no_room(void **state)
{
    enum { COUNT = API_ANSWERS_BYTES / (API_ANSWER_BYTES / 2) + 8 };
    struct buffer body = {0};
    buffer_append_zeros(&body, API_ANSWER_BYTES / 2);
    for (int i = 0; i < COUNT; i++) {
        char key[32];
        int size = snprintf(key, sizeof key, "tenant%c%d", 0, i);
        struct asked asked;
        ask(*state, slice_make(key, (size_t)size), 1000, &asked);
        assert_int_equal(asked.found, API_ANSWER_WANTED);
        api_answers_give(*state, asked.computing, 1000, 9000, &body, 200, "text/plain");
    }
    struct asked first, last;
    char key[32];
    int size = snprintf(key, sizeof key, "tenant%c%d", 0, COUNT - 1);
    ask(*state, SLICE("tenant\0000"), 1001, &first);
    assert_int_equal(first.found, API_ANSWER_WANTED);
    give(*state, &first, NULL, 1001, 0);
    ask(*state, slice_make(key, (size_t)size), 1001, &last);
    assert_int_equal(last.found, API_ANSWER_KEPT);
    buffer_free(&last.out);
    buffer_free(&body);
}

static void what_is_too_large_is_not_kept(void **state)
{
    struct buffer body = {0};
    buffer_append_zeros(&body, API_ANSWER_BYTES + 1);
    struct asked asked;
    ask(*state, A, 1000, &asked);
    api_answers_give(*state, asked.computing, 1000, 9000, &body, 200, "text/plain");
    ask(*state, A, 1001, &asked);
    assert_int_equal(asked.found, API_ANSWER_WANTED);
    give(*state, &asked, NULL, 1001, 0);
    buffer_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_is_given_again_until_its_time_is_over, create, destroy),
        cmocka_unit_test_setup_teardown(another_tenant_never_gets_it, create, destroy),
        cmocka_unit_test_setup_teardown(who_asks_meanwhile_waits_for_the_same_answer, create, destroy),
        cmocka_unit_test_setup_teardown(without_an_answer_the_next_one_computes, create, destroy),
        cmocka_unit_test_setup_teardown(what_is_forgotten_is_not_given_to_anybody_who_asks_later, create, destroy),
        cmocka_unit_test_setup_teardown(the_oldest_leave_when_there_is_no_room, create, destroy),
        cmocka_unit_test_setup_teardown(what_is_too_large_is_not_kept, create, destroy),
    };
    metrics = metric_registry_create();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    metric_registry_destroy(metrics);
    return failed;
}
