/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes to the texts people copy. */
#include "tenant/key_text.h"

#include <openssl/evp.h>

#include "base/uuid.h"

void tenant_key_text_make_write(char out[TENANCY_KEY_SIZE + 1])
{
    struct uuid uuid = uuid_make_v4();
    uuid_format(&uuid, out);
    out[UUID_TEXT_SIZE] = 0;
}

void tenant_key_text_make_secret(char out[TENANCY_KEY_SIZE + 1])
{
    unsigned char random[32], encoded[45];
    uuid_random_bytes(random, sizeof random);
    ASSERT(EVP_EncodeBlock(encoded, random, sizeof random) == 44);
    memcpy(out, "mrs_", 4);
    for (int i = 0; i < 43; i++) out[4 + i] = encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : (char)encoded[i];
    out[TENANCY_KEY_SIZE] = 0;
}

void tenant_key_text_digest(struct slice key, char out[2 * TENANT_DIGEST_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[TENANT_DIGEST_SIZE];
    ASSERT(EVP_Digest(key.data, key.size, digest, NULL, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < sizeof digest; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * TENANT_DIGEST_SIZE] = 0;
}
