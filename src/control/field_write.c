/* SPDX-License-Identifier: Apache-2.0 */
/* Fields on their way out: values of rows as JSON, and what may be sent as JSON Schema. */
#include "control/field.h"

#include "base/time.h"
#include "control/field_private.h"
#include "control/resource.h"

/* What all fields of a type have in common. */
static const struct {
    const char *name;      /* of the type, for people */
    const char *json_type; /* of JSON Schema; NULL: object or array */
    const char *format;    /* of JSON Schema */
    int64_t most;          /* when the field says nothing */
} field_types[CONTROL_FIELD_TYPE_COUNT] = {
    [CONTROL_TEXT] = {"text", "string", NULL, 256},
    [CONTROL_LONG_TEXT] = {"long text", "string", NULL, 4096},
    [CONTROL_SECRET] = {"secret", "string", "password", 1024},
    [CONTROL_CODE] = {"code", "string", NULL, 64},
    [CONTROL_SLUG] = {"slug", "string", NULL, 64},
    [CONTROL_EMAIL] = {"email", "string", "email", 254},
    [CONTROL_URL] = {"url", "string", "uri", 2048},
    [CONTROL_WORD] = {"word", "string", NULL, 64},
    [CONTROL_BOOLEAN] = {"boolean", "boolean", NULL, 1},
    [CONTROL_INTEGER] = {"integer", "integer", "int64", INT64_C(9007199254740991)}, /* what JavaScript keeps exact */
    [CONTROL_TIME] = {"time", "string", "date-time", 0},
    [CONTROL_JSON] = {"json", NULL, NULL, 64 * 1024},
    [CONTROL_WORDS] = {"words", "array", NULL, 100},
    [CONTROL_ID] = {"id", "string", "uuid", 36},
};

const char *control_field_type_name(enum control_field_type type) { return field_types[type].name; }

int64_t control_field_most(const struct control_field *field)
{
    return field->most ? field->most : field_types[field->type].most;
}

static void field_write_lines(struct slice lines, struct json_writer *writer)
{
    json_writer_array_begin(writer);
    while (lines.size) json_writer_string(writer, slice_cut(&lines, '\n'));
    json_writer_array_end(writer);
}

static void field_write_time(int64_t unix_ms, struct json_writer *writer)
{
    char text[TIME_TEXT_SIZE];
    time_format_ms(unix_ms, text);
    json_writer_string(writer, slice_make(text, sizeof text));
}

void control_field_write(const struct control_field *field, const struct meta_row *row, size_t column,
                         struct json_writer *writer)
{
    if (field->type == CONTROL_SECRET || meta_row_is_null(row, column)) {
        json_writer_null(writer);
        return;
    }
    switch (field->type) {
    case CONTROL_BOOLEAN: json_writer_bool(writer, meta_row_boolean(row, column)); break;
    case CONTROL_INTEGER: json_writer_int(writer, meta_row_integer(row, column)); break;
    case CONTROL_TIME: field_write_time(meta_row_integer(row, column), writer); break;
    case CONTROL_JSON: json_writer_raw(writer, meta_row_text(row, column)); break;
    case CONTROL_WORDS: field_write_lines(meta_row_text(row, column), writer); break;
    default: json_writer_string(writer, meta_row_text(row, column)); break;
    }
}

static void schema_write_type(const struct control_field *field, struct json_writer *writer)
{
    const char *type = field_types[field->type].json_type;
    bool nullable = field->flags & CONTROL_NULLABLE;
    json_writer_key(writer, "type");
    if (type && !nullable) {
        json_writer_string(writer, slice_from_string(type));
        return;
    }
    json_writer_array_begin(writer);
    json_writer_string(writer, type ? slice_from_string(type) : SLICE("object"));
    if (!type) json_writer_string(writer, SLICE("array"));
    if (!type && field->flags & CONTROL_SCALAR) {
        json_writer_string(writer, SLICE("string"));
        json_writer_string(writer, SLICE("number"));
        json_writer_string(writer, SLICE("boolean"));
    }
    if (nullable) json_writer_string(writer, SLICE("null"));
    json_writer_array_end(writer);
}

static void schema_write_int(const char *key, int64_t value, struct json_writer *writer)
{
    json_writer_key(writer, key);
    json_writer_int(writer, value);
}

static void schema_write_bounds(const struct control_field *field, struct json_writer *writer)
{
    switch (field->type) {
    case CONTROL_TEXT:
    case CONTROL_LONG_TEXT:
    case CONTROL_SECRET:
        if (field->least) schema_write_int("minLength", field->least, writer);
        schema_write_int("maxLength", control_field_most(field), writer);
        break;
    case CONTROL_EMAIL:
    case CONTROL_URL: schema_write_int("maxLength", control_field_most(field), writer); break;
    case CONTROL_CODE:
        json_writer_key(writer, "pattern");
        json_writer_string(writer, SLICE("^[a-z0-9-]+$"));
        schema_write_int("maxLength", control_field_most(field), writer);
        break;
    case CONTROL_SLUG:
        json_writer_key(writer, "pattern");
        json_writer_string(writer, SLICE("^[A-Za-z0-9_-]+$"));
        if (field->least) schema_write_int("minLength", field->least, writer);
        schema_write_int("maxLength", control_field_most(field), writer);
        break;
    case CONTROL_WORD:
        json_writer_key(writer, "enum");
        json_writer_array_begin(writer);
        for (const char *const *word = field->words; *word; word++)
            json_writer_string(writer, slice_from_string(*word));
        if (field->flags & CONTROL_NULLABLE) json_writer_null(writer);
        json_writer_array_end(writer);
        break;
    case CONTROL_INTEGER:
        schema_write_int("minimum", field->least, writer);
        schema_write_int("maximum", control_field_most(field), writer);
        break;
    case CONTROL_WORDS:
        json_writer_key(writer, "items");
        json_writer_raw(writer, SLICE("{\"type\":\"string\",\"minLength\":1,\"maxLength\":256}"));
        schema_write_int("maxItems", control_field_most(field), writer);
        break;
    default: break;
    }
}

static void schema_write_default(const struct control_field *field, struct json_writer *writer)
{
    struct slice fallback = slice_from_string(field->fallback);
    json_writer_key(writer, "default");
    if (field->type == CONTROL_BOOLEAN || field->type == CONTROL_INTEGER || field->type == CONTROL_JSON)
        json_writer_raw(writer, fallback);
    else if (field->type == CONTROL_WORDS)
        field_write_lines(fallback, writer);
    else
        json_writer_string(writer, fallback);
}

void control_field_schema_write(const struct control_field *field, struct json_writer *writer)
{
    json_writer_object_begin(writer);
    schema_write_type(field, writer);
    if (field_types[field->type].format) {
        json_writer_key(writer, "format");
        json_writer_string(writer, slice_from_string(field_types[field->type].format));
    }
    schema_write_bounds(field, writer);
    if (field->fallback) schema_write_default(field, writer);
    if (field->flags & CONTROL_READ_ONLY) {
        json_writer_key(writer, "readOnly");
        json_writer_bool(writer, true);
    }
    if (field->type == CONTROL_SECRET) {
        json_writer_key(writer, "writeOnly");
        json_writer_bool(writer, true);
    }
    if (field->help || field->refers) {
        struct buffer text = {0};
        buffer_printf(&text, "%s%s", field->help ? field->help : "the id of a ",
                      field->help ? "" : field->refers->name);
        json_writer_key(writer, "description");
        json_writer_string(writer, buffer_slice(&text));
        buffer_free(&text);
    }
    json_writer_object_end(writer);
}
