/* SPDX-License-Identifier: Apache-2.0 */
/* The installation's 32 secret bytes: where they are kept, and how several servers come to share them. */
#ifndef SERVER_INSTALLATION_SECRET_H
#define SERVER_INSTALLATION_SECRET_H

#include "meta/meta.h"
#include "server/settings.h"
#include "tenant/secret.h"

/*
 * Reads the secret, making it at the first start:
 *   security.secret_file is set        that file: 32 bytes, or 64 hexadecimal digits; it is never made here
 *   metadata on PostgreSQL             the row "secret" of the table installation, so that all servers have the same; the
 *                                      first server to come writes its DATA/secret there when it has one
 *   otherwise                          DATA/secret, readable by its owner alone
 * `core` is the opened service of that name. For servers and commands, at the same time too. A secret that cannot be
 * used is an error and left as it is: what was sealed with it could not be opened with a new one.
 */
enum error_code installation_secret_load(const struct settings *settings, struct meta_database *core,
                                         unsigned char secret[TENANT_SECRET_SIZE], struct error *error) MUST_CHECK;

#endif
