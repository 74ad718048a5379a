/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the key of a request in the headers that senders of telemetry use, and checks the tenant that others name. */
#include "domains/observability/observability.h"

#include "tenant/base64.h"

/*
 * Our secret keys are one text, mrs_<id>_<secret>. Senders of this kind of telemetry keep the two parts apart and put them
 * together in ways of their own, so parts are joined, and a whole key is taken wherever a part could stand. A write key has
 * an id only.
 */
static struct slice join(struct arena *arena, struct slice id, struct slice secret)
{
    struct slice prefix = SLICE(TENANT_SECRET_KEY_PREFIX);
    id = slice_trim(id);
    secret = slice_trim(secret);
    if (slice_starts_with(secret, prefix) || id.size == 0) return secret;
    if (secret.size == 0) return id;
    if (slice_starts_with(id, prefix)) id = slice_from(id, prefix.size);
    if (id.size + secret.size > TENANT_KEY_LIMIT) return id; /* no key of ours: refused as unknown, and not copied */
    return arena_printf(arena, TENANT_SECRET_KEY_PREFIX "%.*s_%.*s", SLICE_ARGS(id), SLICE_ARGS(secret));
}

/* "id:secret", "id.secret", or a key. Neither sign is in a key of ours. */
static struct slice from_text(struct arena *arena, struct slice text)
{
    text = slice_trim(text);
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == ':' || text.data[i] == '.') return join(arena, slice_first(text, i), slice_from(text, i + 1));
    return text;
}

static struct slice from_basic(struct arena *arena, struct slice text)
{
    struct buffer pair = {0};
    struct slice key = SLICE_EMPTY;
    text = slice_trim(text);
    while (text.size && text.data[text.size - 1] == '=') text.size--;
    if (text.size <= TENANT_BASE64_SIZE(TENANT_KEY_LIMIT) && tenant_base64_decode(TENANT_BASE64_PLAIN, text, &pair))
        key = from_text(arena, arena_copy(arena, buffer_slice(&pair)));
    buffer_free(&pair);
    return key;
}

static struct slice from_authorization(struct arena *arena, struct slice header)
{
    struct slice rest = header, scheme = slice_cut(&rest, ' ');
    if (slice_equal_ignore_case(scheme, SLICE("basic"))) return from_basic(arena, rest);
    if (slice_equal_ignore_case(scheme, SLICE("bearer")) || slice_equal_ignore_case(scheme, SLICE("apikey"))) return from_text(arena, rest);
    return from_text(arena, header); /* without a scheme: a bare "id.secret" */
}

struct slice observability_find_key(const struct request *request)
{
    static const struct { const char *id, *secret; } pairs[] = {
        {"x-telemetryflow-key-id", "x-telemetryflow-key-secret"}, {"x-api-key-id", "x-api-key-secret"}};
    struct slice header = request_header_get(request, "authorization");
    if (header.size) return from_authorization(request->arena, header);
    header = request_header_get(request, "x-api-key");
    if (header.size) return from_text(request->arena, header);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct slice id = request_header_get(request, pairs[i].id), secret = request_header_get(request, pairs[i].secret);
        if (id.size || secret.size) return join(request->arena, id, secret);
    }
    return SLICE_EMPTY;
}

/* A name of the key's own, by what names it. */
enum owner { OWNER_TENANT, OWNER_WORKSPACE, OWNER_ORGANIZATION };
static const char *owner_id(const struct tenant_info *tenant, enum owner owner)
{
    switch (owner) {
    case OWNER_TENANT: return tenant->id;
    case OWNER_WORKSPACE: return tenant->workspace_id;
    case OWNER_ORGANIZATION: return tenant->organization ? tenant->organization->id : "";
    }
    return "";
}

static enum error_code check_owner(const char *name, struct slice value, const struct tenant_info *tenant, enum owner owner, struct error *error)
{
    value = slice_trim(value);
    if (value.size == 0 || slice_equal_ignore_case(value, slice_from_string(owner_id(tenant, owner)))) return ERROR_NONE;
    return error_set_field(error, ERROR_FORBIDDEN, name, "names something else than what the key belongs to; leave it out, or send the key of that one");
}

enum error_code observability_owner_headers_check(const struct request *request, const struct tenant_info *tenant, struct error *error)
{
    static const struct { const char *name; enum owner owner; } headers[] = {
        {"x-tenant-id", OWNER_TENANT}, {"x-workspace-id", OWNER_WORKSPACE}, {"x-organization-id", OWNER_ORGANIZATION}};
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0] && !code; i++)
        code = check_owner(headers[i].name, request_header_get(request, headers[i].name), tenant, headers[i].owner, error);
    return code;
}

enum error_code observability_owner_attribute_check(struct slice key, struct slice value, const struct tenant_info *tenant, struct error *error)
{
    static const struct { const char *name; enum owner owner; } attributes[] = {{"telemetryflow.tenant.id", OWNER_TENANT},
                                                                                {"telemetryflow.workspace.id", OWNER_WORKSPACE},
                                                                                {"telemetryflow.organization.id", OWNER_ORGANIZATION}};
    if (!slice_starts_with(key, SLICE("telemetryflow."))) return ERROR_NONE;
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
        if (slice_equal(key, slice_from_string(attributes[i].name))) return check_owner(attributes[i].name, value, tenant, attributes[i].owner, error);
    return ERROR_NONE;
}

/* A bearer may be a user's token as well: the rules of all routes tell them apart. */
struct slice observability_find_reader_key(const struct request *request)
{
    struct slice header = request_header_get(request, "authorization"), scheme = slice_cut(&header, ' ');
    return slice_equal_ignore_case(scheme, SLICE("bearer")) ? SLICE_EMPTY : observability_find_key(request);
}
