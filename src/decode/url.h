/* SPDX-License-Identifier: Apache-2.0 */
/* Takes URLs apart (RFC 3986, with the leniency that browsers show) and undoes percent-encoding. */
#ifndef DECODE_URL_H
#define DECODE_URL_H

#include "base/arena.h"

/* All parts are slices of the text as it was given, nothing is decoded or changed in case. Absent parts are empty. */
struct url {
    struct slice scheme;   /* "https", without "://" */
    struct slice origin;   /* "https://shop.example:8443": scheme, host and port; empty for a relative URL */
    struct slice host;     /* without port and without the brackets of an IPv6 address */
    struct slice port;     /* digits */
    struct slice path;     /* from the first '/'; may be empty */
    struct slice query;    /* without '?' */
    struct slice fragment; /* without '#' */
    bool absolute;         /* it had a scheme and a host */
};

/*
 * Accepts absolute URLs with a host ("https://a.example/b?c#d"), network-path references ("//a.example/b", scheme
 * empty) and everything relative ("/b?c", "b", "?c"). User name and password are skipped. False for an absolute URL
 * without host, with a bad port, or with white space or control characters inside.
 */
bool url_parse(struct slice text, struct url *url);

/* Percent-decoded copy in the arena; with `plus_is_space` as in query strings. A bad escape is kept as it is. */
struct slice url_decode(struct arena *arena, struct slice text, bool plus_is_space);

/* Walks the pairs of a query string: start with rest = query. Gives raw text; empty pairs ("&&") are skipped. */
bool url_query_next(struct slice *rest, struct slice *name, struct slice *value);

#endif
