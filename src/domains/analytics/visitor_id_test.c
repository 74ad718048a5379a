/* SPDX-License-Identifier: Apache-2.0 */
/* Derived ids equal the vectors recorded from OpenPanel, so that a site that moves keeps its visitors of the day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "domains/analytics/visitor_id.h"

static void device_id_equals_the_recorded_vector(void **state)
{
    (void)state;
    char id[VISITOR_DEVICE_ID_SIZE];
    visitor_device_id(SLICE("Mozilla/5.0 test"), SLICE("1.2.3.4"), SLICE("proj-1"), SLICE("salt-current"), id);
    assert_memory_equal(id, "5c078346ee954b02a475f37b01780d5d", sizeof id);
}

static void a_missing_user_agent_counts_as_unknown(void **state)
{
    (void)state;
    char missing[VISITOR_DEVICE_ID_SIZE], unknown[VISITOR_DEVICE_ID_SIZE];
    visitor_device_id(SLICE(""), SLICE("1.2.3.4"), SLICE("p"), SLICE("s"), missing);
    visitor_device_id(SLICE("unknown/1.0"), SLICE("1.2.3.4"), SLICE("p"), SLICE("s"), unknown);
    assert_memory_equal(missing, unknown, sizeof missing);
}

static void session_id_equals_the_recorded_vectors(void **state)
{
    (void)state;
    static const struct { int64_t time_ms; const char *expected; } vectors[] = {
        {1780920000000, "VcaEoEuCy7dsnRkHTwLeHw"},
        {1780920004999, "VcaEoEuCy7dsnRkHTwLeHw"},
        {1780920005000, "4aHtRP-wnVAbheTGHDvSOw"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char id[VISITOR_SESSION_ID_SIZE];
        visitor_session_id(SLICE("proj-1"), SLICE("5c078346ee954b02a475f37b01780d5d"), vectors[i].time_ms, VISITOR_SESSION_MS, id);
        assert_memory_equal(id, vectors[i].expected, sizeof id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_id_equals_the_recorded_vector),
        cmocka_unit_test(a_missing_user_agent_counts_as_unknown),
        cmocka_unit_test(session_id_equals_the_recorded_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
