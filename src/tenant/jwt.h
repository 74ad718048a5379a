/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens of users: JSON Web Tokens of one kind only, HS256 with a key of this installation. */
#ifndef TENANT_JWT_H
#define TENANT_JWT_H

#include "base/buffer.h"
#include "base/error.h"
#include "decode/json.h"
#include "tenant/secret.h"

/*
 * Model: the header is one constant text, so there is no algorithm to choose; the signature is compared before anything
 * is decoded, in a time that tells nothing. Roles and permissions are not in a token: they come from the snapshot.
 */
#define TENANT_JWT_LIMIT 2048 /* ours have about 600 bytes */
#define TENANT_JWT_ISSUED_TOLERANCE_MS 30000 /* clocks of servers differ; the end of a token has no tolerance */

struct tenant_jwt_claims {
    char user_id[37];         /* sub */
    char email[255];
    char session_id[37];      /* sid */
    char organization_id[37]; /* org */
    char id[37];              /* jti */
    int64_t issued_s;         /* iat, Unix seconds */
    int64_t expires_s;        /* exp */
};
/* The key of tokens: TENANT_SECRET_SIZE bytes, derived from the installation's secret. */
void tenant_jwt_key(const unsigned char secret[TENANT_SECRET_SIZE], unsigned char key[TENANT_SECRET_SIZE]);
void tenant_jwt_make(const unsigned char key[TENANT_SECRET_SIZE], const struct tenant_jwt_claims *claims,
                     struct buffer *out);
/* ERROR_UNAUTHENTICATED: not a token of ours, changed, expired, or from the future. */
enum error_code tenant_jwt_verify(const unsigned char key[TENANT_SECRET_SIZE], struct slice token, int64_t now_ms,
                                  struct json_parser *parser, struct tenant_jwt_claims *claims,
                                  struct error *error) MUST_CHECK;

#endif
