/* SPDX-License-Identifier: Apache-2.0 */
/* Contract with the real engine: every type the block writer writes goes in as Native and comes back equal. */
#include <dlfcn.h>
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "block/native_reader.h"

/* --- the engine, loaded from the library that the environment names --- */

struct engine {
    void **connection;
    void *(*query)(void *connection, const char *sql, const char *format);
    const char *(*result_error)(void *result);
    char *(*result_buffer)(void *result);
    size_t (*result_length)(void *result);
    void (*result_destroy)(void *result);
    void (*close)(void **connection);
    char directory[32];
};
static struct engine engine;
static int check_number;
static int failures;

static void check(bool good, const char *title)
{
    check_number++;
    failures += !good;
    printf("%s %d - %s\n", good ? "ok" : "not ok", check_number, title);
}

static void *symbol(void *library, const char *name)
{
    void *address = dlsym(library, name);
    if (!address) {
        printf("Bail out! the library has no %s\n", name);
        exit(1);
    }
    return address;
}

static void engine_open(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        printf("Bail out! %s\n", dlerror());
        exit(1);
    }
    void **(*connect)(int, char **) = symbol(library, "chdb_connect");
    void (*set_signal_handlers)(int) = symbol(library, "chdb_set_signal_handlers_enabled");
    engine.query = symbol(library, "chdb_query");
    engine.result_error = symbol(library, "chdb_result_error");
    engine.result_buffer = symbol(library, "chdb_result_buffer");
    engine.result_length = symbol(library, "chdb_result_length");
    engine.result_destroy = symbol(library, "chdb_destroy_query_result");
    engine.close = symbol(library, "chdb_close_conn");
    memcpy(engine.directory, "/tmp/millrace-native-XXXXXX", sizeof "/tmp/millrace-native-XXXXXX");
    if (!mkdtemp(engine.directory)) exit(1);
    /* Without a file of its own the engine would take one from the working directory. */
    char config[64], config_argument[96], path_argument[64];
    snprintf(config, sizeof config, "%s/config.xml", engine.directory);
    FILE *file = fopen(config, "w");
    if (!file || fputs("<clickhouse></clickhouse>\n", file) < 0 || fclose(file)) exit(1);
    snprintf(config_argument, sizeof config_argument, "--config-file=%s", config);
    snprintf(path_argument, sizeof path_argument, "--path=%s/data", engine.directory);
    char *arguments[] = {"clickhouse", path_argument, config_argument};
    set_signal_handlers(0);
    engine.connection = connect(3, arguments);
    if (!engine.connection) {
        printf("Bail out! the engine does not open %s\n", engine.directory);
        exit(1);
    }
}

static void engine_close(void)
{
    char command[64];
    engine.close(engine.connection);
    snprintf(command, sizeof command, "rm -rf %s", engine.directory);
    if (system(command) != 0) printf("# could not remove %s\n", engine.directory);
}

/* Appends the answer to `out`; false, with the engine's text as a comment, when it refuses. */
static bool engine_run(const char *sql, const char *format, struct buffer *out)
{
    void *result = engine.query(*engine.connection, sql, format);
    const char *text = result ? engine.result_error(result) : "no result";
    if (text) printf("# %.300s\n# in: %.300s\n", text, sql);
    else if (out) buffer_append(out, engine.result_buffer(result), engine.result_length(result));
    if (result) engine.result_destroy(result);
    return !text;
}

static bool engine_insert_native(const char *table, const struct buffer *native)
{
    int fd = memfd_create("native", 0);
    char sql[128];
    snprintf(sql, sizeof sql, "INSERT INTO %s SELECT * FROM file('/proc/self/fd/%d', 'Native')", table, fd);
    bool good = fd >= 0 && write(fd, native->data, native->size) == (ssize_t)native->size;
    good = good && engine_run(sql, "Null", NULL);
    if (fd >= 0) close(fd);
    return good;
}

