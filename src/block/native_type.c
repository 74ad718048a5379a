/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the type names that ClickHouse writes into answers. */
#include "block/block_private.h"
#include "block/native_reader.h"

struct type_parser {
    struct slice rest;
    struct arena *arena;
    bool out_of_memory;
};

static struct block_type *parse_type(struct type_parser *parser, int depth);

static void skip_spaces(struct type_parser *parser)
{
    while (parser->rest.size && parser->rest.data[0] == ' ') parser->rest = slice_from(parser->rest, 1);
}

static bool take_byte(struct type_parser *parser, char byte)
{
    skip_spaces(parser);
    if (!parser->rest.size || parser->rest.data[0] != byte) return false;
    parser->rest = slice_from(parser->rest, 1);
    return true;
}

static struct slice take_word(struct type_parser *parser)
{
    skip_spaces(parser);
    size_t size = 0;
    for (; size < parser->rest.size; size++) {
        char c = parser->rest.data[size];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) break;
    }
    struct slice word = slice_first(parser->rest, size);
    parser->rest = slice_from(parser->rest, size);
    return word;
}

static bool take_number(struct type_parser *parser, int64_t minimum, int64_t maximum, int64_t *ret_value)
{
    skip_spaces(parser);
    size_t size = parser->rest.size && parser->rest.data[0] == '-';
    while (size < parser->rest.size && parser->rest.data[size] >= '0' && parser->rest.data[size] <= '9') size++;
    if (!slice_parse_int64(slice_first(parser->rest, size), ret_value)) return false;
    parser->rest = slice_from(parser->rest, size);
    return *ret_value >= minimum && *ret_value <= maximum;
}

/* A text in single quotes with backslash escapes, copied without them and ended by a zero. NULL when it is none. */
static char *take_quoted(struct type_parser *parser)
{
    if (!take_byte(parser, '\'')) return NULL;
    size_t end = 0;
    while (end < parser->rest.size && parser->rest.data[end] != '\'') end += parser->rest.data[end] == '\\' ? 2 : 1;
    if (end >= parser->rest.size) return NULL;
    char *text = arena_allocate(parser->arena, end + 1);
    if (!text) {
        parser->out_of_memory = true;
        return NULL;
    }
    size_t size = 0;
    for (size_t i = 0; i < end; i++) {
        char c = parser->rest.data[i];
        if (c == '\\') {
            static const char letters[] = "btnfr0", meanings[] = "\b\t\n\f\r";
            c = parser->rest.data[++i];
            const char *letter = c ? strchr(letters, c) : NULL;
            if (letter) c = meanings[letter - letters];
        }
        if (c == 0) return NULL; /* names are C strings here */
        text[size++] = c;
    }
    text[size] = 0;
    parser->rest = slice_from(parser->rest, end + 1);
    return text;
}

static bool parse_enum(struct type_parser *parser, struct block_type *type)
{
    /* An entry has at least one comma or is the first: counting them bounds the table before it is filled. */
    size_t limit = 2;
    for (size_t i = 0; i < parser->rest.size && limit < 258; i++) limit += parser->rest.data[i] == ',';
    struct block_enum_name *names = arena_allocate(parser->arena, limit * sizeof *names);
    if (!names) {
        parser->out_of_memory = true;
        return false;
    }
    size_t count = 0;
    do {
        int64_t value;
        if (count + 1 >= limit || !(names[count].name = take_quoted(parser)) || !take_byte(parser, '=') ||
            !take_number(parser, INT8_MIN, INT8_MAX, &value))
            return false;
        names[count++].value = (int8_t)value;
    } while (take_byte(parser, ','));
    names[count].name = NULL;
    type->enum_names = names;
    return true;
}

/* Precision and scale; the precision decides the width, as in ClickHouse. */
static bool parse_decimal(struct type_parser *parser, struct block_type *type)
{
    int64_t precision, scale;
    if (!take_number(parser, 1, 38, &precision) || !take_byte(parser, ',') ||
        !take_number(parser, 0, precision, &scale))
        return false;
    type->kind = precision <= 9 ? BLOCK_DECIMAL32 : precision <= 18 ? BLOCK_DECIMAL64 : BLOCK_DECIMAL128;
    type->parameter = (int)scale;
    return true;
}

static bool parse_parameters(struct type_parser *parser, struct block_type *type, int depth)
{
    int64_t number = 0;
    bool good = true;
    switch (type->kind) {
    case BLOCK_DECIMAL32: /* the entry of the table that carries the name Decimal first */
        return parse_decimal(parser, type);
    case BLOCK_FIXED_STRING:
        good = take_number(parser, 1, BLOCK_FIXED_STRING_LIMIT, &number);
        break;
    case BLOCK_DATETIME: /* the zone matters to text only, not to the seconds stored */
        return take_quoted(parser) != NULL;
    case BLOCK_DATETIME64:
        good = take_number(parser, 0, 9, &number) && (!take_byte(parser, ',') || take_quoted(parser));
        break;
    case BLOCK_ENUM8:
        return parse_enum(parser, type);
    case BLOCK_MAP:
        good = (type->key = parse_type(parser, depth + 1)) && take_byte(parser, ',') &&
               (type->inner = parse_type(parser, depth + 1));
        break;
    default:
        good = block_kinds[type->kind].holds_others && (type->inner = parse_type(parser, depth + 1));
        break;
    }
    type->parameter = (int)number;
    return good;
}

static bool needs_parameters(enum block_kind kind)
{
    return block_kinds[kind].holds_others || kind == BLOCK_DECIMAL32 || kind == BLOCK_FIXED_STRING ||
           kind == BLOCK_DATETIME64 || kind == BLOCK_ENUM8;
}

static struct block_type *parse_type(struct type_parser *parser, int depth)
{
    if (depth > BLOCK_TYPE_DEPTH_LIMIT) return NULL;
    struct slice word = take_word(parser);
    int kind = 0;
    while (kind < BLOCK_KIND_COUNT && !slice_equal(word, slice_from_string(block_kinds[kind].name))) kind++;
    if (kind == BLOCK_KIND_COUNT) return NULL;
    struct block_type *type = arena_allocate(parser->arena, sizeof *type);
    if (!type) {
        parser->out_of_memory = true;
        return NULL;
    }
    type->kind = (enum block_kind)kind;
    if (take_byte(parser, '(')) {
        if (!parse_parameters(parser, type, depth) || !take_byte(parser, ')')) return NULL;
    } else if (needs_parameters(type->kind)) {
        return NULL;
    }
    return type;
}

enum error_code native_reader_parse_type(struct slice name, struct arena *arena, const struct block_type **ret_type,
                                         struct error *error)
{
    struct type_parser parser = {.rest = name, .arena = arena};
    struct block_type *type = parse_type(&parser, 0);
    if (parser.out_of_memory) return error_set(error, ERROR_MEMORY, "no memory for the type of a column");
    if (!type || parser.rest.size || !block_type_is_valid(type))
        return error_set(error, ERROR_INVALID, "type %.*s is not supported", SLICE_ARGS(slice_first(name, 200)));
    *ret_type = type;
    return ERROR_NONE;
}
