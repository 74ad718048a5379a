/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate and the rules of TLS that listeners use; read again when its files change. */
#ifndef LISTEN_TLS_H
#define LISTEN_TLS_H

#include "base/error.h"
#include "base/slice.h"

/*
 * Model: one object for all listeners of a process. It holds an OpenSSL context that is replaced as a whole: connections
 * that exist keep the one they began with. TLS 1.2 with forward secrecy and TLS 1.3; no renegotiation, no compression, no
 * early data; sessions are resumed by tickets, so that nothing is remembered here. Any thread may call these functions.
 */
struct listen_tls;

struct listen_tls_settings {
    const char *certificate_file; /* PEM: ours first, then what leads to the root */
    const char *key_file;         /* PEM, without a passphrase */
    const char *const *protocols; /* for ALPN, the best first, NULL at the end; NULL: none are chosen */
    int64_t handshake_timeout_ms; /* from the connection to the end of the handshake; 0: 10 s */
};

/* The texts are copied. Errors name the file: ERROR_NOT_FOUND or another for one that cannot be read, ERROR_INVALID for
 * one that holds no certificate or key, and for a key of another certificate. */
enum error_code listen_tls_create(const struct listen_tls_settings *settings, struct listen_tls **ret_tls,
                                  struct error *error) MUST_CHECK;
/* After the last listener that uses it; NULL is allowed. */
void listen_tls_destroy(struct listen_tls *tls);
/* Reads the files again when they changed since they were looked at, or when tickets should get new keys. What cannot be
 * used is said once and the old certificate stays. *ret_changed: another one is in use. */
enum error_code listen_tls_refresh(struct listen_tls *tls, bool *ret_changed, struct error *error) MUST_CHECK;
/* When the certificate ends, in ms since 1970. */
int64_t listen_tls_expires_ms(struct listen_tls *tls);

enum { LISTEN_TLS_PIN_SIZE = 64 };
/* "sha256//.." of the certificate's key, as libcurl takes it: for those of this process who ask their own server. */
void listen_tls_pin(struct listen_tls *tls, char pin[LISTEN_TLS_PIN_SIZE]);

#endif
