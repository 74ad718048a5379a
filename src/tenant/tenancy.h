/* SPDX-License-Identifier: Apache-2.0 */
/* Tenants and client keys in the metadata: made, listed, looked up, revoked. */
#ifndef TENANT_TENANCY_H
#define TENANT_TENANCY_H

#include "meta/meta.h"
#include "tenant/tenant.h"

/* Permissions of keys as this file still writes them. */
enum {
    TENANT_MAY_WRITE = 1u << 0,
    TENANT_MAY_READ = 1u << 1,
};
#define TENANT_DIGEST_SIZE 32

/*
 * `database` is always the "core" service (meta_open_service). Every function is one transaction or one statement,
 * blocks (pool threads and commands only), and may run in another process than the server: the server's refresher
 * notices. Besides the errors named here all can give those of meta/meta.h.
 */

/* Region, organization and workspace of tenants made without one: their code; made when absent. */
#define TENANCY_DEFAULT_CODE "default"

struct tenancy_tenant {
    char id[TENANT_ID_SIZE + 1];
    char workspace_id[TENANT_ID_SIZE + 1];
    char code[TENANT_CODE_LIMIT + 1]; /* unique, for people and scripts: "my-shop" */
    char name[TENANT_NAME_LIMIT + 1];
    bool active;
    int64_t created_ms;
};

enum tenancy_key_kind { TENANCY_KEY_WRITE, TENANCY_KEY_SECRET };
const char *tenancy_key_kind_name(enum tenancy_key_kind kind);
#define TENANCY_KEY_SIZE 47 /* the longer kind: "mrs_" and 43 characters; a write key has 36 */
#define TENANCY_KEY_NAME_LIMIT 128
#define TENANCY_REASON_LIMIT 256

/* A key as it is kept: its text is not. */
struct tenancy_key {
    char id[TENANT_ID_SIZE + 1];
    char tenant_id[TENANT_ID_SIZE + 1];
    enum tenancy_key_kind kind;
    char prefix[9];             /* first 8 characters of the key */
    unsigned permissions;
    char name[TENANCY_KEY_NAME_LIMIT + 1];
    int64_t created_ms;
    int64_t expires_ms;         /* 0: never */
    int64_t revoked_ms;         /* 0: not revoked */
    char revoked_reason[TENANCY_REASON_LIMIT + 1];
};
/* The only time the text of a key is seen. */
struct tenancy_new_key {
    char id[TENANT_ID_SIZE + 1];
    char text[TENANCY_KEY_SIZE + 1];
};
struct tenancy_new_tenant {
    struct tenancy_tenant tenant;
    struct tenancy_new_key write_key;
    struct tenancy_new_key secret_key; /* may write and read */
};

/*
 * Makes a tenant with one write key and one secret key, in the default workspace. ERROR_INVALID (field "name") when the
 * name is not 1 to TENANT_NAME_LIMIT bytes of UTF-8 without control characters. The code is made from the name ("My
 * Shop!" -> "my-shop", the next one "my-shop-2"): two tenants may have the same name.
 */
enum error_code tenancy_tenant_create(struct meta_database *database, struct slice name,
                                      struct tenancy_new_tenant *ret_tenant, struct error *error) MUST_CHECK;
/* By id or by code. ERROR_NOT_FOUND. */
enum error_code tenancy_tenant_find(struct meta_database *database, struct slice id_or_code,
                                    struct tenancy_tenant *ret_tenant, struct error *error) MUST_CHECK;
/* Gives every tenant, oldest first. An error of `each` ends the list and is returned. */
enum error_code tenancy_tenant_list(struct meta_database *database,
                                    enum error_code (*each)(void *context, const struct tenancy_tenant *tenant,
                                                            struct error *error),
                                    void *context, struct error *error) MUST_CHECK;
/* Keys of an inactive tenant are refused. ERROR_NOT_FOUND. */
enum error_code tenancy_tenant_set_active(struct meta_database *database, const char *tenant_id, bool active,
                                          struct error *error) MUST_CHECK;

/*
 * One more key. `permissions` 0 means what is usual for the kind (write: write; secret: write and read); a write key
 * can have no other. `expires_ms` 0 means never. ERROR_NOT_FOUND without such a tenant; ERROR_INVALID names "name",
 * "permissions" or "expires_at".
 */
enum error_code tenancy_key_create(struct meta_database *database, const char *tenant_id, enum tenancy_key_kind kind,
                                   unsigned permissions, struct slice name, int64_t expires_ms,
                                   struct tenancy_new_key *ret_key, struct error *error) MUST_CHECK;
/* Keys of one tenant, oldest first, revoked ones too. */
enum error_code tenancy_key_list(struct meta_database *database, const char *tenant_id,
                                 enum error_code (*each)(void *context, const struct tenancy_key *key,
                                                         struct error *error),
                                 void *context, struct error *error) MUST_CHECK;
/*
 * Ends a key for good, given its id or, when it leaked somewhere, its text. Revoking again changes nothing (the first
 * reason stays). ERROR_NOT_FOUND; ERROR_INVALID (field "reason") for a reason that is too long.
 */
enum error_code tenancy_key_revoke(struct meta_database *database, struct slice id_or_text, struct slice reason,
                                   struct error *error) MUST_CHECK;

/* The code made from a name, without the number that makes it unique: [a-z0-9-], at most 48 bytes, "tenant" when
 * nothing is left. */
void tenancy_code_from_name(struct slice name, char out[TENANT_CODE_LIMIT + 1]);

#endif
