/* SPDX-License-Identifier: Apache-2.0 */
/* Who may give which permission to a key, and which rules a key may have. */
#include "control/key_private.h"

#include "base/network.h"
#include "tenant/origin.h"

static const char *const key_kinds[] = {[TENANT_KEY_WRITE] = "write", [TENANT_KEY_SECRET] = "secret"};

const char *control_key_kind_name(enum tenant_key_kind kind) { return key_kinds[kind]; }

bool control_key_kind_find(struct slice name, enum tenant_key_kind *ret_kind)
{
    for (size_t i = 0; i < sizeof key_kinds / sizeof *key_kinds; i++) {
        if (!slice_equal(name, slice_from_string(key_kinds[i]))) continue;
        *ret_kind = (enum tenant_key_kind)i;
        return true;
    }
    return false;
}

/* Of permission.def: W write keys and secret keys, S secret keys. */
static bool key_fits(enum tenant_key_kind kind, enum tenant_permission permission)
{
    char letter = tenant_permissions[permission].key;
    return letter == 'W' || (letter == 'S' && kind == TENANT_KEY_SECRET);
}

struct tenant_permission_set control_key_default_permissions(enum tenant_key_kind kind)
{
    static const enum tenant_permission asking[] = {TENANT_EVENTS_READ, TENANT_TRACES_READ, TENANT_METRICS_READ,
                                                    TENANT_LOGS_READ};
    struct tenant_permission_set set = {{0}};
    for (size_t i = 0; i < TENANT_PERMISSION_COUNT; i++)
        if (tenant_permissions[i].key == 'W') tenant_permission_add(&set, (enum tenant_permission)i);
    for (size_t i = 0; kind == TENANT_KEY_SECRET && i < sizeof asking / sizeof *asking; i++)
        tenant_permission_add(&set, asking[i]);
    return set;
}

void control_key_permissions_write(const struct tenant_permission_set *set, struct json_writer *writer)
{
    json_writer_array_begin(writer);
    for (size_t i = 0; i < TENANT_PERMISSION_COUNT; i++)
        if (tenant_permission_has(set, (enum tenant_permission)i))
            json_writer_string(writer, slice_from_string(tenant_permissions[i].name));
    json_writer_array_end(writer);
}

enum error_code control_key_permissions_parse(struct slice lines, struct tenant_permission_set *ret_set,
                                              struct error *error)
{
    struct tenant_permission_set set = {{0}};
    while (lines.size) {
        struct slice name = slice_trim(slice_cut(&lines, '\n'));
        enum tenant_permission permission = tenant_permission_find(name);
        if (permission == TENANT_PERMISSION_COUNT)
            return error_set_field(error, ERROR_INVALID, "permissions", "there is no permission \"%.*s\"",
                                   SLICE_ARGS(slice_first(name, 64)));
        tenant_permission_add(&set, permission);
    }
    *ret_set = set;
    return ERROR_NONE;
}

enum error_code control_key_permissions_check(enum tenant_key_kind kind, const struct tenant_permission_set *wanted,
                                              const struct tenant_permission_set *grantable, struct error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < TENANT_PERMISSION_COUNT; i++) {
        enum tenant_permission permission = (enum tenant_permission)i;
        if (!tenant_permission_has(wanted, permission)) continue;
        count++;
        if (!key_fits(kind, permission))
            return error_set_field(error, ERROR_INVALID, "permissions", "a %s key cannot have %s%s",
                                   control_key_kind_name(kind), tenant_permissions[i].name,
                                   key_fits(TENANT_KEY_SECRET, permission) ? ": it may be published" : "");
        if (!tenant_permission_has(grantable, permission))
            return error_set_field(error, ERROR_FORBIDDEN, "permissions",
                                   "you cannot give a key %s: you do not have it yourself", tenant_permissions[i].name);
    }
    if (count == 0) return error_set_field(error, ERROR_INVALID, "permissions", "a key needs at least one permission");
    return ERROR_NONE;
}

enum error_code control_key_rules_check(struct slice origins, struct slice addresses, struct error *error)
{
    char storage[TENANT_ORIGIN_LIMIT + 1];
    struct tenant_origin_rule rule;
    struct network_prefix prefix;
    size_t origin_count = 0, address_count = 0;
    while (origins.size) {
        struct slice entry = slice_trim(slice_cut(&origins, '\n'));
        if (entry.size > TENANT_ORIGIN_LIMIT || !tenant_origin_rule_parse(entry, storage, &rule))
            return error_set_field(error, ERROR_INVALID, "allowed_origins",
                                   "allowed_origins: \"%.*s\" is none of *, localhost, example.com, *.example.com, "
                                   "https://example.com:8443", SLICE_ARGS(slice_first(entry, 64)));
        origin_count++;
    }
    while (addresses.size) {
        struct slice entry = slice_trim(slice_cut(&addresses, '\n'));
        if (!network_prefix_parse(entry, &prefix))
            return error_set_field(error, ERROR_INVALID, "allowed_addresses",
                                   "allowed_addresses: \"%.*s\" is neither an address nor address/bits",
                                   SLICE_ARGS(slice_first(entry, 64)));
        address_count++;
    }
    if (origin_count > CONTROL_KEY_RULE_LIMIT || address_count > CONTROL_KEY_RULE_LIMIT)
        return error_set_field(error, ERROR_INVALID, origin_count > CONTROL_KEY_RULE_LIMIT ? "allowed_origins" : "allowed_addresses",
                               "at most %d entries: each is compared at every request", CONTROL_KEY_RULE_LIMIT);
    return ERROR_NONE;
}

