/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Keys (RFC 7517, 7518) to OpenSSL keys. */
#include "control/oidc_private.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#include "tenant/base64.h"

#define OIDC_KEYS_TEXT_LIMIT (256 * 1024)
#define OIDC_RSA_LEAST 256  /* bytes of a modulus: 2048 bits (RFC 7518, section 3.3) */
#define OIDC_RSA_MOST 1024  /* 8192 bits: checking with larger ones costs too much */
#define OIDC_P256_SIZE 32

static struct slice oidc_key_text(struct json_value key, const char *name)
{
    struct json_value value;
    if (!json_object_get(key, slice_from_string(name), &value) || json_value_type(value) != JSON_STRING)
        return SLICE_EMPTY;
    return json_value_string(value);
}

static EVP_PKEY *oidc_key_from_parameters(const char *type, OSSL_PARAM_BLD *builder)
{
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    bool is_made = parameters && context && EVP_PKEY_fromdata_init(context) == 1 &&
                   EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    if (!is_made) {
        EVP_PKEY_free(key);
        return NULL;
    }
    context = EVP_PKEY_CTX_new(key, NULL);
    /* Points that are not on the curve, exponents that make no sense. */
    bool is_sound = context && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    if (is_sound) return key;
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *oidc_key_make_rsa(struct slice n, struct slice e)
{
    EVP_PKEY *key = NULL;
    while (n.size && n.data[0] == 0) n = slice_from(n, 1);
    if (n.size < OIDC_RSA_LEAST || n.size > OIDC_RSA_MOST || e.size == 0 || e.size > 4) return NULL;
    BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.data, (int)n.size, NULL);
    BIGNUM *exponent = BN_bin2bn((const unsigned char *)e.data, (int)e.size, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (modulus && exponent && builder && BN_is_odd(exponent) && !BN_is_one(exponent) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent))
        key = oidc_key_from_parameters("RSA", builder);
    OSSL_PARAM_BLD_free(builder);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

static EVP_PKEY *oidc_key_make_p256(struct slice x, struct slice y)
{
    EVP_PKEY *key = NULL;
    if (x.size != OIDC_P256_SIZE || y.size != OIDC_P256_SIZE) return NULL;
    unsigned char point[1 + 2 * OIDC_P256_SIZE] = {4}; /* uncompressed */
    memcpy(point + 1, x.data, x.size);
    memcpy(point + 1 + OIDC_P256_SIZE, y.data, y.size);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder && OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point))
        key = oidc_key_from_parameters("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

/* False when it is of no use to us: for encryption, of another kind, broken. */
static bool oidc_key_read(struct json_value json, struct oidc_key *key)
{
    if (json_value_type(json) != JSON_OBJECT) return false;
    struct slice type = oidc_key_text(json, "kty"), use = oidc_key_text(json, "use"), name = oidc_key_text(json, "kid");
    struct slice algorithm = oidc_key_text(json, "alg");
    bool is_rsa = slice_equal(type, SLICE("RSA")), is_ec = slice_equal(type, SLICE("EC"));
    if ((!is_rsa && !is_ec) || (use.size && !slice_equal(use, SLICE("sig"))) || name.size >= sizeof key->id)
        return false;
    if (is_ec && !slice_equal(oidc_key_text(json, "crv"), SLICE("P-256"))) return false;
    if (algorithm.size && !slice_equal(algorithm, is_rsa ? SLICE("RS256") : SLICE("ES256"))) return false;
    struct buffer first = {0}, second = {0};
    *key = (struct oidc_key){.algorithm = is_rsa ? OIDC_RS256 : OIDC_ES256, .id_size = name.size};
    memcpy(key->id, name.data, name.size);
    bool is_read = tenant_base64_decode(TENANT_BASE64_URL, oidc_key_text(json, is_rsa ? "n" : "x"), &first) &&
                   tenant_base64_decode(TENANT_BASE64_URL, oidc_key_text(json, is_rsa ? "e" : "y"), &second) &&
                   !first.failed && !second.failed;
    if (is_read)
        key->key = (is_rsa ? oidc_key_make_rsa : oidc_key_make_p256)(buffer_slice(&first), buffer_slice(&second));
    buffer_free(&first);
    buffer_free(&second);
    return key->key != NULL;
}

enum error_code oidc_keys_read(struct slice text, struct oidc_keys **ret_keys, struct error *error)
{
    if (text.size > OIDC_KEYS_TEXT_LIMIT)
        return error_set(error, ERROR_TOO_LARGE, "the provider's keys are longer than %d bytes", OIDC_KEYS_TEXT_LIMIT);
    struct json_parser *parser = json_parser_create();
    struct oidc_keys *keys = calloc(1, sizeof *keys);
    struct json_value root, list;
    enum error_code code = ERROR_NONE;
    if (!parser || !keys) code = error_set(error, ERROR_MEMORY, "out of memory for a provider's keys");
    else code = json_parse(parser, text, &root, error);
    if (code == ERROR_NONE && (json_value_type(root) != JSON_OBJECT || !json_object_get(root, SLICE("keys"), &list) ||
                               json_value_type(list) != JSON_ARRAY))
        code = error_set(error, ERROR_INVALID, "the provider's keys are no key set");
    if (code == ERROR_NONE) {
        struct json_iterator iterator = json_iterate(list);
        struct slice unused;
        struct json_value json;
        for (int looked_at = 0; looked_at < OIDC_KEYS_LIMIT && json_next(&iterator, &unused, &json); looked_at++)
            if (oidc_key_read(json, &keys->keys[keys->count])) keys->count++;
    }
    json_parser_destroy(parser);
    if (code == ERROR_NONE) *ret_keys = keys;
    else oidc_keys_destroy(keys);
    return code;
}

void oidc_keys_destroy(struct oidc_keys *keys)
{
    if (!keys) return;
    for (size_t i = 0; i < keys->count; i++) EVP_PKEY_free(keys->keys[i].key);
    free(keys);
}

size_t oidc_keys_count(const struct oidc_keys *keys) { return keys->count; }
