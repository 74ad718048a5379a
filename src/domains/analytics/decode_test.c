/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of every dialect become the rows and answers written down in testdata/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>

#include "domains/analytics/analytics.h"
#include "domain/harness.h"
#include "enrich/privacy.h"

/*
 * A case is one file: the request (a line "POST path?query", header lines, an empty line, the body), a line "=====",
 * then what must come out: "status content-type", the answer's body, and one line of JSON per row; rows of tables other
 * than analytics.events stand below the table's name. With
 * MILLRACE_UPDATE=1 in the environment the second half is written anew; read the difference before you keep it.
 */
static const char *testdata;

static struct buffer read_file(const char *path)
{
    struct buffer content = {0};
    char part[4096];
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("cannot open %s", path);
    for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;) buffer_append(&content, part, size);
    fclose(file);
    return content;
}

/* Versions count changes of this process: what they are depends on what ran before. */
static void hide_versions(struct buffer *text)
{
    static const char name[] = "\"version\":";
    struct buffer hidden = {0};
    struct slice rest = buffer_slice(text);
    for (ptrdiff_t at; (at = slice_find(rest, slice_make(name, sizeof name - 1))) >= 0;) {
        buffer_append_slice(&hidden, slice_first(rest, (size_t)at + sizeof name - 1));
        rest = slice_from(rest, (size_t)at + sizeof name - 1);
        buffer_append_string(&hidden, "0");
        while (rest.size > 0 && rest.data[0] >= '0' && rest.data[0] <= '9') rest = slice_from(rest, 1);
    }
    buffer_append_slice(&hidden, rest);
    buffer_free(text);
    *text = hidden;
}

/* Sends the request that stands at the front of `text`, and gives back all that came of it. */
static struct buffer run_case(struct slice text)
{
    struct harness *harness = calloc(1, sizeof *harness);
    struct buffer actual = {0};
    harness_create(harness, &analytics_domain);
    struct slice request_line = slice_cut(&text, '\n'), line;
    slice_cut(&request_line, ' ');
    char path[200], query[200];
    struct slice path_part = slice_cut(&request_line, '?');
    snprintf(path, sizeof path, "%.*s", SLICE_ARGS(path_part));
    snprintf(query, sizeof query, "%.*s", SLICE_ARGS(request_line));
    while ((line = slice_cut(&text, '\n')).size > 0) {
        struct slice value = line;
        struct slice name = slice_cut(&value, ':');
        harness_header(harness, arena_copy_string(harness->arena, name),
                       arena_copy_string(harness->arena, slice_trim(value)));
    }
    assert_true(harness_post(harness, path, query, text));
    buffer_printf(&actual, "%d %s\n", harness->status, harness->content_type);
    buffer_append_slice(&actual, buffer_slice(&harness->body));
    buffer_append_byte(&actual, '\n');
    for (size_t table = 0; table < analytics_domain.table_count; table++) {
        if (harness_row_count(harness, table) == 0) continue;
        if (table > 0) buffer_printf(&actual, "%s\n", analytics_domain.tables[table].schema->table);
        harness_write_rows(harness, table, &actual);
    }
    harness_destroy(harness);
    free(harness);
    hide_versions(&actual);
    return actual;
}

static void testdata_requests_become_the_rows_written_there(void **state)
{
    (void)state;
    DIR *directory = opendir(testdata);
    assert_non_null(directory);
    size_t cases = 0, wrong = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[1200];
        if (!slice_ends_with(slice_from_string(entry->d_name), SLICE(".case"))) continue;
        snprintf(path, sizeof path, "%s/%s", testdata, entry->d_name);
        struct buffer content = read_file(path);
        ptrdiff_t at = slice_find(buffer_slice(&content), SLICE("\n=====\n"));
        if (at < 0) fail_msg("%s has no line =====", entry->d_name);
        struct slice expected = slice_from(buffer_slice(&content), (size_t)at + 7);
        struct buffer actual = run_case(slice_first(buffer_slice(&content), (size_t)at));
        cases++;
        if (!slice_equal(expected, buffer_slice(&actual))) {
            if (getenv("MILLRACE_UPDATE")) {
                FILE *file = fopen(path, "wb");
                assert_non_null(file);
                fwrite(content.data, 1, (size_t)at + 7, file);
                fwrite(actual.data, 1, actual.size, file);
                fclose(file);
            } else {
                print_error("%s:\n%.*s\ninstead of\n%.*s\n", entry->d_name, SLICE_ARGS(buffer_slice(&actual)),
                            SLICE_ARGS(expected));
                wrong++;
            }
        }
        buffer_free(&actual);
        buffer_free(&content);
    }
    closedir(directory);
    assert_int_not_equal(cases, 0);
    assert_int_equal(wrong, 0);
}

static int set_up(void **state)
{
    struct harness *harness = calloc(1, sizeof *harness);
    harness_create(harness, &analytics_domain);
    *state = harness;
    return 0;
}
static int tear_down(void **state)
{
    harness_destroy(*state);
    free(*state);
    return 0;
}

