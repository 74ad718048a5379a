/* SPDX-License-Identifier: Apache-2.0 */
/* HS256 tokens: header.claims.signature, each base64url. */
#include "tenant/jwt.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/json_writer.h"
#include "tenant/base64.h"

#define JWT_ISSUER "millrace"
#define JWT_HEADER "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" /* {"alg":"HS256","typ":"JWT"} */
#define JWT_SIGNATURE_SIZE 32

void tenant_jwt_key(const unsigned char secret[TENANT_SECRET_SIZE], unsigned char key[TENANT_SECRET_SIZE])
{
    tenant_secret_derive(secret, "jwt", key);
}

/* The signature as it stands in a token. */
static void jwt_sign(const unsigned char key[TENANT_SECRET_SIZE], struct slice text,
                     char out[TENANT_BASE64_SIZE(JWT_SIGNATURE_SIZE)])
{
    unsigned char signature[JWT_SIGNATURE_SIZE];
    unsigned size = sizeof signature;
    const void *made = HMAC(EVP_sha256(), key, TENANT_SECRET_SIZE, (const unsigned char *)text.data, text.size, signature, &size);
    ASSERT(made && size == sizeof signature);
    tenant_base64_write(TENANT_BASE64_URL, slice_make(signature, sizeof signature), out);
}

/* The claims that are text, and where they are kept. */
static const struct {
    const char *name;
    size_t offset, size;
} jwt_texts[] = {
#define JWT_TEXT(name, member) {name, offsetof(struct tenant_jwt_claims, member), sizeof ((struct tenant_jwt_claims *)NULL)->member}
    JWT_TEXT("sub", user_id), JWT_TEXT("email", email), JWT_TEXT("sid", session_id), JWT_TEXT("org", organization_id),
    JWT_TEXT("jti", id),
};
#define JWT_TEXT_COUNT (sizeof jwt_texts / sizeof *jwt_texts)

void tenant_jwt_make(const unsigned char key[TENANT_SECRET_SIZE], const struct tenant_jwt_claims *claims, struct buffer *out)
{
    struct buffer json = {0};
    struct json_writer writer = {.out = &json};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "iss");
    json_writer_string(&writer, SLICE(JWT_ISSUER));
    for (size_t i = 0; i < JWT_TEXT_COUNT; i++) {
        json_writer_key(&writer, jwt_texts[i].name);
        json_writer_string(&writer, slice_from_string((const char *)claims + jwt_texts[i].offset));
    }
    json_writer_key(&writer, "iat");
    json_writer_int(&writer, claims->issued_s);
    json_writer_key(&writer, "exp");
    json_writer_int(&writer, claims->expires_s);
    json_writer_object_end(&writer);
    size_t start = out->size;
    char signature[TENANT_BASE64_SIZE(JWT_SIGNATURE_SIZE)];
    buffer_append_string(out, JWT_HEADER ".");
    tenant_base64_append(TENANT_BASE64_URL, buffer_slice(&json), out);
    if (!out->failed) {
        jwt_sign(key, slice_from(buffer_slice(out), start), signature);
        buffer_append_byte(out, '.');
        buffer_append(out, signature, sizeof signature);
    }
    if (json.failed) out->failed = true;
    buffer_free(&json);
}

/* Whoever sent it gets no more than this: what was wrong helps only those who try. */
static enum error_code jwt_refuse(struct error *error)
{
    return error_set(error, ERROR_UNAUTHENTICATED, "the token is not one of this server");
}

static bool jwt_integer(struct json_value object, const char *name, int64_t *value)
{
    struct json_value member;
    if (!json_object_get(object, slice_from_string(name), &member) || json_value_type(member) != JSON_INT) return false;
    *value = json_value_int(member);
    /* So that milliseconds fit as well. */
    return *value >= 0 && *value < INT64_MAX / 1000;
}

static bool jwt_read(struct json_value object, struct tenant_jwt_claims *claims)
{
    struct json_value member;
    if (json_value_type(object) != JSON_OBJECT) return false;
    if (!json_object_get(object, SLICE("iss"), &member) || json_value_type(member) != JSON_STRING ||
        !slice_equal(json_value_string(member), SLICE(JWT_ISSUER)))
        return false;
    for (size_t i = 0; i < JWT_TEXT_COUNT; i++) {
        char *out = (char *)claims + jwt_texts[i].offset;
        if (!json_object_get(object, slice_from_string(jwt_texts[i].name), &member) || json_value_type(member) != JSON_STRING)
            return false;
        struct slice text = json_value_string(member);
        if (text.size >= jwt_texts[i].size || slice_index_of(text, 0) >= 0) return false;
        memcpy(out, text.data, text.size);
        out[text.size] = 0;
    }
    return claims->user_id[0] && claims->session_id[0] && jwt_integer(object, "iat", &claims->issued_s) &&
           jwt_integer(object, "exp", &claims->expires_s);
}

enum error_code tenant_jwt_verify(const unsigned char key[TENANT_SECRET_SIZE], struct slice token, int64_t now_ms,
                                  struct json_parser *parser, struct tenant_jwt_claims *claims, struct error *error)
{
    char expected[TENANT_BASE64_SIZE(JWT_SIGNATURE_SIZE)];
    *claims = (struct tenant_jwt_claims){0};
    if (!parser) return error_set(error, ERROR_MEMORY, "no memory to read the token");
    if (token.size > TENANT_JWT_LIMIT || token.size < sizeof JWT_HEADER + 1 + sizeof expected) return jwt_refuse(error);
    if (!slice_starts_with(token, SLICE(JWT_HEADER "."))) return jwt_refuse(error);
    struct slice signature = slice_from(token, token.size - sizeof expected);
    struct slice text = slice_first(token, token.size - sizeof expected - 1);
    if (token.data[text.size] != '.') return jwt_refuse(error);
    jwt_sign(key, text, expected);
    if (!tenant_secret_equal(signature, slice_make(expected, sizeof expected))) return jwt_refuse(error);
    /* From here on it is text that this installation has made. */
    struct buffer json = {0};
    struct json_value object;
    enum error_code code = ERROR_NONE;
    if (!tenant_base64_decode(TENANT_BASE64_URL, slice_from(text, sizeof JWT_HEADER), &json)) {
        code = json.failed ? error_set(error, ERROR_MEMORY, "no memory to read the token") : jwt_refuse(error);
    } else {
        size_t size = json.size;
        buffer_append_zeros(&json, JSON_PADDING);
        if (json.failed) code = error_set(error, ERROR_MEMORY, "no memory to read the token");
        else if (json_parse(parser, slice_first(buffer_slice(&json), size), &object, NULL) || !jwt_read(object, claims))
            code = jwt_refuse(error);
    }
    buffer_free(&json);
    if (code) return code;
    if (claims->expires_s * 1000 <= now_ms)
        return error_set(error, ERROR_UNAUTHENTICATED, "the token has expired: refresh it or log in again");
    if (claims->issued_s * 1000 > now_ms + TENANT_JWT_ISSUED_TOLERANCE_MS) return jwt_refuse(error);
    return ERROR_NONE;
}
