/* SPDX-License-Identifier: Apache-2.0 */
/* Reads TZif files and does the arithmetic between instants and local times. */
#include "query/zone.h"

#include <ctype.h>
#include "base/time.h"
#include "os/file.h"

#define DIRECTORY "/usr/share/zoneinfo"
#define FILE_LIMIT (256 * 1024) /* the largest file of tzdata has 4 KB */
#define HEADER_SIZE 44
#define DAY 86400

/* One of the two yearly changes of the rule for the future: "M3.5.0/2", "J60", "59". */
struct rule_change {
    char form;           /* 'M' month.week.weekday, 'J' day 1..365 without leap days, 'n' day 0..365 */
    int month, week, day;
    int32_t time;        /* seconds after that day's midnight, may be negative or beyond 24 h */
};
struct rule {
    bool present;
    bool has_summer;
    int32_t standard_offset;
    int32_t summer_offset;
    struct rule_change start, end;
};
struct query_zone {
    size_t transition_count;
    const int64_t *transitions; /* Unix seconds, ascending */
    const int32_t *offsets;     /* from that transition on */
    int32_t first_offset;       /* before the first */
    struct rule rule;           /* after the last */
};

static const struct query_zone utc;

/* --- The rule for the future: a POSIX TZ string such as "CET-1CEST,M3.5.0,M10.5.0/3" --- */

struct cursor { struct slice rest; };

static bool take(struct cursor *cursor, char byte)
{
    if (cursor->rest.size == 0 || cursor->rest.data[0] != byte) return false;
    cursor->rest = slice_from(cursor->rest, 1);
    return true;
}

static bool take_number(struct cursor *cursor, int limit, int *value)
{
    int number = 0;
    size_t digits = 0;
    while (digits < 3 && digits < cursor->rest.size && isdigit((unsigned char)cursor->rest.data[digits])) {
        number = number * 10 + (cursor->rest.data[digits++] - '0');
    }
    if (digits == 0 || number > limit) return false;
    cursor->rest = slice_from(cursor->rest, digits);
    *value = number;
    return true;
}

static bool take_name(struct cursor *cursor)
{
    bool quoted = take(cursor, '<');
    size_t size = 0;
    while (size < cursor->rest.size) {
        unsigned char byte = (unsigned char)cursor->rest.data[size];
        if (!(quoted ? byte != '>' : isalpha(byte))) break;
        size++;
    }
    cursor->rest = slice_from(cursor->rest, size);
    return size > 0 && (!quoted || take(cursor, '>'));
}

static bool take_time(struct cursor *cursor, int32_t *seconds)
{
    bool negative = take(cursor, '-');
    if (!negative) take(cursor, '+');
    int hours = 0, minutes = 0, rest = 0;
    if (!take_number(cursor, 167, &hours)) return false;
    if (take(cursor, ':') && !take_number(cursor, 59, &minutes)) return false;
    if (take(cursor, ':') && !take_number(cursor, 59, &rest)) return false;
    *seconds = (hours * 60 + minutes) * 60 + rest;
    if (negative) *seconds = -*seconds;
    return true;
}

static bool take_change(struct cursor *cursor, struct rule_change *change)
{
    if (!take(cursor, ',')) return false;
    change->time = 2 * 3600;
    if (take(cursor, 'M')) {
        change->form = 'M';
        if (!take_number(cursor, 12, &change->month) || change->month < 1 || !take(cursor, '.') ||
            !take_number(cursor, 5, &change->week) || change->week < 1 || !take(cursor, '.') ||
            !take_number(cursor, 6, &change->day)) return false;
    } else {
        change->form = take(cursor, 'J') ? 'J' : 'n';
        if (!take_number(cursor, 365, &change->day) || (change->form == 'J' && change->day < 1)) return false;
    }
    return !take(cursor, '/') || take_time(cursor, &change->time);
}

static bool rule_parse(struct slice text, struct rule *rule)
{
    struct cursor cursor = {text};
    int32_t west = 0;
    if (!take_name(&cursor) || !take_time(&cursor, &west)) return false;
    rule->present = true;
    rule->standard_offset = -west;
    if (cursor.rest.size == 0) return true;
    rule->has_summer = true;
    rule->summer_offset = rule->standard_offset + 3600;
    if (!take_name(&cursor)) return false;
    if (cursor.rest.size > 0 && cursor.rest.data[0] != ',') {
        if (!take_time(&cursor, &west)) return false;
        rule->summer_offset = -west;
    }
    return take_change(&cursor, &rule->start) && take_change(&cursor, &rule->end) && cursor.rest.size == 0;
}

