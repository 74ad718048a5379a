/* SPDX-License-Identifier: Apache-2.0 */
/* Audit events: written in the transaction of the change they tell of, chained by hash, on their way to the event store. */
#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

#include "control/control.h"

/*
 * Model: control_audit_write puts the event into core's audit_outbox, in the caller's transaction: the change and its
 * event are there together or not at all, also when `millrace` commands change things while no server runs. A server's
 * mover (control/audit_mover.h) takes them to the event table observability.audit_logs; the event's id makes that
 * happen once. sequence and hash chain: hash = SHA-256(previous hash, canonical JSON of the event), so that a missing or
 * changed row shows (`millrace audit verify`).
 */
enum control_audit_result { CONTROL_AUDIT_SUCCESS, CONTROL_AUDIT_FAILURE, CONTROL_AUDIT_ERROR };
struct control_audit_event {
    const char *action;            /* "tenant.created", "auth.login_failed", "key.revoked", ... */
    const char *resource_type;     /* "tenant", "user", "key", ... */
    struct slice resource_id;
    enum control_audit_result result;
    struct slice metadata;         /* a JSON object, or empty; never secrets. Changes: {"changed":["name"]} */
    const char *organization_id;   /* NULL: the call's */
    const char *tenant_id;         /* NULL: the call's */
    const char *user_id;           /* NULL: the actor's; of a failed login: whose it would have been */
};
enum error_code control_audit_write(const struct control_call *call, struct meta_session *core_session,
                                    const struct control_audit_event *event, struct error *error) MUST_CHECK;

#endif
