/* SPDX-License-Identifier: Apache-2.0 */
/* What providers publish, fetched and remembered: endpoints and public keys. */
#include <pthread.h>
#include <stdlib.h>

#include "control/oidc_private.h"
#include "control/transfer.h"

#define OIDC_CACHE_SIZE 64                  /* documents: two for each provider; more only means more fetches */
#define OIDC_CACHE_MS (15 * INT64_C(60000)) /* a key that a provider withdraws is believed no longer than this */
#define OIDC_URL_LIMIT 1024

/* Documents by address, for all threads: the same for everybody, as they are public. Kept as text, in a table of the
 * process, because logins are rare and reading them takes a fraction of a millisecond. */
static struct {
    pthread_mutex_t mutex;
    struct oidc_document {
        char *url; /* NULL: free */
        struct buffer text;
        int64_t fetched_ms;
    } documents[OIDC_CACHE_SIZE];
} oidc_cache = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void oidc_document_free(struct oidc_document *document)
{
    free(document->url);
    buffer_free(&document->text);
    *document = (struct oidc_document){0};
}

void oidc_cache_clear(void)
{
    pthread_mutex_lock(&oidc_cache.mutex);
    for (size_t i = 0; i < OIDC_CACHE_SIZE; i++) oidc_document_free(&oidc_cache.documents[i]);
    pthread_mutex_unlock(&oidc_cache.mutex);
}

static void oidc_append_padded(struct buffer *out, struct slice text)
{
    buffer_append_slice(out, text);
    buffer_append_zeros(out, JSON_PADDING);
    if (!out->failed) buffer_truncate(out, out->size - JSON_PADDING);
}

static bool oidc_cache_get(struct slice url, int64_t now_ms, struct buffer *out)
{
    bool is_found = false;
    pthread_mutex_lock(&oidc_cache.mutex);
    for (size_t i = 0; i < OIDC_CACHE_SIZE && !is_found; i++) {
        const struct oidc_document *document = &oidc_cache.documents[i];
        is_found = document->url && slice_equal(slice_from_string(document->url), url) &&
                   document->fetched_ms <= now_ms && now_ms - document->fetched_ms < OIDC_CACHE_MS;
        if (is_found) oidc_append_padded(out, buffer_slice(&document->text));
    }
    pthread_mutex_unlock(&oidc_cache.mutex);
    return is_found;
}

/* In place of the same address, a free place or the oldest. */
static void oidc_cache_put(struct slice url, int64_t now_ms, struct slice text)
{
    pthread_mutex_lock(&oidc_cache.mutex);
    struct oidc_document *place = &oidc_cache.documents[0];
    for (size_t i = 0; i < OIDC_CACHE_SIZE; i++) {
        struct oidc_document *document = &oidc_cache.documents[i];
        if (document->url && slice_equal(slice_from_string(document->url), url)) {
            place = document;
            break;
        }
        if (place->url && (!document->url || document->fetched_ms < place->fetched_ms)) place = document;
    }
    oidc_document_free(place);
    place->url = strndup(url.data, url.size);
    place->fetched_ms = now_ms;
    buffer_append_slice(&place->text, text);
    if (!place->url || place->text.failed) oidc_document_free(place);
    pthread_mutex_unlock(&oidc_cache.mutex);
}

static enum error_code oidc_fetch(const struct control_call *call, struct slice url, bool may_be_plain, bool is_fresh,
                                  struct buffer *out, struct error *error)
{
    if (!is_fresh && oidc_cache_get(url, call->now_ms, out)) return ERROR_NONE;
    struct control_transfer transfer = {.url = url, .may_be_plain = may_be_plain};
    enum error_code code = control_transfer_run(&transfer, out, error);
    if (code == ERROR_NONE) oidc_cache_put(url, call->now_ms, buffer_slice(out));
    return code;
}

/* An address of the document, which must be one we may ask or send people to. */
static bool oidc_endpoint(const struct control_call *call, struct json_value root, const char *name, bool may_be_plain,
                          struct slice *ret_url)
{
    struct json_value value;
    if (!json_object_get(root, slice_from_string(name), &value) || json_value_type(value) != JSON_STRING) return false;
    struct slice text = json_value_string(value);
    bool is_https = slice_starts_with(text, SLICE("https://"));
    bool is_local = may_be_plain && slice_starts_with(text, SLICE("http://")) && control_transfer_is_loopback(text);
    if (text.size > OIDC_URL_LIMIT || (!is_https && !is_local) || slice_index_of(text, '#') >= 0) return false;
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] <= ' ' || (unsigned char)text.data[i] >= 0x7F)
            return false; /* it becomes a header */
    *ret_url = arena_copy(call->arena, text);
    return true;
}

