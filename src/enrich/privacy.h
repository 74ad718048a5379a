/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what identifies a person into what only tells persons apart. */
#ifndef ENRICH_PRIVACY_H
#define ENRICH_PRIVACY_H

#include "base/slice.h"

/*
 * Salts are derived (HMAC-SHA256) from the installation's secret and a purpose, the daily ones also from the UTC day:
 * they need not be stored, survive restarts, are the same on every node that shares the secret, and differ between
 * purposes.
 */
#define PRIVACY_SECRET_SIZE 32
#define PRIVACY_SALT_SIZE 64         /* hexadecimal digits */
#define PRIVACY_ADDRESS_HASH_SIZE 12
#define PRIVACY_ID_HASH_SIZE 64

struct privacy_salt { char text[PRIVACY_SALT_SIZE]; };
struct privacy_salt privacy_salt_make(const unsigned char *secret, const char *purpose);
struct privacy_salt privacy_salt_of_day(const unsigned char *secret, const char *purpose, int64_t unix_ms);
struct slice privacy_salt_slice(const struct privacy_salt *salt);
/* The first 12 hexadecimal digits of SHA-256(address, salt): enough to tell addresses of one tenant apart. */
void privacy_hash_address(struct slice address, const struct privacy_salt *salt, char out[PRIVACY_ADDRESS_HASH_SIZE]);
/* The 64 hexadecimal digits of SHA-256(id, salt). */
void privacy_hash_id(struct slice id, const struct privacy_salt *salt, char out[PRIVACY_ID_HASH_SIZE]);
void privacy_hex(const unsigned char *bytes, size_t size, char *out);

#endif
