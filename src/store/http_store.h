/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP driver's parts: the store itself, the request's URL, the reading of what the server says went wrong. */
#ifndef STORE_HTTP_STORE_H
#define STORE_HTTP_STORE_H

#include "store/store.h"

enum error_code http_store_create(const struct store_settings *settings, struct store **ret_store, struct error *error);

/* http_url.c: the URL says everything but the SQL (or the rows), which is the body. */

/* ClickHouse refuses longer URLs (http_max_uri_size, 1 MiB). Long lists belong into the SQL's own text or a table. */
#define HTTP_URL_LIMIT (1u << 20)

struct http_url {
    const char *base;        /* ends in "/?" */
    const char *unique;      /* tells this call from all others in the server's lists */
    bool compresses_answers; /* the server may */
    bool is_clustered;       /* inserts go through Distributed tables */
};
/* ERROR_INVALID for a tenant that could be read as another one, ERROR_TOO_LARGE over the limit. */
enum error_code http_url_write_query(const struct store_query *query, const struct http_url *url, struct buffer *out,
                                     struct error *error) MUST_CHECK;
enum error_code http_url_write_insert(const struct store_insert *insert, const struct http_url *url, struct buffer *out,
                                      struct error *error) MUST_CHECK;

/* http_compress.c: appends the body as the server is told it comes; leaves small ones alone. */
enum error_code http_compress(enum store_compression compression, struct slice body, struct buffer *out,
                              bool *ret_is_compressed, struct error *error) MUST_CHECK;

/* http_exception.c */

/* Fills `error` from the text of an answer with a bad status, or with an exception header. `exception_code` is the
 * header's value, 0 when there was none. Never returns ERROR_NONE. */
enum error_code http_exception_read(int http_status, int exception_code, struct slice body, struct error *error);
/*
 * Looks for an exception that came after the status 200 was sent. `tail` is the end of the answer; `tag` is the
 * X-ClickHouse-Exception-Tag header ("" when there was none): newer servers frame the exception with it, which nobody's
 * data can imitate. Without a tag the answer must end in text shaped like an exception. False when there is none.
 */
bool http_exception_find(struct slice tail, struct slice tag, struct slice *ret_text);
#define HTTP_EXCEPTION_TAIL_SIZE 32768u

#endif
