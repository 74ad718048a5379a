/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a name, words of a unit, suffixes. */
#include "domains/observability/metrics/names.h"

struct unit { struct slice short_name; const char *word; };
/* UCUM to the words of Prometheus' translator. */
static const struct unit units[] = {
    {{"d", 1}, "days"}, {{"h", 1}, "hours"}, {{"min", 3}, "minutes"}, {{"s", 1}, "seconds"}, {{"ms", 2}, "milliseconds"},
    {{"us", 2}, "microseconds"}, {{"ns", 2}, "nanoseconds"}, {{"By", 2}, "bytes"}, {{"KiBy", 4}, "kibibytes"}, {{"MiBy", 4}, "mebibytes"},
    {{"GiBy", 4}, "gibibytes"}, {{"TiBy", 4}, "tibibytes"}, {{"KBy", 3}, "kilobytes"}, {{"MBy", 3}, "megabytes"}, {{"GBy", 3}, "gigabytes"},
    {{"TBy", 3}, "terabytes"}, {{"KB", 2}, "kilobytes"}, {{"MB", 2}, "megabytes"}, {{"GB", 2}, "gigabytes"}, {{"TB", 2}, "terabytes"},
    {{"m", 1}, "meters"}, {{"V", 1}, "volts"}, {{"A", 1}, "amperes"}, {{"J", 1}, "joules"}, {{"W", 1}, "watts"}, {{"g", 1}, "grams"},
    {{"Cel", 3}, "celsius"}, {{"Hz", 2}, "hertz"}, {{"1", 1}, ""}, {{"%", 1}, "percent"}, {{"$", 1}, "dollars"},
};
static const struct unit per_units[] = {
    {{"s", 1}, "second"}, {{"m", 1}, "minute"}, {{"h", 1}, "hour"}, {{"d", 1}, "day"}, {{"w", 1}, "week"}, {{"mo", 2}, "month"}, {{"y", 1}, "year"},
};

static bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

static struct slice unit_word(const struct unit *table, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(table[i].short_name, name)) return slice_from_string(table[i].word);
    return name;
}

/* Cuts the next word; empty at the end. */
static struct slice next_word(struct slice *rest)
{
    size_t start = 0, end;
    while (start < rest->size && !is_word(rest->data[start]) && rest->data[start] != ':') start++;
    for (end = start; end < rest->size && (is_word(rest->data[end]) || rest->data[end] == ':'); end++) continue;
    struct slice word = slice_make(rest->data + start, end - start);
    *rest = slice_from(*rest, end);
    return word;
}

static bool has_word(struct slice text, struct slice word)
{
    for (struct slice part; (part = next_word(&text)).size;)
        if (slice_equal(part, word)) return true;
    return false;
}

static void add_word(struct buffer *out, size_t start, struct slice word)
{
    if (out->size > start) buffer_append_byte(out, '_');
    buffer_append_slice(out, word);
}

static void add_words(struct buffer *out, size_t start, struct slice text, struct slice left_out)
{
    for (struct slice word; (word = next_word(&text)).size;)
        if (!slice_equal(word, left_out)) add_word(out, start, word);
}

static void add_unit(struct buffer *out, size_t start, struct slice name, struct slice unit)
{
    struct slice rest = unit, main_unit = slice_trim(slice_cut(&rest, '/'));
    struct slice per = slice_trim(rest);
    if (main_unit.size && slice_index_of(main_unit, '{') < 0) {
        struct slice word = unit_word(units, sizeof units / sizeof units[0], main_unit);
        if (word.size && !has_word(name, word)) add_words(out, start, word, SLICE_EMPTY);
    }
    if (per.size && slice_index_of(per, '{') < 0) {
        struct slice word = unit_word(per_units, sizeof per_units / sizeof per_units[0], per);
        if (word.size && !has_word(name, word)) {
            add_word(out, start, SLICE("per"));
            add_words(out, start, word, SLICE_EMPTY);
        }
    }
}

void metrics_name_append(struct buffer *out, struct slice name, struct slice unit, enum metrics_name_kind kind)
{
    bool is_ratio = kind == METRICS_NAME_GAUGE && slice_equal(unit, SLICE("1"));
    if (name.size && name.data[0] >= '0' && name.data[0] <= '9') buffer_append_byte(out, '_');
    size_t start = out->size;
    /* The suffixes stand at the end, once. */
    add_words(out, start, name, kind == METRICS_NAME_COUNTER ? SLICE("total") : is_ratio ? SLICE("ratio") : SLICE_EMPTY);
    add_unit(out, start, name, unit);
    if (kind == METRICS_NAME_COUNTER) add_word(out, start, SLICE("total"));
    if (is_ratio) add_word(out, start, SLICE("ratio"));
}

void metrics_label_name_append(struct buffer *out, struct slice name)
{
    if (name.size && name.data[0] >= '0' && name.data[0] <= '9') buffer_append_string(out, "key_");
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if ((c & 0xc0) == 0x80) continue; /* a character of several bytes is one "_" */
        buffer_append_byte(out, is_word((char)c) || c == '_' ? (char)c : '_');
    }
}
