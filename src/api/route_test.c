/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the table of routes: what a path leads to, what a row must say, what the document says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/openapi.h"
#include "decode/json.h"

static void handle(struct api_call *call) {}

static const struct control_field fields[] = {
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "its name"},
    {"owner", CONTROL_TEXT, CONTROL_READ_ONLY, .help = "set by the program"},
    {"kind", CONTROL_TEXT, CONTROL_IMMUTABLE},
    {"is_active", CONTROL_BOOLEAN, CONTROL_UPDATE},
    {"password", CONTROL_SECRET},
    {0},
};
static const struct control_resource things = {
    .name = "thing", .plural = "things", .id_column = "thing_id", .scope = CONTROL_TENANT, .scope_column = "tenant_id",
    .read = TENANT_DASHBOARDS_READ, .create = TENANT_DASHBOARDS_WRITE, .write = TENANT_DASHBOARDS_WRITE,
    .delete_ = TENANT_DASHBOARDS_DELETE, .soft_delete = true, .fields = fields, .help = "Things."};
static const struct control_resource founded = {
    .name = "foundation", .plural = "foundations", .id_column = "foundation_id", .scope = CONTROL_ORGANIZATION,
    .read = TENANT_ORGANIZATIONS_READ, .create = TENANT_ORGANIZATIONS_CREATE, .write = TENANT_ORGANIZATIONS_WRITE,
    .delete_ = TENANT_NO_PERMISSION, .created_by_installation = true, .fields = fields};
static const struct control_resource *const resources[] = {&things, &founded, NULL};

static enum error_code run(const struct control_call *call, const struct control_input *input, struct control_output *output,
                           struct error *error)
{
    return ERROR_NONE;
}
static const struct control_action turn = {
    METHOD_POST, "/v1/things/{thing_id}/turn/{side}", CONTROL_PERMITTED, CONTROL_TENANT, TENANT_DASHBOARDS_WRITE,
    .body = fields, .status = 200, .run = run, .summary = "Turns a thing", .answer = "{\"type\":\"object\"}"};
static const struct control_action me = {METHOD_GET, "/v1/things/me", CONTROL_LOGGED_IN, .status = 200, .run = run, .summary = "Mine"};

static struct slice find_key(const struct request *request) { return SLICE_EMPTY; }
static const struct domain_route ingest_routes[] = {
    {.method = METHOD_POST, .path = "/v1/lines", .find_key = find_key, .permission = TENANT_EVENTS_WRITE},
    {.method = METHOD_POST, .path = "/", .permission = TENANT_NO_PERMISSION},
    {.method = METHOD_POST, .path = "/reports/of/{hash}", .permission = TENANT_NO_PERMISSION, .is_webhook = true},
};
static const struct domain lines = {.name = "lines", .routes = ingest_routes, .route_count = 3};
static const struct domain *const domains[] = {&lines};

static struct api_routes *make(void)
{
    struct api_routes *routes = api_routes_create();
    struct api_route health = {.method = METHOD_GET, .path = "/healthz", .access = API_OPEN, .permission = TENANT_NO_PERMISSION,
                               .handle = handle, .summary = "Health", .answer = "{}"};
    api_routes_add(routes, &health);
    api_routes_add_domain(routes, &lines, handle, NULL);
    api_routes_add_resource(routes, &things, handle);
    api_routes_add_resource(routes, &founded, handle);
    api_routes_add_action(routes, &turn, handle);
    api_routes_add_action(routes, &me, handle);
    return routes;
}

static const struct api_route *find(const struct api_routes *routes, enum request_method method, const char *path,
                                    struct api_match *match)
{
    api_routes_find(routes, method, slice_from_string(path), match);
    return match->route;
}

