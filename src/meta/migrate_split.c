/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts an SQL file into statements, for databases that take one at a time. */
#include "meta/migrate.h"

/* Past the closing quote; a doubled quote stays inside by being read as two strings side by side. */
static size_t migrate_skip_quoted(struct slice s, size_t at, bool backslash_escapes)
{
    char quote = s.data[at++];
    while (at < s.size && s.data[at] != quote) at += backslash_escapes && s.data[at] == '\\' ? 2 : 1;
    return at < s.size ? at + 1 : s.size;
}

static size_t migrate_skip_line(struct slice s, size_t at)
{
    while (at < s.size && s.data[at] != '\n') at++;
    return at;
}

static size_t migrate_skip_block_comment(struct slice s, size_t at)
{
    int depth = 0;
    while (at < s.size) {
        if (slice_starts_with(slice_from(s, at), SLICE("/*"))) {
            depth++;
            at += 2;
        } else if (slice_starts_with(slice_from(s, at), SLICE("*/"))) {
            at += 2;
            if (--depth == 0) return at;
        } else {
            at++;
        }
    }
    return at;
}

static bool migrate_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80);
}

/* $tag$ ... $tag$; any other dollar sign ($1, a$b) is an ordinary character. */
static size_t migrate_skip_dollar(struct slice s, size_t at)
{
    size_t tag_end = at + 1;
    while (tag_end < s.size && migrate_is_word(s.data[tag_end])) tag_end++;
    bool in_word = at > 0 && migrate_is_word(s.data[at - 1]);
    if (in_word || tag_end >= s.size || s.data[tag_end] != '$') return at + 1;
    struct slice tag = slice_first(slice_from(s, at), tag_end + 1 - at);
    ptrdiff_t close = slice_find(slice_from(s, tag_end + 1), tag);
    return close < 0 ? s.size : tag_end + 1 + (size_t)close + tag.size;
}

bool migrate_split(struct slice *script, bool backslash_escapes, struct slice *statement)
{
    while (script->size) {
        struct slice s = *script;
        size_t at = 0;
        bool has_content = false;
        while (at < s.size && s.data[at] != ';') {
            char c = s.data[at];
            struct slice rest = slice_from(s, at);
            if (slice_starts_with(rest, SLICE("--")) || slice_starts_with(rest, SLICE("# ")) ||
                slice_starts_with(rest, SLICE("#!"))) {
                at = migrate_skip_line(s, at);
                continue;
            }
            if (slice_starts_with(rest, SLICE("/*"))) {
                at = migrate_skip_block_comment(s, at);
                continue;
            }
            if (c != ' ' && c != '\t' && c != '\r' && c != '\n') has_content = true;
            if (c == '\'' || c == '"' || c == '`')
                at = migrate_skip_quoted(s, at, backslash_escapes);
            else if (c == '$')
                at = migrate_skip_dollar(s, at);
            else
                at++;
        }
        if (at > s.size) at = s.size; /* a backslash was the last byte */
        *script = slice_from(s, at + 1);
        if (has_content) {
            *statement = slice_trim(slice_first(s, at));
            return true;
        }
    }
    return false;
}
