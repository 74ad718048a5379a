/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a ClickHouse server says went wrong, before or in the middle of an answer. */
#include "store/http_store.h"

#include <inttypes.h>

/* Refusals that another try can overcome; all others are ERROR_STORE. Numbers: ClickHouse src/Common/ErrorCodes.cpp. */
static const struct {
    int number;
    enum error_code code;
} known[] = {
    {3, ERROR_UNAVAILABLE},   /* UNEXPECTED_END_OF_FILE: our body was cut on its way */
    {159, ERROR_TIMEOUT},     /* TIMEOUT_EXCEEDED */
    {160, ERROR_TIMEOUT},     /* TOO_SLOW */
    {164, ERROR_STORE},       /* READONLY */
    {192, ERROR_UNAVAILABLE}, /* UNKNOWN_USER */
    {193, ERROR_UNAVAILABLE}, /* WRONG_PASSWORD */
    {194, ERROR_UNAVAILABLE}, /* REQUIRED_PASSWORD */
    {202, ERROR_UNAVAILABLE}, /* TOO_MANY_SIMULTANEOUS_QUERIES */
    {203, ERROR_UNAVAILABLE}, /* NO_FREE_CONNECTION */
    {209, ERROR_UNAVAILABLE}, /* SOCKET_TIMEOUT */
    {210, ERROR_UNAVAILABLE}, /* NETWORK_ERROR */
    {225, ERROR_UNAVAILABLE}, /* NO_ZOOKEEPER */
    {236, ERROR_UNAVAILABLE}, /* ABORTED: it shuts down */
    {241, ERROR_UNAVAILABLE}, /* MEMORY_LIMIT_EXCEEDED */
    {242, ERROR_UNAVAILABLE}, /* TABLE_IS_READ_ONLY: the coordination service is away */
    {243, ERROR_UNAVAILABLE}, /* NOT_ENOUGH_SPACE */
    {252, ERROR_UNAVAILABLE}, /* TOO_MANY_PARTS */
    {279, ERROR_UNAVAILABLE}, /* ALL_CONNECTION_TRIES_FAILED */
    {285, ERROR_UNAVAILABLE}, /* TOO_FEW_LIVE_REPLICAS */
    {286, ERROR_UNAVAILABLE}, /* UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE */
    {319, ERROR_UNAVAILABLE}, /* UNKNOWN_STATUS_OF_INSERT */
    {439, ERROR_UNAVAILABLE}, /* CANNOT_SCHEDULE_TASK */
    {516, ERROR_UNAVAILABLE}, /* AUTHENTICATION_FAILED */
    {999, ERROR_UNAVAILABLE}, /* KEEPER_EXCEPTION */
};

static enum error_code code_of(int number)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].number == number) return known[i].code;
    }
    return ERROR_STORE;
}

/* "Code: 60. DB::Exception: ..." to 60, as well as "Code: 60, e.displayText() = DB::Exception: ..." of servers before
 * 21; 0 when it is not shaped so. */
static int parse_number(struct slice text)
{
    uint64_t number;
    size_t digits = 0;
    if (!slice_starts_with(text, SLICE("Code: "))) return 0;
    struct slice rest = slice_from(text, 6);
    while (digits < rest.size && rest.data[digits] >= '0' && rest.data[digits] <= '9') digits++;
    if (digits > 9 || !slice_parse_uint64(slice_first(rest, digits), &number)) return 0;
    rest = slice_from(rest, digits);
    bool is_one =
        slice_starts_with(rest, SLICE(". DB::")) || slice_starts_with(rest, SLICE(", e.displayText() = DB::"));
    return is_one ? (int)number : 0;
}

/* One line of well-formed text, cut to what struct error holds. */
static void copy_message(struct slice text, char *out, size_t size)
{
    text = slice_first(slice_trim(text), size - 1);
    while (text.size > 0 && !slice_is_utf8(text)) {
        /* Cut in the middle of a character, or not text at all: then nothing of it is kept but ASCII. */
        if ((text.data[text.size - 1] & 0x80) == 0) break;
        text.size--;
    }
    bool is_text = slice_is_utf8(text);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        out[i] = c < ' ' || (!is_text && c >= 0x7f) ? ' ' : (char)c;
    }
    out[text.size] = '\0';
}

enum error_code http_exception_read(int http_status, int exception_code, struct slice body, struct error *error)
{
    char message[sizeof error->message];
    int number = exception_code ? exception_code : parse_number(body);
    copy_message(body, message, sizeof message);
    enum error_code code = number ? code_of(number)
                           : http_status == 401 || http_status == 403 || http_status == 404 || http_status == 429 ||
                                   http_status >= 500
                               ? ERROR_UNAVAILABLE /* a proxy, or a server that is starting or not set up yet */
                               : ERROR_STORE;
    if (message[0]) {
        error_set(error, code, "%s", message);
    } else {
        error_set(error, code, "the event store answered with HTTP status %d and no text", http_status);
    }
    if (error) error->detail = number;
    return code;
}

/* Newer servers: "\r\n__exception__\r\n<tag>\r\n<text>\r\n<size> <tag>\r\n__exception__\r\n" ends the body. */
static bool find_tagged(struct slice tail, struct slice tag, struct slice *ret_text)
{
    static const char MARK[] = "__exception__\r\n";
    char start[128];
    if (tag.size == 0 || tag.size > 64 || !slice_ends_with(tail, slice_from_string(MARK))) return false;
    snprintf(start, sizeof start, "%s%.*s\r\n", MARK, SLICE_ARGS(tag));
    ptrdiff_t at = slice_find(tail, slice_from_string(start));
    if (at < 0) return false;
    struct slice text = slice_from(tail, (size_t)at + strlen(start));
    text = slice_first(text, text.size - (sizeof MARK - 1));
    /* The last line is "<size> <tag>". */
    text = slice_trim(text);
    while (text.size > 0 && text.data[text.size - 1] != '\n') text.size--;
    *ret_text = slice_trim(text);
    return true;
}

/* Older ones: "Code: 159. DB::Exception: ... (version 24.3.1.1 (official build))\n" as the last line, and before 20
 * "Code: 159, e.displayText() = DB::Exception: ..., e.what() = DB::Exception\n". */
static bool find_untagged(struct slice tail, struct slice *ret_text)
{
    bool is_oldest = slice_ends_with(tail, SLICE(", e.what() = DB::Exception\n"));
    if (!is_oldest && !slice_ends_with(tail, SLICE(")\n"))) return false;
    struct slice rest = tail;
    ptrdiff_t last = -1, at;
    while ((at = slice_find(rest, SLICE("Code: "))) >= 0) {
        if (parse_number(slice_from(rest, (size_t)at))) last = (ptrdiff_t)(tail.size - rest.size) + at;
        rest = slice_from(rest, (size_t)at + 6);
    }
    if (last < 0) return false;
    struct slice text = slice_from(tail, (size_t)last);
    if (!is_oldest && slice_find(text, SLICE("(version ")) < 0) return false;
    *ret_text = slice_trim(text);
    return true;
}

bool http_exception_find(struct slice tail, struct slice tag, struct slice *ret_text)
{
    return tag.size > 0 ? find_tagged(tail, tag, ret_text) : find_untagged(tail, ret_text);
}
