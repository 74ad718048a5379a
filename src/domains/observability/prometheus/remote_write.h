/* SPDX-License-Identifier: Apache-2.0 */
/* What the two versions of remote write share while a request is decoded. */
#ifndef DOMAINS_OBSERVABILITY_PROMETHEUS_REMOTE_WRITE_H
#define DOMAINS_OBSERVABILITY_PROMETHEUS_REMOTE_WRITE_H

#include "domains/observability/metrics/write.h"

struct remote_write {
    struct metrics_writer writer;
    const struct domain_input *input;
    struct arena *arena;                   /* of the series being read */
    int64_t oldest_ms, newest_ms;          /* times that are taken */
    size_t items;                          /* points seen */
    size_t series;                         /* series begun, for messages */
    size_t samples, histograms, exemplars; /* written */
    struct buffer reason;                  /* of the first refused ones */
    size_t refused;
    /* 2.0 */
    struct slice *symbols;
    uint64_t *symbol_hashes;
    size_t symbol_count;
};
enum remote_kind { REMOTE_NUMBERS = 1, REMOTE_HISTOGRAMS, REMOTE_CUSTOM_HISTOGRAMS };
/* One series of a request. Its labels are read when something is to be written that needs them. */
struct remote_series {
    struct slice message;
    uint64_t key;                  /* of its labels as they came */
    bool (*read_labels)(struct remote_write *write, struct remote_series *series); /* fills labels; false: no memory, or `problem` is set */
    struct slice references;       /* 2.0 */
    enum remote_kind kind;         /* of `known` */
    struct metrics_known *known;
    bool is_read, is_checked;
    bool is_described;             /* 2.0: the metadata say something */
    const char *problem;           /* with its labels */
    struct metrics_labels labels;  /* sorted, __name__ among them */
    struct slice name;
    const char *type;              /* 2.0's metadata; NULL: not said */
    struct slice unit, help;
};

enum error_code remote_write_malformed(const char *message, struct error *error) MUST_CHECK;
/* Before a series is read. ERROR_TOO_LARGE: those before it took too much. */
enum error_code remote_series_begin(struct remote_write *write, struct error *error) MUST_CHECK;
/* Adds a label; a reason when the series or exemplar has too many. */
const char *remote_label_add(struct remote_write *write, struct metrics_labels *labels, struct slice name, struct slice value);
/* Counts one point; ERROR_TOO_LARGE beyond OBSERVABILITY_ITEM_LIMIT. */
enum error_code remote_write_item(struct remote_write *write, struct error *error) MUST_CHECK;
void remote_write_refuse(struct remote_write *write, struct remote_series *series, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Whether a point of that time can be stored; refuses it if not. */
bool remote_write_time(struct remote_write *write, struct remote_series *series, int64_t unix_ms);
/* Sees to the row of the series for that day; false: refused, its labels are wrong. */
bool remote_series_known(struct remote_write *write, struct remote_series *series, enum remote_kind kind, int64_t unix_ms);
/* Labels, with `name` and `problem`; false: refused. */
bool remote_series_read(struct remote_write *write, struct remote_series *series);
/* Sample, Histogram. */
enum error_code remote_sample_read(struct remote_write *write, struct remote_series *series, struct slice message, struct error *error) MUST_CHECK;
enum error_code remote_histogram_read(struct remote_write *write, struct remote_series *series, struct slice message, struct error *error) MUST_CHECK;
/* With its labels, which become attributes; trace_id and span_id among them also become what they say. */
void remote_exemplar_append(struct remote_write *write, struct remote_series *series, double value, int64_t unix_ms, const struct metrics_labels *labels);
const char *remote_metadata_type(uint64_t number);

/* remote_write_1.c, remote_write_2.c */
enum error_code remote_write_1_read(struct remote_write *write, struct slice body, struct error *error) MUST_CHECK;
enum error_code remote_write_2_read(struct remote_write *write, struct slice body, struct error *error) MUST_CHECK;

#endif