/* --- the table: one column of each type, and the nestings that the tables of the product use --- */

static const struct block_enum_name colors[] = {
    {"it's", 7}, {"red", -128}, {"green", 0}, {"back\\slash", 127}, {NULL, 0}};
#define TYPE(name, ...) static const struct block_type name = {__VA_ARGS__}
TYPE(type_uint8, BLOCK_UINT8);
TYPE(type_uint16, BLOCK_UINT16);
TYPE(type_uint32, BLOCK_UINT32);
TYPE(type_uint64, BLOCK_UINT64);
TYPE(type_int8, BLOCK_INT8);
TYPE(type_int16, BLOCK_INT16);
TYPE(type_int32, BLOCK_INT32);
TYPE(type_int64, BLOCK_INT64);
TYPE(type_float32, BLOCK_FLOAT32);
TYPE(type_float64, BLOCK_FLOAT64);
TYPE(type_bool, BLOCK_BOOL);
TYPE(type_decimal32, BLOCK_DECIMAL32, 2);
TYPE(type_decimal64, BLOCK_DECIMAL64, 4);
TYPE(type_decimal128, BLOCK_DECIMAL128, 10);
TYPE(type_string, BLOCK_STRING);
TYPE(type_fixed, BLOCK_FIXED_STRING, 5);
TYPE(type_uuid, BLOCK_UUID);
TYPE(type_date, BLOCK_DATE);
TYPE(type_datetime, BLOCK_DATETIME);
TYPE(type_datetime64, BLOCK_DATETIME64, 3);
TYPE(type_enum8, BLOCK_ENUM8, .enum_names = colors);
TYPE(type_ipv4, BLOCK_IPV4);
TYPE(type_ipv6, BLOCK_IPV6);
TYPE(type_null_string, BLOCK_NULLABLE, .inner = &type_string);
TYPE(type_null_float64, BLOCK_NULLABLE, .inner = &type_float64);
TYPE(type_null_uuid, BLOCK_NULLABLE, .inner = &type_uuid);
TYPE(type_null_enum8, BLOCK_NULLABLE, .inner = &type_enum8);
TYPE(type_low_string, BLOCK_LOW_CARDINALITY, .inner = &type_string);
TYPE(type_low_null_string, BLOCK_LOW_CARDINALITY, .inner = &type_null_string);
TYPE(type_low_fixed, BLOCK_LOW_CARDINALITY, .inner = &type_fixed);
TYPE(type_low_uint32, BLOCK_LOW_CARDINALITY, .inner = &type_uint32);
TYPE(type_low_uuid, BLOCK_LOW_CARDINALITY, .inner = &type_uuid);
TYPE(type_low_datetime, BLOCK_LOW_CARDINALITY, .inner = &type_datetime);
TYPE(type_array_uint32, BLOCK_ARRAY, .inner = &type_uint32);
TYPE(type_array_low, BLOCK_ARRAY, .inner = &type_low_string);
TYPE(type_array_low_null, BLOCK_ARRAY, .inner = &type_low_null_string);
TYPE(type_array_array, BLOCK_ARRAY, .inner = &type_array_low);
TYPE(type_map, BLOCK_MAP, .key = &type_string, .inner = &type_string);
TYPE(type_array_null_float64, BLOCK_ARRAY, .inner = &type_null_float64);
TYPE(type_map_low_array, BLOCK_MAP, .key = &type_low_string, .inner = &type_array_null_float64);
TYPE(type_array_map, BLOCK_ARRAY, .inner = &type_map);

enum { ID, U8, U16, U32, U64, I8, I16, I32, I64, F32, F64, BOOL, D32, D64, D128, STR, FIXED, UUID, DATE, DATETIME,
    DATETIME64, ENUM8, IPV4, IPV6, NULL_STRING, NULL_FLOAT64, NULL_UUID, NULL_ENUM8, LOW_STRING, LOW_NULL_STRING, LOW_FIXED,
    LOW_UINT32, LOW_UUID, LOW_DATETIME, ARRAY_UINT32, ARRAY_LOW, ARRAY_LOW_NULL, ARRAY_ARRAY, MAP, MAP_LOW_ARRAY, ARRAY_MAP,
    COLUMN_COUNT };