static void check_body_has(struct harness *harness, int status, const char *part)
{
    struct slice body = buffer_slice(&harness->body);
    if (slice_find(body, slice_from_string(part)) < 0) fail_msg("%.*s does not hold %s", SLICE_ARGS(body), part);
    assert_int_equal(harness->status, status);
}

static const struct domain_route *route_of(const char *path)
{
    for (size_t i = 0; i < analytics_domain.route_count; i++)
        if (strcmp(analytics_domain.routes[i].path, path) == 0) return &analytics_domain.routes[i];
    fail_msg("no route %s", path);
    return NULL;
}

static void own(struct harness *harness, const char *content_type, struct slice body)
{
    harness_reset(harness);
    harness_header(harness, "authorization", "Bearer k");
    harness_header(harness, "content-type", content_type);
    assert_true(harness_post(harness, "/v1/events", "", body));
}

static void own_events_of_a_known_id_are_duplicates_in_later_requests(void **state)
{
    struct harness *harness = *state;
    const char *uuid =
        "[{\"name\":\"a\",\"id\":\"0190a6f0-0000-4000-8000-000000000001\"},{\"name\":\"b\",\"id\":\"order-17\"}]";
    own(harness, "application/json", slice_from_string(uuid));
    check_body_has(harness, 200, "{\"accepted\":2,\"duplicates\":0,\"refused\":0,\"errors\":[]}");
    own(harness, "application/json", slice_from_string(uuid));
    check_body_has(harness, 200, "{\"accepted\":0,\"duplicates\":2,\"refused\":0,\"errors\":[]}");
    assert_int_equal(harness_row_count(harness, 0), 0);
    assert_int_equal(harness->output.duplicates, 2);
}

static void own_requests_over_the_item_limit_are_refused_whole(void **state)
{
    struct harness *harness = *state;
    struct buffer array = {0}, lines = {0};
    buffer_append_byte(&array, '[');
    for (int i = 0; i < 1000; i++) {
        buffer_append_string(&array, "{\"name\":\"a\"},");
        buffer_append_string(&lines, "{\"name\":\"a\"}\n");
    }
    buffer_append_string(&array, "{\"name\":\"a\"}]");
    own(harness, "application/json", buffer_slice(&array));
    check_body_has(harness, 413, "holds 1001 events; at most 1000");
    own(harness, "application/x-ndjson", buffer_slice(&lines));
    check_body_has(harness, 200, "{\"accepted\":1000,");
    assert_int_equal(harness_row_count(harness, 0), 1000);
    buffer_append_string(&lines, "{\"name\":\"a\"}");
    own(harness, "application/x-ndjson", buffer_slice(&lines));
    check_body_has(harness, 413, "holds 1001 events");
    buffer_free(&array);
    buffer_free(&lines);
}

static void own_error_list_is_capped(void **state)
{
    struct harness *harness = *state;
    struct buffer body = {0};
    buffer_append_byte(&body, '[');
    for (int i = 0; i < 150; i++) buffer_append_string(&body, "{},");
    buffer_append_string(&body, "{\"name\":\"a\"}]");
    own(harness, "application/json", buffer_slice(&body));
    check_body_has(harness, 200, "{\"accepted\":1,\"duplicates\":0,\"refused\":150,");
    check_body_has(harness, 200, "\"item\":99,");
    assert_true(slice_find(buffer_slice(&harness->body), SLICE("\"item\":100,")) < 0);
    buffer_free(&body);
}

