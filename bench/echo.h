/* SPDX-License-Identifier: Apache-2.0 */
/* The least an HTTP server can do: reads a POST, answers 200. What a real server is measured against. */
#ifndef BENCH_ECHO_H
#define BENCH_ECHO_H

#include "base/error.h"

/* Listens on 127.0.0.1, prints `ready http://127.0.0.1:PORT` and serves until the process ends; returns only on failure.
 * Port 0 picks a free one. Each thread has its own epoll and its own listening socket, as the server's loops have. */
enum error_code echo_serve(unsigned port, unsigned threads, struct error *error) MUST_CHECK;

#endif
