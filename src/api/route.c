/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes: rows checked as they come in, a tree of path segments that finds them. */
#include "api/route.h"

#include <stdlib.h>

#include "base/map.h"

/* A create or change: the largest bodies are the layout of a dashboard and the rules of a flag (64 KiB each). */
#define API_BODY_LIMIT_BYTES (256u << 10)
/* What comes without a purpose is read and forgotten. */
#define API_NO_BODY_LIMIT_BYTES (4u << 10)

/* Actions that anybody may do, and why. An action that is open only because its row forgot to say otherwise stops the
 * program: openness is said here and there. */
static const struct {
    enum request_method method;
    const char *path, *reason;
} api_open_actions[] = {
    {METHOD_POST, "/v1/auth/login", "this is how one becomes known"},
    {METHOD_POST, "/v1/auth/mfa", "the second step of it: proof is the token of the first"},
    {METHOD_POST, "/v1/auth/refresh", "proof is the refresh token"},
    {METHOD_POST, "/v1/auth/logout", "proof is the refresh token: also when the access token has expired"},
    {METHOD_POST, "/v1/auth/password/forgot", "who has forgotten cannot log in; answers the same to all"},
    {METHOD_POST, "/v1/auth/password/reset", "proof is the token of the mail"},
    {METHOD_POST, "/v1/auth/email/verify", "proof is the token of the mail"},
    {METHOD_GET, "/v1/auth/oidc", "the login page offers them"},
    {METHOD_GET, "/v1/auth/oidc/{code}/start", "a login begins here"},
    {METHOD_GET, "/v1/auth/oidc/{code}/callback", "and ends here: proof is what the provider signed"},
};

struct api_node {
    struct map literals; /* segment -> struct api_node * */
    struct api_node *parameter;
    const struct api_route *methods[METHOD_COUNT];
};
struct api_ingest {
    const struct domain *domain;
    bool is_webhook; /* it is found by what stands before the last segment */
    const struct domain_route *methods[METHOD_COUNT];
};
struct api_routes {
    struct map ingest; /* path -> struct api_ingest * */
    struct api_node root;
    struct api_route **rows;
    size_t count;
};

const char *api_access_name(enum api_access access)
{
    static const char *const names[] = {"", "open", "logged_in", "permitted"};
    return names[access];
}

const char *api_scope_name(enum control_scope scope)
{
    static const char *const names[] = {"installation", "organization", "tenant"};
    return names[scope];
}

static void *api_memory(size_t size)
{
    void *memory = calloc(1, size);
    ASSERT(memory != NULL);
    return memory;
}

struct api_routes *api_routes_create(void) { return api_memory(sizeof(struct api_routes)); }

static void api_node_free(struct api_node *node)
{
    size_t position = 0;
    for (struct map_entry *entry; (entry = map_next(&node->literals, &position));) {
        api_node_free(entry->value);
        free(entry->value);
    }
    map_free(&node->literals);
    if (node->parameter) api_node_free(node->parameter);
    free(node->parameter);
}

void api_routes_destroy(struct api_routes *routes)
{
    if (!routes) return;
    size_t position = 0;
    for (struct map_entry *entry; (entry = map_next(&routes->ingest, &position));) free(entry->value);
    map_free(&routes->ingest);
    api_node_free(&routes->root);
    for (size_t i = 0; i < routes->count; i++) {
        free((void *)(uintptr_t)routes->rows[i]->path);
        free(routes->rows[i]);
    }
    free(routes->rows);
    free(routes);
}

static struct api_node *api_node_child(struct api_node *node, struct slice segment)
{
    ASSERT(segment.size > 0);
    if (segment.data[0] == '{') {
        ASSERT(segment.size > 2 && segment.data[segment.size - 1] == '}');
        if (!node->parameter) node->parameter = api_memory(sizeof *node->parameter);
        return node->parameter;
    }
    struct api_node *child = map_get(&node->literals, segment);
    if (child) return child;
    child = api_memory(sizeof *child);
    ASSERT(map_put(&node->literals, segment, child));
    return child;
}

void api_routes_add(struct api_routes *routes, const struct api_route *route)
{
    ASSERT(route->path && route->path[0] == '/' && route->handle && route->summary);
    ASSERT(route->access != API_ACCESS_UNSAID);
    ASSERT(!(route->is_cross_origin || route->is_grpc) || route->access == API_OPEN);
    ASSERT(route->access == API_PERMITTED ? route->permission < TENANT_PERMISSION_COUNT
                                          : route->permission == TENANT_NO_PERMISSION);
    struct slice rest = slice_from(slice_from_string(route->path), 1);
    struct api_node *node = &routes->root;
    size_t values = 0;
    while (rest.size) {
        struct slice segment = slice_cut(&rest, '/');
        values += segment.size && segment.data[0] == '{';
        node = api_node_child(node, segment);
    }
    ASSERT(values <= API_PATH_VALUE_LIMIT && !node->methods[route->method]);
    struct api_route *row = api_memory(sizeof *row);
    *row = *route;
    row->path = strdup(route->path);
    struct api_route **rows = realloc(routes->rows, (routes->count + 1) * sizeof *rows);
    ASSERT(row->path && rows);
    routes->rows = rows;
    routes->rows[routes->count++] = row;
    node->methods[route->method] = row;
}

