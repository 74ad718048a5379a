/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of things and of requests: one table reads them from JSON or a query string, bounds, documents and writes
 * them. */
#ifndef CONTROL_FIELD_H
#define CONTROL_FIELD_H

#include "base/json_writer.h"
#include "control/control.h"
#include "decode/json.h"

enum control_field_type {
    CONTROL_TEXT,      /* least..most bytes of UTF-8 without control characters */
    CONTROL_LONG_TEXT, /* the same, line breaks allowed */
    CONTROL_SECRET,    /* as CONTROL_TEXT, never written out or logged: passwords, codes, tokens */
    CONTROL_CODE,      /* [a-z0-9-]; on create made from the name when absent */
    CONTROL_SLUG,      /* least..most of [A-Za-z0-9_-] */
    CONTROL_EMAIL,     /* lower-cased */
    CONTROL_URL,       /* absolute http(s) */
    CONTROL_WORD,      /* one of `words` */
    CONTROL_BOOLEAN,
    CONTROL_INTEGER,   /* least..most */
    CONTROL_TIME,      /* ISO 8601 or Unix ms in, ISO 8601 out; bigint Unix ms in tables */
    CONTROL_JSON,      /* object or array of at most `most` bytes; jsonb in tables */
    CONTROL_WORDS,     /* array of text, each at most 256 bytes, at most `most` of them; lines of one text in tables */
    CONTROL_ID,        /* UUID */
    CONTROL_FIELD_TYPE_COUNT
};
enum control_field_flag {
    CONTROL_REQUIRED = 1 << 0,  /* on create, or in the request */
    CONTROL_IMMUTABLE = 1 << 1, /* set on create, never changed */
    CONTROL_READ_ONLY = 1 << 2, /* set by the program */
    CONTROL_NULLABLE = 1 << 3,  /* JSON null is SQL NULL */
    CONTROL_ACCESS = 1 << 4,    /* changing it changes who may do what: event loops must see it */
    CONTROL_SCALAR = 1 << 6,    /* CONTROL_JSON: text, numbers and booleans too */
    CONTROL_UPDATE = 1 << 5,    /* only on update (is_active of a thing that is born active) */
};
#define CONTROL_FIELD_LIMIT 40 /* of one table: the longest has about twenty-five */
struct control_resource;
struct control_field {
    const char *name;                      /* JSON key, column, query parameter */
    enum control_field_type type;
    unsigned flags;
    int64_t least, most;                   /* bytes, values or items by type; most 0: the type's own limit */
    const char *const *words;              /* of CONTROL_WORD, ended by NULL */
    const struct control_resource
        *refers; /* of CONTROL_ID: a living thing in the same scope; NULL: checked elsewhere */
    const char *fallback;                  /* value when absent, as text; NULL: none */
    const char *help;                      /* one line, for OpenAPI */
};
/* What was read for one field. */
struct control_value {
    bool given;            /* in the request, or by fallback */
    bool is_null;
    int64_t integer;       /* also booleans and times */
    struct slice text;     /* in the call's arena; CONTROL_JSON: the JSON text; CONTROL_WORDS: one a line */
};
/*
 * Reads an object into values[i] for fields[i]. `is_update`: nothing is required, immutable fields are refused. Refused
 * with ERROR_INVALID and error->field: unknown names (with the names there are), wrong types, out of bounds, read-only.
 */
enum error_code control_fields_read(struct arena *arena, const struct control_field *fields, struct json_value object,
                                    bool is_update, struct control_value *values, struct error *error) MUST_CHECK;
/* The same from text (query strings, command line): one field. */
enum error_code control_field_read_text(struct arena *arena, const struct control_field *field, struct slice text,
                                        struct control_value *value, struct error *error) MUST_CHECK;
size_t control_fields_count(const struct control_field *fields);
/* A field's value as JSON, read from a row's column. Times as ISO 8601 with Z. */
void control_field_write(const struct control_field *field, const struct meta_row *row, size_t column,
                         struct json_writer *writer);
/* The field as JSON Schema (OpenAPI 3.1). */
void control_field_schema_write(const struct control_field *field, struct json_writer *writer);
const char *control_field_type_name(enum control_field_type type);

#endif
