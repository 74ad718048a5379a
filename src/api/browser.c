/* SPDX-License-Identifier: Apache-2.0 */
/* Cookies, and where a browser's request comes from. */
#include "api/browser.h"

static const struct {
    const char *name, *https_name, *attributes;
} api_cookies[API_COOKIE_COUNT] = {
    [API_COOKIE_ACCESS] = {"millrace_access", "__Host-millrace_access", "; Path=/; HttpOnly; SameSite=Strict"},
    [API_COOKIE_REFRESH] = {"millrace_refresh", "__Secure-millrace_refresh",
                            "; Path=/v1/auth; HttpOnly; SameSite=Strict"},
    [API_COOKIE_DEVICE] = {"millrace_device", "__Secure-millrace_device", "; Path=/v1/auth; HttpOnly; SameSite=Strict"},
    [API_COOKIE_LOGIN] = {"millrace_login", "__Secure-millrace_login", "; Path=/v1/auth; HttpOnly; SameSite=Lax"},
};

static struct slice api_cookie_name(enum api_cookie cookie, bool is_https)
{
    return slice_from_string(is_https ? api_cookies[cookie].https_name : api_cookies[cookie].name);
}

struct slice api_cookie_get(const struct request *request, enum api_cookie cookie, bool is_https)
{
    struct slice wanted = api_cookie_name(cookie, is_https);
    for (size_t i = 0; i < request->header_count; i++) {
        if (!slice_equal(request->headers[i].name, SLICE("cookie"))) continue;
        struct slice rest = request->headers[i].value;
        while (rest.size) {
            struct slice value = slice_cut(&rest, ';'), name = slice_trim(slice_cut(&value, '='));
            if (slice_equal(name, wanted)) return slice_trim(value);
        }
    }
    return SLICE_EMPTY;
}

void api_cookie_write(enum api_cookie cookie, bool is_https, struct slice value, int64_t expires_ms, int64_t now_ms,
                      struct buffer *out)
{
    int64_t seconds = value.size && expires_ms > now_ms ? (expires_ms - now_ms) / 1000 : 0;
    buffer_append_string(out, "Set-Cookie: ");
    buffer_append_slice(out, api_cookie_name(cookie, is_https));
    buffer_append_byte(out, '=');
    if (seconds) buffer_append_slice(out, value);
    buffer_append_string(out, api_cookies[cookie].attributes);
    buffer_printf(out, "; Max-Age=%lld%s\r\n", (long long)seconds, is_https ? "; Secure" : "");
}

bool api_is_same_origin(const struct request *request, const char *public_url)
{
    struct slice site = request_header_get(request, "sec-fetch-site"), origin = request_header_get(request, "origin");
    if (site.size && !slice_equal(site, SLICE("same-origin"))) return false;
    if (!origin.size) return site.size > 0;
    if (public_url[0] && slice_equal_ignore_case(origin, slice_from_string(public_url))) return true;
    /* The page as it was asked for. Behind a proxy that speaks https, Host is the name people use. */
    struct slice rest = origin, scheme = slice_cut(&rest, ':');
    if (!slice_equal(scheme, SLICE("http")) && !slice_equal(scheme, SLICE("https"))) return false;
    struct slice host = request_header_get(request, "host");
    return slice_starts_with(rest, SLICE("//")) && host.size && slice_equal_ignore_case(slice_from(rest, 2), host);
}

bool api_has_json_body(const struct request *request)
{
    struct slice type = request_header_get(request, "content-type");
    if (!request->body.size && !type.size) return true;
    return slice_equal_ignore_case(slice_trim(slice_cut(&type, ';')), SLICE("application/json"));
}
