/* SPDX-License-Identifier: Apache-2.0 */
/* Reads just enough of a statement to know where its FORMAT clause and its inline data are; it judges nothing. */
#ifndef ENGINE_SQL_H
#define ENGINE_SQL_H

#include "base/error.h"
#include "base/slice.h"

/*
 * Model: text is cut into tokens as the engine's own lexer does (strings, quoted names, heredocs, comments), and only
 * words outside of parentheses count. Whatever is not understood is OTHER and goes to the engine as it is, which then
 * gives its own error. All slices point into the analysed text.
 */
enum engine_statement_kind {
    ENGINE_STATEMENT_EMPTY,  /* nothing but space and comments */
    ENGINE_STATEMENT_SELECT, /* gives rows, can be sent INTO OUTFILE */
    ENGINE_STATEMENT_DATA,   /* INSERT .. FORMAT x, or INSERT .. SELECT .. input(..) .. FORMAT x: `data` follows */
    ENGINE_STATEMENT_INSERT, /* INSERT .. VALUES, INSERT .. SELECT, INSERT .. FROM INFILE */
    ENGINE_STATEMENT_OTHER
};

struct engine_statement {
    enum engine_statement_kind kind;
    struct slice format;   /* the name behind FORMAT, or empty */
    struct slice head; /* SELECT: all before FORMAT (or before the final ';'). DATA: all before SETTINGS or FORMAT */
    struct slice tail; /* SELECT: what stands behind the format's name. DATA: the SETTINGS clause, or empty */
    struct slice data;     /* DATA: what stands behind the format's name and its line end */
    struct slice input;    /* DATA with input(..): from "input" to its ')', inside `head`; else empty */
    struct slice input_arguments; /* what stands between its parentheses */
    struct slice sync;     /* the SYNC that ends a DROP VIEW; else empty */
};

/* ERROR_INVALID for more than one statement, and for INTO OUTFILE: the answer goes to the client, not to a file. */
enum error_code engine_sql_analyse(struct slice text, struct engine_statement *statement,
                                   struct error *error) MUST_CHECK;

/* Whether the text begins as an INSERT does (space and comments skipped): such statements have their own workers. */
bool engine_sql_is_insert(struct slice text);

#endif
