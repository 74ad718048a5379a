/* SPDX-License-Identifier: Apache-2.0 */
/* Checks identity tokens: JSON Web Signature in its compact form (RFC 7515), then the claims of OpenID Connect. */
#include "control/oidc_private.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>

#include "tenant/base64.h"
#include "tenant/secret.h"

#define OIDC_NAME_LIMIT 128
#define OIDC_P256_SIGNATURE 64

static enum error_code oidc_refuse(struct error *error, const char *why, const char *message)
{
    return error_set_field(error, strcmp(why, "form") == 0 ? ERROR_INVALID : ERROR_UNAUTHENTICATED, why,
                           "identity token: %s", message);
}

/* One part of a token as JSON. `buffer` and `parser` keep it. */
static bool oidc_part_read(struct slice part, struct buffer *buffer, struct json_parser *parser,
                           struct json_value *ret_object)
{
    if (part.size == 0 || !tenant_base64_decode(TENANT_BASE64_URL, part, buffer)) return false;
    size_t size = buffer->size;
    buffer_append_zeros(buffer, JSON_PADDING);
    return !buffer->failed && json_parse(parser, slice_make(buffer->data, size), ret_object, NULL) == ERROR_NONE &&
           json_value_type(*ret_object) == JSON_OBJECT;
}

/* Absent reads as an empty text; another type is false. */
static bool oidc_text(struct json_value object, const char *name, struct slice *ret_text)
{
    struct json_value value;
    *ret_text = SLICE_EMPTY;
    if (!json_object_get(object, slice_from_string(name), &value)) return true;
    if (json_value_type(value) != JSON_STRING) return false;
    *ret_text = json_value_string(value);
    return true;
}

/* Seconds since 1970 as milliseconds; some providers send fractions. */
static bool oidc_time(struct json_value object, const char *name, int64_t *ret_ms)
{
    struct json_value value;
    if (!json_object_get(object, slice_from_string(name), &value)) return false;
    enum json_type type = json_value_type(value);
    if (type != JSON_INT && type != JSON_DOUBLE) return false;
    double seconds = json_value_double(value);
    if (!(seconds >= 0 && seconds < 253402300800.0)) return false; /* year 10000 */
    *ret_ms = (int64_t)(seconds * 1000);
    return true;
}

static bool oidc_verify_p256(EVP_PKEY *key, struct slice signed_text, struct slice signature)
{
    if (signature.size != OIDC_P256_SIGNATURE) return false;
    const unsigned char *bytes = (const unsigned char *)signature.data;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, OIDC_P256_SIGNATURE / 2, NULL),
           *s = BN_bin2bn(bytes + OIDC_P256_SIGNATURE / 2, OIDC_P256_SIGNATURE / 2, NULL);
    bool is_valid = false;
    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
    } else {
        unsigned char *der = NULL;
        int size = i2d_ECDSA_SIG(pair, &der);
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        is_valid = size > 0 && context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                   EVP_DigestVerify(context, der, (size_t)size, (const unsigned char *)signed_text.data,
                                    signed_text.size) == 1;
        EVP_MD_CTX_free(context);
        OPENSSL_free(der);
    }
    ECDSA_SIG_free(pair);
    return is_valid;
}

static bool oidc_verify_rsa(EVP_PKEY *key, struct slice signed_text, struct slice signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    /* PKCS #1 v1.5 is what EVP does with RSA unless told otherwise, and what RS256 means. */
    bool is_valid = context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                    EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.size,
                                     (const unsigned char *)signed_text.data, signed_text.size) == 1;
    EVP_MD_CTX_free(context);
    return is_valid;
}

static const struct {
    const char *name;
    bool (*verify)(EVP_PKEY *key, struct slice signed_text, struct slice signature);
} oidc_algorithms[OIDC_ALGORITHM_COUNT] = {
    [OIDC_RS256] = {"RS256", oidc_verify_rsa},
    [OIDC_ES256] = {"ES256", oidc_verify_p256},
};

