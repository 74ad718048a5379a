/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of single sign-on share. */
#ifndef CONTROL_OIDC_PRIVATE_H
#define CONTROL_OIDC_PRIVATE_H

#include <openssl/evp.h>

#include "control/control.h"
#include "control/oidc_token.h"

enum oidc_algorithm { OIDC_RS256, OIDC_ES256, OIDC_ALGORITHM_COUNT };
struct oidc_key {
    enum oidc_algorithm algorithm;
    char id[128]; /* "kid"; may be empty */
    size_t id_size;
    EVP_PKEY *key;
};
struct oidc_keys {
    size_t count;
    struct oidc_key keys[OIDC_KEYS_LIMIT];
};

#endif
