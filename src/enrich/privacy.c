/* SPDX-License-Identifier: Apache-2.0 */
/* Salted hashes, by OpenSSL's libcrypto. */
#include "enrich/privacy.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>

#include "base/error.h"
#include "base/time.h"

void privacy_hex(const unsigned char *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
}

static struct privacy_salt salt_from_name(const unsigned char *secret, const char *name, size_t size)
{
    unsigned char digest[32];
    unsigned digest_size = 0;
    ASSERT(HMAC(EVP_sha256(), secret, PRIVACY_SECRET_SIZE, (const unsigned char *)name, size, digest, &digest_size));
    ASSERT(digest_size == sizeof digest);
    struct privacy_salt salt;
    privacy_hex(digest, sizeof digest, salt.text);
    return salt;
}

struct privacy_salt privacy_salt_make(const unsigned char *secret, const char *purpose)
{
    return salt_from_name(secret, purpose, strlen(purpose));
}

struct privacy_salt privacy_salt_of_day(const unsigned char *secret, const char *purpose, int64_t unix_ms)
{
    char day[TIME_TEXT_SIZE], name[128];
    time_format_ms(unix_ms, day);
    int size = snprintf(name, sizeof name, "%s %.10s", purpose, day);
    ASSERT(size > 0 && (size_t)size < sizeof name);
    return salt_from_name(secret, name, (size_t)size);
}

struct slice privacy_salt_slice(const struct privacy_salt *salt) { return slice_make(salt->text, PRIVACY_SALT_SIZE); }

/* Looked up once: OpenSSL searches its providers again whenever the digest is only named. */
static pthread_once_t digest_once = PTHREAD_ONCE_INIT;
static EVP_MD *digest_sha256;
static void digest_fetch(void)
{
    digest_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ASSERT(digest_sha256 != NULL);
}

static void hash_two(struct slice first, struct slice second, unsigned char digest[32])
{
    ASSERT(pthread_once(&digest_once, digest_fetch) == 0);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ASSERT(context && EVP_DigestInit_ex2(context, digest_sha256, NULL) &&
           EVP_DigestUpdate(context, first.data, first.size) && EVP_DigestUpdate(context, second.data, second.size) &&
           EVP_DigestFinal_ex(context, digest, NULL));
    EVP_MD_CTX_free(context);
}

void privacy_hash_address(struct slice address, const struct privacy_salt *salt, char out[PRIVACY_ADDRESS_HASH_SIZE])
{
    unsigned char digest[32];
    hash_two(address, privacy_salt_slice(salt), digest);
    privacy_hex(digest, PRIVACY_ADDRESS_HASH_SIZE / 2, out);
}

void privacy_hash_id(struct slice id, const struct privacy_salt *salt, char out[PRIVACY_ID_HASH_SIZE])
{
    unsigned char digest[32];
    hash_two(id, privacy_salt_slice(salt), digest);
    privacy_hex(digest, sizeof digest, out);
}
