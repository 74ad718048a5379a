/* SPDX-License-Identifier: Apache-2.0 */
/* Words in error messages: what was given, made safe to print; what is allowed; what was probably meant. */
#ifndef QUERY_WORDS_H
#define QUERY_WORDS_H

#include "base/slice.h"

#define QUERY_SHOWN_LIMIT 60 /* bytes of a wrong value that a message repeats */
struct query_shown { char text[QUERY_SHOWN_LIMIT + 4]; };
/* The value as one printable line of ASCII or UTF-8, cut with "..." when it is long. */
struct query_shown query_words_show(struct slice value);

struct query_listed { char text[280]; };
/* The name at an index of a table somebody else owns. */
typedef const char *query_words_name(const void *table, size_t index);
/* "visitors, page_views, sessions", cut with "..." when it is long. */
struct query_listed query_words_list(query_words_name *name, const void *table, size_t count);
/* The index of exactly this name, or -1. */
ptrdiff_t query_words_find(query_words_name *name, const void *table, size_t count, struct slice word);
/* " Did you mean \"visitors\"?", or "" when nothing is near. */
struct query_listed query_words_suggest(query_words_name *name, const void *table, size_t count, struct slice word);

#endif
