/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as a token, and as claims under a good signature, are read or refused. */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "tenant/base64.h"
#include "tenant/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char key[TENANT_SECRET_SIZE] = {1};
    struct json_parser *parser = json_parser_create();
    struct tenant_jwt_claims claims;
    struct error error;
    struct buffer token = {0}, again = {0};
    unsigned char signature[32];
    unsigned signature_size = sizeof signature;
    if (tenant_jwt_verify(key, slice_make(data, size), 0, parser, &claims, &error) == ERROR_NONE) ASSERT(claims.user_id[0]);
    buffer_append_string(&token, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.");
    tenant_base64_append(TENANT_BASE64_URL, slice_make(data, size), &token);
    HMAC(EVP_sha256(), key, sizeof key, (const unsigned char *)token.data, token.size, signature, &signature_size);
    buffer_append_byte(&token, '.');
    tenant_base64_append(TENANT_BASE64_URL, slice_make(signature, sizeof signature), &token);
    if (tenant_jwt_verify(key, buffer_slice(&token), 0, parser, &claims, &error) == ERROR_NONE) {
        /* What was read can be written, and reads the same. */
        struct tenant_jwt_claims same;
        tenant_jwt_make(key, &claims, &again);
        if (again.size <= TENANT_JWT_LIMIT) {
            ASSERT(tenant_jwt_verify(key, buffer_slice(&again), 0, parser, &same, &error) == ERROR_NONE);
            ASSERT(memcmp(&claims, &same, sizeof same) == 0);
        }
    }
    buffer_free(&token);
    buffer_free(&again);
    json_parser_destroy(parser);
    return 0;
}
