/* SPDX-License-Identifier: Apache-2.0 */
/* A plain one-pass JSON checker (RFC 8259) that keeps no values, only the place where it stands. */
#include "decode/json_locate.h"

#include "decode/json.h"

struct json_scan {
    const char *start, *at, *end;
    const char *reason;
};

static bool fail(struct json_scan *scan, const char *reason)
{
    scan->reason = reason;
    return false;
}

static void skip_space(struct json_scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
}

static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
static bool is_hex(char byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

static bool scan_string(struct json_scan *scan)
{
    const char *opening = scan->at++;
    while (scan->at < scan->end) {
        unsigned char byte = (unsigned char)*scan->at;
        if (byte == '"') {
            scan->at++;
            return true;
        }
        if (byte < 0x20) return fail(scan, "a control character inside a string");
        if (byte == '\\') {
            if (++scan->at == scan->end) break;
            if (*scan->at == 'u') {
                for (int i = 1; i <= 4; i++)
                    if (scan->at + i >= scan->end || !is_hex(scan->at[i])) return fail(scan, "a bad \\u escape");
                scan->at += 4;
            } else if (!memchr("\"\\/bfnrt", *scan->at, 8)) {
                return fail(scan, "an unknown escape");
            }
        }
        scan->at++;
    }
    scan->at = opening;
    return fail(scan, "a string that is never closed");
}

static bool scan_digits(struct json_scan *scan)
{
    if (scan->at == scan->end || !is_digit(*scan->at)) return fail(scan, "a bad number");
    while (scan->at < scan->end && is_digit(*scan->at)) scan->at++;
    return true;
}

static bool scan_number(struct json_scan *scan)
{
    if (*scan->at == '-') scan->at++;
    if (scan->at < scan->end && *scan->at == '0') scan->at++;
    else if (!scan_digits(scan)) return false;
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        if (!scan_digits(scan)) return false;
    }
    if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E')) {
        scan->at++;
        if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-')) scan->at++;
        if (!scan_digits(scan)) return false;
    }
    return true;
}

static bool scan_literal(struct json_scan *scan, struct slice word)
{
    if (!slice_starts_with(slice_make(scan->at, (size_t)(scan->end - scan->at)), word))
        return fail(scan, "an unknown word (only true, false and null may stand without quotes)");
    scan->at += word.size;
    return true;
}

static bool scan_scalar(struct json_scan *scan)
{
    switch (*scan->at) {
    case '"': return scan_string(scan);
    case 't': return scan_literal(scan, SLICE("true"));
    case 'f': return scan_literal(scan, SLICE("false"));
    case 'n': return scan_literal(scan, SLICE("null"));
    default:
        if (*scan->at == '-' || is_digit(*scan->at)) return scan_number(scan);
        return fail(scan, "an unexpected character where a value should begin");
    }
}

static bool scan_key(struct json_scan *scan)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != '"') return fail(scan, "a member name in double quotes is missing");
    if (!scan_string(scan)) return false;
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != ':') return fail(scan, "a colon is missing after a member name");
    scan->at++;
    return true;
}

/* After a value: steps out of containers that end here. False when the scan ends (done or failed, see reason). */
static bool scan_after_value(struct json_scan *scan, const bool *is_object, size_t *depth)
{
    while (*depth > 0) {
        bool object = is_object[*depth - 1];
        skip_space(scan);
        if (scan->at == scan->end) return fail(scan, "the text ends inside an array or object");
        if (*scan->at == ',') {
            scan->at++;
            return object ? scan_key(scan) : true;
        }
        if (*scan->at != (object ? '}' : ']'))
            return fail(scan, object ? "a comma or } is missing" : "a comma or ] is missing");
        scan->at++;
        --*depth;
    }
    skip_space(scan);
    if (scan->at < scan->end) return fail(scan, "more text after the value");
    return false;
}

static void scan_text(struct json_scan *scan)
{
    bool is_object[JSON_DEPTH_LIMIT];
    size_t depth = 0;
    for (;;) {
        skip_space(scan);
        if (scan->at == scan->end) {
            fail(scan, "a value is missing");
            return;
        }
        if (*scan->at == '{' || *scan->at == '[') {
            bool object = *scan->at == '{';
            if (depth == JSON_DEPTH_LIMIT) {
                fail(scan, "too many levels");
                return;
            }
            is_object[depth++] = object;
            scan->at++;
            skip_space(scan);
            if (scan->at == scan->end || *scan->at != (object ? '}' : ']')) {
                if (object && !scan_key(scan)) return;
                continue;
            }
        } else if (!scan_scalar(scan)) {
            return;
        }
        if (!scan_after_value(scan, is_object, &depth)) return;
    }
}

bool json_locate(struct slice text, struct json_fault *fault)
{
    struct json_scan scan = {.start = text.data, .at = text.data, .end = text.data + text.size};
    scan_text(&scan);
    if (!scan.reason) return false;
    *fault =
        (struct json_fault){.reason = scan.reason, .offset = (size_t)(scan.at - scan.start), .line = 1, .column = 1};
    for (const char *at = scan.start; at < scan.at; at++) {
        fault->column++;
        if (*at == '\n') {
            fault->line++;
            fault->column = 1;
        }
    }
    return true;
}
