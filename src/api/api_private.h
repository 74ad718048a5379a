/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef API_API_PRIVATE_H
#define API_API_PRIVATE_H

#include "api/api.h"

struct api {
    struct api_settings settings;
    struct metric *requests, *not_found;
    const struct query_catalog **catalogs; /* of all domains */
    size_t catalog_count;
};

/* query_routes.c */
void api_query_timeseries(struct api_loop *loop, struct request *request, const struct tenant_key *key);
void api_query_top(struct api_loop *loop, struct request *request, const struct tenant_key *key);
void api_query_catalog(struct api_loop *loop, struct request *request, const struct tenant_key *key);

/* page.c: true when `path` is a file of the page, and answered. */
bool api_page_serve(struct api_loop *loop, struct request *request);

void api_respond_json(struct request *request, int status, struct slice body);

#endif
