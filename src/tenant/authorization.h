/* SPDX-License-Identifier: Apache-2.0 */
/* From the headers of a request to who asks. */
#ifndef TENANT_AUTHORIZATION_H
#define TENANT_AUTHORIZATION_H

#include "tenant/access.h"
#include "tenant/key.h"
#include "tenant/secret.h"
#include "tenant/tenant.h"

/* The cookie that holds a browser's access token. The first form is what browsers accept over TLS only; it goes first. */
#define TENANT_ACCESS_COOKIE_SECURE "__Host-millrace_access"
#define TENANT_ACCESS_COOKIE "millrace_access"
#define TENANT_AUTHORIZATION_LIMIT 4096 /* bytes of the header: a token has at most half */

enum tenant_credentials_kind { TENANT_CREDENTIALS_NONE, TENANT_CREDENTIALS_KEY, TENANT_CREDENTIALS_TOKEN };
struct tenant_credentials {
    enum tenant_credentials_kind kind;
    struct slice text;  /* the key or the token; points into the header */
    bool by_cookie;
};
/*
 * Reads the values of the headers Authorization and Cookie (empty when absent). Authorization goes first: cookies are read
 * only without one. A bearer text with two dots is a token, any other a key. ERROR_UNAUTHENTICATED for another scheme, a
 * bearer without text or with characters that none has, and two different access cookies.
 */
enum error_code tenant_authorization_parse(struct slice authorization, struct slice cookie,
                                           struct tenant_credentials *ret_credentials, struct error *error) MUST_CHECK;
/* The value of a cookie of that name; false when absent. `ret_twice` (may be NULL): it is there again with another value. */
bool tenant_cookie_find(struct slice cookie, const char *name, struct slice *ret_value, bool *ret_twice);

struct tenant_subject_request {
    struct tenant_credentials credentials;
    const unsigned char *jwt_key;     /* TENANT_SECRET_SIZE bytes: tenant_jwt_key */
    struct slice origin, client_address; /* as in struct tenant_key_request */
    int64_t now_ms;
    bool is_repeated;
};
/*
 * Who asks, from the view's snapshot. ACCEPTED without credentials: TENANT_SUBJECT_NOBODY. PENDING: a secret key to be
 * verified: tenant_verifier_wait(view, credentials.text, ..), then call again. REFUSED: as tenant_key_check; for tokens
 * ERROR_UNAUTHENTICATED when the token is not good, or its user or session is not any more. `ret_rate` is filled for keys.
 */
enum tenant_key_outcome tenant_subject_find(const struct tenant_view *view, const struct tenant_subject_request *request,
                                            struct tenant_subject *ret_subject, struct tenant_rate *ret_rate,
                                            struct error *error) MUST_CHECK;

#endif