/* Basic is the default of the standard; the form is taken only when the provider lists its ways without it. */
static bool oidc_secret_in_form(struct json_value root)
{
    struct json_value list, child;
    struct slice unused;
    bool has_basic = false, has_post = false;
    if (!json_object_get(root, SLICE("token_endpoint_auth_methods_supported"), &list) ||
        json_value_type(list) != JSON_ARRAY)
        return false;
    struct json_iterator iterator = json_iterate(list);
    while (json_next(&iterator, &unused, &child)) {
        if (json_value_type(child) != JSON_STRING) continue;
        has_basic = has_basic || slice_equal(json_value_string(child), SLICE("client_secret_basic"));
        has_post = has_post || slice_equal(json_value_string(child), SLICE("client_secret_post"));
    }
    return has_post && !has_basic;
}

static enum error_code oidc_read_document(const struct control_call *call, struct slice issuer, bool may_be_plain,
                                          struct json_value root, struct oidc_endpoints *ret_endpoints,
                                          struct error *error)
{
    struct json_value value;
    if (json_value_type(root) != JSON_OBJECT || !json_object_get(root, SLICE("issuer"), &value) ||
        json_value_type(value) != JSON_STRING || !slice_equal(json_value_string(value), issuer))
        return error_set(error, ERROR_UNAVAILABLE, "the provider's discovery document is of another issuer than %.*s",
                         SLICE_ARGS(issuer));
    if (!oidc_endpoint(call, root, "authorization_endpoint", may_be_plain, &ret_endpoints->authorization) ||
        !oidc_endpoint(call, root, "token_endpoint", may_be_plain, &ret_endpoints->token) ||
        !oidc_endpoint(call, root, "jwks_uri", may_be_plain, &ret_endpoints->keys))
        return error_set(error, ERROR_UNAVAILABLE,
                         "the discovery document of %.*s lacks an address, or one is not https", SLICE_ARGS(issuer));
    ret_endpoints->secret_in_form = oidc_secret_in_form(root);
    return arena_failed(call->arena) ? error_set(error, ERROR_MEMORY, "out of memory for a discovery document")
                                     : ERROR_NONE;
}

enum error_code oidc_discover(const struct control_call *call, struct slice issuer, bool may_be_plain,
                              struct oidc_endpoints *ret_endpoints, struct error *error)
{
    struct slice base = slice_ends_with(issuer, SLICE("/")) ? slice_first(issuer, issuer.size - 1) : issuer;
    struct slice url = arena_printf(call->arena, "%.*s/.well-known/openid-configuration", SLICE_ARGS(base));
    struct buffer text = {0};
    struct json_parser *parser = json_parser_create();
    struct json_value root;
    enum error_code code = parser && !arena_failed(call->arena)
                               ? ERROR_NONE
                               : error_set(error, ERROR_MEMORY, "out of memory for a discovery document");
    if (code == ERROR_NONE) code = oidc_fetch(call, url, may_be_plain, false, &text, error);
    if (code == ERROR_NONE && json_parse(parser, buffer_slice(&text), &root, NULL) != ERROR_NONE)
        code = error_set(error, ERROR_UNAVAILABLE, "the discovery document of %.*s is no JSON", SLICE_ARGS(issuer));
    if (code == ERROR_NONE) code = oidc_read_document(call, issuer, may_be_plain, root, ret_endpoints, error);
    json_parser_destroy(parser);
    buffer_free(&text);
    return code;
}

static enum error_code oidc_check_once(const struct control_call *call, const struct oidc_endpoints *endpoints,
                                       bool may_be_plain, bool is_fresh, struct slice token,
                                       const struct oidc_token_rules *rules, struct oidc_claims *ret_claims,
                                       struct error *error)
{
    struct buffer text = {0};
    struct oidc_keys *keys = NULL;
    enum error_code code = oidc_fetch(call, endpoints->keys, may_be_plain, is_fresh, &text, error);
    if (code == ERROR_NONE && oidc_keys_read(buffer_slice(&text), &keys, error) != ERROR_NONE) code = ERROR_UNAVAILABLE;
    if (code == ERROR_NONE) code = oidc_token_check(call->arena, token, keys, rules, ret_claims, error);
    oidc_keys_destroy(keys);
    buffer_free(&text);
    return code;
}

enum error_code oidc_check_with_provider(const struct control_call *call, const struct oidc_endpoints *endpoints,
                                         bool may_be_plain, struct slice token, const struct oidc_token_rules *rules,
                                         struct oidc_claims *ret_claims, struct error *error)
{
    struct error first = {0};
    enum error_code code = oidc_check_once(call, endpoints, may_be_plain, false, token, rules, ret_claims, &first);
    if (code == ERROR_UNAUTHENTICATED && strcmp(first.field, "kid") == 0)
        return oidc_check_once(call, endpoints, may_be_plain, true, token, rules, ret_claims, error);
    if (code != ERROR_NONE && error) *error = first;
    return code;
}
