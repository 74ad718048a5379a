/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done besides create, list, change and delete: one table row each, from which route, check and OpenAPI follow. */
#ifndef CONTROL_ACTION_H
#define CONTROL_ACTION_H

#include "base/buffer.h"
#include "control/field.h"
#include "proto/request.h"

/* Who may. Every row says it; there is no default that opens anything. */
enum control_access {
    CONTROL_OPEN,      /* anybody: logging in, resetting a password. Limited per client address. */
    CONTROL_LOGGED_IN, /* any user about himself */
    CONTROL_PERMITTED, /* who has `permission` in the scope */
};
enum control_scope { CONTROL_INSTALLATION, CONTROL_ORGANIZATION, CONTROL_TENANT };

struct control_input {
    struct slice path_values[4];          /* of {..} in the path, in order */
    const struct control_value *body;     /* by position in action->body */
    const struct control_value *query;    /* by position in action->query */
    struct slice refresh_token;           /* of the cookie; empty when there is none */
    struct slice device_token;            /* likewise: a trusted device */
    struct slice login_token;             /* likewise: a single sign-on under way */
    struct slice host;                    /* header Host, for redirects back */
};
struct control_output {
    struct buffer *body;                  /* JSON; empty: no body (204) */
    int status;                           /* 0: the action's */
    struct slice location;                /* 302 to there */
    /* Cookies for browsers, when `cookies` is set: api/ gives them their attributes. Empty tokens clear them. */
    bool cookies;
    struct slice access_token, refresh_token, device_token;
    int64_t refresh_expires_ms, device_expires_ms; /* wall clock */
    /* Single sign-on: binds a login under way to the browser. Its own flag, as no session is there yet. The cookie must be
     * HttpOnly, SameSite=Lax (the provider sends the browser back from another site) and last until login_expires_ms. */
    bool login_cookie;
    struct slice login_token;             /* empty: cleared */
    int64_t login_expires_ms;             /* wall clock */
    int64_t retry_after_ms;               /* > 0 with ERROR_RATE_LIMITED: for the Retry-After header */
};
struct control_action {
    enum request_method method;
    const char *path;                     /* "/v1/keys/{key_id}/rotate" */
    enum control_access access;
    enum control_scope scope;             /* of CONTROL_PERMITTED */
    enum tenant_permission permission;    /* of CONTROL_PERMITTED */
    const struct control_field *body;     /* ended by a NULL name; NULL: no body is read */
    const struct control_field *query;
    int status;                           /* of success */
    enum error_code (*run)(const struct control_call *call, const struct control_input *input,
                           struct control_output *output, struct error *error);
    const char *summary;                  /* one line, for OpenAPI */
    const char *answer;                   /* JSON Schema of the answer as text, or NULL without one */
};
/* All actions, a list per file, each ended by a NULL path; the list of lists is ended by NULL. */
extern const struct control_action *const control_actions[];

#endif
