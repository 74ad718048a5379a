/* SPDX-License-Identifier: Apache-2.0 */
/* ClickHouse's exceptions on the wire: number, name and HTTP status. */
#ifndef ENGINE_EXCEPTION_H
#define ENGINE_EXCEPTION_H

#include "base/buffer.h"
#include "base/error.h"

/* The ones this program gives itself. */
enum engine_exception {
    ENGINE_EXCEPTION_NOT_IMPLEMENTED = 48,
    ENGINE_EXCEPTION_SYNTAX_ERROR = 62,
    ENGINE_EXCEPTION_UNKNOWN_FORMAT = 73,
    ENGINE_EXCEPTION_UNKNOWN_SETTING = 115,
    ENGINE_EXCEPTION_TIMEOUT_EXCEEDED = 159,
    ENGINE_EXCEPTION_TOO_MANY_QUERIES = 202,
    ENGINE_EXCEPTION_ABORTED = 236,
    ENGINE_EXCEPTION_MEMORY_LIMIT = 241,
    ENGINE_EXCEPTION_QUERY_WAS_CANCELLED = 394,
    ENGINE_EXCEPTION_UNKNOWN = 1002
};

/* As error_set, with ClickHouse's number in `detail`. */
enum error_code engine_exception_set(struct error *error, enum error_code code, enum engine_exception number,
                                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Appends "Code: 62. DB::Exception: <message>. (SYNTAX_ERROR)\n" for an error of ours. */
void engine_exception_append(struct buffer *out, const struct error *error);

/* The status ClickHouse gives for that number. */
int engine_exception_http_status(int number);

#endif
