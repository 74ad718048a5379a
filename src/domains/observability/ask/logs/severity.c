/* SPDX-License-Identifier: Apache-2.0 */
/* Levels of severity: OpenTelemetry's numbers, four to a level, and the texts of those who send none. */
#include "domains/observability/ask/logs/logs.h"

#include "query/words.h"

const char *const logs_levels[LOGS_LEVEL_COUNT + 1] = {"UNSPECIFIED", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", NULL};
const char logs_level_sql[] =
    "if(severity_number BETWEEN 1 AND 24, toUInt8(intDiv(severity_number + 3, 4)), transform(upper(toString(severity_text)), "
    "['TRACE', 'DEBUG', 'INFO', 'INFORMATION', 'NOTICE', 'WARN', 'WARNING', 'ERR', 'ERROR', 'FATAL', 'CRITICAL', 'CRIT', 'ALERT', 'EMERG'], "
    "[1, 2, 3, 3, 3, 4, 4, 5, 5, 6, 6, 6, 6, 6]::Array(UInt8), toUInt8(0)))";

#define SEVERITIES_PER_LEVEL 4

enum error_code logs_severity_parse(const char *name, struct slice text, bool is_most, int64_t *ret_number, struct error *error)
{
    if (slice_parse_int64(text, ret_number) && *ret_number >= 0 && *ret_number <= UINT8_MAX) return ERROR_NONE;
    for (int i = 1; i < LOGS_LEVEL_COUNT; i++)
        if (slice_equal_ignore_case(text, slice_from_string(logs_levels[i]))) {
            *ret_number = (i - 1) * SEVERITIES_PER_LEVEL + (is_most ? SEVERITIES_PER_LEVEL : 1);
            return ERROR_NONE;
        }
    return error_set_field(error, ERROR_INVALID, name, "%s=%s must be a number from 0 to %d or one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL", name,
                           query_words_show(text).text, UINT8_MAX);
}
