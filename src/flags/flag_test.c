/* SPDX-License-Identifier: Apache-2.0 */
/* What flags answer, and what is refused of their rows. */
#include "flags/flag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/uuid.h"

#define TENANT "00000000-0000-4000-8000-000000000001"
#define OK(call) assert_int_equal(ERROR_NONE, (call))

struct fixture {
    struct flag_set *set;
    struct json_parser *parser;
    struct arena *arena;
    struct error error;
    struct flag_result result;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->set = flag_set_create(TENANT);
    f->parser = json_parser_create();
    f->arena = arena_create(0);
    *state = f;
    return !f->set || !f->parser || !f->arena;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    flag_set_release(f->set);
    json_parser_destroy(f->parser);
    arena_destroy(f->arena);
    free(f);
    return 0;
}

#define ROW(name, ...) (const struct flag_source){.key = SLICE(name), __VA_ARGS__}
#define LEGACY .hash = SLICE("legacy")

static void add(struct fixture *f, struct flag_source source)
{
    if (flag_set_add(f->set, f->parser, &source, &f->error)) fail_msg("%s: %s", f->error.field, f->error.message);
}

static void refuse(struct fixture *f, struct flag_source source, const char *field, const char *says)
{
    assert_int_equal(ERROR_INVALID, flag_set_add(f->set, f->parser, &source, &f->error));
    assert_string_equal(field, f->error.field);
    if (!strstr(f->error.message, says)) fail_msg("%s", f->error.message);
}

static struct flag_subject subject(const char *user)
{
    return (struct flag_subject){.user_id = slice_from_string(user), .email = SLICE_EMPTY, .anonymous_id = SLICE_EMPTY,
                                 .organization_id = SLICE_EMPTY, .team_id = SLICE_EMPTY};
}

static const char *ask(struct fixture *f, const char *key, struct flag_subject asked)
{
    const struct flag *flag = flag_set_find(f->set, SLICE_EMPTY, slice_from_string(key));
    assert_non_null(flag);
    unsigned char *known = calloc(f->set->count, 1);
    flag_evaluate(f->set, flag, &asked, known, &f->result);
    free(known);
    return f->result.reason;
}

static void assert_slice(const char *expected, struct slice found)
{
    if (!slice_equal(slice_from_string(expected), found)) fail_msg("expected %s, found %.*s", expected, SLICE_ARGS(found));
}

static void legacy_hash_is_databuddys(void **state)
{
    const struct { const char *first, *second, *third; int64_t hash, bucket; } vectors[] = {
        {"a", "", "", 97, 97},
        {"checkout", "user_1", "", 1550513521, 21},
        {"checkout", "variant", "user_1", 1598312954, 54},
        {"checkout", "anonymous", "", 836764473, 73},
        {"beta", "\xC3\xA9\xF0\x9F\x98\x80", "", 1854567298, 98},
        {"percentage", "user_1", "", 2105054819, 19},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        int64_t hash = flag_hash_legacy(slice_from_string(vectors[i].first), slice_from_string(vectors[i].second), slice_from_string(vectors[i].third));
        assert_int_equal(vectors[i].hash, hash);
        assert_int_equal(vectors[i].bucket, hash % 100);
    }
    /* Broken UTF-8 is some number, not a crash. */
    assert_true(flag_hash_legacy(SLICE("\xF0\x9F"), SLICE("\xFF\xC3"), SLICE("\xED")) >= 0);
}

#define UUIDS 200000

/* How many of UUIDS random people are in both of two shares of 10 %, and how many in the first. */
static void count_shared(struct fixture *f, const char *first, const char *second, size_t *ret_both, size_t *ret_first)
{
    *ret_both = *ret_first = 0;
    for (uint64_t i = 0; i < UUIDS; i++) {
        struct uuid uuid = uuid_from_name(SLICE("people"), slice_make(&i, sizeof i));
        char text[UUID_TEXT_SIZE + 1] = {0};
        uuid_format(&uuid, text);
        ask(f, first, subject(text));
        bool in_first = f->result.enabled;
        ask(f, second, subject(text));
        *ret_first += in_first;
        *ret_both += in_first && f->result.enabled;
    }
}