static const struct block_schema_column columns[COLUMN_COUNT] = {
    {"id", &type_uint32}, {"u8", &type_uint8}, {"u16", &type_uint16}, {"u32", &type_uint32}, {"u64", &type_uint64},
    {"i8", &type_int8}, {"i16", &type_int16}, {"i32", &type_int32}, {"i64", &type_int64}, {"f32", &type_float32},
    {"f64", &type_float64}, {"bool", &type_bool}, {"d32", &type_decimal32}, {"d64", &type_decimal64},
    {"d128", &type_decimal128}, {"str", &type_string}, {"fixed", &type_fixed}, {"uuid", &type_uuid}, 
    {"date", &type_date},
    {"datetime", &type_datetime}, {"datetime64", &type_datetime64}, {"enum8", &type_enum8}, {"ipv4", &type_ipv4},
    {"ipv6", &type_ipv6}, {"null_string", &type_null_string}, {"null_float64", &type_null_float64},
    {"null_uuid", &type_null_uuid}, {"null_enum8", &type_null_enum8}, {"low_string", &type_low_string},
    {"low_null_string", &type_low_null_string}, {"low_fixed", &type_low_fixed}, {"low_uint32", &type_low_uint32},
    {"low_uuid", &type_low_uuid}, {"low_datetime", &type_low_datetime}, {"array_uint32", &type_array_uint32},
    {"array_low", &type_array_low}, {"array_low_null", &type_array_low_null}, {"array_array", &type_array_array},
    {"map", &type_map}, {"map_low_array", &type_map_low_array}, {"array_map", &type_array_map},
};
static const struct block_schema schema = {"default", "every_type", columns, COLUMN_COUNT};

static const struct uuid some_uuid = {
    {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10}};
static const uint8_t some_ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

static void append_highest(struct block *block)
{
    static const size_t uints[] = {U8, U16, U32, U64, BOOL, DATE, DATETIME, IPV4, LOW_UINT32, LOW_DATETIME};
    static const size_t ints[] = {I8, I16, I32, I64, D32, D64, ENUM8, NULL_ENUM8};
    static const size_t strings[] = {STR, NULL_STRING, LOW_STRING, LOW_NULL_STRING};
    static const size_t uuids[] = {UUID, NULL_UUID, LOW_UUID};
    block_append_uint(block, ID, 0);
    for (size_t i = 0; i < sizeof uints / sizeof uints[0]; i++) block_append_uint(block, uints[i], UINT64_MAX);
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) block_append_int(block, ints[i], INT64_MAX);
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        block_append_string(block, strings[i], SLICE("zero \0, tab \t, \xe2\x82\xac"));
    for (size_t i = 0; i < sizeof uuids / sizeof uuids[0]; i++) block_append_uuid(block, uuids[i], &some_uuid);
    block_append_int128(block, D128, ((__int128)1 << 126));
    block_append_int(block, DATETIME64, 4102444799999);
    block_append_double(block, F32, FLT_MAX);
    block_append_double(block, F64, DBL_MAX);
    block_append_double(block, NULL_FLOAT64, 0.1);
    block_append_string(block, FIXED, SLICE("abcde"));
    block_append_string(block, LOW_FIXED, SLICE("NL"));
    block_append_ipv6(block, IPV6, some_ipv6);
    block_append_defaults_for_missing(block);
    block_row_commit(block);
}

