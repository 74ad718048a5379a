/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts ClickHouse SQL into tokens, for those who change names in a statement and leave the rest byte for byte. */
#ifndef STORE_SQL_TOKEN_H
#define STORE_SQL_TOKEN_H

#include "base/buffer.h"

enum store_sql_kind {
    STORE_SQL_WORD,   /* a bare name, a keyword */
    STORE_SQL_NAME,   /* `name` or "name", quotes included */
    STORE_SQL_STRING, /* 'text', quotes included; $tag$text$tag$ */
    STORE_SQL_NUMBER,
    STORE_SQL_SYMBOL, /* one other character */
    STORE_SQL_END,
};
struct store_sql_token {
    enum store_sql_kind kind;
    struct slice text; /* points into the statement; at the END empty, behind its last byte */
};
/* Takes the next token off `*rest`; space and comments before it are skipped. What is never closed reaches to the end.
 */
struct store_sql_token store_sql_next(struct slice *rest);
/* A keyword, in any case. */
bool store_sql_is_word(const struct store_sql_token *token, const char *word);
bool store_sql_is_symbol(const struct store_sql_token *token, char symbol);
/* Whether the token is a name, and that one: case matters, quotes do not. Names with escapes inside are never equal. */
bool store_sql_is_name(const struct store_sql_token *token, struct slice name);
/* The name without its quotes; empty when the token is none. */
struct slice store_sql_name(const struct store_sql_token *token);

#endif