static enum error_code oidc_check_signature(struct json_value header, struct slice signed_text, struct slice signature,
                                            const struct oidc_keys *keys, struct error *error)
{
    struct slice name, id, type;
    struct json_value unused;
    if (!oidc_text(header, "alg", &name) || !oidc_text(header, "kid", &id) || !oidc_text(header, "typ", &type))
        return oidc_refuse(error, "form", "its header has wrong types");
    /* Access and logout tokens of the same provider carry other types, and must not pass for this. */
    if (type.size && !slice_equal_ignore_case(type, SLICE("JWT")))
        return oidc_refuse(error, "typ", "it is a token of another kind");
    if (json_object_get(header, SLICE("crit"), &unused))
        return oidc_refuse(error, "crit", "it asks for extensions that are not understood");
    size_t algorithm = 0;
    while (algorithm < OIDC_ALGORITHM_COUNT && !slice_equal(name, slice_from_string(oidc_algorithms[algorithm].name)))
        algorithm++;
    if (algorithm == OIDC_ALGORITHM_COUNT) return oidc_refuse(error, "alg", "it is not signed with RS256 or ES256");

    const struct oidc_key *found = NULL;
    bool is_ambiguous = false;
    for (size_t i = 0; i < keys->count; i++) {
        const struct oidc_key *key = &keys->keys[i];
        if (key->algorithm != algorithm || (id.size && !slice_equal(id, slice_make(key->id, key->id_size)))) continue;
        is_ambiguous = found != NULL;
        found = key;
        if (is_ambiguous) break;
    }
    if (!found) return oidc_refuse(error, "kid", "the provider has no such key");
    if (is_ambiguous) return oidc_refuse(error, "kid", "more than one key of the provider may be meant");
    bool is_valid = oidc_algorithms[algorithm].verify(found->key, signed_text, signature);
    ERR_clear_error(); /* the thread's queue: a bad signature leaves a note there */
    return is_valid ? ERROR_NONE : oidc_refuse(error, "signature", "its signature is wrong");
}

static enum error_code oidc_check_audience(struct json_value claims, struct slice audience, struct error *error)
{
    struct json_value value, child;
    struct slice party, unused;
    bool is_ours = false;
    size_t count = 1;
    if (!json_object_get(claims, SLICE("aud"), &value)) return oidc_refuse(error, "aud", "it is for nobody");
    if (json_value_type(value) == JSON_STRING) is_ours = slice_equal(json_value_string(value), audience);
    else if (json_value_type(value) == JSON_ARRAY) {
        struct json_iterator iterator = json_iterate(value);
        count = json_array_size(value);
        while (json_next(&iterator, &unused, &child))
            is_ours = is_ours ||
                      (json_value_type(child) == JSON_STRING && slice_equal(json_value_string(child), audience));
    }
    if (!is_ours) return oidc_refuse(error, "aud", "it is for somebody else");
    if (!oidc_text(claims, "azp", &party)) return oidc_refuse(error, "azp", "its authorized party is no text");
    if ((party.size || count > 1) && !slice_equal(party, audience))
        return oidc_refuse(error, "azp", "it was issued to somebody else");
    return ERROR_NONE;
}

static enum error_code oidc_check_times(struct json_value claims, int64_t now_ms, struct error *error)
{
    int64_t expires_ms, issued_ms, not_before_ms;
    struct json_value unused;
    if (!oidc_time(claims, "exp", &expires_ms) || expires_ms <= now_ms - OIDC_CLOCK_SKEW_MS)
        return oidc_refuse(error, "exp", "it has expired");
    if (!oidc_time(claims, "iat", &issued_ms) || issued_ms > now_ms + OIDC_CLOCK_SKEW_MS ||
        issued_ms < now_ms - OIDC_TOKEN_AGE_MS)
        return oidc_refuse(error, "iat", "it was issued too long ago or in the future; are both clocks right?");
    if (json_object_get(claims, SLICE("nbf"), &unused) &&
        (!oidc_time(claims, "nbf", &not_before_ms) || not_before_ms > now_ms + OIDC_CLOCK_SKEW_MS))
        return oidc_refuse(error, "nbf", "it is not valid yet");
    return ERROR_NONE;
}

/* A name for people: without control characters, cut between characters. */
static struct slice oidc_clean_name(struct arena *arena, struct json_value claims, const char *claim)
{
    struct slice text;
    if (!oidc_text(claims, claim, &text)) return SLICE_EMPTY;
    text = slice_trim(text);
    size_t size = text.size < OIDC_NAME_LIMIT ? text.size : OIDC_NAME_LIMIT;
    while (size && size < text.size && ((unsigned char)text.data[size] & 0xC0) == 0x80) size--;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F) return SLICE_EMPTY;
    return arena_copy(arena, slice_first(text, size));
}

