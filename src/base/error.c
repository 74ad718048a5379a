/* SPDX-License-Identifier: Apache-2.0 */
/* The table of error codes and the formatting of error values. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int http_status;
    int grpc_status;
    bool retryable;
} error_table[ERROR_CODE_COUNT] = {
    [ERROR_NONE] = {"ok", 200, 0, false},
    [ERROR_INVALID] = {"invalid", 400, 3, false},
    [ERROR_UNAUTHENTICATED] = {"unauthenticated", 401, 16, false},
    [ERROR_FORBIDDEN] = {"forbidden", 403, 7, false},
    [ERROR_NOT_FOUND] = {"not_found", 404, 5, false},
    [ERROR_METHOD_NOT_ALLOWED] = {"method_not_allowed", 405, 12, false},
    [ERROR_CONFLICT] = {"conflict", 409, 6, false},
    [ERROR_TOO_LARGE] = {"too_large", 413, 8, false},
    [ERROR_UNSUPPORTED_MEDIA] = {"unsupported_media", 415, 3, false},
    [ERROR_RATE_LIMITED] = {"rate_limited", 429, 14, true}, /* 8 is not sent again without RetryInfo */
    [ERROR_UNAVAILABLE] = {"unavailable", 503, 14, true},
    [ERROR_TIMEOUT] = {"timeout", 504, 4, true},
    [ERROR_CANCELLED] = {"cancelled", 499, 1, false},
    [ERROR_IO] = {"io", 500, 13, false},
    [ERROR_CORRUPT] = {"corrupt", 500, 15, false},
    [ERROR_MEMORY] = {"memory", 503, 14, true},
    [ERROR_STORE] = {"store", 500, 13, false},
    [ERROR_INTERNAL] = {"internal", 500, 13, false},
    [ERROR_GONE] = {"gone", 410, 5, false},
};

static void error_format(struct error *error, enum error_code code, const char *field, const char *format, va_list arguments)
{
    if (!error) return;
    error->code = code;
    error->retry_after_s = error->detail = 0;
    snprintf(error->field, sizeof error->field, "%s", field);
    vsnprintf(error->message, sizeof error->message, format, arguments);
}

enum error_code error_set(struct error *error, enum error_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_format(error, code, "", format, arguments);
    va_end(arguments);
    return code;
}

enum error_code error_set_field(struct error *error, enum error_code code, const char *field, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_format(error, code, field, format, arguments);
    va_end(arguments);
    return code;
}

enum error_code error_set_errno(struct error *error, int saved_errno, const char *format, ...)
{
    enum error_code code = saved_errno == ENOSPC || saved_errno == EDQUOT ? ERROR_UNAVAILABLE : ERROR_IO;
    if (!error) return code;
    va_list arguments;
    va_start(arguments, format);
    error_format(error, code, "", format, arguments);
    va_end(arguments);
    error->detail = saved_errno;
    size_t used = strlen(error->message);
    char reason[128];
    snprintf(error->message + used, sizeof error->message - used, ": %s", strerror_r(saved_errno, reason, sizeof reason));
    return code;
}

const char *error_code_name(enum error_code code) { return error_table[code].name; }
int error_code_http_status(enum error_code code) { return error_table[code].http_status; }
int error_code_grpc_status(enum error_code code) { return error_table[code].grpc_status; }
bool error_code_is_retryable(enum error_code code) { return error_table[code].retryable; }

_Noreturn void error_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "assertion failed: %s at %s:%d\n", condition, file, line);
    abort();
}
