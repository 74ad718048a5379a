/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes compressed bodies piece by piece: gzip and deflate with zlib, zstd with libzstd. */
#include "proto/http_priv.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/* A frame may ask for a window of up to 2^23 bytes (8 MiB), what its standard wants every decoder to support. */
#define ZSTD_WINDOW_LOG_LIMIT 23

struct http_decoder {
    enum http_encoding encoding;
    bool at_end;     /* the format's own end has been seen and nothing follows yet */
    bool zlib_ready; /* `zlib` holds memory; inflateReset2 makes it ready for the next body */
    z_stream zlib;
    ZSTD_DCtx *zstd;
};

static const struct {
    struct slice name;
    enum http_encoding encoding;
} encodings[] = {
    {{"", 0}, ENCODING_IDENTITY},         {{"identity", 8}, ENCODING_IDENTITY}, {{"gzip", 4}, ENCODING_GZIP},
    {{"x-gzip", 6}, ENCODING_GZIP},       {{"deflate", 7}, ENCODING_DEFLATE},   {{"zstd", 4}, ENCODING_ZSTD},
};

enum http_encoding http_encoding_from_name(struct slice name)
{
    name = slice_trim(name);
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (slice_equal_ignore_case(name, encodings[i].name)) return encodings[i].encoding;
    return ENCODING_UNKNOWN;
}

static enum error_code start_zlib(struct http_decoder *decoder, struct error *error)
{
    /* 16 more than the window bits means gzip; deflate is, by its standard, the zlib format. */
    int bits = decoder->encoding == ENCODING_GZIP ? 15 + 16 : 15;
    int result = decoder->zlib_ready ? inflateReset2(&decoder->zlib, bits) : inflateInit2(&decoder->zlib, bits);
    if (result != Z_OK) return error_set(error, ERROR_MEMORY, "no memory to decompress the body");
    decoder->zlib_ready = true;
    return ERROR_NONE;
}

static enum error_code start_zstd(struct http_decoder *decoder, struct error *error)
{
    if (!decoder->zstd) decoder->zstd = ZSTD_createDCtx();
    if (!decoder->zstd) return error_set(error, ERROR_MEMORY, "no memory to decompress the body");
    ZSTD_DCtx_reset(decoder->zstd, ZSTD_reset_session_only);
    ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_LIMIT);
    return ERROR_NONE;
}

enum error_code http_decoder_start(struct http_decoder **decoder, enum http_encoding encoding, struct error *error)
{
    if (!*decoder) *decoder = calloc(1, sizeof **decoder);
    if (!*decoder) return error_set(error, ERROR_MEMORY, "no memory to decompress the body");
    (*decoder)->encoding = encoding;
    (*decoder)->at_end = false;
    return encoding == ENCODING_ZSTD ? start_zstd(*decoder, error) : start_zlib(*decoder, error);
}

static enum error_code run_zlib(struct http_decoder *decoder, struct slice *input, char *room, size_t room_size,
                                size_t *ret_size, struct error *error)
{
    z_stream *zlib = &decoder->zlib;
    if (decoder->at_end && input->size > 0) {
        /* A gzip file may be several, one behind the other; log shippers make such. */
        if (decoder->encoding != ENCODING_GZIP || inflateReset(zlib) != Z_OK)
            return error_set(error, ERROR_INVALID, "the body goes on after the end of its compressed data");
        decoder->at_end = false;
    }
    uInt input_size = input->size < UINT32_MAX ? (uInt)input->size : UINT32_MAX;
    zlib->next_in = (Bytef *)(uintptr_t)input->data;
    zlib->avail_in = input_size;
    zlib->next_out = (Bytef *)room;
    zlib->avail_out = room_size < UINT32_MAX ? (uInt)room_size : UINT32_MAX;
    uInt room_before = zlib->avail_out;
    int result = inflate(zlib, Z_NO_FLUSH);
    *input = slice_from(*input, input_size - zlib->avail_in);
    *ret_size = room_before - zlib->avail_out;
    if (result == Z_STREAM_END) decoder->at_end = true;
    else if (result == Z_MEM_ERROR) return error_set(error, ERROR_MEMORY, "no memory to decompress the body");
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return error_set(error, ERROR_INVALID, "the body is not valid %s data: %s",
                         decoder->encoding == ENCODING_GZIP ? "gzip" : "deflate", zlib->msg ? zlib->msg : "corrupt");
    return ERROR_NONE;
}

static enum error_code run_zstd(struct http_decoder *decoder, struct slice *input, char *room, size_t room_size,
                                size_t *ret_size, struct error *error)
{
    ZSTD_inBuffer in = {input->data, input->size, 0};
    ZSTD_outBuffer out = {room, room_size, 0};
    size_t result = ZSTD_decompressStream(decoder->zstd, &out, &in);
    if (ZSTD_isError(result))
        return error_set(error, ERROR_INVALID, "the body is not valid zstd data: %s", ZSTD_getErrorName(result));
    /* 0 means that a frame is complete and flushed; asking again without input keeps that. */
    if (result == 0) decoder->at_end = true;
    else if (in.pos > 0 || out.pos > 0) decoder->at_end = false;
    *input = slice_from(*input, in.pos);
    *ret_size = out.pos;
    return ERROR_NONE;
}

enum error_code http_decoder_run(struct http_decoder *decoder, struct slice *input, char *room, size_t room_size,
                                  size_t *ret_size, struct error *error)
{
    if (decoder->encoding == ENCODING_ZSTD) return run_zstd(decoder, input, room, room_size, ret_size, error);
    return run_zlib(decoder, input, room, room_size, ret_size, error);
}

bool http_decoder_is_complete(const struct http_decoder *decoder)
{
    return decoder->at_end;
}

void http_decoder_free(struct http_decoder *decoder)
{
    if (!decoder) return;
    if (decoder->zlib_ready) inflateEnd(&decoder->zlib);
    ZSTD_freeDCtx(decoder->zstd);
    free(decoder);
}
