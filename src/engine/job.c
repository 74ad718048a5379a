/* SPDX-License-Identifier: Apache-2.0 */
/* One request: from its parameters and body to the statement the engine runs, and the running itself. */
#include "engine/engine_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/exception.h"
#include "os/clock.h"

/* Fewer wake-ups between the engine and the worker; the most an unprivileged process may ask for. */
#define PIPE_BYTES (1 << 20)

struct engine_job *engine_job_create(struct engine *engine, struct request *request)
{
    struct engine_job *job = calloc(1, sizeof *job);
    if (!job) return NULL;
    job->engine = engine;
    job->request = request;
    job->started_us = os_clock_monotonic_us();
    job->data_fd = job->pipe_read = job->pipe_write = -1;
    job->format = SLICE_EMPTY;
    job->call.query_id = SLICE_EMPTY;
    snprintf(job->unique, sizeof job->unique, "r%" PRIu64, request->id);
    return job;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

void engine_job_destroy(struct engine_job *job)
{
    if (!job) return;
    close_fd(&job->data_fd);
    close_fd(&job->pipe_read);
    close_fd(&job->pipe_write);
    buffer_free(&job->sql);
    buffer_free(&job->error_text);
    buffer_free(&job->output);
    arena_destroy(job->arena);
    free(job);
}

void engine_job_fail(struct engine_job *job, const struct error *error)
{
    job->failed = true;
    buffer_clear(&job->error_text);
    engine_exception_append(&job->error_text, error);
    job->error_number = engine_chdb_error_number(buffer_slice(&job->error_text));
}

static enum error_code write_all(int fd, struct slice bytes, struct error *error)
{
    while (bytes.size > 0) {
        ssize_t written = write(fd, bytes.data, bytes.size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return error_set_errno(error, errno, "cannot keep the rows of an insert in memory");
        bytes = slice_from(bytes, (size_t)written);
    }
    return 0;
}

/* The rows of an INSERT must be a file, because inline binary data breaks at two line ends. The body is one already
 * when it holds nothing else. */
static enum error_code make_data_file(struct engine_job *job, struct slice first, struct slice second, int *ret_fd,
                                      struct error *error)
{
    if (first.size == 0 && second.data == job->request->body.data && job->request->body_fd >= 0) {
        *ret_fd = job->request->body_fd;
        return 0;
    }
    job->data_fd = memfd_create("rows", MFD_CLOEXEC);
    if (job->data_fd < 0) return error_set_errno(error, errno, "cannot keep the rows of an insert in memory");
    *ret_fd = job->data_fd;
    enum error_code code = write_all(job->data_fd, first, error);
    return code ? code : write_all(job->data_fd, second, error);
}

static enum error_code build_data_insert(struct engine_job *job, struct slice first, struct slice second,
                                         struct error *error)
{
    const struct engine_statement *statement = &job->statement;
    int fd = -1;
    enum error_code code = make_data_file(job, first, second, &fd, error);
    if (code) return code;
    struct buffer *sql = &job->sql;
    if (statement->input.size > 0) {
        /* INSERT .. SELECT .. FROM input('structure'): the function that reads a file takes its place. */
        struct slice head = statement->head;
        buffer_append_slice(sql, slice_make(head.data, (size_t)(statement->input.data - head.data)));
        buffer_printf(sql, "file('/proc/self/fd/%d', '%.*s'", fd, SLICE_ARGS(statement->format));
        if (slice_trim(statement->input_arguments).size > 0) {
            buffer_append_string(sql, ", ");
            buffer_append_slice(sql, statement->input_arguments);
        }
        buffer_append_byte(sql, ')');
        const char *end = statement->input.data + statement->input.size;
        buffer_append_slice(sql, slice_make(end, (size_t)(head.data + head.size - end)));
    } else {
        buffer_append_slice(sql, statement->head);
        buffer_printf(sql, " FROM INFILE '/proc/self/fd/%d' ", fd);
        buffer_append_slice(sql, statement->tail);
        buffer_printf(sql, " FORMAT %.*s", SLICE_ARGS(statement->format));
    }
    return 0;
}

/* The engine writes rows of any format into a pipe: right for formats with a frame (JSON, Parquet), in parallel, and
 * with no more memory than the pipe. Its own stream interface makes each chunk a document of its own. */
static enum error_code build_select(struct engine_job *job, struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return error_set_errno(error, errno, "cannot make a pipe for the answer");
    job->pipe_read = ends[0];
    job->pipe_write = ends[1];
    fcntl(job->pipe_write, F_SETPIPE_SZ, PIPE_BYTES); /* only a wish */
    buffer_append_slice(&job->sql, job->statement.head);
    /* The line end closes a comment that the statement may end in. */
    buffer_printf(&job->sql, "\nINTO OUTFILE '/proc/self/fd/%d' TRUNCATE FORMAT %.*s", job->pipe_write,
                  SLICE_ARGS(job->format));
    buffer_append_slice(&job->sql, job->statement.tail);
    return 0;
}

enum error_code engine_job_renew(struct engine_job *job)
{
    struct error error;
    close_fd(&job->pipe_read);
    buffer_clear(&job->sql);
    buffer_clear(&job->error_text);
    job->failed = false;
    job->error_number = 0;
    atomic_store(&job->finished, false);
    enum error_code code = build_select(job, &error);
    if (!code && job->sql.failed) code = error_set(&error, ERROR_MEMORY, "out of memory");
    if (code) engine_job_fail(job, &error);
    return code;
}

/* DROP VIEW .. SYNC of a refreshable view never returns; without SYNC the view is gone for everyone just as soon, only
 * its files go later. */
static void build_other(struct engine_job *job, struct slice text)
{
    struct slice sync = job->statement.sync;
    size_t size = sync.size > 0 ? (size_t)(sync.data - text.data) : text.size;
    buffer_append_slice(&job->sql, slice_first(text, size));
    if (sync.size > 0) buffer_append_slice(&job->sql, slice_from(text, size + sync.size));
}

/* `text` is the whole statement: the parameter, the body, or both with a line end between. */
static enum error_code build_whole(struct engine_job *job, struct slice text, struct error *error)
{
    enum error_code code = engine_sql_analyse(text, &job->statement, error);
    if (code) return code;
    job->format = job->statement.format.size > 0 ? job->statement.format : job->call.default_format;
    switch (job->statement.kind) {
    case ENGINE_STATEMENT_EMPTY:
        return engine_exception_set(error, ERROR_INVALID, ENGINE_EXCEPTION_SYNTAX_ERROR, "Syntax error: Empty query");
    case ENGINE_STATEMENT_SELECT: return build_select(job, error);
    case ENGINE_STATEMENT_DATA: return build_data_insert(job, SLICE_EMPTY, job->statement.data, error);
    case ENGINE_STATEMENT_INSERT:
    case ENGINE_STATEMENT_OTHER: build_other(job, text);
    }
    return 0;
}

static enum error_code build_statement(struct engine_job *job, struct error *error)
{
    struct slice query = job->call.query, body = job->request->body;
    if (query.size == 0) return build_whole(job, body, error);
    if (body.size == 0) return build_whole(job, query, error);
    if (engine_sql_is_insert(query)) {
        enum error_code code = engine_sql_analyse(query, &job->statement, error);
        if (code) return code;
        if (job->statement.kind == ENGINE_STATEMENT_DATA) {
            job->format = job->statement.format;
            struct slice first = slice_trim(job->statement.data).size > 0 ? job->statement.data : SLICE_EMPTY;
            return build_data_insert(job, first, body, error);
        }
    }
    char *both = arena_allocate(job->arena, query.size + 1 + body.size);
    if (!both) return error_set(error, ERROR_MEMORY, "no memory for a statement of %zu bytes", query.size + body.size);
    memcpy(both, query.data, query.size);
    both[query.size] = '\n';
    memcpy(both + query.size + 1, body.data, body.size);
    return build_whole(job, slice_make(both, query.size + 1 + body.size), error);
}

enum error_code engine_job_prepare(struct engine_job *job)
{
    struct error error;
    enum error_code code = 0;
    job->arena = arena_create(0);
    if (!job->arena) code = error_set(&error, ERROR_MEMORY, "out of memory");
    if (!code) code = engine_call_parse(job->request, job->arena, &job->call, &error);
    if (!code) code = build_statement(job, &error);
    if (!code && job->sql.failed) code = error_set(&error, ERROR_MEMORY, "out of memory");
    if (code) engine_job_fail(job, &error);
    return code;
}

/* Rows of VALUES may follow, so only the beginning is looked at: the clause stands before them. */
static bool has_token(const struct engine_job *job)
{
    struct slice sql = slice_first(buffer_slice(&job->sql), 64 << 10);
    return slice_find(sql, SLICE("insert_deduplication_token")) >= 0;
}

/* What the client's statement needs to find on its connection. */
static enum error_code prepare_connection(struct engine_job *job, engine_chdb_connection connection,
                                          struct error *error)
{
    struct buffer sql = {0};
    enum error_code code = 0;
    if (job->call.database.size > 0) {
        buffer_append_string(&sql, "USE ");
        engine_call_append_name(&sql, job->call.database);
        code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                          : engine_chdb_run(&job->engine->chdb, connection, buffer_slice(&sql), error);
        buffer_clear(&sql);
    }
    if (!code) {
        struct engine_call_purpose purpose = {
            .unique = slice_from_string(job->unique),
            .is_write = job->statement.kind != ENGINE_STATEMENT_SELECT,
            .is_insert = job->statement.kind == ENGINE_STATEMENT_DATA || job->statement.kind == ENGINE_STATEMENT_INSERT,
            .statement_has_token = has_token(job),
            /* Half: room for a segment (130 MB of rows at the default of 1 GiB), yet an end to what one asks for. */
            .insert_reserve_bytes = job->engine->settings.memory_limit_bytes / 2,
        };
        engine_call_append_set(&sql, &job->call, &purpose);
        code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                          : engine_chdb_run(&job->engine->chdb, connection, buffer_slice(&sql), error);
    }
    buffer_free(&sql);
    return code;
}

/* After an error the result's counters are not initialised and must not be read. */
static void take_result(struct engine_job *job, engine_chdb_result *result)
{
    const struct engine_chdb *chdb = &job->engine->chdb;
    const char *text = chdb->result_error(result);
    if (text) {
        job->failed = true;
        job->error_number = engine_chdb_error_number(slice_from_string(text));
        buffer_append_string(&job->error_text, text);
        buffer_append_byte(&job->error_text, '\n');
        return;
    }
    size_t size = chdb->result_size(result);
    if (size > 0) buffer_append(&job->output, chdb->result_data(result), size);
    job->rows = chdb->result_rows(result);
    job->rows_read = chdb->result_rows_read(result);
    job->bytes_read = chdb->result_bytes_read(result);
    job->rows_written = chdb->result_rows_written(result);
    job->bytes_written = chdb->result_bytes_written(result);
    if (job->output.failed) {
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory for an answer of %zu bytes", size);
        engine_job_fail(job, &error);
    }
}

void engine_job_execute(struct engine_job *job)
{
    const struct engine_chdb *chdb = &job->engine->chdb;
    engine_chdb_connection connection = NULL;
    struct error error;
    enum error_code code =
        engine_chdb_connect(chdb, job->engine->directory, job->engine->config_path, &connection, &error);
    if (!code) code = prepare_connection(job, connection, &error);
    if (code) {
        engine_job_fail(job, &error);
    } else {
        engine_watch_add(job->engine, job);
        const struct engine_chdb_parameters *parameters = &job->call.parameters;
        engine_chdb_result *result =
            chdb->query(*connection, job->sql.data, job->sql.size, job->call.default_format.data,
                        job->call.default_format.size, parameters->names, parameters->name_sizes, parameters->values,
                        parameters->value_sizes, parameters->count);
        engine_watch_remove(job->engine, job);
        if (result) {
            take_result(job, result);
            chdb->result_destroy(result);
        } else {
            error_set(&error, ERROR_STORE, "the engine gave no answer");
            engine_job_fail(job, &error);
        }
    }
    /* Never kept for another request: after an error the next statement would get what is left of this one's output. */
    if (connection) chdb->close(connection);
    close_fd(&job->pipe_write);
    atomic_store(&job->finished, true);
}
