/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in front of a request's transport to see its answer. */
#include "server/telemetry_span.h"

#include <stdlib.h>
#include <time.h>

#include "base/uuid.h"

struct watched {
    struct telemetry_span span; /* first: it is given away as that */
    struct telemetry_spans *spans;
    const struct request_transport *transport;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Lower-case digits, not all zero. */
static bool read_id(struct slice text, char *out, size_t size)
{
    bool has_some = false;
    if (text.size != 2 * size) return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (char)(high << 4 | low);
        has_some |= out[i] != 0;
    }
    return has_some;
}

/* W3C Trace Context: version-trace-parent-flags; later versions may have more after that. */
bool telemetry_traceparent_parse(struct slice text, char ids[24], bool *ret_sampled)
{
    struct slice rest = slice_trim(text), version = slice_cut(&rest, '-'), trace = slice_cut(&rest, '-');
    struct slice parent = slice_cut(&rest, '-'), flags = slice_cut(&rest, '-');
    char number, bits = 0;
    if (version.size != 2 || flags.size != 2) return false;
    bool is_first = slice_equal(version, SLICE("00"));
    if (!is_first && (!read_id(version, &number, 1) || (unsigned char)number == 0xff)) return false;
    if (is_first && rest.size) return false;
    if (!slice_equal(flags, SLICE("00")) && !read_id(flags, &bits, 1)) return false;
    *ret_sampled = bits & 1;
    return read_id(trace, ids, 16) && read_id(parent, ids + 16, 8);
}

/* ---- the transport ---- */

static struct watched *restore(struct request *request, int status)
{
    struct watched *watched = request->watch;
    request->transport = watched->transport;
    request->watch = NULL;
    if (status) watched->span.status = request->status_override ? request->status_override : status;
    return watched;
}

/* Before the answer goes: it is what ends the request, and the memory it lies in. */
static void end(struct watched *watched)
{
    watched->span.end_ns = now_ns();
    watched->spans->ended(watched->spans->context, &watched->span);
}

static void watched_respond(struct request *request, const struct response *response)
{
    end(restore(request, response->status));
    request->transport->respond(request, response);
}

static void watched_respond_from_thread(struct request *request, const struct response *response)
{
    end(restore(request, response->status));
    request->transport->respond_from_thread(request, response);
}

static void watched_stream_begin(struct request *request, int status, const char *content_type, struct slice extra_headers)
{
    struct watched *watched = request->watch;
    watched->span.status = status;
    watched->transport->stream_begin(request, status, content_type, extra_headers);
}

static enum error_code watched_stream_write(struct request *request, struct slice bytes)
{
    return ((struct watched *)request->watch)->transport->stream_write(request, bytes);
}

static void watched_stream_end(struct request *request, bool failed)
{
    end(restore(request, failed ? 500 : 0));
    request->transport->stream_end(request, failed);
}

static const struct request_transport watched_transport = {
    .respond = watched_respond,
    .respond_from_thread = watched_respond_from_thread,
    .stream_begin = watched_stream_begin,
    .stream_write = watched_stream_write,
    .stream_end = watched_stream_end,
};

/* ---- who gets one ---- */

static bool is_wanted(const struct telemetry_spans *spans, const struct request *request, const struct uuid *random, char ids[24],
                      bool *ret_has_parent)
{
    bool sampled = false;
    uint32_t number;
    *ret_has_parent = false;
    if (spans->percent == 0) return false;
    if (slice_equal(request_header_get(request, TELEMETRY_OWN_HEADER), slice_from_string(spans->secret))) return false;
    *ret_has_parent = telemetry_traceparent_parse(request_header_get(request, "traceparent"), ids, &sampled);
    if (*ret_has_parent) return sampled;
    memcpy(&number, random->bytes + 12, sizeof number);
    return number % 100 < (uint64_t)spans->percent;
}

void telemetry_spans_begin(struct telemetry_spans *spans, struct request *request, const char *route)
{
    bool has_parent;
    char ids[24];
    struct uuid random = uuid_make_v4();
    if (!is_wanted(spans, request, &random, ids, &has_parent)) return;
    struct watched *watched = calloc(1, sizeof *watched);
    if (!watched) return;
    struct telemetry_span *span = &watched->span;
    struct uuid id = uuid_make_v4();
    if (has_parent) {
        memcpy(span->trace_id, ids, 16);
        memcpy(span->parent_id, ids + 16, 8);
    } else {
        memcpy(span->trace_id, random.bytes, 16);
    }
    memcpy(span->span_id, id.bytes, 8);
    span->start_ns = now_ns();
    span->method = request->method == METHOD_OTHER ? "_OTHER" : request_method_name(request->method);
    span->route = route ? route : "";
    snprintf(span->path, sizeof span->path, "%.*s", SLICE_ARGS(slice_first(request->path, sizeof span->path - 1)));
    span->request_id = request->id;
    watched->spans = spans;
    watched->transport = request->transport;
    request->watch = watched;
    request->transport = &watched_transport;
}
