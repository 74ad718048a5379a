/* SPDX-License-Identifier: Apache-2.0 */
/* The translation, over the tokens of a statement; all text between them stays as it is. */
#include "server/cluster_ddl.h"

#include "meta/migrate.h"
#include "store/sql_token.h"

#define LOCAL_SUFFIX "_replicated"
#define TENANT_COLUMN "tenant_id"
/* How long a replicated table remembers insert tokens. Newer servers forget after an hour, but a segment may wait
 * longer in the spool between an insert whose answer was lost and its repetition. */
#define TOKEN_SECONDS "604800"

struct cluster_ddl {
    char *cluster;
    char *prefix;
    struct buffer sharded; /* "database.table\n" each */
};

/* A statement cut into tokens; the last one is the END. */
struct statement {
    struct slice text;
    struct store_sql_token *tokens;
    size_t count;
};

/* The table a statement is about. */
struct target {
    struct slice database, table;
    size_t end; /* the token behind its name */
};

static bool is_plain(const char *text, const char *more)
{
    size_t plain = 0;
    for (; text[plain]; plain++) {
        char c = text[plain];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!is_word && !strchr(more, c)) return false;
    }
    return plain > 0;
}

enum error_code cluster_ddl_create(const char *cluster, const char *database_prefix, struct cluster_ddl **ret_ddl,
                                   struct error *error)
{
    if (!is_plain(cluster, "-.{}")) {
        return error_set_field(error, ERROR_INVALID, "store.cluster",
                               "setting store.cluster: \"%s\" is no cluster's name", cluster);
    }
    struct cluster_ddl *ddl = calloc(1, sizeof *ddl);
    if (ddl) {
        ddl->cluster = strdup(cluster);
        ddl->prefix = strdup(database_prefix);
    }
    if (!ddl || !ddl->cluster || !ddl->prefix) {
        cluster_ddl_destroy(ddl);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    *ret_ddl = ddl;
    return ERROR_NONE;
}

void cluster_ddl_destroy(struct cluster_ddl *ddl)
{
    if (!ddl) return;
    free(ddl->cluster);
    free(ddl->prefix);
    buffer_free(&ddl->sharded);
    free(ddl);
}

/* ---- reading ---- */

static bool statement_read(struct slice text, struct statement *ret_statement)
{
    struct buffer tokens = {0};
    struct slice rest = text;
    struct store_sql_token token;
    do {
        token = store_sql_next(&rest);
        buffer_append(&tokens, &token, sizeof token);
    } while (token.kind != STORE_SQL_END);
    *ret_statement =
        (struct statement){text, (struct store_sql_token *)(void *)tokens.data, tokens.size / sizeof token};
    if (!tokens.failed) return true;
    buffer_free(&tokens);
    return false;
}

static void statement_free(struct statement *statement) { free(statement->tokens); }

static const struct store_sql_token *at(const struct statement *statement, size_t index)
{
    return &statement->tokens[index < statement->count ? index : statement->count - 1];
}

static bool is_word(const struct statement *statement, size_t index, const char *word)
{
    return store_sql_is_word(at(statement, index), word);
}

static size_t skip_if_exists(const struct statement *statement, size_t index)
{
    if (!is_word(statement, index, "IF")) return index;
    return index + (is_word(statement, index + 1, "NOT") ? 3 : 2);
}

/* `database.table` from `index` on; a name without a database, or with anything odd in it, is refused. */
static bool read_target(const struct statement *statement, size_t index, struct target *ret_target)
{
    ret_target->database = store_sql_name(at(statement, index));
    ret_target->table = store_sql_name(at(statement, index + 2));
    ret_target->end = index + 3;
    char both[160];
    if (!ret_target->database.size || !ret_target->table.size || !store_sql_is_symbol(at(statement, index + 1), '.'))
        return false;
    int size =
        snprintf(both, sizeof both, "%.*s.%.*s", SLICE_ARGS(ret_target->database), SLICE_ARGS(ret_target->table));
    return size < (int)sizeof both && is_plain(both, ".");
}

static bool is_sharded(const struct cluster_ddl *ddl, struct slice database, struct slice table)
{
    struct slice rest = buffer_slice(&ddl->sharded);
    while (rest.size) {
        struct slice known = slice_cut(&rest, '\n');
        if (slice_equal(slice_cut(&known, '.'), database) && slice_equal(known, table)) return true;
    }
    return false;
}

/* The token of the engine's name when it is one of the MergeTree family and not replicated already; 0 when not. */
static size_t find_merge_tree(const struct statement *statement)
{
    int depth = 0;
    for (size_t i = 0; i < statement->count; i++) {
        depth += store_sql_is_symbol(at(statement, i), '(') - store_sql_is_symbol(at(statement, i), ')');
        if (depth != 0 || !is_word(statement, i, "ENGINE")) continue;
        size_t name = i + (store_sql_is_symbol(at(statement, i + 1), '=') ? 2 : 1);
        struct slice engine = store_sql_name(at(statement, name));
        bool is_one = slice_ends_with(engine, SLICE("MergeTree")) && !slice_starts_with(engine, SLICE("Replicated"));
        return is_one ? name : 0;
    }
    return 0;
}

/* Whether the column list holds the tenant, or the table is made like one that is sharded. */
static bool has_tenant(const struct cluster_ddl *ddl, const struct statement *statement, const struct target *target)
{
    struct target other;
    if (is_word(statement, target->end, "AS") && read_target(statement, target->end + 1, &other))
        return is_sharded(ddl, other.database, other.table);
    int depth = 0;
    for (size_t i = target->end; i < statement->count; i++) {
        const struct store_sql_token *token = at(statement, i);
        bool is_start = depth == 1 && (store_sql_is_symbol(at(statement, i - 1), '(') ||
                                       store_sql_is_symbol(at(statement, i - 1), ','));
        if (is_start && store_sql_is_name(token, SLICE(TENANT_COLUMN))) return true;
        depth += store_sql_is_symbol(token, '(') - store_sql_is_symbol(token, ')');
        if (depth == 0) return false; /* no column list, or its end */
    }
    return false;
}

void cluster_ddl_learn(struct cluster_ddl *ddl, struct slice script)
{
    struct slice text;
    while (migrate_split(&script, true, &text)) {
        struct statement statement;
        struct target target;
        if (!statement_read(text, &statement)) continue;
        bool is_table = is_word(&statement, 0, "CREATE") && is_word(&statement, 1, "TABLE") &&
                        find_merge_tree(&statement) && read_target(&statement, skip_if_exists(&statement, 2), &target);
        if (is_table && has_tenant(ddl, &statement, &target) && !is_sharded(ddl, target.database, target.table))
            buffer_printf(&ddl->sharded, "%.*s.%.*s\n", SLICE_ARGS(target.database), SLICE_ARGS(target.table));
        statement_free(&statement);
    }
}

/* ---- writing ---- */

/* What is put into the statement's own text, token by token. */
struct writer {
    const struct cluster_ddl *ddl;
    const struct statement *statement;
    struct buffer *out;
    const char *written; /* up to here the text is copied */
    size_t cluster_before; /* ON CLUSTER goes before this token */
    size_t engine;         /* this one gets Replicated and its arguments; 0: none */
    const struct target *target;
};

static void copy_until(struct writer *writer, const char *end)
{
    buffer_append(writer->out, writer->written, (size_t)(end - writer->written));
    writer->written = end;
}

static void append_on_cluster(const struct cluster_ddl *ddl, struct buffer *out)
{
    buffer_printf(out, " ON CLUSTER '%s'", ddl->cluster);
}

static void write_engine(struct writer *writer)
{
    const struct statement *statement = writer->statement;
    const struct target *target = writer->target;
    const struct store_sql_token *name = at(statement, writer->engine);
    bool sharded = is_sharded(writer->ddl, target->database, target->table);
    copy_until(writer, name->text.data);
    buffer_append_string(writer->out, "Replicated");
    copy_until(writer, name->text.data + name->text.size);
    buffer_printf(writer->out, "('/clickhouse/tables/%s/%s%.*s/%.*s%s', '%s'", sharded ? "{shard}" : "all",
                  writer->ddl->prefix, SLICE_ARGS(target->database), SLICE_ARGS(target->table),
                  sharded ? LOCAL_SUFFIX : "", sharded ? "{replica}" : "{shard}-{replica}");
    if (!store_sql_is_symbol(at(statement, writer->engine + 1), '(')) {
        buffer_append_byte(writer->out, ')');
        return;
    }
    /* Its own arguments follow, without their parenthesis. */
    writer->written = at(statement, writer->engine + 1)->text.data + 1;
    if (!store_sql_is_symbol(at(statement, writer->engine + 2), ')')) buffer_append_string(writer->out, ", ");
}

/* Tables by their local names, settings by those of replicated tables. */
static void write_local(struct writer *writer)
{
    const struct statement *statement = writer->statement;
    writer->written = statement->text.data;
    for (size_t i = 0; i < statement->count; i++) {
        const struct store_sql_token *token = at(statement, i);
        struct target pair;
        if (i == writer->cluster_before) {
            const struct store_sql_token *before = at(statement, i - 1);
            copy_until(writer, before->text.data + before->text.size);
            append_on_cluster(writer->ddl, writer->out);
        }
        if (writer->engine && i == writer->engine) write_engine(writer);
        bool is_first = i == 0 || !store_sql_is_symbol(at(statement, i - 1), '.');
        if (is_first && read_target(statement, i, &pair) && is_sharded(writer->ddl, pair.database, pair.table)) {
            copy_until(writer, pair.table.data + pair.table.size);
            buffer_append_string(writer->out, LOCAL_SUFFIX);
        }
        if (store_sql_is_word(token, "non_replicated_deduplication_window") &&
            store_sql_is_symbol(at(statement, i + 1), '=')) {
            copy_until(writer, token->text.data);
            buffer_append_string(writer->out, "replicated_deduplication_window_seconds = " TOKEN_SECONDS
                                              ", replicated_deduplication_window");
            writer->written = token->text.data + token->text.size;
        }
    }
    copy_until(writer, statement->text.data + statement->text.size);
}

static void end_statement(struct buffer *out) { buffer_append_string(out, ";\n"); }

/* The statement as it is, with ON CLUSTER before the token. */
static void write_everywhere(const struct cluster_ddl *ddl, const struct statement *statement, size_t before,
                             struct buffer *out)
{
    const struct store_sql_token *last = at(statement, before - 1);
    const char *split = last->text.data + last->text.size;
    buffer_append(out, statement->text.data, (size_t)(split - statement->text.data));
    append_on_cluster(ddl, out);
    buffer_append(out, split, (size_t)(statement->text.data + statement->text.size - split));
}

static enum error_code refuse(const struct statement *statement, const char *why, struct error *error)
{
    return error_set(error, ERROR_INVALID, "cannot be made a statement of a cluster, because %s: %.*s", why,
                     SLICE_ARGS(slice_first(statement->text, 120)));
}

static bool has_word(const struct statement *statement, size_t from, const char *word)
{
    for (size_t i = from; i < statement->count; i++) {
        if (is_word(statement, i, word)) return true;
    }
    return false;
}

/* ---- one function per kind of statement ---- */

static enum error_code rewrite_create_table(const struct cluster_ddl *ddl, const struct statement *statement,
                                            size_t name, struct buffer *out, struct error *error)
{
    struct target target;
    if (!read_target(statement, skip_if_exists(statement, name), &target))
        return refuse(statement, "a table needs its database", error);
    if (is_word(statement, target.end, "AS") && !store_sql_is_symbol(at(statement, target.end + 2), '.'))
        return refuse(statement, "every node would run the SELECT", error);
    struct writer writer = {.ddl = ddl, .statement = statement, .out = out, .cluster_before = target.end,
                            .engine = find_merge_tree(statement), .target = &target};
    write_local(&writer);
    end_statement(out);
    if (!is_sharded(ddl, target.database, target.table)) return ERROR_NONE;
    buffer_printf(out,
                  "CREATE TABLE IF NOT EXISTS %.*s.%.*s ON CLUSTER '%s' AS %.*s.%.*s" LOCAL_SUFFIX
                  "\nENGINE = Distributed('%s', '%s%.*s', '%.*s" LOCAL_SUFFIX "', sipHash64(" TENANT_COLUMN "))",
                  SLICE_ARGS(target.database), SLICE_ARGS(target.table), ddl->cluster, SLICE_ARGS(target.database),
                  SLICE_ARGS(target.table), ddl->cluster, ddl->prefix, SLICE_ARGS(target.database),
                  SLICE_ARGS(target.table));
    end_statement(out);
    return ERROR_NONE;
}

static enum error_code rewrite_create_materialized_view(const struct cluster_ddl *ddl,
                                                        const struct statement *statement, size_t name,
                                                        struct buffer *out, struct error *error)
{
    struct target target;
    if (!read_target(statement, skip_if_exists(statement, name), &target))
        return refuse(statement, "a view needs its database", error);
    if (is_word(statement, target.end, "REFRESH")) return refuse(statement, "every node would refresh its own", error);
    if (!is_word(statement, target.end, "TO"))
        return refuse(statement, "a materialized view needs a table to write TO", error);
    struct writer writer = {
        .ddl = ddl, .statement = statement, .out = out, .cluster_before = target.end, .target = &target};
    write_local(&writer);
    end_statement(out);
    return ERROR_NONE;
}

/* CREATE VIEW | DICTIONARY and the like, DROP of what is not sharded. */
static enum error_code rewrite_named(const struct cluster_ddl *ddl, const struct statement *statement, size_t name,
                                     struct buffer *out, struct error *error)
{
    struct target target;
    if (!read_target(statement, skip_if_exists(statement, name), &target))
        return refuse(statement, "it needs a database", error);
    write_everywhere(ddl, statement, target.end, out);
    end_statement(out);
    return ERROR_NONE;
}

/* CREATE DATABASE, DROP DATABASE, CREATE FUNCTION: a name of one word. */
static enum error_code rewrite_single(const struct cluster_ddl *ddl, const struct statement *statement, size_t name,
                                      struct buffer *out, struct error *error)
{
    write_everywhere(ddl, statement, skip_if_exists(statement, name) + 1, out);
    end_statement(out);
    return ERROR_NONE;
}

static enum error_code rewrite_drop_table(const struct cluster_ddl *ddl, const struct statement *statement, size_t name,
                                          struct buffer *out, struct error *error)
{
    struct target target;
    if (!read_target(statement, skip_if_exists(statement, name), &target))
        return refuse(statement, "it needs a database", error);
    if (store_sql_is_symbol(at(statement, target.end), ','))
        return refuse(statement, "it drops several at once", error);
    /* Synchronous: the path of a replicated table is free for the next one only when it is gone everywhere. */
    const char *end = has_word(statement, target.end, "SYNC") ? "" : " SYNC";
    write_everywhere(ddl, statement, target.end, out);
    buffer_append_string(out, end);
    end_statement(out);
    if (!is_sharded(ddl, target.database, target.table)) return ERROR_NONE;
    struct writer writer = {
        .ddl = ddl, .statement = statement, .out = out, .cluster_before = target.end, .target = &target};
    write_local(&writer);
    buffer_append_string(out, end);
    end_statement(out);
    return ERROR_NONE;
}

/* Whether a command of ALTER changes columns, which the Distributed table has too. */
static bool changes_columns(const struct statement *statement, size_t from, size_t end)
{
    static const char *const verbs[] = {"ADD", "DROP", "MODIFY", "RENAME", "COMMENT", "ALTER"};
    bool is_column = false;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        is_column = is_column || (is_word(statement, from, verbs[i]) && is_word(statement, from + 1, "COLUMN"));
    for (size_t i = from; i < end; i++)
        is_column = is_column && !is_word(statement, i, "REMOVE"); /* a codec, a TTL: of the rows */
    return is_column;
}

static enum error_code rewrite_alter_table(const struct cluster_ddl *ddl, const struct statement *statement,
                                           size_t name, struct buffer *out, struct error *error)
{
    struct target target;
    if (!read_target(statement, skip_if_exists(statement, name), &target))
        return refuse(statement, "a table needs its database", error);
    struct writer writer = {
        .ddl = ddl, .statement = statement, .out = out, .cluster_before = target.end, .target = &target};
    write_local(&writer);
    end_statement(out);
    if (!is_sharded(ddl, target.database, target.table)) return ERROR_NONE;
    bool is_begun = false;
    int depth = 0;
    for (size_t from = target.end, i = from; i < statement->count; i++) {
        const struct store_sql_token *token = at(statement, i);
        depth += store_sql_is_symbol(token, '(') - store_sql_is_symbol(token, ')');
        bool is_end = token->kind == STORE_SQL_END || (depth == 0 && store_sql_is_symbol(token, ','));
        if (!is_end) continue;
        if (changes_columns(statement, from, i)) {
            const struct store_sql_token *last = at(statement, i - 1);
            if (!is_begun) {
                buffer_printf(out, "ALTER TABLE %.*s.%.*s", SLICE_ARGS(target.database), SLICE_ARGS(target.table));
                append_on_cluster(ddl, out);
            }
            buffer_append_string(out, is_begun ? ", " : " ");
            const char *start = at(statement, from)->text.data;
            buffer_append(out, start, (size_t)(last->text.data + last->text.size - start));
            is_begun = true;
        }
        from = i + 1;
    }
    if (is_begun) end_statement(out);
    return ERROR_NONE;
}

/* TRUNCATE, OPTIMIZE: the rows, where they lie. */
static enum error_code rewrite_rows(const struct cluster_ddl *ddl, const struct statement *statement, size_t name,
                                    struct buffer *out, struct error *error)
{
    struct target target;
    if (!read_target(statement, skip_if_exists(statement, name), &target))
        return refuse(statement, "a table needs its database", error);
    struct writer writer = {
        .ddl = ddl, .statement = statement, .out = out, .cluster_before = target.end, .target = &target};
    write_local(&writer);
    end_statement(out);
    return ERROR_NONE;
}

/* The rows change places where they lie; the Distributed tables keep their names and with them find the others. */
static enum error_code rewrite_exchange(const struct cluster_ddl *ddl, const struct statement *statement, size_t name,
                                        struct buffer *out, struct error *error)
{
    struct target first, second;
    if (!read_target(statement, name, &first) || !is_word(statement, first.end, "AND") ||
        !read_target(statement, first.end + 1, &second) || at(statement, second.end)->kind != STORE_SQL_END)
        return refuse(statement, "two tables are meant, each with its database", error);
    if (is_sharded(ddl, first.database, first.table) != is_sharded(ddl, second.database, second.table))
        return refuse(statement, "one of the tables is sharded", error);
    struct writer writer = {
        .ddl = ddl, .statement = statement, .out = out, .cluster_before = second.end, .target = &first};
    write_local(&writer);
    end_statement(out);
    return ERROR_NONE;
}

/* Rows and questions: the names are those of the Distributed tables. */
static enum error_code rewrite_nothing(const struct cluster_ddl *ddl, const struct statement *statement, size_t name,
                                       struct buffer *out, struct error *error)
{
    buffer_append_slice(out, statement->text);
    end_statement(out);
    return ERROR_NONE;
}

typedef enum error_code rewrite_function(const struct cluster_ddl *ddl, const struct statement *statement, size_t name,
                                         struct buffer *out, struct error *error);
static const struct {
    const char *words[4];
    rewrite_function *rewrite;
} kinds[] = {
    {{"CREATE", "DATABASE"}, rewrite_single},
    {{"DROP", "DATABASE"}, rewrite_single},
    {{"CREATE", "FUNCTION"}, rewrite_single},
    {{"DROP", "FUNCTION"}, rewrite_single},
    {{"CREATE", "TABLE"}, rewrite_create_table},
    {{"CREATE", "MATERIALIZED", "VIEW"}, rewrite_create_materialized_view},
    {{"CREATE", "VIEW"}, rewrite_named},
    {{"CREATE", "OR", "REPLACE", "VIEW"}, rewrite_named},
    {{"CREATE", "DICTIONARY"}, rewrite_named},
    {{"CREATE", "OR", "REPLACE", "DICTIONARY"}, rewrite_named},
    {{"DROP", "TABLE"}, rewrite_drop_table},
    {{"DROP", "VIEW"}, rewrite_named},
    {{"DROP", "DICTIONARY"}, rewrite_named},
    {{"ALTER", "TABLE"}, rewrite_alter_table},
    {{"TRUNCATE", "TABLE"}, rewrite_rows},
    {{"OPTIMIZE", "TABLE"}, rewrite_rows},
    {{"EXCHANGE", "TABLES"}, rewrite_exchange},
    {{"INSERT"}, rewrite_nothing},
    {{"SELECT"}, rewrite_nothing},
};

enum error_code cluster_ddl_rewrite(const struct cluster_ddl *ddl, struct slice text, struct buffer *out,
                                    struct error *error)
{
    struct statement statement;
    if (!statement_read(text, &statement)) return error_set(error, ERROR_MEMORY, "out of memory");
    enum error_code code = ERROR_NONE;
    rewrite_function *rewrite = NULL;
    size_t count = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !rewrite; i++) {
        bool is_kind = true;
        for (count = 0; count < 4 && kinds[i].words[count]; count++)
            is_kind = is_kind && is_word(&statement, count, kinds[i].words[count]);
        if (is_kind) rewrite = kinds[i].rewrite;
    }
    for (size_t i = 0; i + 1 < statement.count; i++) {
        if (is_word(&statement, i, "ON") && is_word(&statement, i + 1, "CLUSTER"))
            code = refuse(&statement, "it names a cluster itself", error);
    }
    if (!code)
        code =
            rewrite ? rewrite(ddl, &statement, count, out, error) : refuse(&statement, "this kind is not known", error);
    if (!code && (out->failed || ddl->sharded.failed)) code = error_set(error, ERROR_MEMORY, "out of memory");
    statement_free(&statement);
    return code;
}
