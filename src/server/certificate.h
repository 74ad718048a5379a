/* SPDX-License-Identifier: Apache-2.0 */
/* The server's certificate: read at the start, and again when its files change. */
#ifndef SERVER_CERTIFICATE_H
#define SERVER_CERTIFICATE_H

#include "base/metric.h"
#include "listen/tls.h"
#include "server/settings.h"

/*
 * Model: with tls.certificate_file set, every TCP address of the server speaks TLS and nothing else. A thread looks at the
 * files every two seconds, which costs two system calls: a renewed certificate needs no restart and no signal.
 */
struct server_certificate;
/* *ret_certificate is NULL when the settings name none. Errors name the setting or the file. */
enum error_code server_certificate_start(const struct settings *settings, struct metric_registry *metrics,
                                         struct server_certificate **ret_certificate, struct error *error) MUST_CHECK;
/* NULL for NULL: plain. */
struct listen_tls *server_certificate_tls(struct server_certificate *certificate);
/* After the listeners; NULL is allowed. */
void server_certificate_stop(struct server_certificate *certificate);

#endif