/* The change's local time in that year. */
static int64_t rule_change_local(const struct rule_change *change, int year)
{
    int64_t day;
    if (change->form == 'M') {
        int64_t first = time_days_from_civil(year, change->month, 1);
        int64_t next_month = change->month == 12 ? time_days_from_civil(year + 1, 1, 1)
                                                 : time_days_from_civil(year, change->month + 1, 1);
        int weekday = (int)(((first + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday; 0 is Sunday */
        day = first + (change->day - weekday + 7) % 7 + 7 * (change->week - 1);
        if (day >= next_month) day -= 7; /* week 5 means the last */
    } else {
        int64_t first = time_days_from_civil(year, 1, 1);
        bool leap = time_days_from_civil(year + 1, 1, 1) - first == 366;
        day = first + change->day;
        if (change->form == 'J') day -= leap && change->day >= 60 ? 0 : 1;
    }
    return day * DAY + change->time;
}

static int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static int32_t rule_offset(const struct rule *rule, int64_t unix_seconds)
{
    if (!rule->has_summer) return rule->standard_offset;
    int year, month, day;
    time_civil_from_days(floor_divide(unix_seconds + rule->standard_offset, DAY), &year, &month, &day);
    int64_t start = rule_change_local(&rule->start, year) - rule->standard_offset;
    int64_t end = rule_change_local(&rule->end, year) - rule->summer_offset;
    bool summer =
        start < end ? unix_seconds >= start && unix_seconds < end : unix_seconds >= start || unix_seconds < end;
    return summer ? rule->summer_offset : rule->standard_offset;
}

/* --- The file --- */

static int64_t big_endian(const char *data, size_t size)
{
    uint64_t value = size == 4 && (data[0] & 0x80) ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++) value = value << 8 | (unsigned char)data[i];
    return (int64_t)value;
}

struct header { size_t utc_flags, standard_flags, leaps, times, types, characters; };

static bool header_parse(struct slice bytes, struct header *header)
{
    if (bytes.size < HEADER_SIZE || memcmp(bytes.data, "TZif", 4) != 0) return false;
    size_t *counts[] = {&header->utc_flags, &header->standard_flags, &header->leaps,
                        &header->times, &header->types, &header->characters};
    for (size_t i = 0; i < 6; i++) {
        int64_t count = big_endian(bytes.data + 20 + 4 * i, 4);
        if (count < 0 || count > FILE_LIMIT) return false;
        *counts[i] = (size_t)count;
    }
    return true;
}

static size_t body_size(const struct header *header, size_t time_size)
{
    return header->times * (time_size + 1) + header->types * 6 + header->characters + header->leaps * (time_size + 4) +
           header->standard_flags + header->utc_flags;
}

enum error_code query_zone_parse(struct slice bytes, struct arena *arena, const struct query_zone **ret_zone,
                                 struct error *error)
{
    struct header header;
    if (!header_parse(bytes, &header)) return error_set(error, ERROR_CORRUPT, "time zone data: not a TZif file");
    if (bytes.data[4] < '2') return error_set(error, ERROR_CORRUPT, "time zone data: version 1 is too old");
    /* The first half repeats the data with 32-bit times for old programs. */
    struct slice rest = slice_from(bytes, HEADER_SIZE + body_size(&header, 4));
    if (!header_parse(rest, &header)) return error_set(error, ERROR_CORRUPT, "time zone data: cut off");
    rest = slice_from(rest, HEADER_SIZE);
    if (rest.size < body_size(&header, 8)) return error_set(error, ERROR_CORRUPT, "time zone data: cut off");
    if (header.types == 0) return error_set(error, ERROR_CORRUPT, "time zone data: no offsets");
    if (header.leaps > 0)
        return error_set(error, ERROR_INVALID, "time zones that count leap seconds are not supported");

    struct query_zone *zone = arena_allocate(arena, sizeof *zone);
    int64_t *transitions = arena_allocate(arena, (header.times + 1) * sizeof *transitions);
    int32_t *offsets = arena_allocate(arena, (header.times + 1) * sizeof *offsets);
    if (!zone || !transitions || !offsets) return error_set(error, ERROR_MEMORY, "no memory for a time zone");
    const char *times = rest.data;
    const char *indexes = times + header.times * 8;
    const char *types = indexes + header.times;
    for (size_t i = 0; i < header.times; i++) {
        size_t type = (unsigned char)indexes[i];
        transitions[i] = big_endian(times + 8 * i, 8);
        if (type >= header.types || (i > 0 && transitions[i] <= transitions[i - 1])) {
            return error_set(error, ERROR_CORRUPT, "time zone data: transition %zu is out of order or without a type",
                             i);
        }
        offsets[i] = (int32_t)big_endian(types + 6 * type, 4);
    }
    zone->transition_count = header.times;
    zone->transitions = transitions;
    zone->offsets = offsets;
    zone->first_offset = (int32_t)big_endian(types, 4);

    struct slice footer = slice_from(rest, body_size(&header, 8));
    if (footer.size > 0 && footer.data[0] == '\n') {
        footer = slice_from(footer, 1);
        struct slice text = slice_cut(&footer, '\n');
        if (text.size > 0 && !rule_parse(text, &zone->rule)) {
            return error_set(error, ERROR_CORRUPT, "time zone data: rule \"%.*s\" is not understood", SLICE_ARGS(text));
        }
    }
    *ret_zone = zone;
    return ERROR_NONE;
}

/* Letters, digits, '_', '+', '-' in parts divided by single '/': no dots, so no way out of the directory. */
static bool name_is_plain(struct slice name)
{
    if (name.size == 0 || name.size > QUERY_ZONE_NAME_LIMIT) return false;
    for (size_t i = 0; i < name.size; i++) {
        char byte = name.data[i];
        bool separates = byte == '/' && i > 0 && i + 1 < name.size && name.data[i - 1] != '/';
        if (!isalnum((unsigned char)byte) && byte != '_' && byte != '+' && byte != '-' && !separates) return false;
    }
    return true;
}

enum error_code query_zone_load(struct slice name, struct arena *arena, const struct query_zone **ret_zone,
                                struct error *error)
{
    if (!name_is_plain(name)) return error_set(error, ERROR_INVALID, "not the name of a time zone");
    if (slice_equal(name, SLICE("UTC"))) {
        *ret_zone = &utc;
        return ERROR_NONE;
    }
    struct slice path = arena_printf(arena, DIRECTORY "/%.*s", SLICE_ARGS(name));
    if (arena_failed(arena)) return error_set(error, ERROR_MEMORY, "no memory for a time zone");
    struct buffer content = {0};
    if (os_file_read(path.data, FILE_LIMIT, &content, NULL) != ERROR_NONE) {
        buffer_free(&content);
        if (!os_file_exists(DIRECTORY)) {
            return error_set(error, ERROR_UNAVAILABLE, "this server has no time zone data in " DIRECTORY
                             " (install the package tzdata); UTC works without it");
        }
        return error_set(error, ERROR_INVALID, "no such time zone");
    }
    struct slice bytes = arena_copy(arena, buffer_slice(&content));
    buffer_free(&content);
    if (arena_failed(arena)) return error_set(error, ERROR_MEMORY, "no memory for a time zone");
    return query_zone_parse(bytes, arena, ret_zone, error);
}

/* --- Arithmetic --- */

int32_t query_zone_offset(const struct query_zone *zone, int64_t unix_seconds)
{
    size_t low = 0, high = zone->transition_count; /* the number of transitions that have happened */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->transitions[middle] <= unix_seconds) low = middle + 1;
        else high = middle;
    }
    if (low == zone->transition_count && zone->rule.present) return rule_offset(&zone->rule, unix_seconds);
    return low == 0 ? zone->first_offset : zone->offsets[low - 1];
}

int64_t query_zone_instant(const struct query_zone *zone, int64_t local_seconds)
{
    /* No zone changes twice within two days, so the offsets a day before and after are the only candidates. */
    int32_t before = query_zone_offset(zone, local_seconds - DAY);
    int32_t after = query_zone_offset(zone, local_seconds + DAY);
    int64_t early = local_seconds - before;
    if (query_zone_offset(zone, early) == before) return early;
    int64_t late = local_seconds - after;
    if (query_zone_offset(zone, late) == after) return late;
    /* Skipped: `late` is before the jump, `early` behind it. Find its first instant. */
    int64_t low = late, high = early;
    while (low + 1 < high) {
        int64_t middle = low + (high - low) / 2;
        if (query_zone_offset(zone, middle) == after) high = middle;
        else low = middle;
    }
    return high;
}
