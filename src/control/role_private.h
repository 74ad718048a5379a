/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks and the actions of roles share. All within the caller's session. */
#ifndef CONTROL_ROLE_PRIVATE_H
#define CONTROL_ROLE_PRIVATE_H

#include "control/role.h"

struct role_row {
    bool found;
    char organization_id[37]; /* "" : built-in */
    char type[16];
};
/* A living role that the call may see. ERROR_NOT_FOUND. */
enum error_code role_find(const struct control_call *call, struct meta_session *session, const char *role_id,
                          struct role_row *role, struct error *error) MUST_CHECK;
/* A living user that the call may see, and whose. ERROR_NOT_FOUND. */
enum error_code role_find_user(const struct control_call *call, struct meta_session *session, const char *user_id,
                               char organization_id[37], struct error *error) MUST_CHECK;
enum error_code role_read_sets(struct meta_session *session, const char *role_id,
                               struct tenant_permission_set *ret_granted, struct tenant_permission_set *ret_denied,
                               struct error *error) MUST_CHECK;
/* ERROR_FORBIDDEN "you may not <what> <permission>" for the first of `wanted` that `has` lacks. */
enum error_code role_check_has_all(struct tenant_permission_set has, struct tenant_permission_set wanted,
                                   const char *what, struct error *error) MUST_CHECK;
/* Assignments of super_admin, and how many of them somebody could use now. */
enum error_code role_count_super_admins(const struct control_call *call, struct meta_session *session,
                                        int64_t *ret_assigned, int64_t *ret_able, struct error *error) MUST_CHECK;
enum error_code role_fail_last(struct error *error);

#endif
