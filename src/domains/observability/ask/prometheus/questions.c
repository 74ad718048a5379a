/* SPDX-License-Identifier: Apache-2.0 */
/* The routes: each at /api/v1 and at /prometheus/api/v1, for data sources with a prefix; GET and, where Prometheus has it, a form by POST. */
#include "domains/observability/ask/ask.h"
#include "domains/observability/ask/prometheus/prometheus.h"
#include "domains/observability/observability.h"

#define TIME "RFC 3339, or seconds since 1970 as a number"
static const struct domain_word query_words[] = {{"query", "PromQL"}, {"time", TIME "; default: now"}, {"timeout", "15s, or seconds"},
    {"stats", "Anything: how many samples were looked at, and how long it took"}, {"lookback_delta", "How long a sample counts; default 5m"}, {NULL, NULL}};
static const struct domain_word range_words[] = {{"query", "PromQL"}, {"start", TIME}, {"end", TIME}, {"step", "15s, or seconds; at most 11,000 points"},
    {"timeout", "15s, or seconds"}, {"stats", "Anything: how many samples were looked at, and how long it took"},
    {"lookback_delta", "How long a sample counts; default 5m"}, {NULL, NULL}};
static const struct domain_word series_words[] = {{"match[]", "A selector; repeated: series that fit any"}, {"start", TIME}, {"end", TIME},
    {"limit", "At most so many; 0: all"}, {NULL, NULL}};
static const struct domain_word exemplar_words[] = {{"query", "PromQL whose selectors name the series"}, {"start", TIME}, {"end", TIME}, {NULL, NULL}};
static const struct domain_word format_words[] = {{"query", "PromQL"}, {NULL, NULL}};
static const struct domain_word metadata_words[] = {{"metric", "One metric; default: all"}, {"limit", "At most so many metrics"},
    {"limit_per_metric", "At most so many entries of each"}, {NULL, NULL}};
static const struct domain_word rules_words[] = {{"type", "alert or record"}, {NULL, NULL}};
static const struct domain_word tsdb_words[] = {{"limit", "Entries of each list; default 10"}, {NULL, NULL}};
static const struct domain_word no_words[] = {{NULL, NULL}};

#define ONE(method_, path_, answer_, words_, summary_, form_)                                                                                              \
    {method_, path_, TENANT_METRICS_READ, answer_, words_, .summary = summary_, .takes_form = form_, .find_key = observability_find_reader_key,             \
     .refuse = prometheus_refuse}
#define GET_AT(path, answer, words, summary)                                                                                                               \
    ONE(METHOD_GET, "/api/v1" path, answer, words, summary, false), ONE(METHOD_GET, "/prometheus/api/v1" path, answer, words, summary, false)
#define BOTH_AT(path, answer, words, summary)                                                                                                              \
    GET_AT(path, answer, words, summary), ONE(METHOD_POST, "/api/v1" path, answer, words, summary, true),                                                  \
        ONE(METHOD_POST, "/prometheus/api/v1" path, answer, words, summary, true)

const struct domain_question observability_prometheus_questions[] = {
    BOTH_AT("/query", prometheus_query, query_words, "Prometheus' API: a query at one time"),
    BOTH_AT("/query_range", prometheus_query_range, range_words, "Prometheus' API: a query over a range of time"),
    BOTH_AT("/series", prometheus_series, series_words, "Prometheus' API: the label sets of series"),
    BOTH_AT("/labels", prometheus_labels, series_words, "Prometheus' API: names of labels"),
    GET_AT("/label/{name}/values", prometheus_label_values, series_words, "Prometheus' API: values of a label"),
    BOTH_AT("/query_exemplars", prometheus_query_exemplars, exemplar_words, "Prometheus' API: exemplars of the series of a query"),
    BOTH_AT("/format_query", prometheus_format_query, format_words, "Prometheus' API: a query in its canonical form"),
    GET_AT("/metadata", prometheus_metadata, metadata_words, "Prometheus' API: type, help and unit of metrics"),
    GET_AT("/rules", prometheus_rules, rules_words, "Prometheus' API: rules; there are none here"),
    GET_AT("/alerts", prometheus_alerts, no_words, "Prometheus' API: alerts; there are none here"),
    GET_AT("/alertmanagers", prometheus_alertmanagers, no_words, "Prometheus' API: Alertmanagers; there are none here"),
    GET_AT("/targets", prometheus_targets, no_words, "Prometheus' API: what is scraped; nothing is"),
    GET_AT("/targets/metadata", prometheus_targets_metadata, no_words, "Prometheus' API: metadata by target; nothing is scraped"),
    GET_AT("/status/tsdb", prometheus_tsdb, tsdb_words, "Prometheus' API: which metrics and labels have many series today"),
    GET_AT("/status/buildinfo", prometheus_buildinfo, no_words, "Prometheus' API: the version whose language is spoken"),
    {0},
};
