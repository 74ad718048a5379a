/* SPDX-License-Identifier: Apache-2.0 */
/* The running server: what `millrace serve` and `millrace demo serve` start and stop. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "listen/tls.h"
#include "server/settings.h"

/*
 * Model: `struct server` is made on the main thread, in this order: data folder and lock, metadata, engine, event store
 * migrations, spool, duplicate window, event loops and listeners, loader. It stops in the reverse order: no new requests,
 * what is decoded is synced and answered, the loader gives back its segment, the engine is closed.
 */
struct server;
/* Logs nothing on standard output. `settings` must outlive the server. */
enum error_code server_start(const struct settings *settings, struct server **ret_server, struct error *error);
/* "http://HOST:PORT", or https with a certificate, with the port in use. */
const char *server_url(const struct server *server);
/* That of a further address, "otlp.grpc" or "otlp.http"; NULL when it is off. */
const char *server_url_of(const struct server *server, const char *name);
/* With a certificate: its pin, for a client of this process (http_client_own). False without one. */
bool server_pin(const struct server *server, char pin[LISTEN_TLS_PIN_SIZE]);
/* What is printed once it takes requests: a line "ready URL", then "otlp.grpc URL" and "otlp.http URL" where those are open. */
void server_describe(const struct server *server, struct buffer *out);
/* Returns after SIGTERM or SIGINT (which server_start has blocked in all threads), or server_stop_request. */
void server_wait(struct server *server);
void server_stop_request(struct server *server);
/* Stops everything and frees; everything acknowledged is kept. */
void server_stop(struct server *server);

#endif
