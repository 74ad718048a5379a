/* SPDX-License-Identifier: Apache-2.0 */
/* What people hand out: where short links lead, what shares show and ask, what schedules of flags do to their rows. */
#include "control/control_fixture.h"

#include "control/flag_schedule.h"
#include "control/link.h"
#include "control/product.h"
#include "control/share.h"

#define OK(call)                                                               \
    do {                                                                       \
        if ((call) != ERROR_NONE) fail_msg("%s", fixture->error.message);      \
    } while (0)

static int setup(void **state)
{
    struct control_new_tenant made;
    int code = control_fixture_setup(state);
    struct control_fixture *fixture = *state;
    fixture->call.actor.is_super = true;
    OK(control_tenant_create_with_keys(&fixture->call, SLICE("shop"), &made, &fixture->error));
    fixture->call.actor.is_super = false;
    snprintf(fixture->call.tenant_id, sizeof fixture->call.tenant_id, "%s", made.tenant.id);
    snprintf(fixture->call.organization_id, sizeof fixture->call.organization_id, "%s", fixture->defaults.organization_id);
    return code;
}

/* ---- links ---- */

static struct user_agent agent_of(const char *os, enum bot_class class)
{
    return (struct user_agent){.os = slice_from_string(os), .bot = {.class = class, .name = SLICE_EMPTY}};
}