static void shares_of_two_flags_have_nothing_to_do_with_each_other(void **state)
{
    struct fixture *f = *state;
    add(f, ROW("checkout", .type = SLICE("rollout"), .rollout_percentage = 10));
    add(f, ROW("new-nav", .type = SLICE("rollout"), .rollout_percentage = 10));
    size_t both, first;
    count_shared(f, "checkout", "new-nav", &both, &first);
    assert_in_range(first, UUIDS * 97 / 1000, UUIDS * 103 / 1000);
    assert_in_range(both, UUIDS * 9 / 1000, UUIDS * 11 / 1000);
}

static void legacy_shares_of_these_two_flags_have_nobody_in_common(void **state)
{
    struct fixture *f = *state;
    add(f, ROW("checkout", LEGACY, .type = SLICE("rollout"), .rollout_percentage = 10));
    add(f, ROW("new-nav", LEGACY, .type = SLICE("rollout"), .rollout_percentage = 10));
    size_t both, first;
    count_shared(f, "checkout", "new-nav", &both, &first);
    assert_int_equal(0, both); /* the fault that people were dealt with, kept for those who were */
    assert_true(first > 0);
}

static void a_share_grows_without_losing_anybody(void **state)
{
    struct fixture *f = *state;
    add(f, ROW("small", .type = SLICE("rollout")));
    const struct flag *flag = flag_set_find(f->set, SLICE_EMPTY, SLICE("small"));
    for (int64_t i = 0; i < 2000; i++) {
        char id[32];
        snprintf(id, sizeof id, "person %lld", (long long)i);
        int64_t bucket = flag_hash_stable(flag->rollout_seed, slice_from_string(id));
        assert_in_range(bucket, 0, FLAG_BUCKETS - 1);
        bool before = false;
        for (int64_t percentage = 0; percentage <= 100; percentage += 20) {
            f->set->flags[0]->rollout_percentage = percentage;
            ask(f, "small", subject(id));
            assert_true(f->result.enabled || !before);
            before = f->result.enabled;
        }
        assert_true(before);
    }
}

static void a_legacy_share_keeps_its_people(void **state)
{
    struct fixture *f = *state;
    add(f, ROW("checkout", LEGACY, .type = SLICE("rollout"), .rollout_percentage = 22, .payload_json = SLICE("{\"a\":1}")));
    assert_string_equal("ROLLOUT_ENABLED", ask(f, "checkout", subject("user_1"))); /* bucket 21 */
    assert_slice("true", f->result.value);
    assert_slice("{\"a\":1}", f->result.payload);
    f->set->flags[0]->rollout_percentage = 21;
    assert_string_equal("ROLLOUT_DISABLED", ask(f, "checkout", subject("user_1")));
    assert_slice("null", f->result.payload);
    f->set->flags[0]->rollout_percentage = 73;
    assert_string_equal("ROLLOUT_DISABLED", ask(f, "checkout", subject(""))); /* anonymous: 73 */
    struct flag_subject by_email = subject("");
    by_email.email = SLICE("user_1");
    assert_string_equal("ROLLOUT_ENABLED", ask(f, "checkout", by_email));
}

static void variants_are_dealt_by_weight_or_evenly(void **state)
{
    struct fixture *f = *state;
    add(f, ROW("checkout", LEGACY, .type = SLICE("multivariant"),
               .variants_json = SLICE("[{\"key\":\"a\",\"value\":\"red\",\"weight\":54},{\"key\":\"b\",\"value\":2,\"weight\":46}]")));
    assert_string_equal("MULTIVARIANT_EVALUATED", ask(f, "checkout", subject("user_1"))); /* 54: not < 54 */
    assert_true(f->result.enabled);
    assert_slice("b", f->result.variant);
    assert_slice("2", f->result.value);
    add(f, ROW("even", LEGACY, .type = SLICE("multivariant"),
               .variants_json = SLICE("[{\"key\":\"x\",\"value\":{\"k\":[1]}},{\"key\":\"y\",\"value\":1},{\"key\":\"z\",\"value\":1}]")));
    size_t index = (size_t)(flag_hash_legacy(SLICE("even"), SLICE("variant"), SLICE("user_1")) % 3);
    ask(f, "even", subject("user_1"));
    assert_slice((const char *[]){"x", "y", "z"}[index], f->result.variant);
    add(f, ROW("none", .type = SLICE("multivariant"), .default_json = SLICE("\"plain\"")));
    ask(f, "none", subject("user_1"));
    assert_slice("default", f->result.variant);
    assert_slice("\"plain\"", f->result.value);
    add(f, ROW("stable", .type = SLICE("multivariant"), .variants_json = SLICE(
        "[{\"key\":\"a\",\"value\":1,\"weight\":33.33},{\"key\":\"b\",\"value\":2,\"weight\":33.33},{\"key\":\"c\",\"value\":3,\"weight\":33.34}]")));
    size_t counts[3] = {0};
    for (int i = 0; i < 30000; i++) {
        char id[32];
        snprintf(id, sizeof id, "person %d", i);
        ask(f, "stable", subject(id));
        counts[f->result.variant.data[0] - 'a']++;
    }
    for (size_t i = 0; i < 3; i++) assert_in_range(counts[i], 9600, 10400);
}

