/* SPDX-License-Identifier: Apache-2.0 */
/* ClickHouse's response headers and bodies. */
#include "engine/engine_priv.h"

#include <inttypes.h>

#include "engine/exception.h"
#include "os/clock.h"

static bool contains(struct slice s, struct slice part)
{
    return slice_find(s, part) >= 0;
}

const char *engine_answer_content_type(struct slice format)
{
    static const struct {
        struct slice part; /* first match wins */
        const char *type;
    } types[] = {
        {{"Pretty", 6}, "text/plain; charset=UTF-8"},
        {{"JSONObjectEachRow", 17}, "application/json; charset=UTF-8"},
        {{"JSONEachRow", 11}, "application/x-ndjson; charset=UTF-8"},
        {{"JSONStringsEachRow", 18}, "application/x-ndjson; charset=UTF-8"},
        {{"JSONCompactEachRow", 18}, "application/x-ndjson; charset=UTF-8"},
        {{"JSONCompactStringsEachRow", 25}, "application/x-ndjson; charset=UTF-8"},
        {{"JSONLines", 9}, "application/x-ndjson; charset=UTF-8"},
        {{"NDJSON", 6}, "application/x-ndjson; charset=UTF-8"},
        {{"JSON", 4}, "application/json; charset=UTF-8"},
        {{"CSV", 3}, "text/csv; charset=UTF-8"},
        {{"TabSeparated", 12}, "text/tab-separated-values; charset=UTF-8"},
        {{"TSV", 3}, "text/tab-separated-values; charset=UTF-8"},
        {{"XML", 3}, "application/xml; charset=UTF-8"},
        {{"Native", 6}, "application/octet-stream"},
        {{"RowBinary", 9}, "application/octet-stream"},
        {{"Parquet", 7}, "application/octet-stream"},
        {{"Arrow", 5}, "application/octet-stream"},
        {{"ORC", 3}, "application/octet-stream"},
        {{"Avro", 4}, "application/octet-stream"},
        {{"Protobuf", 8}, "application/octet-stream"},
        {{"MsgPack", 7}, "application/octet-stream"},
        {{"BSON", 4}, "application/octet-stream"},
        {{"Npy", 3}, "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (contains(format, types[i].part)) return types[i].type;
    return "text/plain; charset=UTF-8";
}

static void append_header(struct buffer *headers, const char *name, struct slice value)
{
    buffer_printf(headers, "%s: %.*s\r\n", name, SLICE_ARGS(value));
}

static void append_headers(struct engine_job *job, size_t result_bytes, struct buffer *headers)
{
    if (job->call.query_id.size > 0) append_header(headers, "X-ClickHouse-Query-Id", job->call.query_id);
    append_header(headers, "X-ClickHouse-Server-Display-Name", SLICE("millrace"));
    append_header(headers, "X-ClickHouse-Timezone", SLICE("UTC"));
    if (job->failed) {
        buffer_printf(headers, "X-ClickHouse-Exception-Code: %d\r\n", job->error_number);
        if (engine_exception_http_status(job->error_number) == 503) buffer_append_string(headers, "Retry-After: 1\r\n");
        return;
    }
    append_header(headers, "X-ClickHouse-Format", job->format);
    buffer_printf(headers,
                  "X-ClickHouse-Summary: {\"read_rows\":\"%" PRIu64 "\",\"read_bytes\":\"%" PRIu64
                  "\",\"written_rows\":\"%" PRIu64 "\",\"written_bytes\":\"%" PRIu64
                  "\",\"total_rows_to_read\":\"0\",\"result_rows\":\"%" PRIu64 "\",\"result_bytes\":\"%" PRIu64
                  "\",\"elapsed_ns\":\"%" PRId64 "\"}\r\n",
                  job->rows_read > 0 ? job->rows_read : job->rows_written,
                  job->rows_read > 0 ? job->bytes_read : job->bytes_written, job->rows_written, job->bytes_written,
                  job->rows > 0 ? job->rows : job->rows_written, (uint64_t)result_bytes,
                  (os_clock_monotonic_us() - job->started_us) * 1000);
}

void engine_answer(struct engine_job *job, struct slice body)
{
    struct buffer headers = {0};
    append_headers(job, body.size, &headers);
    struct response response = {.status = 200, .content_type = engine_answer_content_type(job->format),
                                .extra_headers = buffer_slice(&headers), .body = body};
    if (job->failed) {
        response.status = engine_exception_http_status(job->error_number);
        response.content_type = "text/plain; charset=UTF-8";
        response.body = buffer_slice(&job->error_text);
    }
    request_respond_from_thread(job->request, &response);
    job->request = NULL;
    buffer_free(&headers);
}

void engine_answer_stream_begin(struct engine_job *job)
{
    struct buffer headers = {0};
    append_headers(job, 0, &headers);
    request_stream_begin(job->request, 200, engine_answer_content_type(job->format), buffer_slice(&headers));
    buffer_free(&headers);
}

void engine_answer_now(struct request *request, int status, struct slice extra_headers, struct slice body)
{
    request_respond(request, &(struct response){.status = status, .content_type = "text/plain; charset=UTF-8",
                                                .extra_headers = extra_headers, .body = body});
}