static void a_link_leads_by_system_robot_and_time(void **state)
{
    struct control_link link = {.target_url = SLICE("target"), .og_title = SLICE("title"), .ios_url = SLICE("ios"), .android_url = SLICE("android"),
                                .expired_redirect_url = SLICE("over"), .expires_ms = 1000};
    const struct { const char *os; enum bot_class class; int64_t now_ms; enum control_link_way way; bool is_visit; const char *location; } cases[] = {
        {"Linux", BOT_NONE, 999, CONTROL_LINK_REDIRECT, true, "target"},
        {"iOS", BOT_NONE, 999, CONTROL_LINK_REDIRECT, true, "ios"},
        {"Android", BOT_NONE, 999, CONTROL_LINK_REDIRECT, true, "android"},
        {"", BOT_SOCIAL_MEDIA, 999, CONTROL_LINK_PREVIEW, false, "target"},
        {"", BOT_SEARCH_ENGINE, 999, CONTROL_LINK_PREVIEW, false, "target"},
        {"", BOT_AI_CRAWLER, 999, CONTROL_LINK_REDIRECT, false, "target"},
        {"Linux", BOT_NONE, 1000, CONTROL_LINK_REDIRECT, false, "over"},
        {"", BOT_SOCIAL_MEDIA, 1000, CONTROL_LINK_REDIRECT, false, "over"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct user_agent agent = agent_of(cases[i].os, cases[i].class);
        struct control_link_decision decision = control_link_decide(&link, &agent, cases[i].now_ms);
        assert_int_equal(cases[i].way, decision.way);
        assert_int_equal(cases[i].is_visit, decision.is_visit);
        assert_true(slice_equal(slice_from_string(cases[i].location), decision.location));
    }
    link.expired_redirect_url = SLICE_EMPTY;
    struct user_agent person = agent_of("Linux", BOT_NONE);
    assert_int_equal(CONTROL_LINK_EXPIRED, control_link_decide(&link, &person, 1000).way);
    link.expires_ms = 0;
    link.og_title = SLICE_EMPTY; /* nothing to show: the target's own words */
    struct user_agent robot = agent_of("", BOT_SOCIAL_MEDIA);
    assert_int_equal(CONTROL_LINK_REDIRECT, control_link_decide(&link, &robot, 1000).way);
}

static void a_link_is_found_while_its_tenant_is_active(void **state)
{
    struct control_fixture *fixture = *state;
    struct control_link link;
    bool found;
    OK(control_fixture_create(fixture, &control_links, "{\"slug\":\"Spring_1\",\"name\":\"x\",\"target_url\":\"https://a.example/\"}"));
    OK(control_link_find(&fixture->control, SLICE("Spring_1"), fixture->call.arena, &link, &found, &fixture->error));
    assert_true(found && slice_equal(link.target_url, SLICE("https://a.example/")));
    assert_string_equal(fixture->call.tenant_id, link.tenant_id);
    OK(control_link_find(&fixture->control, SLICE("spring_1"), fixture->call.arena, &link, &found, &fixture->error));
    assert_false(found);
    control_fixture_execute(fixture, "update organizations set is_active = false");
    OK(control_link_find(&fixture->control, SLICE("Spring_1"), fixture->call.arena, &link, &found, &fixture->error));
    assert_false(found);
}

/* ---- shares ---- */

static void assert_question(struct control_fixture *fixture, const char *report, const char *path, const char *body)
{
    struct control_share share = {.dashboard_id = ""};
    struct buffer out = {0};
    const char *found_path;
    OK(control_fixture_create(fixture, &control_reports, report));
    snprintf(share.report_id, sizeof share.report_id, "%s", control_fixture_member(fixture, "report_id"));
    snprintf(share.tenant_id, sizeof share.tenant_id, "%s", fixture->call.tenant_id);
    OK(control_share_question(&fixture->call, &share, slice_from_string(share.report_id), &found_path, &out, &fixture->error));
    assert_string_equal(path, found_path);
    buffer_append_byte(&out, 0);
    /* PostgreSQL writes jsonb with spaces of its own. */
    char *to = out.data;
    for (const char *at = out.data; *at; at++)
        if (*at != ' ') *to++ = *at;
    *to = 0;
    assert_string_equal(body, out.data);
    buffer_free(&out);
    snprintf(share.tenant_id, sizeof share.tenant_id, "%s", "00000000-0000-4000-8000-00000000000f");
    assert_int_equal(ERROR_NOT_FOUND, control_share_question(&fixture->call, &share, slice_from_string(share.report_id), &found_path, &out, &fixture->error));
    buffer_free(&out);
}

static void a_report_becomes_the_question_of_its_type(void **state)
{
    struct control_fixture *fixture = *state;
    assert_question(fixture, "{\"name\":\"a\",\"chart_type\":\"linear\",\"series\":[{\"name\":\"signup\"}],\"breakdowns\":[\"path\"],\"previous\":true,\"range\":\"7d\"}",
                    "/v1/query/chart",
                    "{\"chart\":\"linear\",\"series\":[{\"name\":\"signup\"}],\"breakdowns\":[\"path\"],\"interval\":\"day\",\"compare\":\"previous\",\"range\":\"7d\"}");
    assert_question(fixture, "{\"name\":\"b\",\"chart_type\":\"funnel\",\"series\":[\"a\",\"b\"],\"options\":{\"window\":60},\"interval\":\"week\"}", "/v1/query/funnel",
                    "{\"window\":60,\"steps\":[\"a\",\"b\"],\"interval\":\"week\",\"range\":\"30d\"}");
    assert_question(fixture, "{\"name\":\"c\",\"chart_type\":\"retention\",\"options\":{\"interval\":\"month\"},\"range\":\"custom\","
                             "\"start_date\":\"2026-01-01T00:00:00Z\",\"end_date\":\"2026-02-01T00:00:00Z\"}", "/v1/query/retention",
                    "{\"interval\":\"month\",\"from\":\"2026-01-01T00:00:00.000Z\",\"to\":\"2026-02-01T00:00:00.000Z\"}");
    assert_question(fixture, "{\"name\":\"d\",\"chart_type\":\"retention\",\"interval\":\"hour\",\"range\":\"6m\",\"series\":[{\"name\":\"a\"},\"b\",\"c\"]}", "/v1/query/retention",
                    "{\"first\":{\"name\":\"a\"},\"return\":\"b\",\"interval\":\"day\",\"range\":\"6m\"}");
    assert_question(fixture, "{\"name\":\"e\",\"chart_type\":\"funnel\",\"options\":{\"steps\":[\"x\",\"y\"],\"period\":\"7d\"},\"series\":[\"a\"]}", "/v1/query/funnel",
                    "{\"steps\":[\"x\",\"y\"],\"period\":\"7d\",\"interval\":\"day\"}");
    assert_question(fixture, "{\"name\":\"f\",\"chart_type\":\"sankey\",\"options\":{\"mode\":\"before\",\"steps\":3},\"series\":[{\"name\":\"a\"}],\"range\":\"7d\"}", "/v1/query/paths",
                    "{\"mode\":\"before\",\"depth\":3,\"start\":{\"name\":\"a\"},\"end\":{\"name\":\"a\"},\"interval\":\"day\",\"range\":\"7d\"}");
    assert_question(fixture, "{\"name\":\"g\",\"chart_type\":\"sankey\",\"options\":{\"mode\":\"between\"},\"series\":[\"a\",\"b\"]}", "/v1/query/paths",
                    "{\"mode\":\"between\",\"start\":\"a\",\"end\":\"b\",\"interval\":\"day\",\"range\":\"30d\"}");
}

static void a_share_is_of_one_living_thing_and_its_token_of_one_share(void **state)
{
    struct control_fixture *fixture = *state;
    struct control_share share;
    char dashboard[37], body[256], id[37], token[64];
    OK(control_fixture_create(fixture, &control_dashboards, "{\"name\":\"d\"}"));
    snprintf(dashboard, sizeof dashboard, "%s", control_fixture_member(fixture, "dashboard_id"));
    snprintf(body, sizeof body, "{\"name\":\"s\",\"dashboard_id\":\"%s\"}", dashboard);
    OK(control_fixture_create(fixture, &control_shares, body));
    snprintf(id, sizeof id, "%s", control_fixture_member(fixture, "share_id"));
    struct buffer out = {0};
    struct control_output output = {.body = &out};
    struct control_input input = {.path_values = {slice_from_string(id)}};
    const struct control_action *action = control_share_actions;
    while (strcmp(action->path, "/v1/shares/{share_id}/token") != 0) action++;
    OK(action->run(&fixture->call, &input, &output, &fixture->error));
    const char *prefix = "{\"token\":\"";
    assert_true(slice_starts_with(buffer_slice(&out), slice_from_string(prefix)));
    snprintf(token, sizeof token, "%.43s", out.data + strlen(prefix));
    OK(control_share_open(&fixture->call, slice_from_string(token), SLICE_EMPTY, &share, &fixture->error));
    assert_string_equal(dashboard, share.dashboard_id);
    for (size_t i = 0; i < 43; i++) {
        char forged[44];
        snprintf(forged, sizeof forged, "%s", token);
        forged[i] = forged[i] == 'A' ? 'B' : 'A';
        assert_int_equal(ERROR_NOT_FOUND, control_share_open(&fixture->call, slice_make(forged, 43), SLICE_EMPTY, &share, &fixture->error));
    }
    OK(control_resource_delete(&fixture->call, &control_dashboards, slice_from_string(dashboard), &fixture->error));
    assert_int_equal(ERROR_NOT_FOUND, control_share_open(&fixture->call, slice_from_string(token), SLICE_EMPTY, &share, &fixture->error));
    buffer_free(&out);
}

/* ---- schedules of flags ---- */

static void steps_that_are_due_become_the_row_once(void **state)
{
    struct control_fixture *fixture = *state;
    char body[512], id[37];
    int64_t now = fixture->call.now_ms;
    snprintf(body, sizeof body,
             "{\"flag_key\":\"planned\",\"status\":\"inactive\",\"type\":\"rollout\",\"schedule\":[{\"scheduledAt\":%lld,\"type\":\"enable\"},"
             "{\"scheduledAt\":%lld,\"type\":\"update_rollout\",\"value\":40},{\"scheduledAt\":%lld,\"type\":\"disable\"}]}",
             (long long)now, (long long)now + 1000, (long long)now + 2000);
    OK(control_fixture_create(fixture, &control_flags, body));
    snprintf(id, sizeof id, "%s", control_fixture_member(fixture, "flag_id"));
    fixture->call.now_ms = now - 1;
    OK(control_flag_schedules_run(&fixture->call, &fixture->error));
    assert_int_equal(0, control_fixture_audited(fixture, fixture->control.product, "flag.scheduled"));
    fixture->call.now_ms = now + 1000;
    OK(control_flag_schedules_run(&fixture->call, &fixture->error));
    OK(control_flag_schedules_run(&fixture->call, &fixture->error));
    assert_int_equal(1, control_fixture_audited(fixture, fixture->control.product, "flag.scheduled"));
    OK(control_fixture_get(fixture, &control_flags, id));
    assert_string_equal("active", control_fixture_member(fixture, "status"));
    assert_string_equal("40", control_fixture_member(fixture, "rollout_percentage"));
    /* A change by hand comes after what was due before it. */
    fixture->call.now_ms = now + 3000;
    OK(control_fixture_update(fixture, &control_flags, id, "{\"name\":\"n\"}"));
    assert_string_equal("inactive", control_fixture_member(fixture, "status"));
    OK(control_fixture_update(fixture, &control_flags, id, "{\"status\":\"active\"}"));
    OK(control_flag_schedules_run(&fixture->call, &fixture->error));
    OK(control_fixture_get(fixture, &control_flags, id));
    assert_string_equal("active", control_fixture_member(fixture, "status"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, control_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_link_is_found_while_its_tenant_is_active),
        TEST(a_report_becomes_the_question_of_its_type),
        TEST(a_share_is_of_one_living_thing_and_its_token_of_one_share),
        TEST(steps_that_are_due_become_the_row_once),
    };
    const struct CMUnitTest once[] = {cmocka_unit_test(a_link_leads_by_system_robot_and_time)};
    return meta_test_run("handed out", tests, sizeof tests / sizeof *tests, once, sizeof once / sizeof *once);
}
