/* SPDX-License-Identifier: Apache-2.0 */
/* Makes error messages that can be acted on: printable values, lists of names, the nearest name. */
#include "query/words.h"

#include <ctype.h>
#include <stdio.h>

struct query_shown query_words_show(struct slice value)
{
    struct query_shown shown;
    bool utf8 = slice_is_utf8(value);
    size_t size = value.size < QUERY_SHOWN_LIMIT ? value.size : QUERY_SHOWN_LIMIT;
    /* Never cut inside a character. */
    while (utf8 && size < value.size && size > 0 && ((unsigned char)value.data[size] & 0xC0) == 0x80) size--;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        shown.text[i] = byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8) ? '?' : (char)byte;
    }
    snprintf(shown.text + size, sizeof shown.text - size, "%s", size < value.size ? "..." : "");
    return shown;
}

struct query_listed query_words_list(query_words_name *name, const void *table, size_t count)
{
    struct query_listed listed = {""};
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const char *word = name(table, i);
        if (used + strlen(word) + 2 + 5 >= sizeof listed.text) {
            snprintf(listed.text + used, sizeof listed.text - used, ", ...");
            break;
        }
        used += (size_t)snprintf(listed.text + used, sizeof listed.text - used, "%s%s", i ? ", " : "", word);
    }
    return listed;
}

ptrdiff_t query_words_find(query_words_name *name, const void *table, size_t count, struct slice word)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(word, slice_from_string(name(table, i)))) return (ptrdiff_t)i;
    }
    return -1;
}

#define COMPARED_LIMIT 32 /* bytes: longer words are no typing errors of ours */

/* Levenshtein distance; letter case and '-' against '_' are not counted. */
static size_t distance(struct slice a, struct slice b)
{
    size_t row[COMPARED_LIMIT + 1];
    for (size_t j = 0; j <= b.size; j++) row[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            char left = (char)tolower((unsigned char)a.data[i - 1]), right = b.data[j - 1];
            if (left == '-' || left == ' ') left = '_';
            size_t best = diagonal + (left != right);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.size];
}

struct query_listed query_words_suggest(query_words_name *name, const void *table, size_t count, struct slice word)
{
    struct query_listed suggestion = {""};
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < count && word.size > 0 && word.size <= COMPARED_LIMIT; i++) {
        struct slice candidate = slice_from_string(name(table, i));
        if (candidate.size > COMPARED_LIMIT) continue;
        size_t found = distance(word, candidate);
        if (found < least && found * 2 < candidate.size) {
            least = found;
            nearest = candidate.data;
        }
    }
    if (nearest) snprintf(suggestion.text, sizeof suggestion.text, " Did you mean \"%s\"?", nearest);
    return suggestion;
}