static void own_bad_requests_say_why(void **state)
{
    static const struct { const char *content_type, *body; int status; const char *expected; } cases[] = {
        {"application/json", "{\"name\":\"a\"", 400, "malformed: the text ends inside an array or object at byte 11 (line 1, column 12)"},
        {"application/json", "", 400, "empty"},
        {"application/json", "[]", 400, "holds no event"},
        {"application/x-ndjson", "\n\n", 400, "holds no event"},
        {"application/json", "7", 400, "an event must be a JSON object"},
        {"application/xml", "<a/>", 415, "Content-Type application/xml is not understood"},
        {"application/x-www-form-urlencoded", "name=a", 415, "is not understood"},
        {"application/x-www-form-urlencoded", "{}", 400, "\"field\":\"name\",\"reason\":\"is missing"},
        {"application/json; charset=utf-8", "{}", 400, "\"field\":\"name\",\"reason\":\"is missing"},
        {"", "{\"name\":\"\"}", 400, "\"field\":\"name\",\"reason\":\"is missing"},
        {"text/plain", "{\"name\":\"a\",\"colour\":1}", 400, "\"field\":\"colour\",\"reason\":\"is not a field of events; put values of your own under \\\"properties\\\"\""},
        {"", "{\"name\":\"a\",\"tenant_id\":\"x\"}", 400, "the tenant is the one the key belongs to"},
        {"", "{\"name\":\"a\",\"ingested_at\":1}", 400, "the server sets it"},
        {"", "{\"name\":{}}", 400, "\"field\":\"name\",\"reason\":\"must be a string\""},
        {"", "{\"name\":\"a\",\"timestamp\":\"2026-06-08T13:00:11Z\"}", 400, "\"field\":\"timestamp\",\"reason\":\"from the future"},
        {"", "{\"name\":\"a\",\"time\":946684799999}", 400, "\"field\":\"time\",\"reason\":\"before 2000-01-01"},
        {"", "{\"name\":\"a\",\"timestamp\":\"noon\"}", 400, "must be an ISO 8601 time"},
        {"", "{\"name\":\"a\",\"url\":\"https://\"}", 400, "\"field\":\"url\",\"reason\":\"is not a URL"},
        {"", "{\"name\":\"a\",\"path\":\"/a b\"}", 400, "\"field\":\"path\",\"reason\":\"is not a URL"},
        {"", "{\"name\":\"a\",\"scroll_depth\":101}", 400, "\"field\":\"scroll_depth\",\"reason\":\"must be between 0 and 100\""},
        {"", "{\"name\":\"a\",\"rtt\":\"fast\"}", 400, "\"field\":\"rtt\",\"reason\":\"must be a number\""},
        {"", "{\"name\":\"a\",\"groups\":\"x\"}", 400, "\"field\":\"groups\",\"reason\":\"must be an array of strings\""},
        {"", "{\"name\":\"a\",\"properties\":[]}", 400, "\"field\":\"properties\",\"reason\":\"must be an object\""},
        {"", "{\"name\":\"a\",\"properties\":{\"\":1}}", 400, "a property has an empty name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        own(*state, cases[i].content_type, slice_from_string(cases[i].body));
        check_body_has(*state, cases[i].status, cases[i].expected);
        assert_int_equal(harness_row_count(*state, 0), 0);
    }
}

static void own_property_limits_are_kept(void **state)
{
    struct harness *harness = *state;
    for (int count = 100; count <= 101; count++) {
        struct buffer body = {0};
        buffer_append_string(&body, "{\"name\":\"a\",\"properties\":{\"list\":[");
        for (int i = 0; i < count; i++) buffer_append_string(&body, i ? ",1" : "1");
        buffer_append_string(&body, "]}}");
        own(harness, "", buffer_slice(&body));
        if (count == 100) check_body_has(harness, 200, "\"accepted\":1");
        else check_body_has(harness, 400, "more than 100 properties");
        buffer_free(&body);
    }
    for (size_t size = 32768 - 3; size <= 32768 - 2; size++) {
        struct buffer body = {0};
        buffer_append_string(&body, "{\"name\":\"a\",\"properties\":{\"key\":\"");
        for (size_t i = 0; i < size; i++) buffer_append_byte(&body, 'x');
        buffer_append_string(&body, "\"}}");
        own(harness, "", buffer_slice(&body));
        if (size == 32768 - 3) check_body_has(harness, 200, "\"accepted\":1");
        else check_body_has(harness, 400, "longer than 32768 bytes");
        buffer_free(&body);
    }
}

static void a_request_without_key_is_refused_in_each_dialect(void **state)
{
    static const struct { const char *path; int status; const char *expected; } cases[] = {
        {"/v1/events", 401, "unauthenticated"},
        {"/track", 401, "Ingestion: no key was given"},
        {"/", 400, "\"code\":\"basket.INGEST_MISSING_CLIENT_ID\""},
        {"/batch", 400, "\"message\":\"Missing client ID\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        harness_reset(*state);
        assert_true(harness_post(*state, cases[i].path, "", SLICE("{}")));
        check_body_has(*state, cases[i].status, cases[i].expected);
    }
}

static void own_write_keys_may_be_in_the_query_but_secrets_may_not(void **state)
{
    struct harness *harness = *state;
    harness_reset(harness);
    harness_header(harness, "content-type", "text/plain;charset=UTF-8");
    assert_true(harness_post(harness, "/v1/events", "key=" HARNESS_TENANT, SLICE("[{\"name\":\"a\"}]")));
    check_body_has(harness, 200, "\"accepted\":1");
    assert_true(slice_equal(analytics_domain.routes[0].find_key(&harness->request), SLICE(HARNESS_TENANT)));
    harness_header(harness, "authorization", "Bearer other");
    assert_true(slice_equal(analytics_domain.routes[0].find_key(&harness->request), SLICE("other")));
    static const char *const refused[] = {"key=mrs_0123456789abcdef_x", "key=mrs%5f0123456789abcdef_x", "key=", "keys=" HARNESS_TENANT};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        harness_reset(harness);
        assert_true(harness_post(harness, "/v1/events", refused[i], SLICE("[{\"name\":\"a\"}]")));
        check_body_has(harness, 401, "unauthenticated");
    }
}

static void track(struct harness *harness, const char *body)
{
    harness_reset(harness);
    harness_header(harness, "openpanel-client-id", HARNESS_TENANT);
    harness_header(harness, "origin", "https://shop.example");
    harness_header(harness, "user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/115.0");
    assert_true(harness_post(harness, "/track", "", slice_from_string(body)));
}

static void openpanel_key_may_be_in_the_body_or_be_a_secret(void **state)
{
    struct harness *harness = *state;
    const struct domain_route *route = route_of("/track");
    harness_reset(harness);
    harness->request.body = SLICE_EMPTY;
    harness_header(harness, "mixan-client-id", "old");
    assert_true(slice_equal(route->find_key(&harness->request), SLICE("old")));
    harness_header(harness, "openpanel-client-secret", "sec_0123456789abcdef0123");
    harness_header(harness, "openpanel-client-id", "id");
    assert_true(slice_equal(route->find_key(&harness->request), SLICE("id")));
    harness->request.header_count = 1;
    harness_header(harness, "openpanel-client-secret", "mrs_x");
    assert_true(slice_equal(route->find_key(&harness->request), SLICE("mrs_x")));
    harness_reset(harness);
    assert_true(harness_post(harness, "/track", "",
                             SLICE("{\"clientId\":\"in-body\",\"type\":\"track\",\"payload\":{\"name\":\"a\"}}")));
    check_body_has(harness, 200, "\"deviceId\"");
    assert_true(slice_equal(route->find_key(&harness->request), SLICE("in-body")));
}

static void openpanel_repeats_are_stored_once_and_answered_alike(void **state)
{
    struct harness *harness = *state;
    const char *timed =
        "{\"type\":\"track\",\"payload\":{\"name\":\"a\",\"properties\":{\"__timestamp\":\"2026-06-08T11:59:00Z\"}}}";
    const char *untimed = "{\"type\":\"track\",\"payload\":{\"name\":\"b\"}}";
    track(harness, timed);
    check_body_has(harness, 200, "\"sessionId\"");
    assert_int_equal(harness_row_count(harness, 0), 2); /* with the session's start */
    track(harness, timed);
    check_body_has(harness, 200, "\"sessionId\"");
    assert_int_equal(harness_row_count(harness, 0), 0);
    track(harness, untimed);
    assert_int_equal(harness_row_count(harness, 0), 1);
    track(harness, untimed);
    assert_int_equal(harness_row_count(harness, 0), 0);
    harness_reset(harness); /* a second later the same body is another click */
    harness->request.received_ms += 1000;
    harness_header(harness, "openpanel-client-id", HARNESS_TENANT);
    harness_header(harness, "origin", "https://shop.example");
    harness_header(harness, "user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/115.0");
    assert_true(harness_post(harness, "/track", "", slice_from_string(untimed)));
    assert_int_equal(harness_row_count(harness, 0), 1);
}

#define REPLAY(index, count, full, started, payload)                                                                  \
    "{\"type\":\"replay\",\"payload\":{\"chunk_index\":" index ",\"events_count\":" count ",\"is_full_snapshot\":" full      \
    ",\"started_at\":\"" started "\",\"ended_at\":\"2026-06-08T12:00:05Z\",\"payload\":\"" payload "\"}}"

static void openpanel_bad_requests_say_why(void **state)
{
    static const struct { const char *body; const char *expected; } cases[] = {
        {"{", "{\"status\":400,\"error\":\"FastifyError\",\"message\":\"the JSON text is malformed"},
        {"", "\"error\":\"FastifyError\""},
        {"{}", "\"error\":\"Error\",\"message\":\"body/type Invalid input: expected string, received undefined\""},
        {"{\"type\":\"nope\",\"payload\":{}}", "body/type Invalid input: expected one of \\\"track\\\""},
        {"{\"type\":\"identify\",\"payload\":{}}", "body/payload/profileId Invalid input: expected non-empty string or number, received undefined"},
        {"{\"type\":\"identify\",\"payload\":{\"profileId\":\"u\",\"email\":\"nobody\"}}", "body/payload/email Invalid email address"},
        {"{\"type\":\"identify\",\"payload\":{\"profileId\":\"u\",\"email\":\"a@b@c.de\"}}", "body/payload/email Invalid email address"},
        {"{\"type\":\"identify\",\"payload\":{\"profileId\":\"u\",\"avatar\":\"/me.png\"}}", "body/payload/avatar Invalid URL"},
        {"{\"type\":\"identify\",\"payload\":{\"profileId\":\"u\",\"firstName\":7}}", "body/payload/firstName Invalid input: expected string, received number"},
        {"{\"type\":\"identify\",\"payload\":{\"profileId\":\"u\",\"properties\":[]}}", "body/payload/properties must be an object"},
        {"{\"type\":\"identify\",\"payload\":{\"profileId\":\"u\",\"properties\":{\"a\":{\"\":1},\"\":1}}}", "body/payload/properties a property has an empty name"},
        {"{\"type\":\"increment\",\"payload\":{\"profileId\":\"u\"}}", "body/payload/property Invalid input: expected non-empty string, received undefined"},
        {"{\"type\":\"increment\",\"payload\":{\"profileId\":\"u\",\"property\":\"n\",\"value\":0}}", "body/payload/value Too small"},
        {"{\"type\":\"decrement\",\"payload\":{\"profileId\":\"u\",\"property\":\"n\",\"value\":-1}}", "body/payload/value Too small"},
        {"{\"type\":\"decrement\",\"payload\":{\"profileId\":\"u\",\"property\":\"n\",\"value\":1e11}}", "body/payload/value Too big"},
        {"{\"type\":\"increment\",\"payload\":{\"profileId\":\"u\",\"property\":\"n\",\"value\":\"2\"}}", "body/payload/value Invalid input: expected number, received string"},
        {"{\"type\":\"alias\",\"payload\":{\"profileId\":\"u\"}}", "body/payload/alias Invalid input"},
        {"{\"type\":\"group\",\"payload\":{\"id\":\"g\",\"name\":\"G\"}}", "body/payload/type Invalid input: expected non-empty string, received undefined"},
        {"{\"type\":\"group\",\"payload\":{\"id\":\"g\",\"type\":\"t\",\"name\":\"G\",\"properties\":7}}", "body/payload/properties must be an object"},
        {"{\"type\":\"assign_group\",\"payload\":{}}", "body/payload/groupIds Invalid input: expected array, received undefined"},
        {"{\"type\":\"assign_group\",\"payload\":{\"groupIds\":[7]}}", "body/payload/groupIds Invalid input: expected array of non-empty strings"},
        {"{\"type\":\"replay\",\"payload\":{}}", "body/payload/chunk_index Invalid input: expected int, received undefined"},
        {REPLAY("65536", "1", "true", "2026-06-08T12:00:00Z", "[]"), "body/payload/chunk_index must be between 0 and 65535"},
        {REPLAY("0", "0", "true", "2026-06-08T12:00:00Z", "[]"), "body/payload/events_count must be between 1 and"},
        {REPLAY("0", "1", "1", "2026-06-08T12:00:00Z", "[]"), "body/payload/is_full_snapshot must be true or false"},
        {REPLAY("0", "1", "null", "2026-06-08T12:00:00Z", "[]"), "body/payload/is_full_snapshot is missing"},
        {REPLAY("0", "1", "true", "noon", "[]"), "body/payload/started_at must be an ISO 8601 time"},
        {"{\"type\":\"track\",\"payload\":{\"name\":\"a\",\"properties\":{\"__identify\":{\"profileId\":\"u\",\"email\":\"x\"}}}}", "body/payload/properties/__identify/email Invalid email address"},
        {"{\"type\":\"track\"}", "body/payload Invalid input: expected object, received undefined"},
        {"{\"type\":\"track\",\"payload\":{}}", "body/payload/name Invalid input: expected string, received undefined"},
        {"{\"type\":\"track\",\"payload\":{\"name\":7}}", "body/payload/name Invalid input: expected string, received number"},
        {"{\"type\":\"track\",\"payload\":{\"name\":\"session_start\"}}", "body/payload/name is reserved"},
        {"{\"type\":\"track\",\"payload\":{\"name\":\"x Union Select y\"}}", "body/payload/name looks like a scanner's probe"},
        {"{\"type\":\"track\",\"payload\":{\"name\":\"/index.php?a=1\"}}", "body/payload/name looks like a scanner's probe"},
        {"{\"type\":\"track\",\"payload\":{\"name\":\"a\",\"profileId\":\"\"}}", "body/payload/profileId Invalid input"},
        {"{\"type\":\"track\",\"payload\":{\"name\":\"a\",\"groups\":\"g\"}}", "body/payload/groups must be an array of strings"},
        {"{\"type\":\"track\",\"payload\":{\"name\":\"a\",\"properties\":5}}", "body/payload/properties Invalid input: expected object, received number"},
        {"{\"type\":\"track\",\"payload\":{\"name\":\"revenue\",\"properties\":{\"__revenue\":1.5}}}", "body/payload/properties/__revenue must be a non-negative integer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        track(*state, cases[i].body);
        check_body_has(*state, 400, cases[i].expected);
        assert_int_equal(harness_row_count(*state, 0), 0);
    }
}

static void databuddy(struct harness *harness, const char *path, const char *body)
{
    harness_reset(harness);
    harness_header(harness, "content-type", "text/plain");
    assert_true(harness_post(harness, path, "client_id=" HARNESS_TENANT, slice_from_string(body)));
}

#define DATABUDDY_EVENT(extra)                                                                                         \
    "{\"eventId\":\"e1\",\"name\":\"screen_view\",\"path\":\"https://shop.example/a\",\"anonymousId\":\"anon_1\"" extra "}"

static void databuddy_repeats_are_ordinary_successes(void **state)
{
    struct harness *harness = *state;
    databuddy(harness, "/", DATABUDDY_EVENT(""));
    check_body_has(harness, 200, "{\"status\":\"success\",\"type\":\"track\"}");
    assert_int_equal(harness_row_count(harness, 0), 1);
    databuddy(harness, "/", DATABUDDY_EVENT(""));
    check_body_has(harness, 200, "{\"status\":\"success\",\"type\":\"track\"}");
    assert_int_equal(harness_row_count(harness, 0), 0);
}

static void databuddy_visitors_are_hidden_unless_told_otherwise(void **state)
{
    static const struct { const char *body; bool hidden; } cases[] = {
        {DATABUDDY_EVENT(",\"type\":\"track\""), true},
        {DATABUDDY_EVENT(",\"anonymizeVisitorIds\":\"auto\",\"eventId\":\"e2\""), true},
        {DATABUDDY_EVENT(",\"anonymizeVisitorIds\":null"), true},
        {DATABUDDY_EVENT(",\"anonymizeVisitorIds\":false"), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness *harness = *state;
        struct buffer rows = {0};
        harness->rows.seen_count = 0;
        databuddy(harness, "/", cases[i].body);
        harness_write_rows(harness, 0, &rows);
        bool raw = slice_find(buffer_slice(&rows), SLICE("\"device_id\":\"anon_1\"")) >= 0;
        assert_int_equal(raw, !cases[i].hidden);
        if (cases[i].hidden) {
            struct privacy_salt salt = privacy_salt_of_day(harness->secret, "analytics visitor", HARNESS_NOW_MS);
            char hash[PRIVACY_ID_HASH_SIZE];
            privacy_hash_id(SLICE("anon_1"), &salt, hash);
            assert_true(slice_find(buffer_slice(&rows), slice_make(hash, sizeof hash)) >= 0);
        }
        buffer_free(&rows);
    }
}

static void databuddy_bad_events_say_why(void **state)
{
    static const struct { const char *body; const char *expected; } cases[] = {
        {"[", "\"code\":\"basket.TRACK_INVALID_BODY\""},
        {"{\"type\":\"vitals\"}", "\"message\":\"Unknown event type\",\"code\":\"basket.INGEST_UNKNOWN_EVENT_TYPE\",\"retryable\":false,\"requestId\":\"42\""},
        {"{\"name\":\"a\",\"path\":\"https://a.example/\"}", "\"code\":\"basket.INVALID_EVENT_SCHEMA\",\"errors\":[{\"code\":\"invalid_value\",\"field\":\"eventId\",\"message\":\"is required\"}]"},
        {"{\"eventId\":\"e\",\"path\":\"https://a.example/\"}", "\"field\":\"name\",\"message\":\"is required\""},
        {"{\"eventId\":\"e\",\"name\":\"a\"}", "\"field\":\"path\",\"message\":\"is required\""},
        {"{\"eventId\":\"e\",\"name\":\"a\",\"path\":\"/a\"}", "\"field\":\"path\",\"message\":\"must be an absolute http or https URL\""},
        {"{\"eventId\":\"e\",\"name\":\"a\",\"path\":\"https://intranet/a\"}", "\"field\":\"path\""},
        {DATABUDDY_EVENT(",\"timestamp\":\"2026-01-01\""), "\"field\":\"timestamp\",\"message\":\"must be a number\""},
        {DATABUDDY_EVENT(",\"timestamp\":1780923610001"), "\"field\":\"timestamp\",\"message\":\"from the future"},
        {DATABUDDY_EVENT(",\"sessionStartTime\":5"), "\"field\":\"sessionStartTime\",\"message\":\"before 2000"},
        {DATABUDDY_EVENT(",\"referrer\":\"ftp://x\""), "\"field\":\"referrer\""},
        {DATABUDDY_EVENT(",\"screen_resolution\":\"100x100\""), "\"field\":\"screen_resolution\""},
        {DATABUDDY_EVENT(",\"viewport_size\":\"big\""), "\"field\":\"viewport_size\""},
        {DATABUDDY_EVENT(",\"language\":\"english\""), "\"field\":\"language\""},
        {DATABUDDY_EVENT(",\"connection_type\":\"5g\""), "\"field\":\"connection_type\""},
        {DATABUDDY_EVENT(",\"rtt\":10001"), "\"field\":\"rtt\",\"message\":\"must be between 0 and 10000\""},
        {DATABUDDY_EVENT(",\"page_count\":1001"), "\"field\":\"page_count\""},
        {DATABUDDY_EVENT(",\"load_time\":60001"), "\"field\":\"load_time\""},
        {DATABUDDY_EVENT(",\"anonymizeVisitorIds\":1"), "\"field\":\"anonymizeVisitorIds\""},
        {"{\"type\":\"outgoing_link\",\"eventId\":\"e\"}", "\"field\":\"href\",\"message\":\"is required\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        databuddy(*state, "/", cases[i].body);
        check_body_has(*state, 400, cases[i].expected);
        assert_int_equal(harness_row_count(*state, 0), 0);
    }
    databuddy(*state, "/batch", "{}");
    check_body_has(*state, 400, "basket.INGEST_BATCH_NOT_ARRAY");
    struct buffer body = {0};
    for (int i = 0; i < 101; i++) buffer_append_string(&body, i ? ",{}" : "[{}");
    buffer_append_string(&body, "]");
    buffer_append_byte(&body, 0);
    databuddy(*state, "/batch", body.data);
    check_body_has(*state, 400, "basket.INGEST_BATCH_TOO_LARGE");
    buffer_free(&body);
}

static void databuddy_says_which_place_a_key_is_not_for(void **state)
{
    static const struct {
        const char *field, *expected;
        int status;
    } cases[] = {{"origin", "basket.INGEST_ORIGIN_NOT_AUTHORIZED", 403},
                 {"address", "basket.INGEST_IP_NOT_AUTHORIZED", 403},
                 {"", "basket.INGEST_INVALID_CLIENT_ID", 400}};
    struct harness *harness = *state;
    const struct domain_route *route = route_of("/");
    harness_reset(harness);
    harness->request.body = SLICE_EMPTY;
    harness_header(harness, "databuddy-client-id", "id");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error;
        error_set_field(&error, ERROR_FORBIDDEN, cases[i].field, "not from there");
        buffer_clear(&harness->body);
        harness->content_type = route->refuse(&error, &harness->request, &harness->status, &harness->body);
        check_body_has(harness, cases[i].status, cases[i].expected);
    }
}

#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"

/* Sends one event of each dialect with ids of the client's own; `asks` is the header by which the visitor asks. */
static void send_to_dialect(struct harness *harness, int dialect, const char *asks)
{
    static const char *const paths[] = {"/v1/events", "/track", "/"};
    static const char *const bodies[] = {
        "[{\"name\":\"n\",\"device_id\":\"own-device\",\"session_id\":\"own-session\",\"profile_id\":\"own-profile\",\"ip\":\"198.51.100.1\"},"
        "{\"type\":\"identify\",\"profile_id\":\"own-profile\"},{\"type\":\"alias\",\"profile_id\":\"own-profile\",\"alias\":\"own-alias\"},"
        "{\"type\":\"vital\",\"metric_name\":\"LCP\",\"metric_value\":1200,\"device_id\":\"own-device\",\"session_id\":\"own-session\"}]",
        "{\"type\":\"track\",\"payload\":{\"name\":\"n\",\"profileId\":\"own-profile\",\"properties\":{\"__deviceId\":\"own-device\","
        "\"__identify\":{\"profileId\":\"own-profile\",\"email\":\"own@example.org\"}}}}",
        "{\"type\":\"track\",\"eventId\":\"e1\",\"name\":\"n\",\"path\":\"https://shop.example/\",\"anonymousId\":\"own-device\","
        "\"sessionId\":\"own-session\",\"profileId\":\"own-profile\",\"anonymizeVisitorIds\":false}"};
    harness_reset(harness);
    harness_header(harness, "content-type", "application/json");
    harness_header(harness, "user-agent", FIREFOX);
    if (dialect == 0) harness_header(harness, "authorization", "Bearer mrw_key");
    if (dialect == 1) harness_header(harness, "openpanel-client-id", "mrw_key");
    if (asks) harness_header(harness, asks, "1");
    assert_true(harness_post(harness, paths[dialect], dialect == 2 ? "client_id=mrw_key" : "", slice_from_string(bodies[dialect])));
    assert_int_equal(harness->status, 200);
}

static struct buffer all_rows(struct harness *harness)
{
    struct buffer rows = {0};
    for (size_t table = 0; table < analytics_domain.table_count; table++)
        if (harness_row_count(harness, table)) harness_write_rows(harness, table, &rows);
    return rows;
}

static void who_asks_not_to_be_tracked_has_only_the_id_of_the_day(void **state)
{
    struct harness *harness = *state;
    char device[80] = "";
    for (int dialect = 0; dialect < 3; dialect++) {
        harness->tenant.do_not_track = TENANT_TRACK_ALL;
        send_to_dialect(harness, dialect, "dnt");
        struct buffer rows = all_rows(harness);
        assert_true(slice_find(buffer_slice(&rows), SLICE("own-")) >= 0); /* the tenant does not care */
        buffer_free(&rows);
        harness->tenant.do_not_track = TENANT_TRACK_COOKIELESS;
        for (int asks = 0; asks < 2; asks++) {
            harness->rows.seen_count = 0; /* what was sent before is no duplicate here */
            send_to_dialect(harness, dialect, asks ? "dnt" : "sec-gpc");
            assert_true(harness->output.accepted > 0 && harness->output.refused == 0);
            rows = all_rows(harness);
            struct slice text = buffer_slice(&rows);
            if (slice_find(text, SLICE("own-")) >= 0 || slice_find(text, SLICE("profile_id")) >= 0 || slice_find(text, SLICE("\"ip\"")) >= 0)
                fail_msg("%.*s", SLICE_ARGS(text));
            ptrdiff_t at = slice_find(text, SLICE("\"device_id\":\""));
            assert_true(at >= 0 && slice_find(text, SLICE("\"session_id\":\"")) >= 0);
            struct slice found = slice_first(slice_from(text, (size_t)at), 46);
            if (!device[0]) snprintf(device, sizeof device, "%.*s", SLICE_ARGS(found));
            assert_true(slice_equal(found, slice_from_string(device))); /* one visitor, whatever the dialect */
            buffer_free(&rows);
        }
        harness->rows.seen_count = 0;
        send_to_dialect(harness, dialect, NULL);
        rows = all_rows(harness);
        assert_true(slice_find(buffer_slice(&rows), SLICE("own-")) >= 0); /* who does not ask */
        buffer_free(&rows);
    }
}

static void who_asks_not_to_be_tracked_is_answered_and_dropped(void **state)
{
    struct harness *harness = *state;
    harness->tenant.do_not_track = TENANT_TRACK_DROP;
    for (int dialect = 0; dialect < 3; dialect++) {
        send_to_dialect(harness, dialect, "sec-gpc");
        assert_true(harness->output.accepted > 0 && harness->output.refused == 0);
        struct buffer rows = all_rows(harness);
        assert_int_equal(rows.size, 0);
        buffer_free(&rows);
        harness->rows.seen_count = 0;
        send_to_dialect(harness, dialect, NULL);
        assert_true(harness_row_count(harness, 0) > 0);
    }
}

/* The device that an event of this moment is stored under, sent by who asks not to be tracked. */
static struct slice device_at(struct harness *harness, const char *name, int64_t time_ms)
{
    static char device[32];
    char body[64];
    snprintf(body, sizeof body, "{\"name\":\"%s\"}", name);
    harness_reset(harness);
    harness->request.received_ms = time_ms;
    harness_header(harness, "authorization", "Bearer mrw_key");
    harness_header(harness, "content-type", "application/json");
    harness_header(harness, "user-agent", FIREFOX);
    harness_header(harness, "dnt", "1");
    assert_true(harness_post(harness, "/v1/events", "", slice_from_string(body)));
    struct buffer rows = all_rows(harness);
    ptrdiff_t at = slice_find(buffer_slice(&rows), SLICE("\"device_id\":\""));
    assert_true(at >= 0);
    memcpy(device, rows.data + at + 13, sizeof device);
    buffer_free(&rows);
    return slice_make(device, sizeof device);
}

static void the_id_of_the_day_changes_at_midnight_unless_a_visit_goes_on(void **state)
{
    enum { MINUTE = 60000 };
    static const int64_t day = INT64_C(86400000);
    struct harness *harness = *state;
    int64_t midnight = (HARNESS_NOW_MS / day + 1) * day;
    char first[33], second[33];
    harness->tenant.do_not_track = TENANT_TRACK_COOKIELESS;
    snprintf(first, sizeof first, "%.*s", SLICE_ARGS(device_at(harness, "morning", midnight - day + MINUTE)));
    struct slice found = device_at(harness, "evening", midnight - 10 * MINUTE);
    assert_true(slice_equal(found, slice_from_string(first))); /* all day */
    for (int minutes = 10; minutes <= 60; minutes += 25) { /* the visit goes on: yesterday's salt, and the same visitor */
        found = device_at(harness, "night", midnight + minutes * MINUTE);
        assert_true(slice_equal(found, slice_from_string(first)));
    }
    snprintf(second, sizeof second, "%.*s", SLICE_ARGS(device_at(harness, "later", midnight + 120 * MINUTE)));
    assert_string_not_equal(first, second); /* the visit had ended: nobody can tell that it is the same one */
    found = device_at(harness, "noon", midnight + day / 2);
    assert_true(slice_equal(found, slice_from_string(second)));
    found = device_at(harness, "third day", midnight + 2 * day); /* two days on neither salt is looked at */
    assert_false(slice_equal(found, slice_from_string(first)) || slice_equal(found, slice_from_string(second)));
}

int main(int argc, char **argv)
{
    testdata = argc > 1 ? argv[1] : "src/domains/analytics/testdata";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(testdata_requests_become_the_rows_written_there),
        cmocka_unit_test_setup_teardown(own_events_of_a_known_id_are_duplicates_in_later_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(own_requests_over_the_item_limit_are_refused_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(own_error_list_is_capped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(own_bad_requests_say_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(own_property_limits_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(own_write_keys_may_be_in_the_query_but_secrets_may_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_without_key_is_refused_in_each_dialect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(openpanel_key_may_be_in_the_body_or_be_a_secret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(openpanel_repeats_are_stored_once_and_answered_alike, set_up, tear_down),
        cmocka_unit_test_setup_teardown(openpanel_bad_requests_say_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(databuddy_repeats_are_ordinary_successes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(databuddy_visitors_are_hidden_unless_told_otherwise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(databuddy_bad_events_say_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(databuddy_says_which_place_a_key_is_not_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_asks_not_to_be_tracked_has_only_the_id_of_the_day, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_asks_not_to_be_tracked_is_answered_and_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_id_of_the_day_changes_at_midnight_unless_a_visit_goes_on, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