static void api_routes_add_list(struct api_routes *routes, const struct domain_list *list,
                                void (*handle)(struct api_call *call))
{
    ASSERT(strcmp(tenant_permissions[list->permission].action, "read") == 0);
    struct api_route route = {
        .method = METHOD_GET, .path = list->path, .access = API_PERMITTED,
        .scope = list->is_of_organization ? CONTROL_ORGANIZATION : CONTROL_TENANT,
        .permission = list->permission, .tenant_is_enough = list->is_of_organization,
        .body_limit_bytes = API_NO_BODY_LIMIT_BYTES, .handle = handle, .summary = list->summary, .list = list,
    };
    api_routes_add(routes, &route);
}

static void api_routes_add_question(struct api_routes *routes, const struct domain_question *question,
                                    void (*handle)(struct api_call *call))
{
    ASSERT(strcmp(tenant_permissions[question->permission].action, "read") == 0);
    for (const enum tenant_permission *also = question->also; also && *also != TENANT_NO_PERMISSION; also++)
        ASSERT(*also < TENANT_PERMISSION_COUNT && strcmp(tenant_permissions[*also].action, "read") == 0);
    struct api_route route = {
        .method = question->method, .path = question->path, .access = API_PERMITTED, .scope = CONTROL_TENANT,
        .permission = question->permission,
        .body_limit_bytes = question->method == METHOD_GET ? API_NO_BODY_LIMIT_BYTES : DOMAIN_QUESTION_BODY_BYTES,
        .handle = handle, .summary = question->summary, .answer = "{\"type\":[\"object\",\"array\"]}", .question = question,
    };
    api_routes_add(routes, &route);
}

void api_routes_add_domain(struct api_routes *routes, const struct domain *domain,
                           void (*handle_list)(struct api_call *call), void (*handle_question)(struct api_call *call))
{
    for (size_t i = 0; domain->questions && domain->questions[i]; i++)
        for (const struct domain_question *question = domain->questions[i]; question->path; question++)
            api_routes_add_question(routes, question, handle_question);
    for (size_t i = 0; i < domain->list_count; i++) api_routes_add_list(routes, &domain->lists[i], handle_list);
    for (size_t i = 0; i < domain->route_count; i++) {
        const struct domain_route *route = &domain->routes[i];
        /* Without a way to find a key there is no permission to ask for; a forgotten one is number 0, which reads. */
        ASSERT(route->find_key ? route->permission < TENANT_PERMISSION_COUNT && strcmp(tenant_permissions[route->permission].action, "read") != 0
                               : route->permission == TENANT_NO_PERMISSION);
        struct slice path = domain_route_prefix(route);
        ASSERT(route->is_webhook == (path.size < strlen(route->path)) && !(route->is_webhook && route->find_key));
        struct api_ingest *ingest = map_get(&routes->ingest, path);
        if (!ingest) {
            ingest = api_memory(sizeof *ingest);
            ASSERT(map_put(&routes->ingest, path, ingest));
        }
        ingest->is_webhook = route->is_webhook;
        ASSERT(!ingest->methods[route->method] && (!ingest->domain || ingest->domain == domain));
        ingest->domain = domain;
        ingest->methods[route->method] = route;
    }
}

void api_routes_add_resource(struct api_routes *routes, const struct control_resource *resource,
                             void (*handle)(struct api_call *call))
{
    const struct {
        enum api_verb verb;
        enum request_method method;
        const char *suffix, *summary;
        enum tenant_permission permission;
        bool exists;
    } verbs[] = {
        {API_LIST, METHOD_GET, "", "List", resource->read, true},
        {API_CREATE, METHOD_POST, "", "Create", resource->create, true},
        {API_GET, METHOD_GET, "/{id}", "Get", resource->read, true},
        {API_UPDATE, METHOD_PATCH, "/{id}", "Change", resource->write, true},
        {API_DELETE, METHOD_DELETE, "/{id}", "Delete", resource->delete_, true},
        {API_RESTORE, METHOD_POST, "/{id}/restore", "Restore", resource->delete_, resource->soft_delete},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!verbs[i].exists || verbs[i].permission == TENANT_NO_PERMISSION) continue;
        ASSERT(verbs[i].permission < TENANT_PERMISSION_COUNT);
        /* A forgotten field is permission 0, which reads: it must not become one to change things. */
        bool reads = verbs[i].verb == API_LIST || verbs[i].verb == API_GET;
        ASSERT(reads == (strcmp(tenant_permissions[verbs[i].permission].action, "read") == 0));
        bool whole = resource->created_by_installation &&
                     (verbs[i].verb == API_CREATE || verbs[i].verb == API_DELETE || verbs[i].verb == API_RESTORE);
        char path[128];
        int size = snprintf(path, sizeof path, "/v1/%s%s", resource->plural, verbs[i].suffix);
        ASSERT(size > 0 && (size_t)size < sizeof path);
        struct api_route route = {
            .method = verbs[i].method, .path = path, .access = API_PERMITTED,
            .scope = whole ? CONTROL_INSTALLATION : resource->scope, .permission = verbs[i].permission,
            .body_limit_bytes = verbs[i].verb == API_CREATE || verbs[i].verb == API_UPDATE ? API_BODY_LIMIT_BYTES
                                                                                           : API_NO_BODY_LIMIT_BYTES,
            .handle = handle, .summary = verbs[i].summary, .resource = resource, .verb = verbs[i].verb,
        };
        api_routes_add(routes, &route);
    }
}

