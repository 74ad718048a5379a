/* SPDX-License-Identifier: Apache-2.0 */
/* The hosts of a store: which one is asked next, and which are left alone for a while. */
#ifndef STORE_HTTP_HOSTS_H
#define STORE_HTTP_HOSTS_H

#include <stdatomic.h>

#include "base/error.h"

/* More nodes than one server needs to know; every call may try each of them once. */
#define HTTP_HOST_LIMIT 16
/* How long a host that did not answer is left alone. Then one caller tries it while the others go on elsewhere. */
#define HTTP_HOST_BAD_MS 5000

struct http_host {
    char *base;                   /* "http://host:port/?" */
    atomic_int_least64_t bad_until_ms; /* monotonic; 0: good */
};
struct http_hosts {
    size_t count;
    atomic_size_t next_home;
    struct http_host hosts[HTTP_HOST_LIMIT];
};
/* `urls` are separated by commas. ERROR_INVALID says what is wrong with one. Free with http_hosts_fini also after an
 * error. */
enum error_code http_hosts_init(struct http_hosts *hosts, const char *urls, struct error *error);
void http_hosts_fini(struct http_hosts *hosts);
/* Where the next session begins: round about. */
size_t http_hosts_home(struct http_hosts *hosts);
/*
 * The host to ask: the first from `home` on that is not bad, else any; `tried` has a bit for each host that is not to
 * be asked again. HTTP_HOST_LIMIT when none is left. Any thread.
 */
size_t http_hosts_pick(struct http_hosts *hosts, size_t home, unsigned tried, int64_t now_ms);
void http_hosts_mark(struct http_hosts *hosts, size_t index, bool is_good, int64_t now_ms);

#endif
