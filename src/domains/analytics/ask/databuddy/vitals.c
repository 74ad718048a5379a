/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about web vitals. Each measurement has its place and device itself, so none is lost. */
#include "domains/analytics/ask/databuddy/families.h"

#define OF(metric) "metric_name = '" metric "' AND metric_value > 0"
#define CLS "metric_name = 'CLS'" /* 0 is a layout that does not move */
#define VALUES                                                                                                         \
    QUANTILE("0.5", "metric_value", "1") " AS p50, " QUANTILE("0.75", "metric_value", "1") " AS p75, "                 \
    QUANTILE("0.9", "metric_value", "1") " AS p90, "                                                                   \
    QUANTILE("0.95", "metric_value", "1") " AS p95, " QUANTILE("0.99", "metric_value", "1") " AS p99, "                \
    "round(avg(metric_value), 4) AS avg_value, count() AS samples"
#define P50(metric, condition) QUANTILE_OR_NULL("0.5", "metric_value", condition) " AS p50_" metric
#define P75(metric, condition) QUANTILE_OR_NULL("0.75", "metric_value", condition) " AS p75_" metric
#define AVERAGE(metric, condition) MEAN_OR_NULL("metric_value", condition) " AS avg_" metric
#define COUNTED "metric_name IN ('LCP', 'FCP', 'INP', 'TTFB') AND metric_value > 0 OR " CLS
#define P "name,visitors,p50_lcp,p50_fcp,p50_cls,p50_inp,p50_ttfb,samples"
#define BY(expression)                                                                                                 \
    "SELECT label AS name, * EXCEPT (label) FROM (SELECT " expression " AS label, " DISTINCT("device_id") " AS "       \
    "visitors, " P50("lcp", OF("LCP")) ", "                                                                            \
    P50("fcp", OF("FCP")) ", " P50("cls", CLS) ", " P50("inp", OF("INP")) ", " P50("ttfb", OF("TTFB")) ", count() AS " \
    "samples "                                                                                                         \
    "FROM $vitals AND (" COUNTED ") GROUP BY label) WHERE label != ''"
#define W_COLUMNS "visitors,avg_fcp,p50_fcp,avg_lcp,p50_lcp,p75_lcp,avg_cls,p50_cls,avg_inp,p75_inp,avg_ttfb,"         \
    "measurements"
#define W_VALUES                                                                                                       \
    DISTINCT("device_id") " AS visitors, " AVERAGE("fcp", OF("FCP")) ", " P50("fcp", OF("FCP")) ", " AVERAGE("lcp",    \
    OF("LCP")) ", "                                                                                                    \
    P50("lcp", OF("LCP")) ", " P75("lcp", OF("LCP")) ", " AVERAGE("cls", CLS) ", " P50("cls", CLS) ", "                \
    AVERAGE("inp", OF("INP")) ", "                                                                                     \
    P75("inp", OF("INP")) ", " AVERAGE("ttfb", OF("TTFB")) ", count() AS measurements FROM $vitals AND (" COUNTED ")"
#define W_BY(expression)                                                                                               \
    "SELECT label AS name, * EXCEPT (label) FROM (SELECT " expression " AS label, " W_VALUES " GROUP BY label) WHERE " \
    "label != ''"
#define VITALS(name, expression) {name, P, BY("toString(" expression ")"), "visitors DESC, samples DESC, name",        \
    DATABUDDY_VITALS, .is_public = true}
#define WEB_VITALS(name, expression) {name, "name," W_COLUMNS, W_BY("toString(" expression ")"), "visitors DESC, "     \
    "measurements DESC, name", DATABUDDY_VITALS}

static const struct databuddy_type vitals_types[] = {
    {"vitals_overview", "metric_name,p50,p75,p90,p95,p99,avg_value,samples", "SELECT metric_name, " VALUES " FROM "
        "$vitals GROUP BY metric_name",
     "metric_name", DATABUDDY_VITALS, .is_public = true},
    {"vitals_time_series", "date,metric_name,p50,p75,p90,p95,p99,avg_value,samples",
     "SELECT $bucket(timestamp) AS bucket, metric_name, " VALUES " FROM $vitals GROUP BY bucket, metric_name",
         "metric_name",
     DATABUDDY_VITALS, DATABUDDY_SPARSE, .is_public = true},
    {"vitals_by_page", "name,metric_name,p50,p75,p90,p95,p99,avg_value,samples,visitors",
     "SELECT " PATH("path") " AS name, metric_name, " VALUES ", " DISTINCT("device_id") " AS visitors FROM $vitals "
         "GROUP BY name, metric_name",
     "samples DESC, name, metric_name", DATABUDDY_VITALS, .is_public = true},
    VITALS("vitals_by_country", "country"),
    VITALS("vitals_by_browser", "browser"),
    VITALS("vitals_by_region", "region"),
    VITALS("vitals_by_city", "city"),
    WEB_VITALS("web_vitals_by_page", PATH("path")),
    WEB_VITALS("web_vitals_by_browser", "browser"),
    WEB_VITALS("web_vitals_by_country", "country"),
    WEB_VITALS("web_vitals_by_os", "os"),
    WEB_VITALS("web_vitals_by_device", DEVICE),
    WEB_VITALS("web_vitals_by_region", "region"),
    {"web_vitals_time_series", "date," W_COLUMNS, "SELECT $bucket(timestamp) AS bucket, " W_VALUES " GROUP BY bucket",
        NULL, DATABUDDY_VITALS,
     DATABUDDY_FILLED},
};
FAMILY(vitals, "Vitals");
