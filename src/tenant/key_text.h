/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of keys: making new ones, and the digest the metadata keeps of them. */
#ifndef TENANT_KEY_TEXT_H
#define TENANT_KEY_TEXT_H

#include "tenant/tenancy.h"

/* A random UUID (version 4). */
void tenant_key_text_make_write(char out[TENANCY_KEY_SIZE + 1]);
/* "mrs_" and 256 random bits as base64url. */
void tenant_key_text_make_secret(char out[TENANCY_KEY_SIZE + 1]);
/* SHA-256 as lower-case hexadecimal. */
void tenant_key_text_digest(struct slice key, char out[2 * TENANT_DIGEST_SIZE + 1]);

#endif
