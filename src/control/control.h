/* SPDX-License-Identifier: Apache-2.0 */
/* What people own, and who changes it: the context that every function of control/ is given. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "meta/meta.h"
#include "tenant/access.h"
#include "tenant/secret.h"

/*
 * Model: `struct control` is the opened metadata of all services and what all changes need; shared, read-only. A
 * `struct control_call` is one request or one command: who acts, from where, on behalf of which organization and tenant.
 * Every function blocks (metadata, Argon2): pool threads and commands only, never an event loop.
 *
 * Whether the caller may is decided before (tenant_access_decide, by the route's row); control/ makes sure that what is
 * touched lies in call->organization_id or call->tenant_id, and answers ERROR_NOT_FOUND for everything else.
 *
 * Every change is one transaction that also writes its audit event (control/audit.h) and, when event loops must see it,
 * raises the access revision (control_access_changed).
 */
struct control {
    struct meta_database *core;             /* service "core" */
    struct meta_database *product;          /* service "product": dashboards, reports, flags, links */
    struct meta_database *billing;          /* service "billing" */
    unsigned char secret[TENANT_SECRET_SIZE];
    char public_url[256];                   /* of the page, for links in mails; no '/' at the end */
    bool mail_is_configured;
};

enum control_actor_kind { CONTROL_ACTOR_NOBODY, CONTROL_ACTOR_USER, CONTROL_ACTOR_KEY, CONTROL_ACTOR_COMMAND, CONTROL_ACTOR_SYSTEM };
struct control_actor {
    enum control_actor_kind kind;
    char id[37];               /* user or key; empty otherwise */
    char session_id[37];       /* of a user */
    bool is_super;             /* a user that reaches the installation, the command line, or the system itself */
    struct slice ip_address;   /* "" when not over the network */
    struct slice user_agent;
};
struct control_call {
    struct control *control;
    struct arena *arena;       /* results live here */
    struct control_actor actor;
    char organization_id[37];  /* "" : none chosen (installation) */
    char tenant_id[37];        /* "" : none chosen */
    int64_t now_ms;            /* wall clock; tests set it */
};

/* Opens all services of `location` (meta_open), applying missing migrations, and writes permissions and built-in roles
 * (control/role.h). `control->secret` must be set. On failure nothing stays open. */
enum error_code control_open(const char *location, struct control *control, struct error *error) MUST_CHECK;
void control_close(struct control *control);

/* Inside a transaction on `core`: event loops of all servers read keys, users and roles again (within a second). */
enum error_code control_access_changed(struct meta_session *session, struct error *error) MUST_CHECK;

/* A new UUID version 7 as text, and the texts control/ keeps checking: UTF-8 without control characters. */
void control_id_make(int64_t now_ms, char out[37]);
enum error_code control_text_check(struct slice text, size_t least, size_t most, const char *field,
                                   struct error *error) MUST_CHECK;

#endif
