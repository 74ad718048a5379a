/* SPDX-License-Identifier: Apache-2.0 */
/* Names of OpenTelemetry as Prometheus spells them. */
#ifndef DOMAINS_OBSERVABILITY_METRICS_NAMES_H
#define DOMAINS_OBSERVABILITY_METRICS_NAMES_H

#include "base/buffer.h"

/*
 * Source: OpenTelemetry's "Prometheus and OpenMetrics Compatibility", as Prometheus' OTLP receiver does it: what is no letter, digit or
 * colon separates words, words are joined by "_"; the unit's words follow unless they are there already; then "total" for monotonic
 * sums, "ratio" for gauges of unit 1.
 */
enum metrics_name_kind { METRICS_NAME_PLAIN, METRICS_NAME_GAUGE, METRICS_NAME_COUNTER };
void metrics_name_append(struct buffer *out, struct slice name, struct slice unit, enum metrics_name_kind kind);
/* Of a label: each other character becomes "_", "key_" stands before a digit. */
void metrics_label_name_append(struct buffer *out, struct slice name);

#endif