static enum error_code oidc_read_claims(struct arena *arena, struct json_value claims, struct oidc_claims *ret_claims,
                                        struct error *error)
{
    struct slice subject, email;
    struct json_value verified;
    if (!oidc_text(claims, "sub", &subject) || control_text_check(subject, 1, 255, "sub", NULL) != ERROR_NONE)
        return oidc_refuse(error, "sub", "it does not say who it is about");
    if (!oidc_text(claims, "email", &email)) email = SLICE_EMPTY;
    *ret_claims = (struct oidc_claims){.subject = arena_copy(arena, subject), .email = arena_copy(arena, email)};
    if (json_object_get(claims, SLICE("email_verified"), &verified)) {
        /* A boolean by the standard; some send it as text. */
        enum json_type type = json_value_type(verified);
        ret_claims->email_verified = (type == JSON_BOOL && json_value_bool(verified)) ||
                                     (type == JSON_STRING && slice_equal(json_value_string(verified), SLICE("true")));
    }
    ret_claims->first_name = oidc_clean_name(arena, claims, "given_name");
    ret_claims->last_name = oidc_clean_name(arena, claims, "family_name");
    if (ret_claims->first_name.size == 0 && ret_claims->last_name.size == 0)
        ret_claims->first_name = oidc_clean_name(arena, claims, "name");
    return arena_failed(arena) ? error_set(error, ERROR_MEMORY, "out of memory for an identity token") : ERROR_NONE;
}

static enum error_code oidc_check_claims(struct arena *arena, struct json_value claims,
                                         const struct oidc_token_rules *rules, struct oidc_claims *ret_claims,
                                         struct error *error)
{
    struct slice issuer, nonce;
    if (!oidc_text(claims, "iss", &issuer) || !slice_equal(issuer, rules->issuer))
        return oidc_refuse(error, "iss", "it is of another issuer");
    enum error_code code = oidc_check_audience(claims, rules->audience, error);
    if (code == ERROR_NONE) code = oidc_check_times(claims, rules->now_ms, error);
    if (code != ERROR_NONE) return code;
    if (!oidc_text(claims, "nonce", &nonce) || rules->nonce.size == 0 || !tenant_secret_equal(nonce, rules->nonce))
        return oidc_refuse(error, "nonce", "it was not made for this login");
    return oidc_read_claims(arena, claims, ret_claims, error);
}

enum error_code oidc_token_check(struct arena *arena, struct slice token, const struct oidc_keys *keys,
                                 const struct oidc_token_rules *rules, struct oidc_claims *ret_claims,
                                 struct error *error)
{
    if (token.size > OIDC_TOKEN_LIMIT) return oidc_refuse(error, "form", "it is too long");
    struct slice signature_part = token, header_part = slice_cut(&signature_part, '.'),
                 claims_part = slice_cut(&signature_part, '.');
    struct slice signed_text = slice_first(token, header_part.size + 1 + claims_part.size);
    struct buffer header_text = {0}, claims_text = {0}, signature = {0};
    struct json_parser *header_parser = json_parser_create(), *claims_parser = json_parser_create();
    struct json_value header, claims;
    enum error_code code = ERROR_NONE;
    if (!header_parser || !claims_parser) code = error_set(error, ERROR_MEMORY, "out of memory for an identity token");
    else if (claims_part.size == 0 || slice_index_of(signature_part, '.') >= 0 ||
             !oidc_part_read(header_part, &header_text, header_parser, &header) ||
             !tenant_base64_decode(TENANT_BASE64_URL, signature_part, &signature))
        code = oidc_refuse(error, "form", "it is not of the form header.claims.signature");
    else code = oidc_check_signature(header, signed_text, buffer_slice(&signature), keys, error);
    if (code == ERROR_NONE && !oidc_part_read(claims_part, &claims_text, claims_parser, &claims))
        code = oidc_refuse(error, "form", "its claims are no JSON object");
    if (code == ERROR_NONE) code = oidc_check_claims(arena, claims, rules, ret_claims, error);
    json_parser_destroy(header_parser);
    json_parser_destroy(claims_parser);
    buffer_free(&header_text);
    buffer_free(&claims_text);
    buffer_free(&signature);
    return code;
}
