/* SPDX-License-Identifier: Apache-2.0 */
/* What the server adds to events: device, place, bots; and what it leaves to the client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "domain/harness.h"
#include "domains/analytics/analytics.h"
#include "domains/analytics/dialect.h"
#include "enrich/geo.h"
#include "enrich/geo_fixture.h"

#define IPHONE "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.5 Mobile/15E148 Safari/604.1"
#define GPTBOT "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.2; +https://openai.com/gptbot"

struct fixture {
    struct harness harness;
    char path[64];
    struct buffer rows;
};

static int set_up(void **state)
{
    static const struct geo_fixture_place places[] = {
        {"203.0.112.0/20", true, "SE", "Stockholm", "Solna", 59.25, 18},
        {"81.2.69.0/24", true, "GB", "England", "London", 51.5, -0.125},
    };
    struct fixture *fixture = calloc(1, sizeof *fixture);
    harness_create(&fixture->harness, &analytics_domain);
    memcpy(fixture->path, "/tmp/millrace-geo-XXXXXX", 25);
    int fd = mkstemp(fixture->path);
    if (fd < 0) return -1;
    close(fd);
    geo_fixture_write(fixture->path, 4, "Test-City", places, 2);
    geo_close(fixture->harness.geo);
    *state = fixture;
    return geo_open(slice_from_string(fixture->path), &fixture->harness.geo, NULL) == ERROR_NONE ? 0 : -1;
}
static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    harness_destroy(&fixture->harness);
    buffer_free(&fixture->rows);
    free(fixture);
    return 0;
}

/* The row that one event of our own dialect becomes. */
static const char *row_of(struct fixture *fixture, const char *agent, const char *event)
{
    struct harness *harness = &fixture->harness;
    harness_reset(harness);
    harness_header(harness, "authorization", "Bearer mrw_key");
    harness_header(harness, "content-type", "application/json");
    if (agent) harness_header(harness, "user-agent", agent);
    assert_true(harness_post(harness, "/v1/events", "", slice_from_string(event)));
    if (harness->status != 200) fail_msg("%d: %.*s", harness->status, SLICE_ARGS(buffer_slice(&harness->body)));
    buffer_clear(&fixture->rows);
    harness_write_rows(harness, ANALYTICS_TABLE_EVENTS, &fixture->rows);
    buffer_append_byte(&fixture->rows, 0);
    return fixture->rows.data;
}

#define HAS(row, text) do { if (!strstr(row, text)) fail_msg("no %s in %s", text, row); } while (0)
#define HAS_NOT(row, text) do { if (strstr(row, text)) fail_msg("%s in %s", text, row); } while (0)

static void a_visitors_device_and_place_are_added(void **state)
{
    const char *row = row_of(*state, IPHONE, "{\"name\":\"a\"}");
    HAS(row, "\"country\":\"SE\",\"region\":\"Stockholm\",\"city\":\"Solna\",\"longitude\":18,\"latitude\":59.25,");
    HAS(row, "\"os\":\"iOS\",\"os_version\":\"16.5\",\"browser\":\"Mobile Safari\",\"browser_version\":\"16.5\","
             "\"device\":\"mobile\",\"brand\":\"Apple\",\"model\":\"iPhone\"");
    HAS_NOT(row, "user_agent");
    HAS_NOT(row, "203.0.113.9");
}

static void what_the_client_says_stays(void **state)
{
    const char *row = row_of(*state, IPHONE, "{\"name\":\"a\",\"country\":\"NL\",\"browser\":\"Mine\",\"os_version\":\"1\",\"device\":\"kiosk\"}");
    HAS(row, "\"country\":\"NL\",\"os_version\":\"1\",\"browser\":\"Mine\",\"device\":\"kiosk\",\"brand\":\"Apple\",\"model\":\"iPhone\"");
    HAS_NOT(row, "16.5");
    HAS_NOT(row, "\"city\"");
}

static void a_server_is_no_place_and_has_no_device(void **state)
{
    const char *row = row_of(*state, "node", "{\"name\":\"a\"}");
    HAS(row, "\"device\":\"server\"");
    HAS_NOT(row, "\"country\"");
    row = row_of(*state, "curl/8.4.0", "{\"name\":\"a\",\"os\":\"Android\"}");
    HAS(row, "\"os\":\"Android\"");
    HAS_NOT(row, "\"device\":\"server\"");
}

static void a_server_may_pass_on_its_visitors_agent_and_address(void **state)
{
    const char *row = row_of(*state, "node", "{\"name\":\"a\",\"ip\":\"81.2.69.160\",\"user_agent\":\"" IPHONE "\"}");
    HAS(row, "\"country\":\"GB\",\"region\":\"England\",\"city\":\"London\"");
    HAS(row, "\"device\":\"mobile\"");
    HAS_NOT(row, "user_agent");
    HAS_NOT(row, "81.2.69.160");
}

static struct analytics_context context_of(struct fixture *fixture, const char *agent, enum tenant_key_kind kind)
{
    struct harness *harness = &fixture->harness;
    harness_reset(harness);
    harness_header(harness, "user-agent", agent);
    harness->key.kind = kind;
    static struct user_agent_parser *parser; /* lives as long as the program */
    if (!parser) assert_int_equal(user_agent_parser_create(&parser, NULL), ERROR_NONE);
    struct domain_input input = {.request = &harness->request, .key = &harness->key, .client_address = harness->request.peer,
                                 .json = harness->json, .secret = harness->secret, .user_agents = parser, .geo = harness->geo};
    return dialect_context(&input);
}

static void bots_are_marked_unless_they_have_the_secret_key(void **state)
{
    struct analytics_event event;
    struct analytics_context context = context_of(*state, GPTBOT, TENANT_KEY_WRITE);
    analytics_event_init(&event);
    assert_int_equal(analytics_event_complete(&event, &context, NULL), ERROR_NONE);
    assert_int_equal(event.bot.class, BOT_AI_CRAWLER);
    assert_true(slice_equal(event.bot.name, SLICE("GPTBot")));
    assert_true(slice_equal(analytics_event_text(&event, EVENT_DEVICE), SLICE("bot")));
    context = context_of(*state, GPTBOT, TENANT_KEY_SECRET);
    analytics_event_init(&event);
    assert_int_equal(analytics_event_complete(&event, &context, NULL), ERROR_NONE);
    assert_int_equal(event.bot.class, BOT_NONE);
    assert_true(slice_equal(analytics_event_text(&event, EVENT_DEVICE), SLICE("server")));
    /* The agent a backend passes on is that of who came to it. */
    analytics_event_init(&event);
    analytics_event_put_text(&event, EVENT_USER_AGENT, SLICE(GPTBOT));
    assert_int_equal(analytics_event_complete(&event, &context, NULL), ERROR_NONE);
    assert_int_equal(event.bot.class, BOT_AI_CRAWLER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_visitors_device_and_place_are_added, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_client_says_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_is_no_place_and_has_no_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_may_pass_on_its_visitors_agent_and_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bots_are_marked_unless_they_have_the_secret_key, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