/* ---- rules ---- */

static const char *ask_rule(struct fixture *f, const char *rule, struct flag_subject asked)
{
    static int number;
    char key[32], rules[512];
    snprintf(key, sizeof key, "rule-%d", ++number);
    snprintf(rules, sizeof rules, "[%s]", rule);
    struct flag_source row = ROW("", .rules_json = slice_from_string(rules));
    row.key = slice_from_string(key);
    add(f, row);
    return ask(f, key, asked);
}
#define FITS(f, rule, asked) assert_string_equal("USER_RULE_MATCH", ask_rule(f, rule, asked))
#define FITS_NOT(f, rule, asked) assert_string_equal("BOOLEAN_DEFAULT", ask_rule(f, rule, asked))
#define RULE(type, operator, more) "{\"type\":\"" type "\",\"operator\":\"" operator "\",\"enabled\":true," more "}"

static void rules_about_texts(void **state)
{
    struct fixture *f = *state;
    struct flag_subject ada = subject("ada"), nobody = subject("");
    ada.email = SLICE("ada@shop.example");
    FITS(f, RULE("user_id", "equals", "\"value\":\"ada\""), ada);
    FITS_NOT(f, RULE("user_id", "equals", "\"value\":\"Ada\""), ada);
    FITS(f, RULE("email", "contains", "\"value\":\"@shop\""), ada);
    FITS(f, RULE("email", "starts_with", "\"value\":\"ada@\""), ada);
    FITS_NOT(f, RULE("email", "starts_with", "\"value\":\"shop\""), ada);
    FITS(f, RULE("email", "ends_with", "\"value\":\".example\""), ada);
    FITS(f, RULE("user_id", "in", "\"values\":[\"bob\",\"ada\",\"eve\"]"), ada);
    FITS_NOT(f, RULE("user_id", "in", "\"values\":[\"bob\"]"), ada);
    FITS(f, RULE("user_id", "not_in", "\"values\":[\"bob\"]"), ada);
    FITS(f, RULE("user_id", "exists", "\"batch\":false"), ada);
    FITS_NOT(f, RULE("user_id", "not_in", "\"values\":[\"bob\"]"), nobody);
    FITS_NOT(f, RULE("user_id", "exists", "\"batch\":false"), nobody);
    FITS(f, RULE("user_id", "in", "\"batch\":true,\"batchValues\":[\"x\",\"ada\"]"), ada);
    FITS_NOT(f, RULE("user_id", "in", "\"batch\":true,\"batchValues\":[\"x\"]"), ada);
    FITS_NOT(f, RULE("user_id", "not_in", "\"batch\":true,\"batchValues\":[\"ada\"]"), ada);
    FITS(f, RULE("user_id", "not_in", "\"batch\":true,\"batchValues\":[\"ada\"]"), nobody);
    FITS_NOT(f, RULE("user_id", "in", "\"batch\":true,\"batchValues\":[\"ada\"]"), nobody);
}

static struct flag_subject with_properties(struct fixture *f, const char *json)
{
    struct json_value value;
    char *padded = arena_allocate(f->arena, strlen(json) + JSON_PADDING);
    memcpy(padded, json, strlen(json));
    OK(json_parse(f->parser, slice_make(padded, strlen(json)), &value, &f->error));
    struct flag_subject made = subject("ada");
    OK(flag_properties_read(f->arena, value, 100, &made, &f->error));
    return made;
}

