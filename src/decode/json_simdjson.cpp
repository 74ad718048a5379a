/* SPDX-License-Identifier: Apache-2.0 */
/* Puts simdjson, which is C++, behind four C functions. Nothing here throws: simdjson's error codes are used throughout. */
#include "decode/json_simdjson.h"

#include <new>
#include <simdjson.h>

static_assert(simdjson::SIMDJSON_PADDING <= 64, "json.h promises that 64 readable bytes past the text are enough");

extern "C" void *json_simdjson_create(size_t depth_limit)
{
    auto *parser = new (std::nothrow) simdjson::dom::parser();
    if (!parser) return nullptr;
    if (parser->allocate(4096, depth_limit) != simdjson::SUCCESS) {
        delete parser;
        return nullptr;
    }
    return parser;
}

extern "C" void json_simdjson_destroy(void *parser) { delete static_cast<simdjson::dom::parser *>(parser); }

extern "C" size_t json_simdjson_capacity(const void *parser)
{
    return static_cast<const simdjson::dom::parser *>(parser)->capacity();
}

extern "C" enum json_simdjson_result json_simdjson_parse(void *parser, const char *text, size_t size,
                                                         const uint64_t **ret_tape, const uint8_t **ret_strings)
{
    auto *dom = static_cast<simdjson::dom::parser *>(parser);
    switch (dom->parse(text, size, false).error()) {
    case simdjson::SUCCESS:
        *ret_tape = dom->doc.tape.get();
        *ret_strings = dom->doc.string_buf.get();
        return JSON_SIMDJSON_OK;
    case simdjson::MEMALLOC:
    case simdjson::CAPACITY:
        return JSON_SIMDJSON_NO_MEMORY;
    case simdjson::DEPTH_ERROR:
        return JSON_SIMDJSON_TOO_DEEP;
    case simdjson::UTF8_ERROR:
        return JSON_SIMDJSON_NOT_UTF8;
    case simdjson::NUMBER_ERROR:
    case simdjson::NUMBER_OUT_OF_RANGE:
        return JSON_SIMDJSON_BAD_NUMBER;
    case simdjson::STRING_ERROR:
        return JSON_SIMDJSON_BAD_STRING;
    default:
        return JSON_SIMDJSON_MALFORMED;
    }
}
