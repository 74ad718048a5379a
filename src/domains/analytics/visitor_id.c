/* SPDX-License-Identifier: Apache-2.0 */
/* Device and session ids by hashing. */
#include "domains/analytics/visitor_id.h"

#include <openssl/evp.h>

#include "base/error.h"
#include "enrich/privacy.h"

static void digest_parts(const EVP_MD *kind, const struct slice *parts, size_t count, unsigned char *out, size_t size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ASSERT(context && EVP_DigestInit_ex(context, kind, NULL));
    for (size_t i = 0; i < count; i++) {
        if (i > 0) ASSERT(EVP_DigestUpdate(context, ":", 1));
        ASSERT(EVP_DigestUpdate(context, parts[i].data, parts[i].size));
    }
    if (EVP_MD_get_flags(kind) & EVP_MD_FLAG_XOF) ASSERT(EVP_DigestFinalXOF(context, out, size));
    else ASSERT(EVP_DigestFinal_ex(context, out, NULL));
    EVP_MD_CTX_free(context);
}

void visitor_device_id(struct slice user_agent, struct slice address, struct slice project, struct slice salt,
                       char out[VISITOR_DEVICE_ID_SIZE])
{
    unsigned char digest[VISITOR_DEVICE_ID_SIZE / 2];
    const struct slice parts[] = {user_agent.size ? user_agent : SLICE("unknown/1.0"), address, project, salt};
    digest_parts(EVP_shake256(), parts, 4, digest, sizeof digest);
    privacy_hex(digest, sizeof digest, out);
}

static void base64url_16(const unsigned char bytes[16], char out[VISITOR_SESSION_ID_SIZE])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    int held = 0;
    size_t size = 0;
    for (size_t i = 0; i < 16; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6) out[size++] = alphabet[bits >> (held - 6) & 63];
    }
    out[size] = alphabet[bits << (6 - held) & 63];
}

void visitor_session_id(struct slice project, struct slice device, int64_t time_ms, int64_t timeout_ms,
                        char out[VISITOR_SESSION_ID_SIZE])
{
    int64_t grace_ms = timeout_ms / 6 < VISITOR_SESSION_GRACE_MS ? timeout_ms / 6 : VISITOR_SESSION_GRACE_MS;
    int64_t bucket = time_ms / timeout_ms - (time_ms % timeout_ms < grace_ms);
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%lld", (long long)bucket);
    unsigned char digest[32];
    const struct slice parts[] = {SLICE("sess"), SLICE("v1"), project, device, slice_make(digits, (size_t)size)};
    digest_parts(EVP_sha256(), parts, 5, digest, sizeof digest);
    base64url_16(digest, out);
}
