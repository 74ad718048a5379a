/* SPDX-License-Identifier: Apache-2.0 */
/* Roles in the metadata: the built-in ones written there, custom ones guarded against those who make themselves more.
 */
#ifndef CONTROL_ROLE_H
#define CONTROL_ROLE_H

#include "control/resource.h"

/*
 * Model: permissions and built-in roles are tenant/permission.def; the tables hold what it says, so that SQL, pages and
 * other programs see them. Custom roles belong to an organization and have permissions granted and denied. Nobody gives
 * what he has not, neither to a role nor by a role, nor takes a denial away that holds himself; only super
 * administrators make super administrators; one of them is always left who can log in.
 */

/* Writes permissions, built-in roles and what they may do into the tables, as far as they differ. At open. */
enum error_code control_role_sync(struct meta_database *core, int64_t now_ms, struct error *error) MUST_CHECK;
/* The id of a built-in role: the same in every installation. */
void control_role_id(enum tenant_role_type type, char out[37]);

/*
 * After a change, in its transaction: ERROR_CONFLICT when nobody who is a super administrator could still log in
 * (deleted, switched off, expired, or of an organization that is). Nothing is wrong where there never was one.
 */
enum error_code control_super_admin_check(const struct control_call *call, struct meta_session *session,
                                          struct error *error) MUST_CHECK;

/*
 * What the actor may do in a tenant (tenant_id not "") or in the whole of an organization, from the tables, in the
 * caller's transaction. `without_role` (may be "") is left out.
 */
enum error_code control_role_actor_permissions(const struct control_call *call, struct meta_session *session,
                                               const char *tenant_id, const char *without_role,
                                               struct tenant_permission_set *ret_permissions,
                                               struct error *error) MUST_CHECK;
/* Gives a role to a user in the caller's transaction, with all checks. `tenant_id` "" : everywhere in the organization.
 */
enum error_code control_role_assign(const struct control_call *call, struct meta_session *session, const char *user_id,
                                    const char *role_id, const char *tenant_id, int64_t expires_ms,
                                    char ret_user_role_id[37], struct error *error) MUST_CHECK;
/* Takes an assignment away, likewise. */
enum error_code control_role_revoke(const struct control_call *call, struct meta_session *session, const char *user_id,
                                    const char *user_role_id, struct error *error) MUST_CHECK;

/* Checks of the tables users and roles (struct control_resource). */
enum error_code control_role_check_user(const struct control_call *call, struct meta_session *session,
                                        enum control_change change, struct slice id, struct error *error) MUST_CHECK;
enum error_code control_role_check_role(const struct control_call *call, struct meta_session *session,
                                        enum control_change change, struct slice id, struct error *error) MUST_CHECK;

/* Assignments of one user: more is a mistake of a program. */
#define CONTROL_ASSIGNMENT_LIMIT 100
extern const struct control_action control_role_actions[];

#endif
