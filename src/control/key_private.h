/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about keys share: a key as it is kept, and who may give what. */
#ifndef CONTROL_KEY_PRIVATE_H
#define CONTROL_KEY_PRIVATE_H

#include "control/audit.h"
#include "control/key.h"

/* A row of api_keys; texts are in the call's arena. */
struct control_key {
    struct slice api_key_id, tenant_id, organization_id, key_id, prefix, name, description, allowed_origins,
        allowed_addresses, last_used_ip, revoked_by, revoked_reason, created_by, secret_hash;
    enum tenant_key_kind kind;
    bool is_revoked;
    int64_t version, rate_limit, usage_count;
    int64_t grace_ms, expires_ms, last_used_ms, revoked_ms, created_ms, updated_ms; /* 0: none */
    struct tenant_permission_set permissions;
};
/* By api_key_id, key_id or text, in the call's tenant. ERROR_NOT_FOUND. */
enum error_code control_key_find(const struct control_call *call, struct meta_session *session, struct slice key,
                                 struct control_key *ret_key, struct error *error) MUST_CHECK;
/* The columns and their reader, for selects "from api_keys k join tenants t .. join workspaces w ..". */
extern const char control_key_select[];
enum error_code control_key_read(struct arena *arena, const struct meta_row *row, struct control_key *ret_key,
                                 struct error *error) MUST_CHECK;
/* Members of the object, which stays open. */
void control_key_write(const struct control_key *key, struct json_writer *writer);

/* As a JSON array. */
void control_key_permissions_write(const struct tenant_permission_set *set, struct json_writer *writer);
/* What the actor may give in the tenant. */
enum error_code control_key_grantable(const struct control_call *call, struct meta_session *session,
                                      const char *tenant_id, const char *organization_id,
                                      struct tenant_permission_set *ret_set, struct error *error) MUST_CHECK;
/* Whether `wanted` fits the kind and lies within `grantable`. */
enum error_code control_key_permissions_check(enum tenant_key_kind kind, const struct tenant_permission_set *wanted,
                                              const struct tenant_permission_set *grantable,
                                              struct error *error) MUST_CHECK;
enum error_code control_key_rules_check(struct slice origins, struct slice addresses, struct error *error) MUST_CHECK;
enum error_code control_key_expiry_check(int64_t expires_ms, int64_t now_ms, struct error *error) MUST_CHECK;
enum error_code control_key_permissions_insert(struct meta_session *session, const char *api_key_id,
                                               const struct tenant_permission_set *set, int64_t now_ms,
                                               struct error *error) MUST_CHECK;

#endif
