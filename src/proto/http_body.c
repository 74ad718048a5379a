/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the bytes of a body as they arrive, decodes and keeps them in memory or in a memory file, within limits. */
#include "proto/http_priv.h"

#include "decode/snappy.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Room for an announced body is made at once up to here; who announces more must first send it. */
#define ANNOUNCED_LIMIT_BYTES (1u << 20)
/* Decoded at once. */
#define DECODE_BYTES 65536
/* Below this much no ratio is too large: well compressed small bodies are common. */
#define RATIO_FREE_BYTES (1u << 20)

static const char no_body[HTTP_BODY_PADDING];

static enum error_code no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "no memory for the body");
}

static enum error_code too_large(const struct http_body *body, struct error *error)
{
    return error_set(error, ERROR_TOO_LARGE, "the body is larger than %zu bytes", body->limit_bytes);
}

enum error_code http_body_begin(struct http_body *body, struct slice encoding, bool in_memory_file,
                                 uint64_t announced_bytes, struct error *error)
{
    /* What Prometheus sends. Not a name for gRPC, where it means another format. */
    body->is_snappy = !in_memory_file && slice_equal_ignore_case(slice_trim(encoding), SLICE("snappy"));
    enum http_encoding known = body->is_snappy ? ENCODING_IDENTITY : http_encoding_from_name(encoding);
    if (known == ENCODING_UNKNOWN)
        return error_set_field(error, ERROR_UNSUPPORTED_MEDIA, "content-encoding",
                               "content encoding \"%.*s\" is not known; send gzip, deflate, zstd, snappy or none",
                               encoding.size > 60 ? 60 : SLICE_ARGS(encoding));
    if (announced_bytes > body->limit_bytes) return too_large(body, error);
    body->decoding = known != ENCODING_IDENTITY;
    if (body->decoding) {
        enum error_code code = http_decoder_start(&body->decoder, known, error);
        if (code) return code;
    }
    if (in_memory_file) {
        body->fd = memfd_create("millrace-body", MFD_CLOEXEC);
        if (body->fd < 0) return error_set_errno(error, errno, "cannot create a memory file for the body");
    } else {
        size_t room = announced_bytes < ANNOUNCED_LIMIT_BYTES ? (size_t)announced_bytes : ANNOUNCED_LIMIT_BYTES;
        if (!buffer_reserve(&body->memory, room + HTTP_BODY_PADDING)) return no_memory(error);
    }
    return ERROR_NONE;
}

static enum error_code keep(struct http_body *body, struct slice bytes, struct error *error)
{
    if (body->fd < 0) {
        buffer_append_slice(&body->memory, bytes);
        return body->memory.failed ? no_memory(error) : ERROR_NONE;
    }
    while (bytes.size > 0) {
        ssize_t written = write(body->fd, bytes.data, bytes.size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return error_set_errno(error, errno, "cannot write the body to a memory file");
        bytes = slice_from(bytes, (size_t)written);
    }
    return ERROR_NONE;
}

static enum error_code decode(struct http_body *body, struct slice bytes, struct error *error)
{
    char room[DECODE_BYTES];
    size_t size;
    do {
        enum error_code code = http_decoder_run(body->decoder, &bytes, room, sizeof room, &size, error);
        if (code) return code;
        body->decoded_bytes += size;
        if (body->decoded_bytes > body->limit_bytes) return too_large(body, error);
        if (body->decoded_bytes > RATIO_FREE_BYTES && body->decoded_bytes / body->ratio_limit > body->wire_bytes)
            return error_set(error, ERROR_TOO_LARGE, "the body grows more than %zu times when it is decompressed",
                             body->ratio_limit);
        code = keep(body, slice_make(room, size), error);
        if (code) return code;
    } while (bytes.size > 0 || size == sizeof room);
    return ERROR_NONE;
}

enum error_code http_body_add(struct http_body *body, struct slice bytes, struct error *error)
{
    body->wire_bytes += bytes.size;
    if (body->decoding) return decode(body, bytes, error);
    body->decoded_bytes += bytes.size;
    if (body->decoded_bytes > body->limit_bytes) return too_large(body, error);
    return keep(body, bytes, error);
}

/* Maps the file over the front of zeroed memory that is at least the padding longer: the file itself ends where the body
 * ends, and yet there are bytes to read behind it. */
static enum error_code map(struct http_body *body, struct error *error)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t file_size = body->decoded_bytes;
    body->mapping_size = (file_size + HTTP_BODY_PADDING + page - 1) / page * page;
    void *memory = mmap(NULL, body->mapping_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return no_memory(error);
    body->mapping = memory;
    if (mmap(memory, file_size, PROT_READ, MAP_SHARED | MAP_FIXED, body->fd, 0) == MAP_FAILED) return no_memory(error);
    return ERROR_NONE;
}

static enum error_code undo_snappy(struct http_body *body, struct error *error)
{
    struct buffer decoded = {0};
    enum error_code code = buffer_reserve(&decoded, HTTP_BODY_PADDING) ? snappy_read(buffer_slice(&body->memory), body->limit_bytes, &decoded, error)
                                                                       : no_memory(error);
    if (code) {
        buffer_free(&decoded);
        return code;
    }
    buffer_free(&body->memory);
    body->memory = decoded;
    body->decoded_bytes = decoded.size;
    return ERROR_NONE;
}

enum error_code http_body_end(struct http_body *body, struct request *request, struct error *error)
{
    request->body = slice_make(no_body, 0);
    request->body_fd = -1;
    if (body->decoding && body->wire_bytes > 0 && !http_decoder_is_complete(body->decoder))
        return error_set(error, ERROR_INVALID, "the compressed body is incomplete");
    if (body->is_snappy && body->wire_bytes > 0) {
        enum error_code code = undo_snappy(body, error);
        if (code) return code;
    }
    if (body->decoded_bytes == 0) return ERROR_NONE;
    if (body->fd < 0) {
        char *padding = buffer_reserve(&body->memory, HTTP_BODY_PADDING);
        if (!padding) return no_memory(error);
        memset(padding, 0, HTTP_BODY_PADDING);
        request->body = buffer_slice(&body->memory);
        return ERROR_NONE;
    }
    enum error_code code = map(body, error);
    if (code) return code;
    request->body = slice_make(body->mapping, body->decoded_bytes);
    request->body_fd = body->fd;
    return ERROR_NONE;
}

void http_body_reset(struct http_body *body)
{
    if (body->mapping) munmap(body->mapping, body->mapping_size);
    if (body->fd >= 0) close(body->fd);
    if (body->memory.capacity > HTTP_KEPT_BUFFER_BYTES) buffer_free(&body->memory);
    else buffer_clear(&body->memory);
    body->mapping = NULL;
    body->fd = -1;
    body->wire_bytes = body->decoded_bytes = 0;
    body->decoding = body->is_snappy = false;
}

void http_body_free(struct http_body *body)
{
    http_body_reset(body);
    buffer_free(&body->memory);
    http_decoder_free(body->decoder);
    body->decoder = NULL;
}
