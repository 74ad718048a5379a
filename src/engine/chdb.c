/* SPDX-License-Identifier: Apache-2.0 */
/* Finds libchdb's functions at run time and wraps the three calls that need care. */
#include "engine/chdb.h"

#include <dlfcn.h>

#include "base/buffer.h"

enum error_code engine_chdb_load(const char *library_path, struct engine_chdb *chdb, struct error *error)
{
    *chdb = (struct engine_chdb){0};
    /* The only way to tell it: the configuration's <timezone> is ignored, and DateTime columns follow it. */
    setenv("TZ", "UTC", 1);
    /* RTLD_LOCAL and no unloading: the library brings its own malloc and threads that outlive every connection. */
    void *library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        const char *reason = dlerror();
        return error_set(error, ERROR_UNAVAILABLE, "cannot load the event store's library: %s",
                         reason ? reason : library_path);
    }
    const struct {
        const char *name;
        void *slot;
    } functions[] = {
        {"chdb_connect", &chdb->connect},
        {"chdb_close_conn", &chdb->close},
        {"chdb_query_with_params_n", &chdb->query},
        {"chdb_stream_query_with_params_n", &chdb->stream},
        {"chdb_stream_fetch_result", &chdb->stream_fetch},
        {"chdb_stream_cancel_query", &chdb->stream_cancel},
        {"chdb_destroy_query_result", &chdb->result_destroy},
        {"chdb_result_buffer", &chdb->result_data},
        {"chdb_result_length", &chdb->result_size},
        {"chdb_result_error", &chdb->result_error},
        {"chdb_result_rows_read", &chdb->result_rows},
        {"chdb_result_storage_rows_read", &chdb->result_rows_read},
        {"chdb_result_storage_bytes_read", &chdb->result_bytes_read},
        {"chdb_result_rows_written", &chdb->result_rows_written},
        {"chdb_result_bytes_written", &chdb->result_bytes_written},
        {"chdb_set_signal_handlers_enabled", &chdb->signal_handlers_enabled},
    };
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        void *address = dlsym(library, functions[i].name);
        if (!address)
            return error_set(error, ERROR_UNAVAILABLE, "%s has no function %s: it needs libchdb 26.5 or later",
                             library_path, functions[i].name);
        memcpy(functions[i].slot, &address, sizeof(address));
    }
    chdb->library = library;
    chdb->signal_handlers_enabled(0);
    return 0;
}

enum error_code engine_chdb_connect(const struct engine_chdb *chdb, const char *data_directory, const char *config_path,
                                    engine_chdb_connection *ret_connection, struct error *error)
{
    struct buffer path = {0}, config = {0};
    buffer_printf(&path, "--path=%s", data_directory);
    buffer_printf(&config, "--config-file=%s", config_path);
    buffer_append_byte(&path, 0);
    buffer_append_byte(&config, 0);
    enum error_code code = 0;
    if (path.failed || config.failed) {
        code = error_set(error, ERROR_MEMORY, "out of memory");
    } else {
        char name[] = "millrace";
        char *arguments[] = {name, path.data, config.data, NULL};
        *ret_connection = chdb->connect(3, arguments);
        if (!*ret_connection || !**ret_connection)
            code = error_set(error, ERROR_UNAVAILABLE,
                             "the event store cannot open %s; its reason is in the lines above", data_directory);
    }
    buffer_free(&path);
    buffer_free(&config);
    return code;
}

enum error_code engine_chdb_run(const struct engine_chdb *chdb, engine_chdb_connection connection, struct slice sql,
                                struct error *error)
{
    engine_chdb_result *result = chdb->query(*connection, sql.data, sql.size, "Null", 4, NULL, NULL, NULL, NULL, 0);
    if (!result) return error_set(error, ERROR_STORE, "the event store gave no answer");
    const char *text = chdb->result_error(result);
    enum error_code code = 0;
    if (text) {
        code = error_set(error, ERROR_STORE, "%s", text);
        if (error) error->detail = engine_chdb_error_number(slice_from_string(text));
    }
    chdb->result_destroy(result);
    return code;
}

int engine_chdb_error_number(struct slice text)
{
    ptrdiff_t at = slice_find(slice_first(text, 256), SLICE("Code: "));
    if (at < 0) return 0;
    struct slice digits = slice_from(text, (size_t)at + 6);
    size_t count = 0;
    while (count < digits.size && count < 6 && digits.data[count] >= '0' && digits.data[count] <= '9') count++;
    uint64_t number = 0;
    return slice_parse_uint64(slice_first(digits, count), &number) ? (int)number : 0;
}
