/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own telemetry: its metrics, log lines and a share of its requests, sent as OTLP to itself or elsewhere. */
#ifndef SERVER_TELEMETRY_H
#define SERVER_TELEMETRY_H

#include "api/api.h"
#include "listen/tls.h"
#include "server/settings.h"

/*
 * Model: whoever has something to tell puts it into a bounded queue without waiting; what finds it full is counted and
 * dropped. One thread takes from there and sends through the route that everybody else uses, with a key like everybody's. Its
 * own requests carry a secret of this run and make no spans, and what its thread logs is not sent: nothing feeds itself.
 */
struct telemetry;
/* *ret_telemetry is NULL when the settings ask for none: the functions below take that. Before the api is made. */
enum error_code telemetry_create(const struct settings *settings, struct metric_registry *metrics, const char *version,
                                 struct telemetry **ret_telemetry, struct error *error) MUST_CHECK;
/* For api_settings. */
struct api_watch telemetry_watch(struct telemetry *telemetry);
/* Begins to send, to `url` unless telemetry.endpoint is set. `pin` gives that of the certificate now, or false (server_pin). */
enum error_code telemetry_start(struct telemetry *telemetry, const char *url, bool (*pin)(const void *context, char pin[LISTEN_TLS_PIN_SIZE]),
                                const void *pin_context, struct error *error) MUST_CHECK;
/* Sends what is left, once, while requests are still answered. Nothing is taken any more. */
void telemetry_stop(struct telemetry *telemetry);
/* After the last request and the last log line of another thread. */
void telemetry_destroy(struct telemetry *telemetry);

#endif
