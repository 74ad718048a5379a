/* SPDX-License-Identifier: Apache-2.0 */
/* Identity tokens of single sign-on: reads a provider's public keys (JWKS) and checks a token by them. */
#ifndef CONTROL_OIDC_TOKEN_H
#define CONTROL_OIDC_TOKEN_H

#include "base/arena.h"
#include "base/error.h"
#include "decode/json.h"

/*
 * Model: oidc_keys are the signing keys of a provider that we understand (RSA for RS256, P-256 for ES256); others are
 * skipped. oidc_token_check believes nothing before the signature fits a key that the token's header names, and takes the
 * algorithm from a list of two: "none" and HMAC do not exist here, so a public key can never be used as a shared secret.
 */
#define OIDC_TOKEN_LIMIT (16 * 1024) /* bytes of a token: groups and pictures make some long */
#define OIDC_KEYS_LIMIT 32           /* keys of a provider that are looked at: two or three are usual */
#define OIDC_CLOCK_SKEW_MS 60000     /* clocks of two companies */
#define OIDC_TOKEN_AGE_MS 600000     /* since it was issued: it comes straight from the provider */

struct oidc_keys;
/* `text` needs JSON_PADDING readable bytes behind it and is not kept. ERROR_INVALID when it is no key set. */
enum error_code oidc_keys_read(struct slice text, struct oidc_keys **ret_keys, struct error *error) MUST_CHECK;
void oidc_keys_destroy(struct oidc_keys *keys); /* accepts NULL */
size_t oidc_keys_count(const struct oidc_keys *keys);

struct oidc_token_rules {
    struct slice issuer;   /* iss must be this, byte for byte */
    struct slice audience; /* our client id */
    struct slice nonce;
    int64_t now_ms;
};
/* Text lives in the arena. */
struct oidc_claims {
    struct slice subject;
    struct slice email;    /* as it came; empty when there is none */
    bool email_verified;
    struct slice first_name, last_name; /* cleaned of control characters, at most 128 bytes; may be empty */
};
/*
 * ERROR_INVALID for what is no token at all, ERROR_UNAUTHENTICATED for one that must not be believed. error->field says
 * why, in a word that tests and audit events use: "form", "alg", "kid", "signature", "iss", "aud", "azp", "exp", "iat",
 * "nbf", "nonce", "sub", "crit", "typ". "kid": no key of that name; the provider may have changed its keys.
 */
enum error_code oidc_token_check(struct arena *arena, struct slice token, const struct oidc_keys *keys,
                                 const struct oidc_token_rules *rules, struct oidc_claims *ret_claims,
                                 struct error *error) MUST_CHECK;

#endif
