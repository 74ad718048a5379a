/* SPDX-License-Identifier: Apache-2.0 */
/* The one array of domains the core walks: a new domain is one line in domains.c. */
#ifndef SERVER_DOMAINS_H
#define SERVER_DOMAINS_H

#include "domain/domain.h"
#include "engine/engine.h"

extern const struct domain *const server_domains[];
extern const size_t server_domain_count;

/* Row policies for every table there is: those of the domains show a tenant its rows, the program's own show it nothing.
 * Stops the program when out of memory. */
struct engine_policy *server_domain_policies(size_t *ret_count);

#endif