static void rules_about_properties(void **state)
{
    struct fixture *f = *state;
    struct flag_subject ada = with_properties(f, "{\"plan\":\"pro\",\"seats\":10,\"beta\":true,\"none\":null,\"list\":[1]}");
    FITS(f, RULE("property", "equals", "\"field\":\"plan\",\"value\":\"pro\""), ada);
    FITS(f, RULE("property", "equals", "\"field\":\"seats\",\"value\":10"), ada);
    FITS_NOT(f, RULE("property", "equals", "\"field\":\"seats\",\"value\":\"10\""), ada);
    FITS(f, RULE("property", "equals", "\"field\":\"beta\",\"value\":true"), ada);
    FITS_NOT(f, RULE("property", "equals", "\"field\":\"beta\",\"value\":false"), ada);
    FITS(f, RULE("property", "contains", "\"field\":\"seats\",\"value\":\"1\""), ada);
    FITS(f, RULE("property", "in", "\"field\":\"seats\",\"values\":[\"10\",5,10]"), ada);
    FITS_NOT(f, RULE("property", "in", "\"field\":\"seats\",\"values\":[\"10\",5]"), ada);
    FITS(f, RULE("property", "not_in", "\"field\":\"seats\",\"values\":[5]"), ada);
    FITS(f, RULE("property", "not_in", "\"field\":\"absent\",\"values\":[5]"), ada);
    FITS(f, RULE("property", "exists", "\"field\":\"list\""), ada);
    FITS_NOT(f, RULE("property", "exists", "\"field\":\"none\""), ada);
    FITS(f, RULE("property", "not_exists", "\"field\":\"absent\""), ada);
    FITS_NOT(f, RULE("property", "equals", "\"field\":\"absent\",\"value\":\"x\""), ada);
    FITS(f, RULE("property", "in", "\"field\":\"seats\",\"batch\":true,\"batchValues\":[\"10\"]"), ada);
    struct flag_subject user = subject("user_1");
    /* percentage:user_1 is 19 */
    struct flag_source row = ROW("share", LEGACY, .rules_json = SLICE("[{\"type\":\"property\",\"value\":20,\"enabled\":true}]"));
    add(f, row);
    assert_string_equal("USER_RULE_MATCH", ask(f, "share", user));
    add(f, ROW("share2", LEGACY, .rules_json = SLICE("[{\"type\":\"property\",\"value\":19,\"enabled\":true}]")));
    assert_string_equal("BOOLEAN_DEFAULT", ask(f, "share2", user));
}

static void the_first_rule_that_fits_decides_then_groups_then_the_type(void **state)
{
    struct fixture *f = *state;
    OK(flag_set_add_group(f->set, f->parser, SLICE("g1"), SLICE("[{\"type\":\"email\",\"operator\":\"ends_with\",\"value\":\"@staff\",\"enabled\":true}]"), &f->error));
    add(f, ROW("both", .default_json = SLICE("true"), .payload_json = SLICE("\"p\""), .target_group_ids = SLICE("g0\ng1"), .rules_json = SLICE(
        "[{\"type\":\"user_id\",\"operator\":\"equals\",\"value\":\"ada\",\"enabled\":false},"
        "{\"type\":\"user_id\",\"operator\":\"contains\",\"value\":\"a\",\"enabled\":true}]")));
    OK(flag_set_link(f->set, &f->error));
    struct flag_subject ada = subject("ada"), eve = subject("eve");
    assert_string_equal("USER_RULE_MATCH", ask(f, "both", ada));
    assert_false(f->result.enabled);
    assert_slice("null", f->result.payload);
    assert_string_equal("USER_RULE_MATCH", ask(f, "both", subject("hal")));
    assert_true(f->result.enabled);
    assert_slice("\"p\"", f->result.payload);
    assert_string_equal("BOOLEAN_DEFAULT", ask(f, "both", eve));
    assert_true(f->result.enabled);
    eve.email = SLICE("eve@staff");
    assert_string_equal("TARGET_GROUP_MATCH", ask(f, "both", eve));
}

/* ---- who ---- */

