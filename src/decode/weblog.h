/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a web server's access log, in Apache's "common" or "combined" format (nginx's default is the latter). */
#ifndef DECODE_WEBLOG_H
#define DECODE_WEBLOG_H

#include "base/error.h"
#include "base/slice.h"

/*
 * 203.0.113.9 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.html HTTP/1.1" 200 2326 "https://ref.example/" "Mozilla/5.0"
 * Slices point into the line; the escapes the servers write inside quotes (\" \\ \xhh) are left as they stand. "-"
 * (absent) is given as an empty slice.
 */
struct weblog_line {
    struct slice address;    /* of the client, or its name */
    struct slice user;
    int64_t time_ms;         /* Unix milliseconds, UTC */
    struct slice request;    /* the whole request line */
    struct slice method;     /* empty when the request line is not "METHOD target ..." */
    struct slice target;     /* path and query */
    struct slice protocol;
    int status;
    uint64_t bytes;          /* 0 for "-" */
    struct slice referrer;   /* empty in the common format */
    struct slice user_agent; /* empty in the common format */
};

/* ERROR_INVALID names the part that could not be read. More text after the user agent is allowed and ignored. */
enum error_code weblog_parse(struct slice line, struct weblog_line *ret_line, struct error *error) MUST_CHECK;

#endif