static bool api_action_may_be_open(const struct control_action *action)
{
    for (size_t i = 0; i < sizeof api_open_actions / sizeof *api_open_actions; i++)
        if (api_open_actions[i].method == action->method && strcmp(api_open_actions[i].path, action->path) == 0)
            return true;
    return false;
}

void api_routes_add_action(struct api_routes *routes, const struct control_action *action,
                           void (*handle)(struct api_call *call))
{
    static const enum api_access accesses[] = {
        [CONTROL_OPEN] = API_OPEN, [CONTROL_LOGGED_IN] = API_LOGGED_IN, [CONTROL_PERMITTED] = API_PERMITTED};
    if (action->access == CONTROL_OPEN && !api_action_may_be_open(action)) {
        fprintf(stderr, "%s %s is open, but not in the list of open actions\n", request_method_name(action->method),
                action->path);
        ASSERT(!"an open action that is not in the list of open actions");
    }
    bool permitted = action->access == CONTROL_PERMITTED;
    struct api_route route = {
        .method = action->method, .path = action->path, .access = accesses[action->access], .scope = action->scope,
        .permission = permitted ? action->permission : TENANT_NO_PERMISSION,
        .body_limit_bytes = action->body ? API_BODY_LIMIT_BYTES : API_NO_BODY_LIMIT_BYTES,
        .handle = handle, .summary = action->summary, .query = action->query, .answer = action->answer,
            .action = action,
    };
    /* A forgotten permission is number 0. */
    ASSERT(!permitted || action->permission != 0 || strstr(action->path, tenant_permissions[0].resource));
    api_routes_add(routes, &route);
}

/* ---- finding ---- */

static bool api_node_find(const struct api_node *node, struct slice rest, bool at_end, size_t depth,
                          enum request_method method, struct api_match *match)
{
    if (at_end) {
        for (int i = 0; i < METHOD_COUNT; i++)
            if (node->methods[i]) match->methods |= 1u << i;
        if (!match->methods) return false;
        match->route = node->methods[method];
        if (!match->route && method == METHOD_HEAD) match->route = node->methods[METHOD_GET];
        return true;
    }
    struct slice after = rest, segment = slice_cut(&after, '/');
    if (segment.size == 0) return false;
    bool last = segment.size == rest.size;
    const struct api_node *literal = map_get(&node->literals, segment);
    if (literal && api_node_find(literal, after, last, depth, method, match)) return true;
    if (!node->parameter || depth == API_PATH_VALUE_LIMIT) return false;
    match->values[depth] = segment;
    return api_node_find(node->parameter, after, last, depth + 1, method, match);
}

void api_routes_find(const struct api_routes *routes, enum request_method method, struct slice path,
                     struct api_match *ret_match)
{
    *ret_match = (struct api_match){0};
    if (path.size > 1 && path.data[path.size - 1] == '/') path.size--;
    const struct api_ingest *ingest = map_get(&routes->ingest, path);
    if (!ingest) {
        size_t size = path.size;
        while (size > 0 && path.data[size - 1] != '/') size--;
        ingest = map_get(&routes->ingest, slice_first(path, size));
        if (ingest && !ingest->is_webhook) ingest = NULL;
    }
    if (ingest) {
        ret_match->is_webhook = ingest->is_webhook;
        ret_match->domain = ingest->domain;
        ret_match->ingest = ingest->methods[method];
        if (!ret_match->ingest && method == METHOD_HEAD) ret_match->ingest = ingest->methods[METHOD_GET];
        if (ret_match->ingest) return;
        for (int i = 0; i < METHOD_COUNT; i++)
            if (ingest->methods[i]) ret_match->methods |= 1u << i;
    }
    if (path.size > 1 && path.data[0] == '/')
        api_node_find(&routes->root, slice_from(path, 1), false, 0, method, ret_match);
}

void api_allow_write(unsigned methods, struct buffer *out)
{
    if (methods & 1u << METHOD_GET) methods |= 1u << METHOD_HEAD;
    const char *separator = "Allow: ";
    for (int i = 0; i < METHOD_COUNT; i++) {
        if (!(methods & 1u << i)) continue;
        buffer_append_string(out, separator);
        buffer_append_string(out, request_method_name((enum request_method)i));
        separator = ", ";
    }
    buffer_append_string(out, "\r\n");
}

size_t api_routes_count(const struct api_routes *routes) { return routes->count; }
const struct api_route *api_routes_at(const struct api_routes *routes, size_t index) { return routes->rows[index]; }
