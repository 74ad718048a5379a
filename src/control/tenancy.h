/* SPDX-License-Identifier: Apache-2.0 */
/* Region > organization > workspace > tenant for the program's own use: the first ones, and finding them by code. */
#ifndef CONTROL_TENANCY_H
#define CONTROL_TENANCY_H

#include "control/key.h"
#include "control/resource.h"

#define CONTROL_NAME_LIMIT 128
#define CONTROL_CODE_LIMIT 64
/* Of the part of a code that comes from the name; room is left for "-" and a number. */
#define CONTROL_CODE_STEM_LIMIT 48

/* The code made from a name, without the number that makes it unique: [a-z0-9-]; `otherwise` when nothing is left. */
void control_code_from_name(struct slice name, const char *otherwise, char out[CONTROL_CODE_STEM_LIMIT + 1]);

/* Region, organization and workspace of what is made without one: their code. */
#define CONTROL_DEFAULT_CODE "default"
struct control_defaults {
    char region_id[37], organization_id[37], workspace_id[37];
};
/* Finds them, and makes those that are absent. In the caller's transaction on core; makes audit events. ERROR_CONFLICT
 * when one of them is deleted: restoring it is for people to decide. */
enum error_code control_defaults_ensure(const struct control_call *call, struct meta_session *session,
                                        struct control_defaults *ret_defaults, struct error *error) MUST_CHECK;

struct control_tenant {
    char id[37];
    char workspace_id[37];
    char organization_id[37];
    char code[CONTROL_CODE_LIMIT + 1];
    char name[CONTROL_NAME_LIMIT + 1];
    bool is_active;
    int64_t created_ms;
    int64_t deleted_ms; /* 0: it lives */
};
/*
 * Makes a tenant without keys, in the caller's transaction: in `workspace_id`, or the default one for NULL.
 * ERROR_INVALID (field "name"). Two tenants may have the same name.
 */
enum error_code control_tenant_create(const struct control_call *call, struct meta_session *session, struct slice name,
                                      const char *workspace_id, struct control_tenant *ret_tenant,
                                      struct error *error) MUST_CHECK;
/* The same as one transaction of its own, with a first key of each kind: for commands. Takes tens of milliseconds. */
struct control_new_tenant {
    struct control_tenant tenant;
    char write_key[CONTROL_KEY_TEXT_SIZE + 1];
    char secret_key[CONTROL_KEY_TEXT_SIZE + 1];
};
enum error_code control_tenant_create_with_keys(const struct control_call *call, struct slice name,
                                                struct control_new_tenant *ret_made, struct error *error) MUST_CHECK;
/* By id or by code, whatever organization it is of: for the command line. Deleted ones too when asked. ERROR_NOT_FOUND.
 */
enum error_code control_tenant_find(const struct control_call *call, struct meta_session *session,
                                    struct slice id_or_code, bool or_deleted, struct control_tenant *ret_tenant,
                                    struct error *error) MUST_CHECK;
/* Gives every tenant, oldest first. An error of `each` ends the list and is returned. */
enum error_code control_tenant_each(const struct control_call *call, struct meta_session *session, bool deleted_too,
                                    enum error_code (*each)(void *context, const struct control_tenant *tenant,
                                                            struct error *error),
                                    void *context, struct error *error) MUST_CHECK;
/* As control_resource.check: the settings mean something, or are refused (ERROR_INVALID, field "settings...."). */
enum error_code control_tenant_check(const struct control_call *call, struct meta_session *session, enum control_change change,
                                     struct slice id, struct error *error) MUST_CHECK;

#endif
