/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of HTTP messages: reads the target of a request, writes the lines that every answer has. */
#include "proto/http_priv.h"

#include "base/time.h"
#include "os/clock.h"

#define DATE_SIZE 29

/* "Sat, 21 Nov 2026 08:00:00 GMT", made once per second and thread. */
static const char *date_text(void)
{
    static _Thread_local struct {
        int64_t second;
        char text[DATE_SIZE + 1];
    } cache = {.second = -1};
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t second = os_clock_wall_ms() / 1000;
    if (second != cache.second) {
        int64_t day = second / 86400;
        int of_day = (int)(second % 86400), year, month, day_of_month;
        time_civil_from_days(day, &year, &month, &day_of_month);
        snprintf(cache.text, sizeof cache.text, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + day % 7 * 3,
                 (unsigned)day_of_month % 100, months + (month - 1) * 3, (unsigned)year % 10000,
                 (unsigned)of_day / 3600 % 24, (unsigned)of_day / 60 % 60, (unsigned)of_day % 60);
        cache.second = second;
    }
    return cache.text;
}

static void append_literal(struct buffer *out, struct slice text)
{
    buffer_append(out, text.data, text.size);
}

static void append_hex(struct buffer *out, uint64_t number)
{
    char digits[16];
    for (int i = 15; i >= 0; i--, number >>= 4) digits[i] = "0123456789abcdef"[number & 15];
    buffer_append(out, digits, sizeof digits);
}

static void append_cross_origin(const struct http_exchange *exchange, struct buffer *out)
{
    const struct request *request = &exchange->request;
    append_literal(out, SLICE("Access-Control-Allow-Origin: "));
    if (!exchange->has_origin) {
        append_literal(out, SLICE("*\r\n"));
    } else {
        buffer_append_slice(out, request_header_get(request, "origin"));
        append_literal(out, SLICE("\r\nAccess-Control-Allow-Credentials: true\r\n"));
    }
    append_literal(out, SLICE("Vary: Origin\r\nAccess-Control-Expose-Headers: x-request-id\r\n"));
    if (request->method != METHOD_OPTIONS || !exchange->has_origin) return;
    append_literal(out, SLICE("Access-Control-Allow-Methods: GET,HEAD,POST,PUT,PATCH,DELETE\r\n"));
    struct slice wanted = request_header_get(request, "access-control-request-headers");
    if (wanted.size > 0) {
        append_literal(out, SLICE("Access-Control-Allow-Headers: "));
        buffer_append_slice(out, wanted);
        append_literal(out, SLICE("\r\n"));
    }
    append_literal(out, SLICE("Access-Control-Max-Age: 604800\r\n"));
}

void http_head_write(const struct http_exchange *exchange, const char *content_type, struct slice extra_headers,
                     struct buffer *out)
{
    append_literal(out, SLICE("Date: "));
    buffer_append(out, date_text(), DATE_SIZE);
    append_literal(out, SLICE("\r\nX-Request-Id: "));
    append_hex(out, exchange->request.id);
    append_literal(out, SLICE("\r\n"));
    append_literal(out, exchange->common_headers);
    if (exchange->cross_origin) append_cross_origin(exchange, out);
    if (content_type) {
        append_literal(out, SLICE("Content-Type: "));
        buffer_append_string(out, content_type);
        append_literal(out, SLICE("\r\n"));
    }
    append_literal(out, extra_headers);
}

bool http_status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static bool has_control_byte(struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f) return true;
    return false;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool http_target_read(struct request *request, struct slice target)
{
    if (has_control_byte(target)) return false;
    ptrdiff_t scheme = target.size > 0 && target.data[0] != '/' ? slice_find(target, SLICE("://")) : -1;
    if (scheme >= 0) { /* the absolute form, which proxies send */
        target = slice_from(target, (size_t)scheme + 3);
        ptrdiff_t slash = slice_index_of(target, '/');
        target = slash >= 0 ? slice_from(target, (size_t)slash) : SLICE("/");
    }
    target = slice_cut(&target, '#');
    struct slice query = target, path = slice_cut(&query, '?');
    request->query = query;
    if (path.size == 0 || (path.data[0] != '/' && !slice_equal(path, SLICE("*")))) return false;
    request->path = path;
    if (slice_index_of(path, '%') < 0) return true;
    char *out = arena_allocate(request->arena, path.size);
    if (!out) return false;
    size_t size = 0;
    for (size_t i = 0; i < path.size; i++) {
        char byte = path.data[i];
        if (byte == '%') {
            int high = i + 2 < path.size ? hex_digit(path.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(path.data[i + 2]) : -1;
            if (low < 0 || high + low == 0) return false; /* not an escape, or a zero byte */
            byte = (char)(high * 16 + low);
            i += 2;
        }
        out[size++] = byte;
    }
    request->path = slice_make(out, size);
    return true;
}
