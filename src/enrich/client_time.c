/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts, clamps or refuses the times that clients send. */
#include "enrich/client_time.h"

#include "base/time.h"

const char *client_time_refusal(int64_t time_ms, int64_t now_ms)
{
    if (time_ms < CLIENT_TIME_EARLIEST_MS) return "before 2000-01-01 (Unix times are in milliseconds)";
    if (time_ms > now_ms + CLIENT_TIME_FUTURE_LIMIT_MS) return "from the future, by more than an hour";
    return NULL;
}

int64_t client_time_clamp(int64_t time_ms, int64_t now_ms)
{
    return time_ms > now_ms + CLIENT_TIME_SKEW_LIMIT_MS ? now_ms : time_ms;
}

bool client_time_is_past(int64_t time_ms, int64_t now_ms) { return time_ms < now_ms - CLIENT_TIME_PAST_MS; }

bool client_time_parse(struct slice text, int64_t *time_ms)
{
    text = slice_trim(text);
    /* Ten digits or fewer could be a year; Unix milliseconds since 2000 have twelve or more. */
    if (text.size >= 12 && text.size <= 15 && slice_parse_int64(text, time_ms)) return true;
    return time_parse_iso8601(text, time_ms);
}