static void a_path_leads_to_its_row_and_gives_its_values(void **state)
{
    struct api_routes *routes = make();
    struct api_match match;
    assert_int_equal(find(routes, METHOD_GET, "/v1/things", &match)->verb, API_LIST);
    assert_int_equal(find(routes, METHOD_POST, "/v1/things/", &match)->verb, API_CREATE);
    assert_int_equal(find(routes, METHOD_HEAD, "/v1/things/7", &match)->verb, API_GET);
    assert_true(slice_equal(match.values[0], SLICE("7")));
    assert_int_equal(find(routes, METHOD_POST, "/v1/things/7/restore", &match)->verb, API_RESTORE);
    const struct api_route *route = find(routes, METHOD_POST, "/v1/things/a b/turn/left", &match);
    assert_ptr_equal(route->action, &turn);
    assert_true(slice_equal(match.values[0], SLICE("a b")) && slice_equal(match.values[1], SLICE("left")));
    assert_ptr_equal(find(routes, METHOD_GET, "/v1/things/me", &match)->action, &me);
    /* Behind "me" nothing else lies: the same text is an id there. */
    assert_int_equal(find(routes, METHOD_POST, "/v1/things/me/restore", &match)->verb, API_RESTORE);
    assert_true(slice_equal(match.values[0], SLICE("me")));
    assert_ptr_equal((find(routes, METHOD_POST, "/v1/lines", &match), match.ingest), &ingest_routes[0]);
    assert_ptr_equal((find(routes, METHOD_POST, "/", &match), match.ingest), &ingest_routes[1]);
    assert_ptr_equal((find(routes, METHOD_POST, "/reports/of/x", &match), match.ingest), &ingest_routes[2]);
    assert_true(match.is_webhook);
    assert_true(slice_equal(domain_route_value(match.ingest, SLICE("/reports/of/x/")), SLICE("x")));
    find(routes, METHOD_GET, "/reports/of/x", &match);
    assert_null(match.ingest);
    assert_int_equal(match.methods, 1u << METHOD_POST);
    assert_null((find(routes, METHOD_POST, "/reports/of/x/y", &match), match.ingest));
    assert_null((find(routes, METHOD_POST, "/reports/of/", &match), match.ingest));
    assert_null((find(routes, METHOD_POST, "/x", &match), match.ingest));
    api_routes_destroy(routes);
}

static void what_is_not_there_is_told_from_what_may_not_be_done_there(void **state)
{
    static const struct {
        enum request_method method;
        const char *path, *allow;
    } cases[] = {
        {METHOD_DELETE, "/v1/things", "Allow: GET, HEAD, POST\r\n"},
        {METHOD_POST, "/v1/things/7", "Allow: GET, HEAD, PATCH, DELETE\r\n"},
        {METHOD_DELETE, "/v1/foundations/7", "Allow: GET, HEAD, PATCH\r\n"},
        {METHOD_GET, "/v1/lines", "Allow: POST\r\n"},
        {METHOD_POST, "/v1/foundations/7/restore", NULL},
        {METHOD_GET, "/v1", NULL}, {METHOD_GET, "/v1/", NULL}, {METHOD_GET, "/v1//", NULL}, {METHOD_GET, "", NULL},
        {METHOD_GET, "/v1/things//", NULL}, {METHOD_GET, "//v1/things", NULL}, {METHOD_GET, "/v1/things/7/8", NULL},
        {METHOD_GET, "v1/things", NULL}, {METHOD_GET, "/V1/things", NULL}, {METHOD_POST, "/v1/things//restore", NULL},
    };
    struct api_routes *routes = make();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_match match;
        struct buffer allow = {0};
        find(routes, cases[i].method, cases[i].path, &match);
        if (match.route || match.ingest) fail_msg("%s was found", cases[i].path);
        if ((match.methods != 0) != (cases[i].allow != NULL)) fail_msg("%s knows methods %x", cases[i].path, match.methods);
        if (cases[i].allow) {
            api_allow_write(match.methods, &allow);
            buffer_append_byte(&allow, 0);
            assert_string_equal(allow.data, cases[i].allow);
        }
        buffer_free(&allow);
    }
    api_routes_destroy(routes);
}

static void what_the_installation_founds_is_decided_there(void **state)
{
    struct api_routes *routes = make();
    struct api_match match;
    assert_int_equal(find(routes, METHOD_POST, "/v1/foundations", &match)->scope, CONTROL_INSTALLATION);
    assert_int_equal(find(routes, METHOD_PATCH, "/v1/foundations/7", &match)->scope, CONTROL_ORGANIZATION);
    assert_int_equal(find(routes, METHOD_PATCH, "/v1/foundations/7", &match)->permission, TENANT_ORGANIZATIONS_WRITE);
    api_routes_destroy(routes);
}

/* Whether adding the row stops the program. */
static bool stops(void (*add)(struct api_routes *routes))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(2);
        signal(SIGABRT, SIG_DFL);
        add(make());
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void add_good(struct api_routes *routes)
{
    static const struct control_action action = {METHOD_GET, "/v1/good", CONTROL_PERMITTED, CONTROL_TENANT, TENANT_EVENTS_READ,
                                                 .status = 200, .run = run, .summary = "Good"};
    api_routes_add_action(routes, &action, handle);
}
static void add_silent(struct api_routes *routes)
{
    struct api_route route = {.method = METHOD_GET, .path = "/v1/silent", .handle = handle, .summary = "Says nothing"};
    api_routes_add(routes, &route);
}
static void add_without_permission(struct api_routes *routes)
{
    struct api_route route = {.method = METHOD_GET, .path = "/v1/silent", .access = API_PERMITTED, .permission = TENANT_NO_PERMISSION,
                              .handle = handle, .summary = "Names no permission"};
    api_routes_add(routes, &route);
}
static void add_forgotten_action(struct api_routes *routes)
{
    static const struct control_action action = {METHOD_POST, "/v1/forgotten", .status = 200, .run = run, .summary = "Forgot who may"};
    api_routes_add_action(routes, &action, handle);
}
static void add_forgotten_permission(struct api_routes *routes)
{
    static const struct control_action action = {METHOD_POST, "/v1/forgotten", CONTROL_PERMITTED, .status = 200, .run = run,
                                                 .summary = "Forgot the permission"};
    api_routes_add_action(routes, &action, handle);
}
static void add_reader_that_writes(struct api_routes *routes)
{
    static const struct control_resource resource = {.name = "x", .plural = "xs", .id_column = "x_id", .scope = CONTROL_TENANT,
                                                     .read = TENANT_FLAGS_READ, .create = TENANT_FLAGS_READ,
                                                     .write = TENANT_FLAGS_WRITE, .delete_ = TENANT_FLAGS_DELETE, .fields = fields};
    api_routes_add_resource(routes, &resource, handle);
}
static void add_twice(struct api_routes *routes) { api_routes_add_action(routes, &me, handle); }

