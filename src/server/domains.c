/* SPDX-License-Identifier: Apache-2.0 */
/* The domains of this program. */
#include "server/domains.h"

#include "domains/analytics/analytics.h"
#include "domains/audit/audit.h"
#include "domains/observability/observability.h"
#include "ingest/requests.h"
#include "server/store_migrations.h"
#ifdef MILLRACE_WITH_SHAPE
#include "domains/_shape/shape.h"
#endif

const struct domain *const server_domains[] = {
    &ingest_requests_domain,
    &analytics_domain,
    &audit_domain,
    &observability_domain,
#ifdef MILLRACE_WITH_SHAPE
    &shape_domain, /* in test builds: the domain to copy is run like every other */
#endif
};
const size_t server_domain_count = sizeof server_domains / sizeof server_domains[0];

struct engine_policy *server_domain_policies(size_t *ret_count)
{
    size_t count = 1;
    for (size_t i = 0; i < server_domain_count; i++) count += server_domains[i]->table_count + server_domains[i]->view_count;
    struct engine_policy *policies = calloc(count, sizeof *policies);
    ASSERT(policies != NULL);
    size_t position = 0;
    for (size_t i = 0; i < server_domain_count; i++) {
        const struct domain *domain = server_domains[i];
        for (size_t j = 0; j < domain->table_count; j++)
            policies[position++] = (struct engine_policy){domain->tables[j].schema->database, domain->tables[j].schema->table,
                                                          domain->tables[j].tenant_column};
        for (size_t j = 0; j < domain->view_count; j++)
            policies[position++] = (struct engine_policy){domain->views[j].database, domain->views[j].table,
                                                          domain->views[j].tenant_column};
    }
    policies[position] = (struct engine_policy){STORE_MIGRATIONS_DATABASE, STORE_MIGRATIONS_TABLE, NULL};
    *ret_count = count;
    return policies;
}
