/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a small OpenID provider on loopback that answers what the test wants. */
#ifndef CONTROL_OIDC_FIXTURE_H
#define CONTROL_OIDC_FIXTURE_H

#include <openssl/evp.h>
#include <stdint.h>

#include "os/thread.h"

struct idp {
    int listen_fd;
    uint16_t port;
    char issuer[64];
    char discovery[2048], keys[2048], token[8192]; /* bodies; changed only between requests */
    int token_status;
    unsigned discoveries, key_fetches, exchanges;
    char heard[8192];                              /* the last token request, header and body */
    EVP_PKEY *key;
    struct os_thread thread;
};

void idp_start(struct idp *idp);
void idp_stop(struct idp *idp);
/* A fresh key pair under that name, published. */
void idp_change_key(struct idp *idp, const char *kid);
/* What the token endpoint answers from now on. */
void idp_issue(struct idp *idp, const char *kid, const char *claims);

#endif