static void a_row_that_decides_nothing_stops_the_program(void **state)
{
    assert_false(stops(add_good));
    assert_true(stops(add_silent));
    assert_true(stops(add_without_permission));
    assert_true(stops(add_forgotten_action));
    assert_true(stops(add_forgotten_permission));
    assert_true(stops(add_reader_that_writes));
    assert_true(stops(add_twice));
}

static struct json_value member(struct json_value value, const char *path)
{
    struct slice rest = slice_from_string(path);
    while (rest.size) {
        struct slice name = slice_cut(&rest, '>');
        if (!json_object_get(value, name, &value)) fail_msg("no %.*s in %s", SLICE_ARGS(name), path);
    }
    return value;
}

static void assert_text(struct json_value root, const char *path, const char *text)
{
    struct slice got = json_value_string(member(root, path));
    if (!slice_equal(got, slice_from_string(text))) fail_msg("%s is %.*s", path, SLICE_ARGS(got));
}

static void the_document_says_what_the_rows_say(void **state)
{
    struct api_routes *routes = make();
    struct api_openapi_source source = {.routes = routes, .domains = domains, .domain_count = 1, .resources = resources, .version = "1"};
    struct buffer out = {0};
    api_openapi_write(&source, &out);
    size_t size = out.size;
    buffer_append_zeros(&out, JSON_PADDING);
    struct json_parser *parser = json_parser_create();
    struct json_value root, ignored;
    struct error error;
    if (json_parse(parser, slice_make(out.data, size), &root, &error) != ERROR_NONE) fail_msg("%s", error.message);
    assert_text(root, "openapi", "3.1.0");
    assert_text(root, "paths>/v1/things>get>x-millrace-permission", "dashboards:read");
    assert_text(root, "paths>/v1/things/{id}>delete>x-millrace-permission", "dashboards:delete");
    assert_text(root, "paths>/v1/things>post>x-millrace-scope", "tenant");
    assert_text(root, "paths>/v1/foundations>post>x-millrace-scope", "installation");
    assert_text(root, "paths>/v1/things/me>get>x-millrace-access", "logged_in");
    assert_text(root, "paths>/healthz>get>x-millrace-access", "open");
    assert_text(root, "paths>/v1/lines>post>x-millrace-permission", "events:write");
    assert_text(root, "paths>/>post>x-millrace-access", "open");
    assert_text(root, "paths>/v1/things>post>requestBody>content>application/json>schema>$ref", "#/components/schemas/thing_create");
    struct json_value made = member(root, "components>schemas>thing_create>properties");
    assert_true(json_object_get(made, SLICE("name"), &ignored) && json_object_get(made, SLICE("kind"), &ignored));
    assert_false(json_object_get(made, SLICE("owner"), &ignored) || json_object_get(made, SLICE("is_active"), &ignored));
    struct json_value changed = member(root, "components>schemas>thing_update>properties");
    assert_true(json_object_get(changed, SLICE("is_active"), &ignored));
    assert_false(json_object_get(changed, SLICE("kind"), &ignored));
    struct json_value shown = member(root, "components>schemas>thing>properties");
    assert_true(json_object_get(shown, SLICE("owner"), &ignored) && json_object_get(shown, SLICE("deleted_at"), &ignored));
    assert_false(json_object_get(shown, SLICE("password"), &ignored));
    assert_int_equal(json_array_size(member(root, "paths>/v1/things/{thing_id}/turn/{side}>post>parameters")), 3);
    json_parser_destroy(parser);
    buffer_free(&out);
    api_routes_destroy(routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_leads_to_its_row_and_gives_its_values),
        cmocka_unit_test(what_is_not_there_is_told_from_what_may_not_be_done_there),
        cmocka_unit_test(what_the_installation_founds_is_decided_there),
        cmocka_unit_test(a_row_that_decides_nothing_stops_the_program),
        cmocka_unit_test(the_document_says_what_the_rows_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
