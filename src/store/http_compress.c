/* SPDX-License-Identifier: Apache-2.0 */
/* Compresses the bodies of inserts for the network. */
#include "store/http_store.h"

#include <zlib.h>
#include <zstd.h>

/* Rows in columns compress to a fifth at the quickest level; the next ones win a tenth and cost twice the time. */
#define ZSTD_LEVEL 1
#define GZIP_LEVEL 1
/* Smaller bodies fit one packet either way. */
#define SMALLEST_BODY 1024

static enum error_code compress_gzip(struct slice body, struct buffer *out, struct error *error)
{
    z_stream stream = {0};
    if (body.size > UINT32_MAX)
        return error_set(error, ERROR_TOO_LARGE, "an insert of %zu bytes is too large for gzip", body.size);
    /* 16 more than the window bits: a gzip head instead of zlib's. */
    if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return error_set(error, ERROR_MEMORY, "out of memory compressing an insert");
    size_t bound = deflateBound(&stream, body.size);
    char *room = buffer_reserve(out, bound);
    bool is_done = false;
    if (room) {
        stream.next_in = (unsigned char *)body.data;
        stream.avail_in = (unsigned)body.size;
        stream.next_out = (unsigned char *)room;
        stream.avail_out = (unsigned)bound;
        is_done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
        out->size += stream.total_out;
    }
    deflateEnd(&stream);
    return is_done ? ERROR_NONE : error_set(error, ERROR_MEMORY, "out of memory compressing an insert");
}

static enum error_code compress_zstd(struct slice body, struct buffer *out, struct error *error)
{
    size_t bound = ZSTD_compressBound(body.size);
    char *room = buffer_reserve(out, bound);
    size_t size = room ? ZSTD_compress(room, bound, body.data, body.size, ZSTD_LEVEL) : 0;
    if (!room || ZSTD_isError(size)) return error_set(error, ERROR_MEMORY, "out of memory compressing an insert");
    out->size += size;
    return ERROR_NONE;
}

static const struct {
    const char *name;
    enum error_code (*compress)(struct slice body, struct buffer *out, struct error *error);
} compressions[STORE_COMPRESSION_COUNT] = {
    [STORE_COMPRESSION_NONE] = {"none", NULL},
    [STORE_COMPRESSION_GZIP] = {"gzip", compress_gzip},
    [STORE_COMPRESSION_ZSTD] = {"zstd", compress_zstd},
};

const char *store_compression_name(enum store_compression compression) { return compressions[compression].name; }

bool store_compression_find(const char *name, enum store_compression *ret_compression)
{
    for (size_t i = 0; i < STORE_COMPRESSION_COUNT; i++) {
        if (strcmp(name, compressions[i].name) != 0) continue;
        *ret_compression = (enum store_compression)i;
        return true;
    }
    return false;
}

enum error_code http_compress(enum store_compression compression, struct slice body, struct buffer *out,
                              bool *ret_is_compressed, struct error *error)
{
    *ret_is_compressed = compressions[compression].compress && body.size >= SMALLEST_BODY;
    return *ret_is_compressed ? compressions[compression].compress(body, out, error) : ERROR_NONE;
}
