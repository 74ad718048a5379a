/* SPDX-License-Identifier: Apache-2.0 */
/* The progress bar. */
#include "server/progress.h"

#include <unistd.h>

#include "os/clock.h"

#define PROGRESS_WIDTH 30
#define PROGRESS_REDRAW_MS 100

void progress_begin(struct progress *progress, const char *label, const char *unit, uint64_t total)
{
    *progress = (struct progress){.label = label, .unit = unit, .total = total, .started_ms = os_clock_monotonic_ms(),
                                  .terminal = isatty(STDERR_FILENO)};
}

static void progress_draw(const struct progress *progress, uint64_t done)
{
    int64_t elapsed_ms = os_clock_monotonic_ms() - progress->started_ms;
    double per_second = elapsed_ms > 0 ? (double)done * 1000.0 / (double)elapsed_ms : 0;
    if (progress->total) {
        int filled = (int)(done * PROGRESS_WIDTH / progress->total);
        if (filled > PROGRESS_WIDTH) filled = PROGRESS_WIDTH;
        fprintf(stderr, "\r%s [%.*s%.*s] %3d%%  %llu %s, %.0f/s ", progress->label, filled, "##############################",
                PROGRESS_WIDTH - filled, "..............................", (int)(done * 100 / progress->total),
                (unsigned long long)done, progress->unit, per_second);
    } else {
        fprintf(stderr, "\r%s %llu %s, %.0f/s ", progress->label, (unsigned long long)done, progress->unit, per_second);
    }
    fflush(stderr);
}

void progress_update(struct progress *progress, uint64_t done)
{
    int64_t now_ms = os_clock_monotonic_ms();
    if (!progress->terminal || now_ms - progress->shown_ms < PROGRESS_REDRAW_MS) return;
    progress->shown_ms = now_ms;
    progress_draw(progress, done);
}

void progress_end(struct progress *progress, uint64_t done)
{
    if (!progress->terminal) return;
    progress_draw(progress, done);
    fputc('\n', stderr);
}
