/* SPDX-License-Identifier: Apache-2.0 */
/* The table from ClickHouse's error numbers to HTTP statuses, and the text form of our own errors. */
#include "engine/exception.h"

#include <stdarg.h>

/* Numbers without an entry are 500. */
static const struct {
    int number;
    int status;
} statuses[] = {
    {6, 400},   /* CANNOT_PARSE_TEXT */
    {25, 400},  /* CANNOT_PARSE_ESCAPE_SEQUENCE */
    {26, 400},  /* CANNOT_PARSE_QUOTED_STRING */
    {27, 400},  /* CANNOT_PARSE_INPUT_ASSERTION_FAILED */
    {36, 400},  /* BAD_ARGUMENTS */
    {38, 400},  /* CANNOT_PARSE_DATE */
    {41, 400},  /* CANNOT_PARSE_DATETIME */
    {42, 400},  /* NUMBER_OF_ARGUMENTS_DOESNT_MATCH */
    {43, 400},  /* ILLEGAL_TYPE_OF_ARGUMENT */
    {46, 404},  /* UNKNOWN_FUNCTION */
    {47, 404},  /* UNKNOWN_IDENTIFIER */
    {48, 501},  /* NOT_IMPLEMENTED */
    {50, 404},  /* UNKNOWN_TYPE */
    {53, 400},  /* TYPE_MISMATCH */
    {56, 404},  /* UNKNOWN_STORAGE */
    {60, 404},  /* UNKNOWN_TABLE */
    {62, 400},  /* SYNTAX_ERROR */
    {63, 404},  /* UNKNOWN_AGGREGATE_FUNCTION */
    {72, 400},  /* CANNOT_PARSE_NUMBER */
    {73, 404},  /* UNKNOWN_FORMAT */
    {81, 404},  /* UNKNOWN_DATABASE */
    {115, 404}, /* UNKNOWN_SETTING */
    {117, 400}, /* INCORRECT_DATA */
    {159, 408}, /* TIMEOUT_EXCEEDED */
    {164, 403}, /* READONLY */
    {202, 503}, /* TOO_MANY_SIMULTANEOUS_QUERIES */
    {223, 413}, /* QUERY_IS_TOO_LARGE */
    {236, 503}, /* ABORTED */
    {252, 503}, /* TOO_MANY_PARTS */
    {321, 400}, /* VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE */
    {376, 400}, /* CANNOT_PARSE_UUID */
    {386, 400}, /* NO_COMMON_TYPE */
    {439, 503}, /* CANNOT_SCHEDULE_TASK */
    {456, 400}, /* UNKNOWN_QUERY_PARAMETER */
    {457, 400}, /* BAD_QUERY_PARAMETER */
    {467, 400}, /* CANNOT_PARSE_BOOL */
    {497, 403}, /* ACCESS_DENIED */
};

static const struct {
    int number;
    const char *name;
} names[] = {
    {ENGINE_EXCEPTION_NOT_IMPLEMENTED, "NOT_IMPLEMENTED"},
    {ENGINE_EXCEPTION_SYNTAX_ERROR, "SYNTAX_ERROR"},
    {ENGINE_EXCEPTION_UNKNOWN_FORMAT, "UNKNOWN_FORMAT"},
    {ENGINE_EXCEPTION_UNKNOWN_SETTING, "UNKNOWN_SETTING"},
    {ENGINE_EXCEPTION_TIMEOUT_EXCEEDED, "TIMEOUT_EXCEEDED"},
    {ENGINE_EXCEPTION_TOO_MANY_QUERIES, "TOO_MANY_SIMULTANEOUS_QUERIES"},
    {ENGINE_EXCEPTION_ABORTED, "ABORTED"},
    {ENGINE_EXCEPTION_MEMORY_LIMIT, "MEMORY_LIMIT_EXCEEDED"},
    {ENGINE_EXCEPTION_QUERY_WAS_CANCELLED, "QUERY_WAS_CANCELLED"},
};

enum error_code engine_exception_set(struct error *error, enum error_code code, enum engine_exception number,
                                     const char *format, ...)
{
    char message[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    error_set(error, code, "%s", message);
    if (error) error->detail = number;
    return code;
}

void engine_exception_append(struct buffer *out, const struct error *error)
{
    if (strncmp(error->message, "Code: ", 6) == 0) { /* the engine's own text */
        buffer_printf(out, "%s\n", error->message);
        return;
    }
    int number = error->detail;
    const char *name = "UNKNOWN_EXCEPTION";
    if (number == 0) {
        number = error->code == ERROR_MEMORY ? ENGINE_EXCEPTION_MEMORY_LIMIT
                 : error->code == ERROR_INVALID ? ENGINE_EXCEPTION_SYNTAX_ERROR : ENGINE_EXCEPTION_UNKNOWN;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].number == number) name = names[i].name;
    buffer_printf(out, "Code: %d. DB::Exception: %s. (%s)\n", number, error->message, name);
}

int engine_exception_http_status(int number)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i].number == number) return statuses[i].status;
    return 500;
}
