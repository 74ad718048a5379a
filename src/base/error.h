/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as values: one code, one message a person can act on, one table that maps the code to HTTP and gRPC. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Model: a function that can fail returns `enum error_code` (0 is success) and, when its caller passed one, fills a
 * `struct error`. The code decides what a client sees (status, retry or not); the message says what was wrong, where,
 * and what to do. Low folders return errors; only ingest/, api/, engine/ and server/ log them, once.
 */
enum error_code {
    ERROR_NONE = 0,
    ERROR_INVALID,           /* the request is malformed or a value is out of bounds */
    ERROR_UNAUTHENTICATED,   /* no key, or a key nobody issued, or a revoked one */
    ERROR_FORBIDDEN,         /* a known key that may not do this */
    ERROR_NOT_FOUND,
    ERROR_METHOD_NOT_ALLOWED,
    ERROR_CONFLICT,          /* unique or state conflict */
    ERROR_TOO_LARGE,         /* over a documented limit */
    ERROR_UNSUPPORTED_MEDIA, /* content type or content encoding not understood */
    ERROR_RATE_LIMITED,      /* this client must slow down: retry later */
    ERROR_UNAVAILABLE,       /* the server cannot do it now: retry later */
    ERROR_TIMEOUT,           /* a deadline passed */
    ERROR_CANCELLED,         /* the client went away */
    ERROR_IO,                /* disk or network failed */
    ERROR_CORRUPT,           /* stored bytes are not what was written */
    ERROR_MEMORY,            /* an allocation or an arena limit failed */
    ERROR_STORE,             /* the event store refused the statement; the message carries its text */
    ERROR_INTERNAL,          /* a bug of ours */
    ERROR_GONE,              /* it was there, and its time is over */
    ERROR_CODE_COUNT
};

#define MUST_CHECK __attribute__((warn_unused_result))

struct error {
    enum error_code code;
    int retry_after_s;  /* when the same request may be sent again; 0: soon, if its code allows that at all */
    int detail;         /* the other side's own number (errno, ClickHouse exception code), 0 when there is none */
    char field[80];     /* name of the offending field or setting, "" when there is none */
    char message[512];  /* one line, UTF-8, no trailing newline */
};

/* Fills `error` (which may be NULL) with a formatted message and returns `code`, so that one can `return error_set(..)`. */
enum error_code error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, and names the field at fault. */
enum error_code error_set_field(struct error *error, enum error_code code, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* As error_set with strerror(saved_errno) appended; ENOSPC and EDQUOT become ERROR_UNAVAILABLE, all else ERROR_IO. */
enum error_code error_set_errno(struct error *error, int saved_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The stable lower-case name of a code, as it appears in JSON bodies ("invalid", "rate_limited", ...). */
const char *error_code_name(enum error_code code);
int error_code_http_status(enum error_code code);
int error_code_grpc_status(enum error_code code);
/* Whether the same request may succeed later without being changed. */
bool error_code_is_retryable(enum error_code code);

/* Programmer errors stop the program, in release builds too. Never use it on what a client, a disk or a database says. */
#define ASSERT(condition)                                                                                              \
    do {                                                                                                               \
        if (__builtin_expect(!(condition), 0)) error_assert_failed(#condition, __FILE__, __LINE__);                    \
    } while (0)
_Noreturn void error_assert_failed(const char *condition, const char *file, int line);

#endif