static void append_lowest(struct block *block)
{
    static const size_t ints[] = {I8, I16, I32, I64, D32, D64, ENUM8, NULL_ENUM8};
    block_append_uint(block, ID, 1);
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) block_append_int(block, ints[i], INT64_MIN);
    block_append_int128(block, D128, -((__int128)1 << 126));
    block_append_int(block, DATETIME64, -1);
    block_append_double(block, F32, -FLT_MAX);
    block_append_double(block, F64, DBL_MIN);
    block_append_string(block, NULL_STRING, SLICE_EMPTY);
    block_append_string(block, LOW_NULL_STRING, SLICE_EMPTY);
    block_append_defaults_for_missing(block);
    block_row_commit(block);
}

static void append_words(struct block *block, size_t column, const char *first, const char *second)
{
    block_array_begin(block, column);
    block_append_string(block, column, slice_from_string(first));
    block_append_default(block, column);
    block_append_string(block, column, slice_from_string(second));
    block_append_string(block, column, slice_from_string(first));
    block_array_end(block, column);
}

static void append_pairs(struct block *block, size_t column)
{
    block_map_begin(block, column);
    block_map_key(block, column, SLICE("plan"));
    block_append_string(block, column, SLICE("pro"));
    block_map_key(block, column, SLICE("seats"));
    block_append_string(block, column, SLICE("12"));
    block_map_end(block, column);
}

static void append_nested(struct block *block)
{
    block_append_uint(block, ID, 3);
    block_array_begin(block, ARRAY_UINT32);
    for (unsigned i = 0; i < 3; i++) block_append_uint(block, ARRAY_UINT32, i);
    block_array_end(block, ARRAY_UINT32);
    append_words(block, ARRAY_LOW, "a", "b");
    append_words(block, ARRAY_LOW_NULL, "x", "");
    block_array_begin(block, ARRAY_ARRAY);
    append_words(block, ARRAY_ARRAY, "deep", "deeper");
    block_append_default(block, ARRAY_ARRAY);
    append_words(block, ARRAY_ARRAY, "a", "deep");
    block_array_end(block, ARRAY_ARRAY);
    append_pairs(block, MAP);
    block_map_begin(block, MAP_LOW_ARRAY);
    block_map_key(block, MAP_LOW_ARRAY, SLICE("latency"));
    block_array_begin(block, MAP_LOW_ARRAY);
    block_append_double(block, MAP_LOW_ARRAY, 1.5);
    block_append_null(block, MAP_LOW_ARRAY);
    block_append_double(block, MAP_LOW_ARRAY, -2);
    block_array_end(block, MAP_LOW_ARRAY);
    block_map_key(block, MAP_LOW_ARRAY, SLICE("none"));
    block_append_default(block, MAP_LOW_ARRAY);
    block_map_end(block, MAP_LOW_ARRAY);
    block_array_begin(block, ARRAY_MAP);
    append_pairs(block, ARRAY_MAP);
    block_append_default(block, ARRAY_MAP);
    block_array_end(block, ARRAY_MAP);
    block_append_defaults_for_missing(block);
    block_row_commit(block);
}

static void append_defaults(struct block *block, unsigned id)
{
    block_append_uint(block, ID, id);
    block_append_defaults_for_missing(block);
    block_row_commit(block);
}