static void a_share_of_organizations_or_teams_asks_for_theirs(void **state)
{
    struct fixture *f = *state;
    add(f, ROW("org", LEGACY, .type = SLICE("rollout"), .rollout_by = SLICE("organization"), .rollout_percentage = 50));
    add(f, ROW("team", LEGACY, .type = SLICE("rollout"), .rollout_by = SLICE("team"), .rollout_percentage = 50));
    for (int i = 0; i < 20; i++) {
        char id[16];
        struct flag_subject asked = subject(i % 2 ? "x" : "y");
        snprintf(id, sizeof id, "o%d", i);
        asked.organization_id = asked.team_id = slice_from_string(id);
        ask(f, "org", asked);
        assert_int_equal(f->result.enabled, flag_hash_legacy(SLICE("org"), slice_from_string(id), SLICE_EMPTY) % 100 < 50);
        ask(f, "team", asked);
        assert_int_equal(f->result.enabled, flag_hash_legacy(SLICE("team"), slice_from_string(id), SLICE_EMPTY) % 100 < 50);
    }
}

static void logging_in_keeps_the_bucket_when_asked_to(void **state)
{
    struct fixture *f = *state;
    add(f, ROW("kept", .type = SLICE("rollout"), .rollout_percentage = 50, .persist_across_auth = true));
    add(f, ROW("lost", .type = SLICE("rollout"), .rollout_percentage = 50));
    int changed = 0;
    for (int i = 0; i < 200; i++) {
        char anonymous[32], user[32];
        snprintf(anonymous, sizeof anonymous, "anon_%d", i);
        snprintf(user, sizeof user, "user_%d", i);
        struct flag_subject before = subject(""), after = subject(user);
        before.anonymous_id = after.anonymous_id = slice_from_string(anonymous);
        ask(f, "kept", before);
        bool first = f->result.enabled;
        ask(f, "kept", after);
        assert_int_equal(first, f->result.enabled);
        ask(f, "lost", before);
        first = f->result.enabled;
        ask(f, "lost", after);
        changed += first != f->result.enabled;
    }
    assert_in_range(changed, 60, 140); /* half of them */
}

/* ---- dependencies, schedules ---- */

static void a_flag_whose_dependency_is_off_is_off(void **state)
{
    struct fixture *f = *state;
    add(f, ROW("base", .rules_json = SLICE("[{\"type\":\"user_id\",\"operator\":\"equals\",\"value\":\"ada\",\"enabled\":true}]")));
    add(f, ROW("middle", .default_json = SLICE("true"), .dependencies = SLICE("base")));
    add(f, ROW("top", .default_json = SLICE("true"), .dependencies = SLICE("middle\nbase")));
    add(f, ROW("lost", .default_json = SLICE("true"), .dependencies = SLICE("nowhere")));
    add(f, ROW("asleep", .status = SLICE("inactive"), .default_json = SLICE("true")));
    add(f, ROW("over-asleep", .default_json = SLICE("true"), .dependencies = SLICE("asleep")));
    OK(flag_set_link(f->set, &f->error));
    assert_string_equal("BOOLEAN_DEFAULT", ask(f, "top", subject("ada")));
    assert_true(f->result.enabled);
    assert_string_equal("DEPENDENCY_DISABLED", ask(f, "top", subject("eve")));
    assert_false(f->result.enabled);
    assert_slice("false", f->result.value);
    assert_string_equal("DEPENDENCY_DISABLED", ask(f, "lost", subject("ada")));
    assert_string_equal("DEPENDENCY_DISABLED", ask(f, "over-asleep", subject("ada")));
    OK(flag_set_check(f->set, flag_set_find(f->set, SLICE_EMPTY, SLICE("top")), &f->error));
    assert_int_equal(ERROR_INVALID, flag_set_check(f->set, flag_set_find(f->set, SLICE_EMPTY, SLICE("lost")), &f->error));
    assert_string_equal("dependencies", f->error.field);
}

static void circles_of_dependencies_are_refused_and_end(void **state)
{
    struct fixture *f = *state;
    add(f, ROW("a", .default_json = SLICE("true"), .dependencies = SLICE("b")));
    add(f, ROW("b", .default_json = SLICE("true"), .dependencies = SLICE("c")));
    add(f, ROW("c", .default_json = SLICE("true"), .dependencies = SLICE("a")));
    add(f, ROW("self", .default_json = SLICE("true"), .dependencies = SLICE("self")));
    OK(flag_set_link(f->set, &f->error));
    assert_int_equal(ERROR_INVALID, flag_set_check(f->set, flag_set_find(f->set, SLICE_EMPTY, SLICE("a")), &f->error));
    assert_non_null(strstr(f->error.message, "lead back"));
    assert_int_equal(ERROR_INVALID, flag_set_check(f->set, flag_set_find(f->set, SLICE_EMPTY, SLICE("self")), &f->error));
    assert_string_equal("DEPENDENCY_DISABLED", ask(f, "a", subject("x")));
    assert_string_equal("DEPENDENCY_DISABLED", ask(f, "self", subject("x")));
}

