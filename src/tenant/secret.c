/* SPDX-License-Identifier: Apache-2.0 */
/* Derived keys, sealed texts and tokens: secret.h by OpenSSL. */
#include "tenant/secret.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/uuid.h"
#include "tenant/base64.h"
#include "tenant/secret_priv.h"

/* AES-GCM wants 12 bytes of nonce; random ones do for 2^32 texts under one key, far more than an installation seals. */
#define SEAL_NONCE_SIZE 12
#define SEAL_TAG_SIZE 16
#define SEAL_PREFIX "s1:"
/* Names of purposes are ours. */
#define SECRET_PURPOSE_LIMIT 64

/* The library is only refused memory for its small contexts; nothing safe could be done without them. */
#define SECRET_MUST(call) ASSERT((call) == 1)

void secret_hkdf(struct slice key, struct slice salt, struct slice info, unsigned char *out, size_t out_size)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    ASSERT(context);
    OSSL_PARAM parameters[5], *p = parameters;
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (char *)key.data, key.size);
    if (salt.size) *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (char *)salt.data, salt.size);
    if (info.size) *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (char *)info.data, info.size);
    *p = OSSL_PARAM_construct_end();
    SECRET_MUST(EVP_KDF_derive(context, out, out_size, parameters));
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

void tenant_secret_derive(const unsigned char secret[TENANT_SECRET_SIZE], const char *purpose,
                          unsigned char out[TENANT_SECRET_SIZE])
{
    secret_hkdf(slice_make(secret, TENANT_SECRET_SIZE), SLICE_EMPTY, slice_from_string(purpose), out, TENANT_SECRET_SIZE);
}

/* The key for sealing: of the purpose, but none that tenant_secret_derive gives to others for the same word. */
static void secret_seal_key(const unsigned char secret[TENANT_SECRET_SIZE], const char *purpose,
                            unsigned char key[TENANT_SECRET_SIZE])
{
    char name[SECRET_PURPOSE_LIMIT + 8];
    ASSERT(strlen(purpose) <= SECRET_PURPOSE_LIMIT);
    snprintf(name, sizeof name, "seal:%s", purpose);
    tenant_secret_derive(secret, name, key);
}

void tenant_secret_seal(const unsigned char secret[TENANT_SECRET_SIZE], const char *purpose, struct slice text,
                        struct buffer *out)
{
    struct buffer plain = {0};
    unsigned char *bytes = (unsigned char *)buffer_reserve(&plain, SEAL_NONCE_SIZE + text.size + SEAL_TAG_SIZE);
    if (!bytes) {
        out->failed = true;
        return;
    }
    unsigned char key[TENANT_SECRET_SIZE];
    secret_seal_key(secret, purpose, key);
    uuid_random_bytes(bytes, SEAL_NONCE_SIZE);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    ASSERT(cipher && text.size <= INT32_MAX);
    int size = 0, rest = 0;
    SECRET_MUST(EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, bytes));
    SECRET_MUST(EVP_EncryptUpdate(cipher, bytes + SEAL_NONCE_SIZE, &size, (const unsigned char *)text.data, (int)text.size));
    SECRET_MUST(EVP_EncryptFinal_ex(cipher, bytes + SEAL_NONCE_SIZE + size, &rest));
    SECRET_MUST(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_SIZE, bytes + SEAL_NONCE_SIZE + text.size));
    EVP_CIPHER_CTX_free(cipher);
    OPENSSL_cleanse(key, sizeof key);
    plain.size = SEAL_NONCE_SIZE + text.size + SEAL_TAG_SIZE;
    buffer_append_string(out, SEAL_PREFIX);
    tenant_base64_append(TENANT_BASE64_URL, buffer_slice(&plain), out);
    buffer_free(&plain);
}

/* Appends the text of nonce, ciphertext and tag to `out`; false when the tag does not fit. */
static bool secret_decrypt(const unsigned char *key, struct slice sealed, struct buffer *out)
{
    const unsigned char *bytes = (const unsigned char *)sealed.data;
    size_t text_size = sealed.size - SEAL_NONCE_SIZE - SEAL_TAG_SIZE;
    unsigned char *place = (unsigned char *)buffer_reserve(out, text_size + 1);
    if (!place) return false;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    ASSERT(cipher && text_size <= INT32_MAX);
    int size = 0, rest = 0;
    SECRET_MUST(EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, bytes));
    SECRET_MUST(EVP_DecryptUpdate(cipher, place, &size, bytes + SEAL_NONCE_SIZE, (int)text_size));
    SECRET_MUST(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, SEAL_TAG_SIZE,
                                    (void *)(bytes + SEAL_NONCE_SIZE + text_size)));
    bool fits = EVP_DecryptFinal_ex(cipher, place + size, &rest) == 1;
    EVP_CIPHER_CTX_free(cipher);
    if (fits)
        out->size += text_size;
    else
        OPENSSL_cleanse(place, text_size);
    return fits;
}

enum error_code tenant_secret_open(const unsigned char secret[TENANT_SECRET_SIZE], const char *purpose,
                                   struct slice sealed, struct buffer *out, struct error *error)
{
    struct buffer bytes = {0};
    bool fits = slice_starts_with(sealed, SLICE(SEAL_PREFIX)) &&
                tenant_base64_decode(TENANT_BASE64_URL, slice_from(sealed, strlen(SEAL_PREFIX)), &bytes) &&
                bytes.size >= SEAL_NONCE_SIZE + SEAL_TAG_SIZE;
    if (fits) {
        unsigned char key[TENANT_SECRET_SIZE];
        secret_seal_key(secret, purpose, key);
        fits = secret_decrypt(key, buffer_slice(&bytes), out);
        OPENSSL_cleanse(key, sizeof key);
    }
    bool failed = bytes.failed || out->failed;
    buffer_free(&bytes);
    if (failed) return error_set(error, ERROR_MEMORY, "no memory to open a sealed text");
    if (!fits)
        return error_set(error, ERROR_CORRUPT, "a sealed text (%s) does not open with the secret of this installation",
                         purpose);
    return ERROR_NONE;
}

void tenant_token_make(char out[TENANT_TOKEN_SIZE + 1])
{
    unsigned char bytes[32];
    uuid_random_bytes(bytes, sizeof bytes);
    tenant_base64_write(TENANT_BASE64_URL, slice_make(bytes, sizeof bytes), out);
    out[TENANT_TOKEN_SIZE] = 0;
    OPENSSL_cleanse(bytes, sizeof bytes);
}

void tenant_token_hash(struct slice token, char out[65])
{
    unsigned char digest[32];
    unsigned size = 0;
    SECRET_MUST(EVP_Digest(token.data, token.size, digest, &size, EVP_sha256(), NULL));
    for (size_t i = 0; i < sizeof digest; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

bool tenant_secret_equal(struct slice a, struct slice b)
{
    return a.size == b.size && CRYPTO_memcmp(a.data, b.data, a.size) == 0;
}
