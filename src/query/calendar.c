/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar arithmetic in local seconds; instants come out only at the end, through the zone. */
#include "query/calendar.h"

#include "base/time.h"

#define DAY 86400

static int64_t floor_to(int64_t value, int64_t unit)
{
    int64_t rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

static int64_t ceiling_divide(int64_t value, int64_t by)
{
    return value / by + (value % by > 0);
}

/* The bucket of an instant; milliseconds are floored, not cut, so that times before 1970 are right too. */
static int64_t local_of_ms(const struct query_zone *zone, int64_t unix_ms)
{
    return query_zone_local(zone, floor_to(unix_ms, 1000) / 1000);
}

int64_t query_calendar_midnight(int64_t local_seconds)
{
    return floor_to(local_seconds, DAY);
}

int64_t query_calendar_add_days(int64_t local_seconds, int64_t days)
{
    return local_seconds + days * DAY;
}

int64_t query_calendar_add_months(int64_t local_seconds, int64_t months)
{
    int year, month, day;
    int64_t midnight = floor_to(local_seconds, DAY);
    time_civil_from_days(midnight / DAY, &year, &month, &day);
    int64_t index = (int64_t)year * 12 + month - 1 + months;
    int64_t first = time_days_from_civil((int)(index / 12), (int)(index % 12) + 1, 1);
    int64_t next = time_days_from_civil((int)((index + 1) / 12), (int)((index + 1) % 12) + 1, 1);
    int64_t target = first + day - 1;
    if (target >= next) target = next - 1;
    return target * DAY + (local_seconds - midnight);
}

int64_t query_calendar_floor(enum query_interval interval, int64_t local_seconds)
{
    int64_t midnight = floor_to(local_seconds, DAY);
    int year, month, day;
    switch (interval) {
    case QUERY_MINUTE: return floor_to(local_seconds, 60);
    case QUERY_HOUR: return floor_to(local_seconds, 3600);
    case QUERY_WEEK: return floor_to(midnight - 4 * DAY, 7 * DAY) + 4 * DAY; /* 1970-01-05 was a Monday */
    case QUERY_MONTH:
        time_civil_from_days(midnight / DAY, &year, &month, &day);
        return time_days_from_civil(year, month, 1) * DAY;
    default: return midnight;
    }
}

/* Moves by calendar units of a day, week or month. */
static int64_t add_units(enum query_interval interval, int64_t local_seconds, int64_t count)
{
    if (interval == QUERY_MONTH) return query_calendar_add_months(local_seconds, count);
    return query_calendar_add_days(local_seconds, count * (interval == QUERY_WEEK ? 7 : 1));
}

/* Minutes and hours pass by the clock on the wall only until the offset changes: then they start anew. */
static int64_t next_short_bucket(const struct query_zone *zone, enum query_interval interval, int64_t start)
{
    int64_t next = start + (interval == QUERY_HOUR ? 3600 : 60);
    int64_t local = query_zone_local(zone, next);
    int64_t aligned = next - (local - query_calendar_floor(interval, local));
    return aligned > start ? aligned : next;
}

enum error_code query_calendar_make_buckets(const struct query_zone *zone, enum query_interval interval,
                                            struct query_range *range, struct arena *arena, struct error *error)
{
    static const int64_t shortest_ms[QUERY_INTERVAL_COUNT] = {60000, 3600000, 82800000, 7 * DAY * 1000LL - 3600000,
                                                              28 * DAY * 1000LL - 3600000};
    /* Two at the edges; twice as many because a zone's changes may cut short buckets into shorter ones. */
    int64_t estimate = (range->to_ms - range->from_ms) / shortest_ms[interval] * 2 + 8;
    int64_t capacity = estimate < QUERY_BUCKET_LIMIT ? estimate : QUERY_BUCKET_LIMIT;
    int64_t *buckets = arena_allocate(arena, (size_t)capacity * sizeof *buckets);
    if (!buckets) return error_set(error, ERROR_MEMORY, "no memory for %lld buckets", (long long)capacity);

    bool is_short = interval == QUERY_MINUTE || interval == QUERY_HOUR;
    int64_t from_local = local_of_ms(zone, range->from_ms);
    int64_t local = query_calendar_floor(interval, from_local);
    int64_t start =
        is_short ? floor_to(range->from_ms, 1000) / 1000 - (from_local - local) : query_zone_instant(zone, local);
    size_t count = 0;
    while (start * 1000 < range->to_ms) {
        if (count == (size_t)capacity) {
            return error_set(error, ERROR_TOO_LARGE, "more than %d points", QUERY_BUCKET_LIMIT);
        }
        buckets[count++] = start * 1000;
        int64_t previous = start;
        if (is_short) {
            start = next_short_bucket(zone, interval, start);
        }
        /* A date that a zone skipped altogether (Samoa, 2011-12-30) has no bucket. */
        while (!is_short && start <= previous) {
            local = add_units(interval, local, 1);
            start = query_zone_instant(zone, local);
        }
    }
    range->buckets_ms = buckets;
    range->bucket_count = count;
    return ERROR_NONE;
}

static int64_t move_units(const struct query_zone *zone, enum query_interval interval, int64_t unix_ms, int64_t count)
{
    int64_t second = floor_to(unix_ms, 1000) / 1000;
    int64_t moved = add_units(interval, query_zone_local(zone, second), count);
    return query_zone_instant(zone, moved) * 1000 + (unix_ms - second * 1000);
}

enum error_code query_calendar_make_previous(const struct query_zone *zone, enum query_interval interval,
                                             const struct query_range *range, struct arena *arena,
                                             struct query_range *ret_previous, struct error *error)
{
    int64_t *buckets = arena_allocate(arena, range->bucket_count * sizeof *buckets);
    if (!buckets) return error_set(error, ERROR_MEMORY, "no memory for %zu buckets", range->bucket_count);
    *ret_previous = (struct query_range){.buckets_ms = buckets, .bucket_count = range->bucket_count};
    if (interval == QUERY_MINUTE || interval == QUERY_HOUR) {
        int64_t unit = interval == QUERY_HOUR ? 3600000 : 60000;
        int64_t shift = ceiling_divide(range->to_ms - range->from_ms, unit) * unit;
        ret_previous->from_ms = range->from_ms - shift;
        ret_previous->to_ms = range->to_ms - shift;
        for (size_t i = 0; i < range->bucket_count; i++) buckets[i] = range->buckets_ms[i] - shift;
        return ERROR_NONE;
    }
    int64_t from = local_of_ms(zone, range->from_ms);
    int64_t to = local_of_ms(zone, range->to_ms - 1) + 1;
    int64_t units = ceiling_divide(to - from, interval == QUERY_WEEK ? 7 * DAY : DAY);
    if (interval == QUERY_MONTH) {
        units = 1;
        while (query_calendar_add_months(from, units) < to) units++;
    }
    ret_previous->from_ms = move_units(zone, interval, range->from_ms, -units);
    ret_previous->to_ms = move_units(zone, interval, range->to_ms, -units);
    for (size_t i = 0; i < range->bucket_count; i++) {
        buckets[i] = move_units(zone, interval, range->buckets_ms[i], -units);
    }
    return ERROR_NONE;
}

void query_calendar_previous_range(const struct query_zone *zone, const struct query_range *range,
                                   struct query_range *ret_previous)
{
    int64_t length = range->to_ms - range->from_ms;
    int64_t local_length = local_of_ms(zone, range->to_ms) - local_of_ms(zone, range->from_ms);
    *ret_previous = (struct query_range){.from_ms = range->from_ms - length, .to_ms = range->from_ms};
    bool same_millisecond = (range->to_ms - range->from_ms) % 1000 == 0;
    if (same_millisecond && local_length > 0 && local_length % DAY == 0) {
        ret_previous->from_ms = move_units(zone, QUERY_DAY, range->from_ms, -(local_length / DAY));
        ret_previous->to_ms = move_units(zone, QUERY_DAY, range->to_ms, -(local_length / DAY));
    }
}

void query_calendar_format(const struct query_zone *zone, int64_t unix_ms, char out[QUERY_TIME_TEXT_SIZE])
{
    int32_t offset = query_zone_offset(zone, floor_to(unix_ms, 1000) / 1000);
    char text[TIME_TEXT_SIZE];
    time_format_ms(unix_ms + offset * 1000LL, text);
    int32_t minutes = (offset < 0 ? -offset : offset) / 60;
    int digits = memcmp(text + 20, "000", 3) == 0 ? 19 : 23;
    snprintf(out, QUERY_TIME_TEXT_SIZE, "%.*s%c%02d:%02d", digits, text, offset < 0 ? '-' : '+', (minutes / 60) % 100,
             minutes % 60);
}
