/* SPDX-License-Identifier: Apache-2.0 */
/* All user agent rules as one Hyperscan database, which finds every rule that matches in one pass over the text. */
#ifndef ENRICH_USER_AGENT_DATABASE_H
#define ENRICH_USER_AGENT_DATABASE_H

#include <stdint.h>
#include <hs/hs.h>
#include "base/error.h"

/*
 * Compiling takes seconds. So it is done when the program is built (user_agent_compile.c), and the result is part of
 * the program; a program that runs with another Hyperscan than it was built with compiles again at its start.
 * Ids of matches are positions in user_agent_rules.
 */
enum error_code user_agent_database_compile(hs_database_t **ret_database, uint8_t **ret_refused, struct error *error)
    MUST_CHECK;
/* The built-in database when it fits this machine's Hyperscan, else one compiled now. `refused[i]` is 1 for rules that
 * Hyperscan cannot take; free() it. */
enum error_code user_agent_database_open(hs_database_t **ret_database, uint8_t **ret_refused, struct error *error)
    MUST_CHECK;

#endif
