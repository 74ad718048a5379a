/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an access log line from left to right, one part at a time. */
#include "decode/weblog.h"

#include "base/time.h"

static struct slice weblog_absent(struct slice part) { return slice_equal(part, SLICE("-")) ? SLICE_EMPTY : part; }

static void weblog_skip_spaces(struct slice *rest)
{
    while (rest->size > 0 && rest->data[0] == ' ') *rest = slice_from(*rest, 1);
}

static struct slice weblog_word(struct slice *rest)
{
    weblog_skip_spaces(rest);
    return slice_cut(rest, ' ');
}

/* The text between double quotes, which a backslash protects inside. */
static bool weblog_quoted(struct slice *rest, struct slice *text)
{
    weblog_skip_spaces(rest);
    if (rest->size == 0 || rest->data[0] != '"') return false;
    for (size_t i = 1; i < rest->size; i++) {
        if (rest->data[i] == '\\') {
            i++;
        } else if (rest->data[i] == '"') {
            *text = slice_make(rest->data + 1, i - 1);
            *rest = slice_from(*rest, i + 1);
            return true;
        }
    }
    return false;
}

static bool weblog_number(struct slice text, size_t offset, size_t digits, int *number)
{
    uint64_t value;
    if (offset + digits > text.size || !slice_parse_uint64(slice_make(text.data + offset, digits), &value))
        return false;
    *number = (int)value;
    return true;
}

/* "10/Oct/2000:13:55:36 -0700" */
static bool weblog_time(struct slice text, int64_t *time_ms)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int day, year, hour, minute, second, zone_hour, zone_minute, month = 0;
    if (text.size != 26 || text.data[2] != '/' || text.data[6] != '/' || text.data[11] != ':' || text.data[14] != ':' ||
        text.data[17] != ':' || text.data[20] != ' ' || (text.data[21] != '+' && text.data[21] != '-'))
        return false;
    if (!weblog_number(text, 0, 2, &day) || !weblog_number(text, 7, 4, &year) || !weblog_number(text, 12, 2, &hour) ||
        !weblog_number(text, 15, 2, &minute) || !weblog_number(text, 18, 2, &second) ||
        !weblog_number(text, 22, 2, &zone_hour) || !weblog_number(text, 24, 2, &zone_minute))
        return false;
    for (int i = 0; i < 12 && !month; i++)
        if (memcmp(months + 3 * i, text.data + 3, 3) == 0) month = i + 1;
    if (!month || day < 1 || day > month_days[month - 1] || hour > 23 || minute > 59 || second > 60 || zone_hour > 14 ||
        zone_minute > 59)
        return false;
    int64_t seconds = time_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    int64_t zone_seconds = zone_hour * 3600 + zone_minute * 60;
    *time_ms = 1000 * (text.data[21] == '+' ? seconds - zone_seconds : seconds + zone_seconds);
    return true;
}

static void weblog_split_request(struct weblog_line *line)
{
    struct slice rest = line->request;
    struct slice method = slice_cut(&rest, ' ');
    struct slice target = slice_cut(&rest, ' ');
    bool readable = method.size > 0 && target.size > 0;
    for (size_t i = 0; i < method.size; i++)
        if (method.data[i] < 'A' || method.data[i] > 'Z') readable = false;
    if (!readable) return;
    line->method = method;
    line->target = target;
    line->protocol = rest;
}

enum error_code weblog_parse(struct slice text, struct weblog_line *ret_line, struct error *error)
{
    struct weblog_line line = {.method = SLICE_EMPTY, .target = SLICE_EMPTY, .protocol = SLICE_EMPTY,
                               .referrer = SLICE_EMPTY, .user_agent = SLICE_EMPTY};
    struct slice rest = slice_trim(text);
    line.address = weblog_word(&rest);
    if (line.address.size == 0) return error_set(error, ERROR_INVALID, "the line is empty");
    weblog_word(&rest); /* identd's user: never filled in practice */
    line.user = weblog_absent(weblog_word(&rest));
    weblog_skip_spaces(&rest);
    ptrdiff_t close = slice_index_of(rest, ']');
    if (rest.size == 0 || rest.data[0] != '[' || close < 0 ||
        !weblog_time(slice_make(rest.data + 1, (size_t)close - 1), &line.time_ms))
        return error_set(error, ERROR_INVALID, "no time like [10/Oct/2000:13:55:36 -0700] after the user");
    rest = slice_from(rest, (size_t)close + 1);
    if (!weblog_quoted(&rest, &line.request))
        return error_set(error, ERROR_INVALID, "no request line in double quotes after the time");
    uint64_t status;
    if (!slice_parse_uint64(weblog_word(&rest), &status) || status < 100 || status > 999)
        return error_set(error, ERROR_INVALID, "no status code after the request line");
    line.status = (int)status;
    struct slice bytes = weblog_word(&rest);
    if (weblog_absent(bytes).size > 0 && !slice_parse_uint64(bytes, &line.bytes))
        return error_set(error, ERROR_INVALID, "no size in bytes after the status code");
    weblog_skip_spaces(&rest);
    if (rest.size > 0) {
        if (!weblog_quoted(&rest, &line.referrer) || !weblog_quoted(&rest, &line.user_agent))
            return error_set(error, ERROR_INVALID, "no referrer and user agent in double quotes after the size");
        line.referrer = weblog_absent(line.referrer);
        line.user_agent = weblog_absent(line.user_agent);
    }
    line.request = weblog_absent(line.request);
    weblog_split_request(&line);
    *ret_line = line;
    return ERROR_NONE;
}