static void long_chains_are_refused(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i <= FLAG_DEPENDENCY_DEPTH + 1; i++) {
        char key[16], before[16];
        snprintf(key, sizeof key, "f%d", i);
        snprintf(before, sizeof before, "f%d", i - 1);
        struct flag_source row = ROW("", .default_json = SLICE("true"), .dependencies = i ? slice_from_string(before) : SLICE_EMPTY);
        row.key = slice_from_string(key);
        add(f, row);
        OK(flag_set_link(f->set, &f->error));
        const struct flag *flag = flag_set_find(f->set, SLICE_EMPTY, row.key);
        assert_int_equal(i <= FLAG_DEPENDENCY_DEPTH ? ERROR_NONE : ERROR_INVALID, flag_set_check(f->set, flag, &f->error));
    }
    assert_string_equal("BOOLEAN_DEFAULT", ask(f, "f20", subject("x")));
}

static void schedules_take_effect_when_they_are_due(void **state)
{
    struct fixture *f = *state;
    add(f, ROW("planned", .status = SLICE("inactive"), .type = SLICE("rollout"), .schedule_json = SLICE(
        "[{\"scheduledAt\":3000,\"type\":\"update_rollout\",\"value\":100},{\"scheduledAt\":1000,\"type\":\"enable\"},"
        "{\"scheduledAt\":\"1970-01-01T00:00:04Z\",\"type\":\"disable\"}]")));
    const struct flag *flag = flag_set_find(f->set, SLICE_EMPTY, SLICE("planned"));
    assert_false(flag_is_active(flag, 999));
    assert_true(flag_is_active(flag, 1000));
    assert_false(flag_is_active(flag, 4000));
    struct flag_subject asked = subject("x");
    asked.now_ms = 2999;
    assert_string_equal("ROLLOUT_DISABLED", ask(f, "planned", asked));
    asked.now_ms = 3000;
    assert_string_equal("ROLLOUT_ENABLED", ask(f, "planned", asked));
}

static void environments_are_apart(void **state)
{
    struct fixture *f = *state;
    add(f, ROW("here", .environment = SLICE("production")));
    assert_null(flag_set_find(f->set, SLICE_EMPTY, SLICE("here")));
    assert_null(flag_set_find(f->set, SLICE("staging"), SLICE("here")));
    assert_non_null(flag_set_find(f->set, SLICE("production"), SLICE("here")));
    char longest[300];
    memset(longest, 'x', sizeof longest);
    assert_null(flag_set_find(f->set, slice_make(longest, sizeof longest), SLICE("here")));
    assert_null(flag_set_find(f->set, SLICE("production"), slice_make(longest, sizeof longest)));
}

/* ---- refusals ---- */