/* What the engine itself prints for these rows: a mistake that writer and reader share would show here. */
static const char *const expected_text[] = {
    "0\t255\t65535\t4294967295\t18446744073709551615\t127\t32767\t2147483647\t9223372036854775807\t3.4028235e38\t"
    "1.7976931348623157e308\ttrue\t9999999.99\t99999999999999.9999\t8507059173023461586584365185.7942052864\t"
    "zero \\0, tab \\t, \xe2\x82\xac\tabcde\t01234567-89ab-cdef-fedc-ba9876543210\t2149-06-06\t2106-02-07 06:28:15\t"
    "2099-12-31 23:59:59.999\tback\\\\slash\t255.255.255.255\t2001:db8::1\tzero \\0, tab \\t, \xe2\x82\xac\t0.1\t"
    "01234567-89ab-cdef-fedc-ba9876543210\tback\\\\slash\tzero \\0, tab \\t, \xe2\x82\xac\tzero \\0, tab \\t, \xe2\x82\xac\t"
    "NL\\0\\0\\0\t4294967295\t01234567-89ab-cdef-fedc-ba9876543210\t2106-02-07 06:28:15\t[]\t[]\t[]\t[]\t{}\t{}\t[]",
    "1\t0\t0\t0\t0\t-128\t-32768\t-2147483648\t-9223372036854775808\t-3.4028235e38\t2.2250738585072014e-308\tfalse\t-9999999.99\t"
    "-99999999999999.9999\t-8507059173023461586584365185.7942052864\t\t\\0\\0\\0\\0\\0\t00000000-0000-0000-0000-000000000000\t"
    "1970-01-01\t1970-01-01 00:00:00\t1969-12-31 23:59:59.999\tred\t0.0.0.0\t::\t\t\\N\t\\N\tred\t\t\t\\0\\0\\0\\0\\0\t0\t"
    "00000000-0000-0000-0000-000000000000\t1970-01-01 00:00:00\t[]\t[]\t[]\t[]\t{}\t{}\t[]",
    "2\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\tfalse\t0\t0\t0\t\t\\0\\0\\0\\0\\0\t00000000-0000-0000-0000-000000000000\t"
    "1970-01-01\t1970-01-01 00:00:00\t1970-01-01 00:00:00.000\tgreen\t0.0.0.0\t::\t\\N\t\\N\t\\N\t\\N\t\t\\N\t\\0\\0\\0\\0\\0\t0\t"
    "00000000-0000-0000-0000-000000000000\t1970-01-01 00:00:00\t[]\t[]\t[]\t[]\t{}\t{}\t[]",
    "3\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\tfalse\t0\t0\t0\t\t\\0\\0\\0\\0\\0\t00000000-0000-0000-0000-000000000000\t"
    "1970-01-01\t1970-01-01 00:00:00\t1970-01-01 00:00:00.000\tgreen\t0.0.0.0\t::\t\\N\t\\N\t\\N\t\\N\t\t\\N\t\\0\\0\\0\\0\\0\t0\t"
    "00000000-0000-0000-0000-000000000000\t1970-01-01 00:00:00\t[0,1,2]\t['a','','b','a']\t['x',NULL,'','x']\t"
    "[['deep','','deeper','deep'],[],['a','','deep','a']]\t{'plan':'pro','seats':'12'}\t{'latency':[1.5,NULL,-2],'none':[]}\t"
    "[{'plan':'pro','seats':'12'},{}]",
};
#define TEXT_ROWS (sizeof expected_text / sizeof expected_text[0])

/* --- comparing --- */

static bool values_equal(const struct native_value *a, const struct native_value *b)
{
    if (a->kind != b->kind || a->is_null != b->is_null) return false;
    if (a->is_null) return true;
    switch (a->kind) {
    case BLOCK_STRING:
    case BLOCK_FIXED_STRING:
    case BLOCK_IPV6:
        return slice_equal(a->s, b->s);
    case BLOCK_UUID:
        return memcmp(&a->uuid, &b->uuid, sizeof a->uuid) == 0;
    case BLOCK_DECIMAL128:
        return a->i128 == b->i128;
    case BLOCK_ARRAY:
    case BLOCK_MAP:
        if (a->array.count != b->array.count) return false;
        for (size_t i = 0; i < a->array.count; i++)
            if (!values_equal(&a->array.items[i], &b->array.items[i])) return false;
        return true;
    default:
        return a->u == b->u;
    }
}

/* To clients that name no protocol version the engine writes a DateTime without its zone; nested ones keep it. */
static bool type_names_equal(struct slice is, struct slice expected)
{
    if (slice_equal(expected, SLICE("DateTime('UTC')"))) return slice_equal(is, SLICE("DateTime"));
    return slice_equal(is, expected);
}

