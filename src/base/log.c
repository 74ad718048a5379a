/* SPDX-License-Identifier: Apache-2.0 */
/* Writing of log lines. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"

static _Atomic int log_level = LOG_LEVEL_INFO;

static const struct log_listener *_Atomic log_listener;

void log_set_listener(const struct log_listener *listener) { atomic_store(&log_listener, listener); }

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    return names[level];
}

void log_set_level(enum log_level level) { atomic_store(&log_level, (int)level); }

void log_write(enum log_level level, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&log_level, memory_order_relaxed)) return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char when[TIME_TEXT_SIZE];
    time_format_ms(now.tv_sec * 1000LL + now.tv_nsec / 1000000, when);
    char line[2048];
    int size = snprintf(line, sizeof line, "%.*s %-5s ", TIME_TEXT_SIZE, when, log_level_name(level));
    int head = size;
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(line + size, sizeof line - (size_t)size - 1, format, arguments);
    va_end(arguments);
    if (more < 0) more = 0;
    size += more;
    if ((size_t)size > sizeof line - 2) size = (int)sizeof line - 2;
    const struct log_listener *listener = atomic_load_explicit(&log_listener, memory_order_acquire);
    if (listener)
        listener->heard(listener->context, level, now.tv_sec * 1000000000LL + now.tv_nsec, slice_make(line + head, (size_t)(size - head)));
    line[size++] = '\n';
    /* One write, so that lines of several threads and processes do not mix. */
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)size);
    (void)ignored;
}
