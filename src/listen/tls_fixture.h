/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys for tests. */
#ifndef LISTEN_TLS_FIXTURE_H
#define LISTEN_TLS_FIXTURE_H

#include <openssl/evp.h>
#include <time.h>

/* Makes a key (P-256), writes it as PEM and returns it, to be freed; `passphrase` may be NULL. */
EVP_PKEY *listen_tls_fixture_key(const char *path, const char *passphrase);
/* Writes a certificate for the key, signed by itself, that is good for the year before `end` (seconds since 1970). */
void listen_tls_fixture_certificate(const char *path, EVP_PKEY *key, const char *name, time_t end);

#endif
