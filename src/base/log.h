/* SPDX-License-Identifier: Apache-2.0 */
/* One line per event on standard error: time, level, message. Safe from any thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* Lines below the level are dropped; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
const char *log_level_name(enum log_level level);
/* Gets the text of every line that is written, on the thread that writes it, and must not wait. One at a time: NULL takes it
 * away, and what belongs to `context` may be freed once no thread writes lines any more. */
struct log_listener {
    void (*heard)(void *context, enum log_level level, int64_t unix_ns, struct slice text);
    void *context;
};
void log_set_listener(const struct log_listener *listener);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