/* The answer may come in several blocks; `expected` is one. */
static bool answer_equals(struct slice answer, const struct native_block *expected, struct arena *arena)
{
    size_t row = 0;
    while (answer.size) {
        struct native_block block;
        struct error error;
        if (native_reader_next(&answer, arena, &block, &error)) {
            printf("# reader: %s\n", error.message);
            return false;
        }
        if (block.rows == 0) continue;
        if (block.column_count != expected->column_count || row + block.rows > expected->rows) return false;
        for (size_t c = 0; c < block.column_count; c++) {
            if (!type_names_equal(block.columns[c].type_name, expected->columns[c].type_name)) {
                printf("# type %.*s came back as %.*s\n", SLICE_ARGS(expected->columns[c].type_name),
                       SLICE_ARGS(block.columns[c].type_name));
                return false;
            }
            for (size_t r = 0; r < block.rows; r++) {
                if (values_equal(&block.columns[c].values[r], &expected->columns[c].values[row + r])) continue;
                printf("# row %zu of column %.*s differs\n", row + r, SLICE_ARGS(block.columns[c].name));
                return false;
            }
        }
        row += block.rows;
    }
    return row == expected->rows;
}

static void write_table(const struct block_schema *table, struct buffer *out)
{
    buffer_printf(out, "CREATE TABLE %s (", table->table);
    for (size_t i = 0; i < table->column_count; i++) {
        buffer_printf(out, "%s `%s` ", i ? "," : "", table->columns[i].name);
        block_type_write_name(table->columns[i].type, out);
    }
    buffer_append_string(out, ") ENGINE = MergeTree ORDER BY id SETTINGS allow_suspicious_indices = 1");
    buffer_append_byte(out, 0);
}

static void seal_and_write(struct block *block, struct buffer *native)
{
    struct error error;
    if (block_seal(block, &error)) {
        printf("Bail out! %s\n", error.message);
        exit(1);
    }
    block_write_native(block, NULL, 0, native);
}

static bool read_back(const char *sql, struct slice written, struct arena *arena)
{
    struct native_block expected;
    struct error error;
    struct buffer answer = {0};
    bool good = native_reader_next(&written, arena, &expected, &error) == ERROR_NONE && written.size == 0 &&
                engine_run(sql, "Native", &answer) && answer_equals(buffer_slice(&answer), &expected, arena);
    buffer_free(&answer);
    return good;
}

static bool text_is_as_expected(void)
{
    struct buffer answer = {0};
    bool good = engine_run("SELECT * FROM every_type WHERE id < 4 ORDER BY id", "TSV", &answer);
    struct slice rest = buffer_slice(&answer);
    for (size_t i = 0; good && i < TEXT_ROWS; i++) {
        struct slice line = slice_cut(&rest, '\n'), expected = slice_from_string(expected_text[i]);
        while (line.size || expected.size) {
            struct slice is = slice_cut(&line, '\t'), should = slice_cut(&expected, '\t');
            if (slice_equal(is, should)) continue;
            printf("# row %zu: engine prints '%.*s', expected '%.*s'\n", i, SLICE_ARGS(is), SLICE_ARGS(should));
            good = false;
        }
    }
    buffer_free(&answer);
    return good;
}

static void every_type(struct arena *arena)
{
    struct buffer sql = {0}, native = {0};
    struct block *block = block_create(&schema);
    if (!block) exit(1);
    write_table(&schema, &sql);
    check(engine_run(sql.data, "Null", NULL), "the engine understands the names of all types");
    append_highest(block);
    append_lowest(block);
    append_defaults(block, 2);
    append_nested(block);
    for (unsigned id = 4; id < 1000; id++) append_defaults(block, id);
    seal_and_write(block, &native);
    check(engine_insert_native("every_type", &native), "the engine takes a block of all types");
    check(read_back("SELECT * FROM every_type ORDER BY id", buffer_slice(&native), arena),
        "all values come back equal");
    check(text_is_as_expected(), "the engine prints the values that were meant");
    block_reset(block);
    buffer_clear(&native);
    seal_and_write(block, &native);
    check(engine_insert_native("every_type", &native), "the engine takes a block without rows");
    check(read_back("SELECT * FROM every_type WHERE 0", buffer_slice(&native), arena), "an empty answer is read");
    block_destroy(block);
    buffer_free(&native);
    buffer_free(&sql);
}

