/* SPDX-License-Identifier: Apache-2.0 */
/* What is only for browsers: cookies, and telling our own page from somebody else's. */
#ifndef API_BROWSER_H
#define API_BROWSER_H

#include "base/buffer.h"
#include "proto/request.h"

/*
 * Model: the page logs in with cookies that scripts cannot read. A browser sends them along with requests that other
 * sites make it send, so whatever changes something by cookie must come from our own page: Sec-Fetch-Site says so, or
 * the Origin is ours; and a body must be JSON, which no form of another site can send. SameSite is the second wall.
 *
 * Over https the names carry the prefixes that bind a cookie to this host and to https.
 */
enum api_cookie {
    API_COOKIE_ACCESS,  /* "millrace_access", path /: the access token, SameSite=Strict */
    API_COOKIE_REFRESH, /* "millrace_refresh", path /v1/auth: only where tokens are made */
    API_COOKIE_DEVICE,  /* "millrace_device", path /v1/auth: a device that has shown its second factor */
    API_COOKIE_LOGIN,   /* "millrace_login", path /v1/auth: a single sign-on under way; SameSite=Lax: the provider sends it back */
    API_COOKIE_COUNT
};
/* The first cookie of that name, or an empty slice. */
struct slice api_cookie_get(const struct request *request, enum api_cookie cookie, bool is_https);
/* Appends a Set-Cookie line; an empty value, or an end that has passed, removes the cookie. */
void api_cookie_write(enum api_cookie cookie, bool is_https, struct slice value, int64_t expires_ms, int64_t now_ms,
                      struct buffer *out);

/* Whether a request that changes something comes from our own page, as far as its browser tells. `public_url` may be
 * "". A request that says nothing of where it comes from does not. */
bool api_is_same_origin(const struct request *request, const char *public_url);
/* Whether the body, if there is one, says it is JSON. */
bool api_has_json_body(const struct request *request);
static inline bool api_method_is_safe(enum request_method method)
{
    return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS;
}

#endif
