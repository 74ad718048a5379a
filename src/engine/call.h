/* SPDX-License-Identifier: Apache-2.0 */
/* What a ClickHouse client asks for in one HTTP request: statement, parameters, settings. */
#ifndef ENGINE_CALL_H
#define ENGINE_CALL_H

#include "base/arena.h"
#include "base/buffer.h"
#include "engine/chdb.h"
#include "proto/request.h"

struct engine_call {
    struct slice query;          /* the query parameter; the body may hold the rest */
    struct slice database;       /* empty: the engine's default */
    struct slice default_format; /* "TabSeparated" when the client names none */
    struct slice query_id;       /* the client's, or a fresh UUID; printable ASCII */
    struct slice log_comment;    /* "*" when absent */
    struct engine_chdb_parameters parameters; /* param_name=value */
    struct slice settings;       /* "name = 'value', name = 'value'", or empty */
    bool read_only;              /* GET */
    bool wait_end_of_query;      /* hold the answer back until it is complete, as far as memory allows */
    bool sets_time, sets_memory, sets_deduplicate, sets_token; /* max_execution_time, max_memory_usage,
                                                                   deduplicate_insert, insert_deduplication_token */
    bool sets_readonly;          /* to anything but 0 */
};

/* Reads path, parameters and headers. Everything lives in the arena. An error's `detail` is ClickHouse's number. */
enum error_code engine_call_parse(struct request *request, struct arena *arena, struct engine_call *call,
                                  struct error *error) MUST_CHECK;

/* Appends 'text' as a SQL string literal. */
void engine_call_append_literal(struct buffer *out, struct slice text);
/* Appends `name` as a quoted SQL name. */
void engine_call_append_name(struct buffer *out, struct slice name);
/* Whether it can stand unquoted as the name of a setting, a parameter or a format. */
bool engine_call_is_name(struct slice name);

/* What the engine must know about the statement that follows. */
struct engine_call_purpose {
    struct slice unique;   /* the last word of log_comment */
    bool is_write;         /* anything but SELECT: no time and memory limits of the profile, for a segment that is
                              refused would be refused for ever, and a merge stopped half-way is for nothing */
    bool is_insert;
    bool statement_has_token; /* insert_deduplication_token stands in the INSERT itself */
    uint64_t insert_reserve_bytes; /* what a thread of an INSERT may take although other statements filled the memory */
};

/* The statement sent before the client's own. An INSERT without a token is never taken for a repetition: by itself the
 * engine would silently drop blocks that are equal to earlier ones. */
void engine_call_append_set(struct buffer *out, const struct engine_call *call,
                            const struct engine_call_purpose *purpose);

#endif