/* Dictionaries on both sides of the limits where the index type changes. */
static void dictionary_of(unsigned distinct, struct arena *arena)
{
    static const struct block_schema_column pair[] = {
        {"id", &type_uint32}, {"low", &type_low_null_string}, {"a", &type_array_low}};
    const struct block_schema table = {"default", "dictionaries", pair, 3};
    struct buffer sql = {0}, native = {0};
    struct block *block = block_create(&table);
    if (!block) exit(1);
    write_table(&table, &sql);
    for (unsigned i = 0; i < distinct + 10; i++) {
        char text[16];
        struct slice word = slice_make(text, (size_t)snprintf(text, sizeof text, "value %u", i % distinct));
        block_append_uint(block, 0, i);
        if (i % 7 != 6 || i >= distinct) block_append_string(block, 1, word);
        block_array_begin(block, 2);
        if (i % 2) block_append_string(block, 2, word);
        block_array_end(block, 2);
        block_append_defaults_for_missing(block);
        block_row_commit(block);
    }
    seal_and_write(block, &native);
    char title[64];
    snprintf(title, sizeof title, "%u distinct values in a dictionary come back equal", distinct);
    check(engine_run(sql.data, "Null", NULL) && engine_insert_native("dictionaries", &native) &&
              read_back("SELECT * FROM dictionaries ORDER BY id", buffer_slice(&native), arena) &&
              engine_run("DROP TABLE dictionaries", "Null", NULL), title);
    block_destroy(block);
    buffer_free(&native);
    buffer_free(&sql);
}

static void constant_column(struct arena *arena)
{
    static const struct block_schema_column one[] = {{"id", &type_uint32}};
    static const struct block_schema_column two[] = {{"id", &type_uint32}, {"segment", &type_uint64}};
    const struct block_schema short_schema = {"default", "constants", one, 1};
    const struct block_schema long_schema = {"default", "constants", two, 2};
    struct buffer sql = {0}, native = {0};
    struct block *block = block_create(&short_schema);
    struct error error;
    if (!block) exit(1);
    write_table(&long_schema, &sql);
    for (unsigned i = 0; i < 3; i++) append_defaults(block, i);
    if (block_seal(block, &error)) exit(1);
    block_write_native(block, "segment", 0x1122334455667788, &native);
    check(engine_run(sql.data, "Null", NULL) && engine_insert_native("constants", &native) &&
              read_back("SELECT * FROM constants WHERE segment = 0x1122334455667788 ORDER BY id",
                  buffer_slice(&native), arena),
          "the constant column is stored in every row");
    block_destroy(block);
    buffer_free(&native);
    buffer_free(&sql);
}

int main(void)
{
    const char *path = getenv("MILLRACE_CHDB_LIBRARY");
    if (!path || !*path) {
        printf("1..0 # SKIP MILLRACE_CHDB_LIBRARY does not name a libchdb.so\n");
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct arena *arena = arena_create(0);
    if (!arena) return 1;
    engine_open(path);
    check(engine_run("SET allow_suspicious_low_cardinality_types = 1", "Null", NULL), "the engine opens");
    every_type(arena);
    dictionary_of(255, arena);
    dictionary_of(256, arena);
    dictionary_of(257, arena);
    dictionary_of(65535, arena);
    dictionary_of(65536, arena);
    dictionary_of(65537, arena);
    constant_column(arena);
    engine_close();
    arena_destroy(arena);
    printf("1..%d\n", check_number);
    return failures ? 1 : 0;
}
