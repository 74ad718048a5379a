/* SPDX-License-Identifier: Apache-2.0 */
/* Shares: a dashboard, a report or a tenant's overview, shown to whoever has the token. */
#ifndef CONTROL_SHARE_H
#define CONTROL_SHARE_H

#include "control/action.h"
#include "control/resource.h"

/*
 * Model: a share is a thing like others (control_shares). Its token is its id and a MAC of that by the installation's secret,
 * so that no copy of the metadata opens anything. The token is all that is needed to look; where a password was set, that too: POST of the password gives a pass, a sealed text that is good for
 * CONTROL_SHARE_PASS_MS and ends with the share and with the password it was given for. Nothing but the shared thing can be
 * reached, and only while it lives and its tenant is active. Everything here blocks.
 */
#define CONTROL_SHARE_PASS_MS (60LL * 60 * 1000)
/* Wrong passwords in a row until it is locked: a minute, then twice as long with each, an hour at most. */
#define CONTROL_SHARE_ATTEMPTS 5
#define CONTROL_SHARE_LOCK_MS 60000
#define CONTROL_SHARE_LOCK_MOST_MS (60LL * 60 * 1000)
/* Longer tokens and passes are refused unread. */
#define CONTROL_SHARE_TOKEN_MOST 256

struct control_share {
    char share_id[37], tenant_id[37], organization_id[37];
    char dashboard_id[37], report_id[37]; /* "": not of one */
    struct slice name, tenant_name, password_hash;
    bool has_password;
    int64_t expires_ms;                   /* 0: never */
};
/* By its token. ERROR_NOT_FOUND; ERROR_GONE when it has expired. */
enum error_code control_share_find(const struct control_call *call, struct slice token, struct control_share *share,
                                   struct error *error) MUST_CHECK;
/* The same, and that `pass` is good where a password is needed: else ERROR_UNAUTHENTICATED. */
enum error_code control_share_open(const struct control_call *call, struct slice token, struct slice pass,
                                   struct control_share *share, struct error *error) MUST_CHECK;
/* Appends {"pass","expires_at"}. ERROR_UNAUTHENTICATED for a wrong password; ERROR_RATE_LIMITED with *ret_retry_after_ms. */
enum error_code control_share_enter(const struct control_call *call, struct slice token, struct slice password,
                                    struct buffer *out, int64_t *ret_retry_after_ms, struct error *error) MUST_CHECK;
/* Appends what is shared: the thing, and what stands on it. */
enum error_code control_share_write(const struct control_call *call, const struct control_share *share, struct buffer *out,
                                    struct error *error) MUST_CHECK;
/*
 * A report that the share shows, as a question: the path that answers it, and its body made of the report's row alone.
 * ERROR_NOT_FOUND for any other report.
 */
enum error_code control_share_question(const struct control_call *call, const struct control_share *share, struct slice report_id,
                                       const char **ret_path, struct buffer *body, struct error *error) MUST_CHECK;

extern const struct control_resource control_shares;
extern const struct control_action control_share_actions[];

#endif