static void what_is_wrong_in_a_row_is_named(void **state)
{
    struct fixture *f = *state;
    refuse(f, ROW("has space"), "flag_key", "A-Z");
    refuse(f, ROW("x", .default_json = SLICE("\"on\"")), "default_value", "true or false");
    refuse(f, ROW("x", .rules_json = SLICE("{}")), "rules", "an array");
    refuse(f, ROW("x", .rules_json = SLICE("[1]")), "rules[0]", "JSON object");
    refuse(f, ROW("x", .rules_json = SLICE("[{\"type\":\"user\"}]")), "rules[0]", "type must be one of");
    refuse(f, ROW("x", .rules_json = SLICE("[{\"type\":\"email\",\"operator\":\"equals\",\"value\":\"a\"}]")), "rules[0]", "enabled must be");
    refuse(f, ROW("x", .rules_json = SLICE("[{\"type\":\"email\",\"operator\":\"is\",\"value\":\"a\",\"enabled\":true}]")), "rules[0]", "operator must be one of");
    refuse(f, ROW("x", .rules_json = SLICE("[{\"type\":\"email\",\"operator\":\"equals\",\"value\":1,\"enabled\":true}]")), "rules[0].value", "must be text");
    refuse(f, ROW("x", .rules_json = SLICE("[{\"type\":\"email\",\"operator\":\"in\",\"enabled\":true}]")), "rules[0]", "must have values");
    refuse(f, ROW("x", .rules_json = SLICE("[{\"type\":\"property\",\"operator\":\"equals\",\"value\":\"a\",\"enabled\":true}]")), "rules[0]", "name of the property");
    refuse(f, ROW("x", .rules_json = SLICE("[{\"type\":\"property\",\"field\":\"p\",\"operator\":\"starts_with\",\"value\":\"a\",\"enabled\":true}]")), "rules[0]", "about a property");
    refuse(f, ROW("x", .rules_json = SLICE("[{\"type\":\"property\",\"value\":101,\"enabled\":true}]")), "rules[0]", "0 to 100");
    refuse(f, ROW("x", .rules_json = SLICE("[{\"type\":\"user_id\",\"batch\":true,\"enabled\":true}]")), "rules[0]", "batchValues");
    refuse(f, ROW("x", .rules_json = SLICE("[{\"type\":\"user_id\",\"batch\":true,\"batchValues\":[1],\"enabled\":true}]")), "rules[0].batchValues", "texts only");
    refuse(f, ROW("x", .rules_json = SLICE("[{\"type\":\"user_id\",\"operatr\":\"in\",\"enabled\":true}]")), "rules[0]", "no member \"operatr\"");
    refuse(f, ROW("x", .variants_json = SLICE("[{\"key\":\"a\",\"value\":1,\"weight\":50},{\"key\":\"b\",\"value\":1}]")), "variants", "all have a weight");
    refuse(f, ROW("x", .variants_json = SLICE("[{\"key\":\"a\",\"value\":1,\"weight\":50},{\"key\":\"b\",\"value\":1,\"weight\":49}]")), "variants", "100 together; these are 99.00");
    refuse(f, ROW("x", .variants_json = SLICE("[{\"key\":\"a\",\"value\":1},{\"key\":\"a\",\"value\":1}]")), "variants[1]", "another variant");
    refuse(f, ROW("x", .variants_json = SLICE("[{\"key\":\"a\"}]")), "variants[0]", "value is missing");
    refuse(f, ROW("x", .variants_json = SLICE("[{\"key\":\"a\",\"type\":\"number\",\"value\":\"1\"}]")), "variants[0]", "of its type, a number");
    refuse(f, ROW("x", .schedule_json = SLICE("[{\"type\":\"enable\"}]")), "schedule[0]", "scheduledAt");
    refuse(f, ROW("x", .schedule_json = SLICE("[{\"scheduledAt\":1,\"type\":\"update_rollout\",\"value\":101}]")), "schedule[0]", "0 to 100");
    refuse(f, ROW("x", .schedule_json = SLICE("[{\"scheduledAt\":1,\"type\":\"start\"}]")), "schedule[0]", "enable, disable");
    assert_int_equal(0, f->set->count);
    struct flag_source broken = ROW("x", .rules_json = SLICE("{}"));
    OK(flag_set_add_broken(f->set, &broken, &f->error));
    assert_string_equal("EVALUATION_ERROR", ask(f, "x", subject("ada")));
    assert_false(f->result.enabled);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(legacy_hash_is_databuddys),
        TEST(shares_of_two_flags_have_nothing_to_do_with_each_other),
        TEST(legacy_shares_of_these_two_flags_have_nobody_in_common),
        TEST(a_share_grows_without_losing_anybody),
        TEST(a_legacy_share_keeps_its_people),
        TEST(variants_are_dealt_by_weight_or_evenly),
        TEST(rules_about_texts),
        TEST(rules_about_properties),
        TEST(the_first_rule_that_fits_decides_then_groups_then_the_type),
        TEST(a_share_of_organizations_or_teams_asks_for_theirs),
        TEST(logging_in_keeps_the_bucket_when_asked_to),
        TEST(a_flag_whose_dependency_is_off_is_off),
        TEST(circles_of_dependencies_are_refused_and_end),
        TEST(long_chains_are_refused),
        TEST(schedules_take_effect_when_they_are_due),
        TEST(environments_are_apart),
        TEST(what_is_wrong_in_a_row_is_named),
    };
    return cmocka_run_group_tests_name("flags", tests, NULL, NULL);
}