enum error_code control_key_expiry_check(int64_t expires_ms, int64_t now_ms, struct error *error)
{
    if (expires_ms && expires_ms <= now_ms)
        return error_set_field(error, ERROR_INVALID, "expires_at", "the key would have expired already");
    if (expires_ms > now_ms + CONTROL_KEY_LIFE_MS)
        return error_set_field(error, ERROR_INVALID, "expires_at",
                               "expires_at is more than 730 days away; leave it out for a key without an end");
    return ERROR_NONE;
}

/* ---- what an actor has ---- */

struct key_grants {
    struct tenant_permission_set allowed, denied;
};

static void key_set_add(struct tenant_permission_set *set, const struct tenant_permission_set *more)
{
    for (size_t i = 0; i < sizeof set->words / sizeof *set->words; i++) set->words[i] |= more->words[i];
}

static enum error_code key_take_role(void *context, const struct meta_row *row, struct error *error)
{
    struct key_grants *grants = context;
    enum tenant_role_type type = tenant_role_type_find(meta_row_text(row, 0));
    if (type == TENANT_ROLE_TYPE_COUNT) return ERROR_NONE; /* of a newer program: grants nothing here */
    struct tenant_permission_set set = tenant_role_permissions(type);
    key_set_add(&grants->allowed, &set);
    return ERROR_NONE;
}

static enum error_code key_take_permission(void *context, const struct meta_row *row, struct error *error)
{
    struct key_grants *grants = context;
    enum tenant_permission permission = tenant_permission_find(meta_row_text(row, 0));
    if (permission < TENANT_PERMISSION_COUNT)
        tenant_permission_add(meta_row_boolean(row, 1) ? &grants->denied : &grants->allowed, permission);
    return ERROR_NONE;
}

/* The same rules as tenant_access_decide: assignments of the tenant, and those without tenant of the tenant's
 * organization; a super admin's everywhere. */
#define KEY_ASSIGNMENTS                                                                                              \
    " from user_roles a join roles r on r.role_id = a.role_id join users u on u.user_id = a.user_id"
#define KEY_ASSIGNED                                                                                                 \
    " where a.user_id = $1 and r.deleted_at is null and u.deleted_at is null"                                        \
    " and (a.expires_at is null or a.expires_at > $2)"                                                               \
    " and (a.tenant_id = $3 or (a.tenant_id is null and (r.role_type = 'super_admin' or u.organization_id = $4)))"

enum error_code control_key_grantable(const struct control_call *call, struct meta_session *session,
                                      const char *tenant_id, const char *organization_id,
                                      struct tenant_permission_set *ret_set, struct error *error)
{
    const struct control_actor *actor = &call->actor;
    struct key_grants grants = {0};
    *ret_set = (struct tenant_permission_set){{0}};
    if (actor->is_super) {
        *ret_set = tenant_role_permissions(TENANT_ROLE_SUPER_ADMIN);
        return ERROR_NONE;
    }
    enum error_code code = ERROR_NONE;
    if (actor->kind == CONTROL_ACTOR_KEY)
        code = meta_query(session, "select permission, 0 from api_key_permissions where api_key_id = $1",
                          META_PARAMETERS(meta_string(actor->id)), key_take_permission, &grants, error);
    if (actor->kind == CONTROL_ACTOR_USER) {
        code = meta_query(session, "select r.role_type" KEY_ASSIGNMENTS KEY_ASSIGNED,
                          META_PARAMETERS(meta_string(actor->id), meta_integer(call->now_ms), meta_string(tenant_id),
                                          meta_string(organization_id)),
                          key_take_role, &grants, error);
        if (!code)
            code = meta_query(session,
                              "select p.name, case when rp.is_denied then 1 else 0 end" KEY_ASSIGNMENTS
                              " join role_permissions rp on rp.role_id = r.role_id"
                              " join permissions p on p.permission_id = rp.permission_id" KEY_ASSIGNED
                              " and (r.role_type = 'custom' or rp.is_denied)",
                              META_PARAMETERS(meta_string(actor->id), meta_integer(call->now_ms), meta_string(tenant_id),
                                              meta_string(organization_id)),
                              key_take_permission, &grants, error);
    }
    for (size_t i = 0; i < sizeof ret_set->words / sizeof *ret_set->words; i++)
        ret_set->words[i] = grants.allowed.words[i] & ~grants.denied.words[i];
    return code;
}

enum error_code control_key_permissions_insert(struct meta_session *session, const char *api_key_id,
                                               const struct tenant_permission_set *set, int64_t now_ms, struct error *error)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < TENANT_PERMISSION_COUNT && !code; i++) {
        if (!tenant_permission_has(set, (enum tenant_permission)i)) continue;
        char id[37];
        control_id_make(now_ms, id);
        code = meta_execute(session,
                            "insert into api_key_permissions (api_key_permission_id, api_key_id, permission, granted_at)"
                            " values ($1, $2, $3, $4)",
                            META_PARAMETERS(meta_string(id), meta_string(api_key_id), meta_string(tenant_permissions[i].name),
                                            meta_integer(now_ms)),
                            NULL, error);
    }
    return code;
}
