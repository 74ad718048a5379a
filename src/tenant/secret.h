/* SPDX-License-Identifier: Apache-2.0 */
/* What is made of the installation's one secret: keys for each purpose, sealed texts, digests of tokens. */
#ifndef TENANT_SECRET_H
#define TENANT_SECRET_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

/*
 * Model: an installation has one secret of 32 random bytes, shared by all its servers. Each use has a key of its own,
 * HKDF-SHA256(secret, purpose), so that none of them tells anything of another. Any thread.
 */
#define TENANT_SECRET_SIZE 32
void tenant_secret_derive(const unsigned char secret[TENANT_SECRET_SIZE], const char *purpose,
                          unsigned char out[TENANT_SECRET_SIZE]);

/* Seals text (AES-256-GCM): "s1:" and base64url of nonce, ciphertext and tag. `purpose` is bound in: text sealed for one
 * purpose does not open for another. */
void tenant_secret_seal(const unsigned char secret[TENANT_SECRET_SIZE], const char *purpose, struct slice text,
                        struct buffer *out);
/* ERROR_CORRUPT when it was not sealed with this secret and purpose, or was changed. Appends to `out`. */
enum error_code tenant_secret_open(const unsigned char secret[TENANT_SECRET_SIZE], const char *purpose,
                                   struct slice sealed, struct buffer *out, struct error *error) MUST_CHECK;

/* A token of 256 random bits as 43 characters of base64url, and how the metadata knows it: SHA-256, hexadecimal. */
#define TENANT_TOKEN_SIZE 43
void tenant_token_make(char out[TENANT_TOKEN_SIZE + 1]);
void tenant_token_hash(struct slice token, char out[65]);
/* Compares without telling by its time where two texts differ. */
bool tenant_secret_equal(struct slice a, struct slice b);

/* Argon2id as a PHC string ("$argon2id$v=19$m=..,t=..,p=..$salt$hash"). Costs memory and tens of milliseconds: pool
 * threads only, and a bounded number at once (the functions themselves let TENANT_ARGON2_AT_ONCE through and make others
 * wait; ERROR_UNAVAILABLE after TENANT_ARGON2_WAIT_MS). */
#define TENANT_ARGON2_AT_ONCE 2
#define TENANT_ARGON2_WAIT_MS 5000
#define TENANT_PHC_LIMIT 192
enum tenant_argon2_cost {
    TENANT_ARGON2_PASSWORD, /* 64 MiB, 3 passes: people choose passwords */
    TENANT_ARGON2_KEY,      /* 19 MiB, 2 passes: the secret of a key is 256 random bits already */
};
enum error_code tenant_argon2_hash(enum tenant_argon2_cost cost, struct slice text, char out[TENANT_PHC_LIMIT],
                                   struct error *error) MUST_CHECK;
/* *ret_fits tells whether the text is the one; an empty or unreadable PHC string fits nothing, at the usual cost, so that
 * an unknown user cannot be told from a wrong password by the time it takes. */
enum error_code tenant_argon2_verify(const char *phc, struct slice text, bool *ret_fits, struct error *error) MUST_CHECK;

#endif
